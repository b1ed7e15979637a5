//! Shell: what a sink's parts share: its settings, streams and consumers, and the way to its signals.
//!
//! Every way of signalling opens consumers here and gets the same negotiation. Signals are emitted without a lock
//! held, since an application may call back.

use super::{
    WsWebRtcSink,
    consumer::{
        Carrier, Consumer, Outgoing, json,
        negotiation::{self, Input, Terms},
        pipeline::Plan,
        token::{self, Token},
    },
    continuity::{Arrival, Places, Refused, Serial},
    frames::{self, SharedTotals},
    ice_servers,
    payload::Kind,
    producer::Producer,
    settings::Settings,
};
use crate::adaptiveencbin::feedback::Feedback;
use gst::{glib, prelude::*};
use gst_webrtc::WebRTCICETransportPolicy;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, watch};
use vdi_protocol::{
    control::{Media, ToPage},
    signalling::{Continued, ErrorCode, IceTransportPolicy, MediaPath, ToConsumer},
};

/// How long a new consumer waits for streams that have not begun. Less than the negotiation's limit, so that the
/// consumer learns why.
const MEDIA_WAIT: Duration = Duration::from_secs(5);

/// How long the sink's way to NULL waits for its consumers.
const STOP_WAIT: Duration = Duration::from_secs(6);

/// WebSockets that may be open without having said hello; a page says it within a round trip.
const MAX_GREETING: usize = 64;

/// Why a consumer was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// What a sink's parts share.
pub struct Hub {
    element: glib::WeakRef<WsWebRtcSink>,
    settings: Mutex<Settings>,
    producers: Mutex<BTreeMap<String, Producer>>,
    consumers: Mutex<Consumers>,
    /// Told whenever a consumer is gone.
    emptied: Condvar,
    playout_delay: watch::Sender<(Duration, Duration)>,
    /// Room for WebSockets that have not said what they want.
    pub greeting: Semaphore,
    next_id: AtomicU64,
    opened_total: AtomicU64,
    /// What the ways of all frames to all consumers took.
    totals: SharedTotals,
}

#[derive(Default)]
struct Consumers {
    places: Places<Arc<Consumer>>,
    /// Connections whose tasks have not ended, those that were replaced among them.
    alive: usize,
    /// For the next connection.
    next_serial: Serial,
    /// The sink is up; false refuses new ones.
    open: bool,
}

impl Consumers {
    /// For a connection that begins now.
    fn new_serial(&mut self) -> Serial {
        self.next_serial += 1;
        self.alive += 1;
        self.next_serial
    }
}

impl Hub {
    /// The hub of a sink.
    pub fn new(element: &WsWebRtcSink) -> Arc<Self> {
        Arc::new(Self {
            element: element.downgrade(),
            settings: Mutex::default(),
            producers: Mutex::default(),
            consumers: Mutex::default(),
            emptied: Condvar::new(),
            playout_delay: watch::Sender::new((Duration::ZERO, Duration::ZERO)),
            greeting: Semaphore::new(MAX_GREETING),
            next_id: AtomicU64::new(1),
            opened_total: AtomicU64::new(0),
            totals: SharedTotals::default(),
        })
    }

    /// The sink, while it lives.
    pub fn element(&self) -> Option<WsWebRtcSink> {
        self.element.upgrade()
    }

    /// The properties. Hold the guard for one statement only.
    pub fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    /// Largest message in bytes.
    pub fn max_message_size(&self) -> usize {
        self.settings().max_message_size
    }

    /// Changes the playout delay, in running consumers too.
    pub fn set_playout_delay(&self, delay: (Duration, Duration)) {
        self.settings().playout_delay = delay;
        self.playout_delay.send_replace(delay);
    }

    /// Follows the playout delay.
    pub fn watch_playout_delay(&self) -> watch::Receiver<(Duration, Duration)> {
        self.playout_delay.subscribe()
    }

    // Streams.

    /// A stream has come, under its pad's name.
    pub fn add_producer(&self, pad: &str, producer: Producer) {
        lock(&self.producers).insert(pad.to_owned(), producer);
    }

