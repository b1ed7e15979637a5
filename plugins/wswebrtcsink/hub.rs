//! Shell: what a sink's parts share: its settings, streams and consumers, and the way to its signals.
//!
//! Every way of signalling opens consumers here and gets the same negotiation. Signals are emitted without a lock
//! held, since an application may call back.

use super::{
    WsWebRtcSink,
    bystanders::Bystanders,
    consumer::{
        CAT, Consumer, Visit, congestion,
        failure::{Failure, advice},
        json,
        negotiation::{Input, Servers},
        plan::{Plan, Receives},
        warm_up,
    },
    continuity::{Arrival, Places, Serial},
    frames::{self, SharedTotals},
    ice_servers,
    payload::Kind,
    policy::{self, Say},
    producer::Producer,
    resolve,
    runtime::runtime,
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
    connection::ConnectionFailure,
    control::{Media, ToPage},
    signalling::{Bye, ErrorCode, ToConsumer},
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
    pub(super) consumers: Mutex<Consumers>,
    /// Told whenever a consumer is gone.
    emptied: Condvar,
    playout_delay: watch::Sender<(Duration, Duration)>,
    /// Room for WebSockets that have not said what they want.
    pub greeting: Semaphore,
    next_id: AtomicU64,
    pub(super) opened_total: AtomicU64,
    /// Connections that did not come up or were lost.
    failures: Mutex<BTreeMap<ConnectionFailure, u64>>,
    /// When key frames are asked for that those want who count less than another.
    pub(super) bystanders: Bystanders,
    /// What the ways of all frames to all consumers took.
    totals: SharedTotals,
}

#[derive(Default)]
pub(super) struct Consumers {
    pub places: Places<Arc<Consumer>>,
    /// Connections whose tasks have not ended, those that were replaced among them.
    alive: usize,
    /// For the next connection.
    next_serial: Serial,
    /// The sink is up; false refuses new ones.
    pub open: bool,
}

