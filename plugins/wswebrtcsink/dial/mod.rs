//! Shell: signalling through a broker that the sink dials (`uri`). See [`vdi_protocol::broker`].
//!
//! One task keeps one WebSocket. When it is lost, consumers that are connected live on and the rest end; the task
//! dials again with back-off for as long as the sink is up. A broker that refuses ends it, with an error on the bus.

mod backoff;
mod tls;

use super::{
    consumer::{CAT, Consumer, Visit, json, negotiation::Input},
    hub::Hub,
    runtime::runtime,
};
use backoff::Backoff;
use futures_util::{SinkExt, StreamExt};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};
use tokio_tungstenite::{
    Connector,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::client::Request,
        http::{HeaderValue, header},
        protocol::WebSocketConfig,
    },
};
use vdi_protocol::{
    SUBPROTOCOL, VERSION,
    broker::{FromBroker, ToBroker},
    parse,
};

/// Messages that may wait for the broker.
const OUTBOX: usize = 1024;
/// From dialling to an open WebSocket.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// Proxies cut connections that are idle for a minute, and nobody reaches the sink while its broker is gone.
const PING_EVERY: Duration = Duration::from_secs(8);
/// Pings that a broker may leave unanswered, since nothing else may come for hours: a machine that is switched off says no
/// word of it.
const PINGS_UNHEARD: u32 = 2;
/// A broker that takes no bytes for so long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// An envelope is a little larger than its message.
const ENVELOPE_BYTES: usize = 1024;

/// A running connection to a broker; dropping it ends it.
#[derive(Debug)]
pub struct Dialler {
    _stop: oneshot::Sender<()>,
}

impl Dialler {
    /// Checks the URI and the certificates, and begins to dial.
    pub fn start(uri: &str, ca_file: Option<&str>, hub: Arc<Hub>) -> Result<Self, String> {
        let request = request(uri)?;
        let connector = match request.uri().scheme_str() {
            Some("wss") => Connector::Rustls(tls::config(ca_file)?),
            _ => Connector::Plain,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let mut dial = Dial { uri: uri.to_owned(), request, connector, hub, consumers: BTreeMap::new() };
        runtime().spawn(async move {
            tokio::select! {
                () = dial.run() => {}
                _ = stopped => {}
            }
        });
        Ok(Self { _stop: stop })
    }
}

fn request(uri: &str) -> Result<Request, String> {
    let wrong = |why: &dyn std::fmt::Display| {
        format!("uri \"{uri}\": {why}; the form is ws://host[:port]/path or wss://…")
    };
    let mut request = uri.into_client_request().map_err(|err| wrong(&err))?;
    if !matches!(request.uri().scheme_str(), Some("ws" | "wss")) {
        return Err(wrong(&"the scheme must be ws or wss"));
    }
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(request)
}

/// How a connection ended.
enum End {
    /// It was lost, after the broker had accepted the registration or before.
    Lost { registered: bool, why: String },
    /// The broker does not want us.
    Refused(String),
}

struct Dial {
    uri: String,
    request: Request,
    connector: Connector,
    hub: Arc<Hub>,
    /// The broker's consumers.
    consumers: BTreeMap<String, Arc<Consumer>>,
}

impl Dial {
    async fn run(&mut self) {
        let mut backoff = Backoff::default();
        // One warning per outage is news; one per attempt is noise.
        let mut told = false;
        loop {
            let why = match self.connection().await {
                End::Refused(reason) => {
                    self.refused(&reason);
                    return;
                }
                End::Lost { registered, why } => {
                    if registered {
                        told = false;
                        backoff.succeeded();
                    }
                    why
                }
            };
            let mut random = [0];
            let _ = getrandom::fill(&mut random);
            let wait = backoff.failed(random[0]);
            gst::info!(CAT, "{}: {why}; dialling again in {wait:?}", self.uri);
            if !told {
                told = true;
                self.unreachable(&why);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// One connection, from dialling to its end.
    async fn connection(&mut self) -> End {
        let config =
            WebSocketConfig::default().max_message_size(Some(self.hub.max_message_size() + ENVELOPE_BYTES));
        let dialled = tokio_tungstenite::connect_async_tls_with_config(
            self.request.clone(),
            Some(config),
            true,
            Some(self.connector.clone()),
        );
        let socket = match tokio::time::timeout(DIAL_LIMIT, dialled).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(err)) => return End::Lost { registered: false, why: err.to_string() },
            Err(_) => return End::Lost { registered: false, why: "no answer".into() },
        };
        let (mut to_broker, mut from_broker) = socket.split();
        let (outbox, mut messages) = mpsc::channel::<ToBroker>(OUTBOX);
        self.resume(&outbox);

        let mut registered = false;
        let mut ping = tokio::time::interval(PING_EVERY);
        // Who stood still himself has not waited for answers meanwhile.
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.tick().await;
        let mut unheard = 0;
        let why = loop {
            let outgoing = tokio::select! {
                biased;
                message = from_broker.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        unheard = 0;
                        match self.received(&text, &outbox, &mut registered) {
                            Some(end) => return end,
                            None => continue,
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        break frame.map_or("the broker closed".into(), |frame| format!("the broker closed: {frame}"));
                    }
                    Some(Ok(_)) => {
                        unheard = 0;
                        continue;
                    }
                    Some(Err(err)) => break err.to_string(),
                    None => break "the connection was cut".to_owned(),
                },
                message = messages.recv() => match message {
                    Some(message) => Message::text(json(&message)),
                    None => break "the outbox is closed".to_owned(),
                },
                _ = ping.tick() => {
                    if unheard == PINGS_UNHEARD {
                        break "the broker answers no more".to_owned();
                    }
                    unheard += 1;
                    Message::Ping(Default::default())
                }
            };
            match tokio::time::timeout(SEND_LIMIT, to_broker.send(outgoing)).await {
                Ok(Ok(())) => {}
                Ok(Err(err)) => break err.to_string(),
                Err(_) => break "the broker takes no more".to_owned(),
            }
        };
        self.lost();
        End::Lost { registered, why }
    }