    /// A stream has gone.
    pub fn remove_producer(&self, pad: &str) -> Option<Producer> {
        lock(&self.producers).remove(pad)
    }

    /// Video first: browsers take the first section for the bundle's transport.
    fn producers(&self) -> Vec<Producer> {
        let mut producers: Vec<_> = lock(&self.producers).values().cloned().collect();
        producers.sort_by_key(|producer| producer.kind() == Kind::Audio);
        producers
    }

    /// Asks the encoders for key frames.
    pub fn request_key_frame(&self) {
        for producer in self.producers() {
            producer.request_key_frame();
        }
    }

    /// The time that pages align their clocks with, in microseconds; `None` while the sink has no clock.
    pub fn clock_us(&self) -> Option<u64> {
        self.element()?.clock().map(|clock| clock.time().useconds())
    }

    /// Tells the encoders of the video what a consumer sees.
    pub fn send_feedback(&self, feedback: &Feedback) {
        for producer in self.producers().iter().filter(|producer| producer.kind() == Kind::Video) {
            producer.send_feedback(feedback);
        }
    }

    /// What is being sent, as pages are told.
    pub fn media(&self) -> Media {
        let mut media = Media::default();
        for producer in self.producers() {
            let stream = producer.stream();
            let (Some(caps), Some(row)) = (&stream.caps, stream.payload()) else { continue };
            if row.kind == Kind::Audio {
                media.audio = true;
                continue;
            }
            let Some(s) = caps.structure(0) else { continue };
            let dimension = |name| u32::try_from(s.get::<i32>(name).unwrap_or(0)).unwrap_or(0);
            media.codec = row.encoding_name.to_owned();
            media.encoder = stream.encoder.clone().unwrap_or_default();
            media.width = dimension("width");
            media.height = dimension("height");
            media.framerate = s
                .get::<gst::Fraction>("framerate")
                .ok()
                .filter(|rate| rate.numer() > 0 && rate.denom() > 0)
                .map_or(0, |rate| {
                    u32::try_from((rate.numer() + rate.denom() / 2) / rate.denom()).unwrap_or(0)
                });
        }
        media
    }

    /// Caps or encoder have changed.
    pub fn media_changed(&self) {
        self.send_data("", "control", &json(&ToPage::Media(self.media())));
    }

    /// What a new consumer's pipeline is built from; waits for streams that have not begun.
    pub async fn plan(&self, consumer: String) -> Result<Plan, String> {
        let producers = self.producers();
        if producers.is_empty() {
            return Err("the sink has no streams: nothing is linked to its pads".into());
        }
        let mut streams = Vec::with_capacity(producers.len());
        for producer in producers {
            let mut watch = producer.watch();
            // What `wait_for` returns holds the watch's lock, so it must be gone before anything else looks at it.
            let waited =
                tokio::time::timeout(MEDIA_WAIT, watch.wait_for(|stream| stream.caps.is_some())).await;
            let began = matches!(waited, Ok(Ok(_)));
            drop(waited);
            if !began {
                return Err(format!("no {} has come from the source yet", producer.kind().as_str()));
            }
            let stream = producer.stream();
            match (stream.payload(), stream.caps) {
                (Some(row), Some(caps)) => streams.push((producer, row, caps)),
                (_, caps) => return Err(format!("{caps:?} cannot be sent")),
            }
        }
        let element = self.element().ok_or("the sink is gone")?;
        let clock = element.clock().zip(element.base_time());
        let settings = self.settings();
        Ok(Plan {
            consumer,
            streams,
            clock,
            stun_server: settings.stun_server.clone(),
            turn_servers: settings.turn_servers.clone(),
            ice_transport_policy: settings.ice_transport_policy,
            playout_delay: settings.playout_delay,
            totals: self.totals.clone(),
        })
    }

    // Consumers.

    /// Consumers may come.
    pub fn open(&self) {
        lock(&self.consumers).open = true;
    }

