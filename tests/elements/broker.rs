//! A small signalling broker for the tests: one sink, consumers in this process, plain or over TLS.

use crate::{
    consumer::{Consumer, PATIENCE},
    sink::{CHANNELS, RUNTIME},
};
use futures_util::{SinkExt, StreamExt};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{broadcast, mpsc::UnboundedSender},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{Request, Response},
};
use vdi_protocol::broker::{FromBroker, ToBroker};

/// A certificate for localhost and the authority that signed it.
pub struct Certificate {
    config: Arc<rustls::ServerConfig>,
    ca_file: PathBuf,
}

impl Certificate {
    pub fn for_localhost() -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["localhost".into()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let ca_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("test-ca.pem");
        std::fs::write(&ca_file, ca_certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Self { config: Arc::new(config), ca_file }
    }

    pub fn ca_file(&self) -> String {
        self.ca_file.display().to_string()
    }
}

#[derive(Default)]
struct Shared {
    consumers: Mutex<HashMap<String, Weak<Consumer>>>,
    to_sink: Mutex<Option<UnboundedSender<FromBroker>>>,
    failures: AtomicU32,
}

/// What becomes of the sink's connection.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Cut,
    Silence,
}

/// The broker.
pub struct Broker {
    uri: String,
    shared: Arc<Shared>,
    registrations: mpsc::Receiver<Vec<String>>,
    trouble: broadcast::Sender<Trouble>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Broker {
    pub fn start(certificate: Option<&Certificate>) -> Self {
        Self::run(certificate, None)
    }

    pub fn refusing(reason: &'static str) -> Self {
        Self::run(None, Some(reason))
    }

    fn run(certificate: Option<&Certificate>, refuse: Option<&'static str>) -> Self {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = certificate.map(|certificate| TlsAcceptor::from(certificate.config.clone()));
        let scheme = if acceptor.is_some() { "wss" } else { "ws" };
        let shared = Arc::new(Shared::default());
        let (sender, registrations) = mpsc::channel();
        let (trouble, _) = broadcast::channel(1);
        let accepting = {
            let (shared, trouble) = (shared.clone(), trouble.clone());
            RUNTIME.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (shared, trouble, sender) = (shared.clone(), trouble.subscribe(), sender.clone());
                    match &acceptor {
                        Some(acceptor) => {
                            let accept = acceptor.accept(stream);
                            RUNTIME.spawn(async move {
                                match accept.await {
                                    Ok(stream) => serve(stream, shared, trouble, sender, refuse).await,
                                    Err(_) => drop(shared.failures.fetch_add(1, Ordering::SeqCst)),
                                }
                            });
                        }
                        None => drop(RUNTIME.spawn(serve(stream, shared, trouble, sender, refuse))),
                    }
                }
            })
        };
        Self { uri: format!("{scheme}://localhost:{port}/sink"), shared, registrations, trouble, accepting }
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The names in the sink's next registration.
    pub fn next_registration(&self) -> Vec<String> {
        self.registrations.recv_timeout(2 * PATIENCE).expect("the sink registers")
    }

    /// A consumer behind the broker. Waits for the sink's registration if there was none yet.
    pub fn add_consumer(&self, name: &str) -> Arc<Consumer> {
        let started = Instant::now();
        while self.shared.to_sink.lock().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "the sink did not register");
            std::thread::sleep(Duration::from_millis(10));
        }
        while self.registrations.try_recv().is_ok() {}
        let (shared, id) = (self.shared.clone(), name.to_owned());
        let consumer = Consumer::new(move |message| {
            send(&shared, FromBroker::Consumer { consumer: id.clone(), message });
        });
        self.shared.consumers.lock().unwrap().insert(name.to_owned(), Arc::downgrade(&consumer));
        send(&self.shared, FromBroker::ConsumerAdded { consumer: name.to_owned() });
        consumer.hello();
        consumer.wait_for("the data channels", |seen| (seen.open.len() == CHANNELS).then_some(()));
        consumer
    }

    /// Cuts the sink's connection.
    pub fn cut(&self) {
        self.trouble.send(Trouble::Cut).unwrap();
    }

    /// Keeps the sink's connection, and neither reads nor writes on it any more.
    pub fn fall_silent(&self) {
        self.trouble.send(Trouble::Silence).unwrap();
    }

    pub fn handshake_failures(&self) -> u32 {
        self.shared.failures.load(Ordering::SeqCst)
    }

    pub fn wait_for_handshake_failure(&self, before: u32) {
        let started = Instant::now();
        while self.handshake_failures() == before {
            assert!(started.elapsed() < PATIENCE, "the sink trusted a certificate of nobody");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(
            self.registrations.try_recv().is_err(),
            "the sink registered over a connection it cannot trust"
        );
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = self.trouble.send(Trouble::Cut);
    }
}

fn send(shared: &Shared, message: FromBroker) {
    if let Some(to_sink) = &*shared.to_sink.lock().unwrap() {
        let _ = to_sink.send(message);
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: Arc<Shared>,
    mut trouble: broadcast::Receiver<Trouble>,
    registrations: mpsc::Sender<Vec<String>>,
    refuse: Option<&'static str>,
) {
    // A broker speaks the sub-protocol that the sink names.
    #[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    let echo = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", vdi_protocol::SUBPROTOCOL.parse().unwrap());
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, echo).await else { return };
    let (mut to_sink, mut from_sink) = socket.split();
    let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
    loop {
        tokio::select! {
            what = trouble.recv() => {
                *shared.to_sink.lock().unwrap() = None;
                if matches!(what, Ok(Trouble::Silence)) {
                    let _ = trouble.recv().await;
                }
                return;
            }
            message = messages.recv() => {
                let Some(message) = message else { break };
                let text = serde_json::to_string(&message).unwrap();
                if to_sink.send(Message::text(text)).await.is_err() { break }
            }
            message = from_sink.next() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text).unwrap() {
                    ToBroker::Register { consumers, .. } => {
                        if let Some(reason) = refuse {
                            let _ = sender.send(FromBroker::Refused { reason: reason.into() });
                            continue;
                        }
                        let _ = sender.send(FromBroker::Registered);
                        let _ = registrations.send(consumers);
                        *shared.to_sink.lock().unwrap() = Some(sender.clone());
                    }
                    ToBroker::Consumer { consumer, message } => {
                        let known = shared.consumers.lock().unwrap().get(&consumer).and_then(Weak::upgrade);
                        if let Some(consumer) = known {
                            let _ = tokio::task::spawn_blocking(move || consumer.receive(message)).await;
                        }
                    }
                    ToBroker::ConsumerRemoved { .. } => {}
                },
                Some(Ok(_)) => {}
                _ => break,
            }
        }
    }
    *shared.to_sink.lock().unwrap() = None;
}