    /// Registers, with the consumers that live on.
    fn resume(&mut self, outbox: &mpsc::Sender<ToBroker>) {
        self.forget_ended();
        let consumers: Vec<String> = self.consumers.keys().cloned().collect();
        for (id, consumer) in &self.consumers {
            consumer.replace_outgoing(outgoing(id.clone(), outbox.clone()));
        }
        let _ = outbox.try_send(ToBroker::Register { version: VERSION, consumers });
    }

    fn received(
        &mut self,
        text: &str,
        outbox: &mpsc::Sender<ToBroker>,
        registered: &mut bool,
    ) -> Option<End> {
        let limit = self.hub.max_message_size() + ENVELOPE_BYTES;
        match parse::message::<FromBroker>(text, limit) {
            Ok(FromBroker::Registered) => {
                gst::info!(CAT, "registered at {}", self.uri);
                *registered = true;
            }
            Ok(FromBroker::ConsumerAdded { consumer: id }) => {
                self.forget_ended();
                match self.hub.open_consumer(&id, Visit::default(), outgoing(id.clone(), outbox.clone())) {
                    Ok(consumer) => {
                        self.consumers.insert(id, consumer);
                    }
                    Err(refusal) => {
                        let message = vdi_protocol::signalling::ToConsumer::Error {
                            code: refusal.code,
                            message: refusal.message,
                        };
                        let _ = outbox.try_send(ToBroker::Consumer { consumer: id.clone(), message });
                        let _ = outbox.try_send(ToBroker::ConsumerRemoved { consumer: id });
                    }
                }
            }
            Ok(FromBroker::Consumer { consumer: id, message }) => match self.consumers.get(&id) {
                Some(consumer) => consumer.input(Input::Message(message)),
                None => {
                    let _ = outbox.try_send(ToBroker::ConsumerRemoved { consumer: id });
                }
            },
            Ok(FromBroker::ConsumerRemoved { consumer: id }) => {
                if let Some(consumer) = self.consumers.remove(&id) {
                    consumer.input(Input::SignallingLost { clean: true });
                }
            }
            Ok(FromBroker::Refused { reason }) => return Some(End::Refused(reason)),
            Err(err) => gst::warning!(CAT, "{}: {err}", self.uri),
        }
        None
    }

    /// The connection is gone; connected consumers live on.
    fn lost(&mut self) {
        for consumer in self.consumers.values() {
            consumer.input(Input::SignallingLost { clean: false });
        }
    }

    fn forget_ended(&mut self) {
        let hub = &self.hub;
        self.consumers
            .retain(|id, consumer| hub.consumer(id).is_some_and(|current| Arc::ptr_eq(&current, consumer)));
    }

    fn unreachable(&self, why: &str) {
        if let Some(element) = self.hub.element() {
            gst::element_warning!(
                element,
                gst::ResourceError::OpenReadWrite,
                ("The broker {} cannot be reached ({why}); it is dialled again until it answers", self.uri)
            );
        }
    }

    fn refused(&self, reason: &str) {
        if let Some(element) = self.hub.element() {
            gst::element_error!(
                element,
                gst::ResourceError::NotAuthorized,
                ("The broker {} refuses this sink: {reason}", self.uri)
            );
        }
    }
}

/// Sends one consumer's messages in envelopes, and tells the broker when the consumer has ended.
fn outgoing(id: String, outbox: mpsc::Sender<ToBroker>) -> super::consumer::Outgoing {
    struct Ended(String, mpsc::Sender<ToBroker>);
    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.1.try_send(ToBroker::ConsumerRemoved { consumer: self.0.clone() });
        }
    }
    let ended = Ended(id, outbox);
    Box::new(move |message| {
        let _ = ended.1.try_send(ToBroker::Consumer { consumer: ended.0.clone(), message });
    })
}