    /// Ends all consumers and waits for them; false when some did not end in time.
    pub fn close(&self, reason: &str) -> bool {
        let mut consumers = lock(&self.consumers);
        consumers.open = false;
        for consumer in consumers.places.living() {
            consumer.input(Input::Stop(reason.to_owned()));
        }
        let (consumers, _) = self
            .emptied
            .wait_timeout_while(consumers, STOP_WAIT, |consumers| consumers.alive > 0)
            .unwrap_or_else(PoisonError::into_inner);
        consumers.alive == 0
    }

    /// A name for a consumer that brings none.
    pub fn new_id(&self) -> String {
        format!("c{}", self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// A consumer is there.
    pub fn open_consumer(self: &Arc<Self>, id: &str, outgoing: Outgoing) -> Result<Arc<Consumer>, Refusal> {
        let refuse = |code, message| Err(Refusal { code, message });
        let settings = self.settings().clone();
        let Some(token) = new_token() else {
            return refuse(ErrorCode::Internal, "the system gives no random numbers".into());
        };
        let terms = terms(id, &settings, token, false);
        let mut consumers = lock(&self.consumers);
        if !consumers.open {
            return refuse(ErrorCode::NoMedia, "the stream is not running".into());
        }
        if consumers.places.contains(id) {
            return refuse(ErrorCode::UnexpectedMessage, format!("there is a consumer \"{id}\" already"));
        }
        if consumers.places.count() >= settings.max_consumers as usize {
            return refuse(
                ErrorCode::TooManyConsumers,
                format!("this stream serves at most {} consumers at once", settings.max_consumers),
            );
        }
        let serial = consumers.new_serial();
        let consumer = Consumer::open(self, serial, terms, outgoing);
        consumers.places.open(id, serial, consumer.clone());
        self.opened_total.fetch_add(1, Ordering::Relaxed);
        Ok(consumer)
    }

    /// A consumer goes on with its session over another way: its connection gets it, or a successor is opened.
    ///
    /// The message that asks for it is for the connection that is returned.
    pub fn continue_consumer(
        self: &Arc<Self>,
        session: &Continued,
        outgoing: Outgoing,
    ) -> Result<(Arc<Consumer>, Carrier), Refusal> {
        let unknown = || {
            let (code, message) = negotiation::unknown(session);
            Refusal { code, message }
        };
        let settings = self.settings().clone();
        let mut consumers = lock(&self.consumers);
        let present = consumers.places.get(&session.consumer).cloned().ok_or_else(unknown)?;
        if !consumers.open || !present.token.is(&session.token) {
            return Err(unknown());
        }
        if session.media == MediaPath::Keep {
            // What an old way does when it is let go is its own, and may come back here.
            drop(consumers);
            if !present.is_connected() {
                return Err(unknown());
            }
            let carrier = present.replace_outgoing(outgoing);
            return Ok((present, carrier));
        }
        consumers.places.may_follow(&session.consumer).map_err(|refused| match refused {
            Refused::Unknown => unknown(),
            Refused::TooMany => Refusal {
                code: ErrorCode::Internal,
                message: "earlier connections of this session are still going down".into(),
            },
        })?;
        let serial = consumers.new_serial();
        let terms = terms(&session.consumer, &settings, present.token.clone(), true);
        let successor = Consumer::open(self, serial, terms, outgoing);
        let earlier = consumers.places.follow(&session.consumer, serial, successor.clone());
        drop(consumers);
        if let Some(earlier) = earlier {
            earlier.retire();
        }
        Ok((successor, 0))
    }

    /// What stands for the consumer of this name.
    pub fn consumer(&self, id: &str) -> Option<Arc<Consumer>> {
        lock(&self.consumers).places.get(id).cloned()
    }

    /// Every connection of the consumer that has not been replaced is to end.
    pub fn stop_consumer(&self, id: &str, reason: &str) {
        for consumer in lock(&self.consumers).places.living().filter(|consumer| consumer.id == id) {
            consumer.input(Input::Stop(reason.to_owned()));
        }
    }

    /// Names of all consumers.
    pub fn consumer_ids(&self) -> Vec<String> {
        lock(&self.consumers).places.ids().cloned().collect()
    }

    /// Sends text on a data channel of one consumer, or of all when `id` is empty.
    pub fn send_data(&self, id: &str, channel: &str, text: &str) -> bool {
        if id.is_empty() {
            let all: Vec<_> = lock(&self.consumers).places.all().cloned().collect();
            all.iter().filter(|consumer| consumer.send_data(channel, text)).count() > 0
        } else {
            self.consumer(id).is_some_and(|consumer| consumer.send_data(channel, text))
        }
    }

    /// The `stats` property.
    pub fn stats(&self) -> gst::Structure {
        let consumers: Vec<_> =
            lock(&self.consumers).places.all().map(|consumer| consumer.stats().to_send_value()).collect();
        let bytes: u64 = self.producers().iter().map(Producer::bytes).sum();
        gst::Structure::builder("application/x-vdi-sink-stats")
            .field("bytes-encoded", bytes)
            .field("consumers-total", self.opened_total.load(Ordering::Relaxed))
            .field("consumers", gst::Array::from_values(consumers))
            .field("latency-histograms", frames::histograms(&self.totals))
            .build()
    }

    // Signals.

    /// A consumer's offer is out.
    pub fn consumer_added(&self, id: &str) {
        self.emit("consumer-added", &[&id]);
    }

    /// Which browser a consumer is, if it told.
    pub fn consumer_client(&self, id: &str, client: &str) {
        self.emit("consumer-client", &[&id, &client]);
    }

    /// A connection can be talked to: it stands for its consumer from now on.
    pub fn consumer_connected(&self, consumer: &Consumer) {
        let arrival = lock(&self.consumers).places.connected(&consumer.id, consumer.serial);
        match arrival {
            Arrival::Late => return,
            Arrival::Succeeds(Some(old)) => old.retire(),
            Arrival::Succeeds(None) | Arrival::First => {}
        }
        let id = &consumer.id;
        self.send_data(id, "control", &json(&ToPage::Media(self.media())));
        self.emit("consumer-connected", &[id]);
    }

    /// A connection has ended and is taken down, whether its offer ever went out or not. The consumer is gone with it
    /// unless another connection stands for it, or is about to.
    pub fn consumer_ended(&self, consumer: &Consumer, reason: &str) {
        let gone = lock(&self.consumers).places.ended(&consumer.id, consumer.serial);
        if gone {
            self.emit("consumer-removed", &[&consumer.id, &reason]);
        }
        let mut consumers = lock(&self.consumers);
        if gone {
            consumers.places.forget(&consumer.id);
        }
        consumers.alive = consumers.alive.saturating_sub(1);
        self.emptied.notify_all();
    }

    /// Text of a data channel, for the application.
    pub fn data_message(&self, id: &str, channel: &str, text: &str) {
        self.emit("data-message", &[&id, &channel, &text]);
    }

    /// A message that the application is to carry to a consumer.
    pub fn send_signalling(&self, id: &str, message: &ToConsumer) {
        self.emit("send-signalling", &[&id, &json(message)]);
    }

    fn emit(&self, signal: &str, values: &[&dyn ToValue]) {
        if let Some(element) = self.element() {
            element.emit_by_name::<()>(signal, values);
        }
    }
}

/// A secret for a new consumer.
fn new_token() -> Option<Token> {
    let mut random = [0; token::BYTES];
    getrandom::fill(&mut random).ok()?;
    Some(Token::of(random))
}

fn terms(id: &str, settings: &Settings, token: Token, succeeds: bool) -> Terms {
    // Both kinds were checked when the properties were set.
    let stun = settings.stun_server.iter().filter_map(|uri| ice_servers::stun(uri).ok());
    let turn = settings.turn_servers.iter().filter_map(|uri| ice_servers::turn(uri).ok());
    Terms {
        consumer: id.to_owned(),
        ice_servers: stun.chain(turn).collect(),
        ice_transport_policy: match settings.ice_transport_policy {
            WebRTCICETransportPolicy::Relay => IceTransportPolicy::Relay,
            _ => IceTransportPolicy::All,
        },
        negotiation_timeout: settings.negotiation_timeout,
        token,
        succeeds,
    }
}

/// A panic elsewhere leaves these values whole: each is changed in one statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
