//! Shell: runs one consumer. A task owns its [`Negotiation`] and its pipeline, takes inputs from a bounded mailbox, and
//! carries out what the negotiation decides.

mod answer;
mod branch;
pub mod channels;
pub mod congestion;
mod estimate;
mod extensions;
pub mod failure;
mod incoming;
mod lateness;
pub mod negotiation;
pub mod offered;
pub mod pipeline;
pub mod plan;
mod report;
mod reporter;
pub mod sdp;
pub mod terms;
pub mod token;
pub mod warm_up;

use super::{
    continuity::Serial,
    frames::{Beyond, Watch},
    hub::Hub,
    mdns,
    payload::Kind,
};
use channels::Channels;
use estimate::Estimates;
use negotiation::{Action, Input, Negotiation, State, Terms};
use pipeline::{ConsumerPipeline, Reports};
use report::PageReports;
use reporter::Reporter;
use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
pub use terms::{Carrier, Outgoing, Part, Visit};
use token::Token;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use vdi_protocol::{
    control::PageStats,
    parse,
    signalling::{ErrorCode, FromConsumer, ToConsumer},
};

pub(crate) use super::imp::CAT;

/// Inputs that may wait for a consumer's task. Candidates and state changes come by the dozen at most.
const MAILBOX: usize = 256;

/// Liveness is told to the negotiation at most this often.
const HEARD_EVERY: Duration = Duration::from_millis(500);

/// So many codecs that a consumer decodes are taken note of.
const MAX_CODECS: usize = 8;

/// The figures in `stats` are at most so old.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// The feedback and the page's view of the latency are of the time since the report before.
const VIEW: Duration = Duration::from_secs(1);

/// The latency in `stats` is of the last so many seconds, since nobody reads it more often than once a second.
const STATS_VIEW: Duration = Duration::from_secs(5);

/// One connection of a consumer, as everything but its own task sees it.
pub struct Consumer {
    /// The consumer's name.
    pub id: String,
    /// Tells it from the consumer's other connections.
    pub serial: Serial,
    /// The secret by which the consumer goes on with its session.
    pub token: Token,
    /// Whether it came to go on with a session.
    succeeds: bool,
    /// What its way was known to carry before it came.
    known_bitrate: Option<vdi_congestion::Bitrate>,
    /// How it came.
    pub visit: Visit,
    /// Media type of the video that its offer is for, once it has one.
    pub video: OnceLock<&'static str>,
    /// Video codecs that it decodes, from its hello on; none if it does not say.
    pub decodes: OnceLock<Vec<String>>,
    /// Its offer waits for no other codec any more.
    pub unheld: Notify,
    /// Codecs that it decodes in 4:4:4, from its hello on.
    pub full_chroma: OnceLock<Vec<String>>,
    /// Whether it decodes more than two channels of sound, from its hello on.
    surround: OnceLock<bool>,
    /// Whether its offer was made for 4:2:0, as the stream had never been more.
    pub offered_less: AtomicBool,
    mailbox: mpsc::Sender<Input>,
    outgoing: Mutex<(Carrier, Outgoing)>,
    /// Emptied at the end: the channels' handlers hold this consumer, which holds the channels.
    channels: Mutex<Option<Channels>>,
    /// Whether the application was told that it can talk to the consumer.
    connected: AtomicBool,
    /// Whether a successor stands for the consumer now.
    replaced: AtomicBool,
    /// What the page reported last.
    page_stats: Mutex<Option<PageStats>>,
    /// What its reports mean for the encoder.
    page_reports: Mutex<PageReports>,
    /// Its frames, on their way; from when its pipeline is up.
    frames: OnceLock<Arc<Watch>>,
    /// What is known of its network has changed.
    network_news: Notify,
    /// Figures of its congestion control, as last looked at.
    congestion: Mutex<Option<gst::Structure>>,
    /// Video units sent and dropped, as last looked at.
    units: (AtomicU64, AtomicU64),
    /// When this was opened.
    opened: Instant,
    /// Milliseconds after `opened` when liveness was told last.
    heard_ms: AtomicU64,
    /// Whether a ping has come.
    pings: AtomicBool,
}