impl Consumers {
    /// For a connection that begins now.
    pub fn new_serial(&mut self) -> Serial {
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
            failures: Mutex::default(),
            bystanders: Bystanders::default(),
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
    pub(super) fn producers(&self) -> Vec<Producer> {
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

    /// Whether a key frame that a consumer wants is to be asked for now; if not, it will be in time.
    pub fn may_request_key_frame(self: &Arc<Self>, consumer: &str) -> bool {
        self.say(consumer) != Say::None || self.bystanders.may_request(self)
    }

    /// How much what a consumer sees moves the encoders.
    fn say(&self, consumer: &str) -> Say {
        let (policy, controller) = {
            let settings = self.settings();
            (settings.bitrate_policy, settings.controller.clone())
        };
        let named = controller.as_deref().and_then(|controller| self.consumer(controller));
        let is_connected = named.is_some_and(|named| named.is_connected());
        policy::say(policy, controller.as_deref(), is_connected, consumer)
    }

    /// Tells the encoders of the video what a consumer sees, if that is to move them.
    pub fn send_feedback(&self, feedback: &Feedback) {
        let say = self.say(&feedback.consumer);
        if say == Say::None {
            return;
        }
        let feedback = &Feedback { is_sole: say == Say::Sole, ..feedback.clone() };
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
            // Of several videos pages show the first.
            if !media.codec.is_empty() {
                continue;
            }
            let Some(s) = caps.structure(0) else { continue };
            let dimension = |name| u32::try_from(s.get::<i32>(name).unwrap_or(0)).unwrap_or(0);
            media.codec = row.encoding_name.to_owned();
            media.chroma_format = if stream.is_full() { "4:4:4" } else { "4:2:0" }.to_owned();
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
        self.chroma_changed();
        self.close_stranded();
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
        let settings = self.settings().clone();
        let own = resolve::own_servers(settings.stun_server.as_deref(), &settings.turn_servers).await;
        let element = self.element().ok_or("the sink is gone")?;
        let clock = element.clock().zip(element.base_time());
        Ok(Plan {
            consumer,
            streams,
            clock,
            // An end that may use relays only and has none would have no candidates at all. The page's end keeps to the
            // policy, so that no direct path comes up.
            ice_transport_policy: match settings.ice_transport_policy {
                WebRTCICETransportPolicy::Relay if own.turn.is_empty() => WebRTCICETransportPolicy::All,
                policy => policy,
            },
            stun_server: own.stun,
            turn_servers: own.turn,
            direct: settings.direct,
            playout_delay: settings.playout_delay,
            totals: self.totals.clone(),
            congestion: congestion::Terms {
                control: settings.congestion_control,
                ceiling: policy::ceiling(vdi_congestion::Bitrate::from_kbps(
                    settings.max_bitrate_kbps.into(),
                )),
                known: None,
            },
            offered: None,
            receives: Receives { audio: settings.receive_audio, video: settings.receive_video },
            channel: None,
            full: false,
        })
    }

    // Consumers.

    /// Consumers may come.
    pub fn open(&self) {
        warm_up::warm_up();
        lock(&self.consumers).open = true;
    }

    /// Ends all consumers and waits for them; false when some did not end in time.
    pub fn close(&self, reason: &str) -> bool {
        warm_up::settle();
        let mut consumers = lock(&self.consumers);
        consumers.open = false;
        for consumer in consumers.places.living() {
            consumer.input(Input::Stop(reason.into()));
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

    /// What stands for the consumer of this name.
    pub fn consumer(&self, id: &str) -> Option<Arc<Consumer>> {
        lock(&self.consumers).places.get(id).cloned()
    }

    /// Every connection of the consumer that has not been replaced is to end.
    pub fn stop_consumer(&self, id: &str, bye: &Bye) {
        for consumer in lock(&self.consumers).places.living().filter(|consumer| consumer.id == id) {
            consumer.input(Input::Stop(bye.clone()));
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
            .field("failures", self.failures())
            .field("consumers", gst::Array::from_values(consumers))
            .field("latency-histograms", frames::histograms(&self.totals))
            .build()
    }

    fn failures(&self) -> gst::Structure {
        let mut failures = gst::Structure::new_empty("application/x-vdi-connection-failures");
        for (reason, count) in lock(&self.failures).iter() {
            failures.set(reason.as_str(), *count);
        }
        failures
    }

    // Servers for finding a way.

    /// The servers for a consumer: those that the application names, else the properties'.
    pub fn ice_servers(&self, consumer: &Consumer) -> Servers {
        let mut servers = self.settings().servers();
        let Visit { authority, secure, .. } = &consumer.visit;
        let uris: Vec<String> = self
            .element()
            .and_then(|element| {
                element.emit_by_name_with_values(
                    "request-ice-servers",
                    &[consumer.id.to_value(), authority.to_value(), secure.to_value()],
                )
            })
            .and_then(|value| value.get().ok())
            .unwrap_or_default();
        if uris.is_empty() {
            return servers;
        }
        servers.ice_servers.clear();
        for uri in uris {
            match ice_servers::stun(&uri).or_else(|_| ice_servers::turn(&uri)) {
                Ok(server) => servers.ice_servers.push(server),
                Err(err) => gst::warning!(CAT, "consumer {}: request-ice-servers: {err}", consumer.id),
            }
        }
        servers
    }

    /// Tells each consumer its servers again. Signals are emitted from a task, not from the caller's thread.
    pub fn update_ice_servers(self: &Arc<Self>) {
        let hub = self.clone();
        runtime().spawn(async move {
            let consumers: Vec<_> = lock(&hub.consumers).places.living().cloned().collect();
            for consumer in consumers {
                consumer.input(Input::IceServers(hub.ice_servers(&consumer)));
            }
        });
    }

    // Signals.

    /// Something of which no more is to be said than which consumer it is: a signal's name tells what.
    pub fn tell_of(&self, id: &str, signal: &str) {
        self.emit(signal, &[&id]);
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
        self.chroma_changed();
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

    /// A connection did not come up, or was lost: counted, and told in one line with what to do.
    pub fn consumer_failed(&self, id: &str, failure: &Failure) {
        *lock(&self.failures).entry(failure.reason).or_default() += 1;
        let message = format!("{}; {}", failure.message.trim_end_matches('.'), advice(failure.reason));
        gst::warning!(CAT, "consumer {id} failed, {}: {message}", failure.reason);
        self.emit("consumer-failed", &[&id, &failure.reason.as_str(), &message]);
    }

    /// An address on which a consumer's ICE agent receives, before the consumer is told of it.
    pub fn ice_candidate(&self, id: &str, candidate: &str) {
        self.emit("ice-candidate", &[&id, &candidate]);
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

/// A panic elsewhere leaves these values whole: each is changed in one statement.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