impl Consumer {
    /// Opens a connection and starts its task.
    pub fn open(hub: &Arc<Hub>, serial: Serial, visit: Visit, terms: Terms, outgoing: Outgoing) -> Arc<Self> {
        let (mailbox, inputs) = mpsc::channel(MAILBOX);
        #[expect(clippy::disallowed_methods, reason = "this shell hands the time to the decision")]
        let opened = Instant::now();
        let consumer = Arc::new(Self {
            id: terms.consumer.clone(),
            serial,
            token: terms.token.clone(),
            succeeds: terms.succeeds,
            known_bitrate: terms.known_bitrate,
            visit,
            video: OnceLock::new(),
            decodes: OnceLock::new(),
            unheld: Notify::new(),
            full_chroma: OnceLock::new(),
            surround: OnceLock::new(),
            offered_less: AtomicBool::new(false),
            mailbox,
            outgoing: Mutex::new((0, outgoing)),
            channels: Mutex::new(None),
            connected: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
            page_stats: Mutex::new(None),
            page_reports: Mutex::default(),
            frames: OnceLock::new(),
            network_news: Notify::new(),
            congestion: Mutex::default(),
            units: (AtomicU64::new(0), AtomicU64::new(0)),
            opened,
            heard_ms: AtomicU64::new(0),
            pings: AtomicBool::new(false),
        });
        let answers = consumer.visit.offered.is_some();
        let task = Task {
            hub: hub.clone(),
            consumer: consumer.clone(),
            negotiation: Negotiation::new(terms).answering(answers),
            building: None,
            pipeline: None,
            estimates: Estimates::default(),
        };
        super::runtime::runtime().spawn(task.run(inputs));
        consumer
    }

    /// Something happened to the consumer. Does not block; a consumer whose mailbox is full is past help, and its
    /// own time limits end it.
    pub fn input(&self, input: Input) {
        if let Err(err) = self.mailbox.try_send(input) {
            gst::debug!(CAT, "consumer {}: {err}", self.id);
        }
    }

    /// The consumer sent this text.
    pub fn receive(&self, text: &str, limit: usize) {
        self.input(match parse::message(text, limit) {
            Ok(message) => Input::Message(message),
            Err(err) => Input::Malformed(err),
        });
    }

    /// Another way carries the messages from now on.
    pub fn replace_outgoing(&self, outgoing: Outgoing) -> Carrier {
        let mut held = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let carrier = held.0 + 1;
        let old = std::mem::replace(&mut *held, (carrier, outgoing));
        // What an old way does when it is let go is its own, and may come back here.
        drop(held);
        drop(old);
        carrier
    }

    /// Whether this way still carries the messages.
    pub fn is_carried_by(&self, carrier: Carrier) -> bool {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner).0 == carrier
    }

    /// A successor stands for the consumer from now on: this one is told nothing more, and says nothing more.
    pub fn retire(&self) {
        self.replaced.store(true, Ordering::Relaxed);
        self.input(Input::Replaced);
    }

    /// Whether another connection stands for the consumer.
    pub fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Relaxed)
    }

    /// Sends text on a data channel.
    pub fn send_data(&self, channel: &str, text: &str) -> bool {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner).clone();
        channels.is_some_and(|channels| channels.send(channel, text))
    }

    /// Whether the consumer can be talked to.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// What its network carries, as last looked at.
    pub fn available_bitrate(&self) -> Option<vdi_congestion::Bitrate> {
        let congestion = self.congestion.lock().unwrap_or_else(PoisonError::into_inner);
        let bps = congestion.as_ref()?.get::<u64>("available-outgoing-bitrate").ok()?;
        Some(vdi_congestion::Bitrate::from_bps(bps))
    }

    /// Figures for the `stats` property.
    pub fn stats(&self) -> gst::Structure {
        let page = self.page_stats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut stats = gst::Structure::builder("application/x-vdi-consumer-stats")
            .field("id", &self.id)
            .field("connected", self.is_connected())
            .field("age", gst::ClockTime::try_from(self.opened.elapsed()).unwrap_or(gst::ClockTime::MAX))
            .field("frames-sent", self.units.0.load(Ordering::Relaxed))
            .field("frames-dropped", self.units.1.load(Ordering::Relaxed));
        let beyond = page.as_ref().map(Beyond::of).unwrap_or_default();
        if let Some(view) = self.frames.get().and_then(|frames| frames.view(beyond, STATS_VIEW)) {
            stats = stats.field("latency", view.structure());
        }
        let congestion = self.congestion.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stats = stats.field_if_some("congestion", congestion);
        if let Some(page) = page {
            stats = stats
                .field("frames-decoded", page.frames_decoded)
                .field("frames-presented", page.frames_presented)
                .field("frames-per-second", page.frames_per_second)
                .field("bitrate", page.bitrate_bps)
                .field("jitter-ms", page.jitter_ms)
                .field("packets-received", page.packets_received)
                .field("packets-lost", page.packets_lost)
                .field("round-trip-ms", page.round_trip_ms)
                .field("freeze-count", page.freeze_count);
        }
        stats.build()
    }

    fn set_channels(&self, channels: Option<Channels>) {
        *self.channels.lock().unwrap_or_else(PoisonError::into_inner) = channels;
    }

    fn send(&self, message: ToConsumer) {
        (self.outgoing.lock().unwrap_or_else(PoisonError::into_inner).1)(message);
    }

    fn note_heard(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.heard_ms.load(Ordering::Relaxed);
        if now.saturating_sub(last) >= HEARD_EVERY.as_millis() as u64 {
            self.heard_ms.store(now, Ordering::Relaxed);
            self.input(Input::Heard);
        }
    }
}

/// A message as text. Messages of ours are plain data, which serde_json writes without fail.
pub fn json<T: serde::Serialize>(message: &T) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// What a build ends in: the pipeline, or the code and words of its failure.
type Built = Result<ConsumerPipeline, (ErrorCode, String)>;

struct Task {
    hub: Arc<Hub>,
    consumer: Arc<Consumer>,
    negotiation: Negotiation,
    building: Option<JoinHandle<Built>>,
    pipeline: Option<ConsumerPipeline>,
    estimates: Estimates,
}

impl Task {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut playout_delay = self.hub.watch_playout_delay();
        let reason = loop {
            let deadline = self.negotiation.deadline().unwrap_or_default();
            let now = self.consumer.opened.elapsed();
            let wait = deadline.min(self.estimates.held_until().unwrap_or(deadline));
            let wait = wait.saturating_sub(now).min(REFRESH_EVERY);
            let input = tokio::select! {
                input = inputs.recv() => input.unwrap_or(Input::Tick),
                built = async { self.building.as_mut()?.await.ok() }, if self.building.is_some() => {
                    self.building = None;
                    self.built(built)
                }
                Ok(()) = playout_delay.changed() => {
                    if let Some(pipeline) = &self.pipeline {
                        pipeline.set_playout_delay(*playout_delay.borrow_and_update());
                    }
                    Input::Tick
                }
                () = self.consumer.network_news.notified() => Input::Tick,
                () = tokio::time::sleep(wait) => Input::Tick,
            };
            self.note_units();
            self.tell_network();
            if let Some(reason) = self.handle(input) {
                break reason;
            }
        };
        self.end(&reason).await;
    }

    fn handle(&mut self, input: Input) -> Option<String> {
        let now = self.consumer.opened.elapsed();
        let mut actions = Vec::new();
        if let Input::Message(FromConsumer::Hello { decodes, full_chroma, surround, .. }) = &input {
            // Only the first hello begins something.
            let _ = self.consumer.decodes.set(decodes.iter().take(MAX_CODECS).cloned().collect());
            let _ = self.consumer.surround.set(*surround);
            if self.consumer.full_chroma.set(full_chroma.clone()).is_ok() {
                self.hub.chroma_changed();
            }
            let servers = self.hub.ice_servers(&self.consumer);
            actions = self.negotiation.handle(Input::IceServers(servers), now);
        }
        actions.extend(self.negotiation.handle(input, now));
        for action in actions {
            match action {
                Action::Send(message) => {
                    let offered = matches!(message, ToConsumer::Offer { .. });
                    self.consumer.send(message);
                    if offered && !self.consumer.succeeds {
                        self.hub.tell_of(&self.consumer.id, "consumer-added");
                    }
                }
                Action::AnnounceWatching => self.hub.tell_of(&self.consumer.id, "consumer-watches"),
                Action::AnnounceClient(client) => self.hub.consumer_client(&self.consumer.id, &client),
                Action::Build => self.build(),
                Action::ApplyAnswer(sdp) => {
                    if let Some(pipeline) = &self.pipeline {
                        pipeline.apply_answer(&sdp, self.reporter());
                    }
                }
                Action::AddCandidate(candidate) => {
                    if let Some(pipeline) = &self.pipeline {
                        pipeline.add_candidate(&candidate);
                    }
                }
                Action::Resolve(candidate) => mdns::look_for(candidate, &self.consumer),
                Action::OpenGate => {
                    if let Some(pipeline) = &self.pipeline {
                        pipeline.open_gate();
                    }
                }
                Action::AnnounceConnected => {
                    if !self.consumer.connected.swap(true, Ordering::Relaxed) {
                        self.hub.consumer_connected(&self.consumer);
                    }
                }
                Action::Close(reason) => return Some(reason),
            }
        }
        debug_assert_ne!(self.negotiation.state(), State::Closed, "closing names a reason");
        None
    }

    fn reporter(&self) -> Arc<dyn Reports> {
        Arc::new(Reporter { hub: self.hub.clone(), consumer: self.consumer.clone() })
    }

    fn build(&mut self) {
        let (hub, consumer, reports) = (self.hub.clone(), self.consumer.clone(), self.reporter());
        let Visit { offered, part, .. } = self.consumer.visit.clone();
        let full_chroma = self.consumer.full_chroma.get().cloned().unwrap_or_default();
        let surround = self.consumer.surround.get().copied().unwrap_or(false);
        self.building = Some(tokio::spawn(async move {
            let no_media = |why| (ErrorCode::NoMedia, why);
            let mut plan = hub.plan(consumer.id.clone()).await.map_err(no_media)?;
            if hub.decodable_follows(&consumer, &plan).await {
                plan = hub.plan(consumer.id.clone()).await.map_err(no_media)?;
            }
            plan.congestion.known = consumer.known_bitrate;
            let plan = plan.of(&part).hearing(surround).answering(offered).decoding(&full_chroma);
            if let Some((_, row, _)) = plan.streams.iter().find(|(_, row, _)| row.kind == Kind::Video) {
                let _ = consumer.video.set(row.media_type);
                // The codec may have changed since the plan was made.
                hub.close_stranded();
            }
            consumer.offered_less.store(!plan.full, Ordering::Relaxed);
            hub.chroma_changed();
            tokio::task::spawn_blocking(move || ConsumerPipeline::build(&plan, reports))
                .await
                .map_err(|err| (ErrorCode::Internal, err.to_string()))?
                .map_err(|why| (ErrorCode::Internal, why))
        }));
    }

    fn built(&mut self, built: Option<Built>) -> Input {
        match built {
            Some(Ok(pipeline)) => {
                self.consumer.set_channels(pipeline.channels().cloned());
                if let Some(frames) = pipeline.frames() {
                    let _ = self.consumer.frames.set(frames.clone());
                }
                // Only now, so that no answer can come before there is a pipeline to take it.
                pipeline.describe(self.reporter());
                self.pipeline = Some(pipeline);
                Input::Tick
            }
            Some(Err((code, message))) => Input::PipelineFailed { code, message },
            None => Input::PipelineFailed {
                code: ErrorCode::Internal,
                message: "the consumer's pipeline could not be built".into(),
            },
        }
    }

    fn note_units(&self) {
        if let Some(pipeline) = &self.pipeline {
            let (sent, dropped) = pipeline.video_units();
            self.consumer.units.0.store(sent, Ordering::Relaxed);
            self.consumer.units.1.store(dropped, Ordering::Relaxed);
        }
    }

    /// Tells the encoder what the network carries.
    fn tell_network(&mut self) {
        let Some(pipeline) = &self.pipeline else { return };
        let stats = pipeline.congestion().stats();
        *self.consumer.congestion.lock().unwrap_or_else(PoisonError::into_inner) = stats;
        let Some(network) = pipeline.congestion().network() else { return };
        let now = self.consumer.opened.elapsed();
        if let Some(feedback) = self.estimates.feedback(&self.consumer.id, network, now) {
            self.hub.send_feedback(&feedback);
        }
    }

    async fn end(mut self, reason: &str) {
        gst::info!(CAT, "consumer {} ends: {reason}", self.consumer.id);
        self.consumer.connected.store(false, Ordering::Relaxed);
        self.consumer.unheld.notify_one();
        // A pipeline that is still being built is waited for, so that it can be taken down.
        let pipeline = match self.building.take() {
            Some(building) => building.await.ok().and_then(Result::ok),
            None => self.pipeline.take(),
        };
        self.consumer.replace_outgoing(Box::new(|_| {}));
        self.consumer.set_channels(None);
        if let Some(pipeline) = pipeline {
            pipeline.shut_down().await;
        }
        if let Some(failure) = self.negotiation.failure() {
            self.hub.consumer_failed(&self.consumer.id, failure);
        }
        self.hub.consumer_ended(&self.consumer, reason);
    }
}
