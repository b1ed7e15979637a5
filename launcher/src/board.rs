//! Shell: what can be seen of the session from outside: `/status`, `/metrics` and the probes read it here. It changes
//! nothing.

use crate::{
    delivery,
    desktop::DisplayName,
    doctor::Doctor,
    gpu,
    http::{auth::Guard, metrics::Figures},
    ice::Ice,
    input::Input,
    latency::told::Ways,
    latest::Latest,
    port::{self, tls::Certificate},
    senses,
    turn::Relay,
};
use gst::prelude::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{sync::watch, time::Instant};
use vdi_protocol::{
    doctor::Report,
    phase::Phase,
    reason::FailureReason,
    status::{
        AudioStatus, ConnectionStatus, ConsumerStatus, EncoderStatus, LimitsStatus, RecordingStatus, Status,
    },
};

/// What the session's owner publishes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Where it stands.
    pub phase: Phase,
    /// Why it failed.
    pub reason: Option<FailureReason>,
    /// A sentence about it.
    pub message: Option<String>,
    /// The encoder at work.
    pub encoder: Option<EncoderStatus>,
    /// How often another encoder took over, by cause.
    pub switches: BTreeMap<String, u64>,
    /// The pages.
    pub consumers: Vec<ConsumerStatus>,
    /// Since when none of them is connected; `None` while one is.
    pub alone_since: Option<Instant>,
    /// How long it may live.
    pub limits: LimitsStatus,
}

/// Where the figures come from.
pub struct Sources {
    /// When the process began.
    pub began: Instant,
    /// The display.
    pub display: DisplayName,
    /// What the owner publishes.
    pub snapshot: watch::Receiver<Snapshot>,
    /// The sound.
    pub audio: watch::Receiver<AudioStatus>,
    /// The microphone and the webcam.
    pub senses: senses::Statuses,
    /// The recording, if there may be one.
    pub recording: Option<watch::Receiver<RecordingStatus>>,
    /// Keyboard and pointer.
    pub input: Input,
    /// The screen.
    pub screen: watch::Receiver<vdi_protocol::screen::Screen>,
    /// Encoded frames.
    pub frames: Arc<AtomicU64>,
    /// The element that knows the age of frames.
    pub latency: gst::Element,
    /// What frames' ways to the pages take.
    pub ways: watch::Receiver<Ways>,
    /// The keeper of the door.
    pub guard: Arc<Mutex<Guard>>,
    /// What became of pages' messages.
    pub messages: Arc<delivery::Counters>,
    /// Who looks at everything when asked.
    pub doctor: Doctor,
    /// STUN and TURN servers.
    pub ice: Ice,
    /// The certificate of the port.
    pub certificate: Certificate,
    /// Connections that were closed.
    pub connections: port::Counters,
    /// The built-in TURN server.
    pub turn: Option<Relay>,
}

/// One look at the session; cheap to clone.
#[derive(Clone)]
pub struct Board(Arc<Inner>);

struct Inner {
    sources: Sources,
    rate: Mutex<Rate>,
}

/// Frames per second between the last two ticks.
struct Rate {
    at: Instant,
    frames: u64,
    per_second: f64,
}

impl Board {
    /// A board that reads from these sources.
    pub fn new(sources: Sources) -> Self {
        let rate = Mutex::new(Rate { at: sources.began, frames: 0, per_second: 0.0 });
        Self(Arc::new(Inner { sources, rate }))
    }

    /// Where the session stands.
    pub fn phase(&self) -> Phase {
        self.0.sources.snapshot.look(|snapshot| snapshot.phase)
    }

    /// Whether display, pipeline and encoder are up.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase(), Phase::Ready | Phase::Streaming | Phase::Idle)
    }

    /// The body of `/status`.
    pub async fn status(&self) -> Status {
        let gpu = gpu::status(gpu::PATIENCE).await;
        let sources = &self.0.sources;
        let (snapshot, ways) = (sources.snapshot.latest(), sources.ways.latest());
        let last_input = sources.input.last_input().map(|at| at.elapsed().as_secs_f64());
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            phase: snapshot.phase,
            reason: snapshot.reason,
            message: snapshot.message,
            uptime_seconds: sources.began.elapsed().as_secs_f64(),
            last_input_seconds_ago: last_input,
            seconds_without_page: snapshot.alone_since.map(|since| since.elapsed().as_secs_f64()),
            limits: snapshot.limits,
            display: Some(sources.display.get()),
            screen: sources.screen.latest(),
            encoder: snapshot.encoder,
            consumers: with_media(snapshot.consumers, &ways),
            latency: ways.worst,
            audio: sources.audio.latest(),
            microphone: sources.senses.microphone.latest(),
            webcam: sources.senses.webcam.latest(),
            recording: sources.recording.as_ref().map(Latest::latest),
            gpu,
            ice_servers: sources.ice.status(),
            connection: ConnectionStatus { failures: ways.failures },
            tls: Some(sources.certificate.status()),
            turn: sources.turn.as_ref().map(Relay::status),
        }
    }

    /// The body of `/doctor`.
    pub async fn examination(&self) -> Report {
        self.0.sources.doctor.report(self.status()).await
    }

    /// STUN and TURN servers.
    pub fn ice(&self) -> &Ice {
        &self.0.sources.ice
    }

    /// What `/metrics` shows beside the status.
    pub fn figures(&self) -> Figures {
        let sources = &self.0.sources;
        let counters = sources.input.counters();
        let frames_per_second = self.rate().per_second;
        Figures {
            frames: sources.frames.load(Relaxed),
            frames_per_second,
            latency: latency(&sources.latency),
            ways: sources.ways.look(|ways| ways.histograms.clone()),
            switches: sources.snapshot.look(|snapshot| snapshot.switches.clone()),
            input: vec![
                ("accepted", counters.accepted.load(Relaxed)),
                ("from_viewer", counters.from_viewers.load(Relaxed)),
                ("overflowed", counters.overflowed.load(Relaxed)),
                ("late_motion", counters.late_motions.load(Relaxed)),
            ],
            bad_messages: sources.messages.bad.load(Relaxed),
            dropped_messages: sources.messages.dropped.load(Relaxed),
            connections_closed: sources.connections.get(),
            tls_not_after: sources.certificate.not_after(),
            auth_failures: sources.guard.lock().unwrap_or_else(PoisonError::into_inner).failures(),
        }
    }

    /// Measures the frame rate anew; to be called once a second.
    pub fn tick(&self) {
        let frames = self.0.sources.frames.load(Relaxed);
        let mut rate = self.rate();
        let seconds = rate.at.elapsed().as_secs_f64();
        if seconds > 0.0 {
            *rate = Rate { at: Instant::now(), frames, per_second: (frames - rate.frames) as f64 / seconds };
        }
    }

    fn rate(&self) -> std::sync::MutexGuard<'_, Rate> {
        self.0.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_media(mut consumers: Vec<ConsumerStatus>, ways: &Ways) -> Vec<ConsumerStatus> {
    for consumer in &mut consumers {
        consumer.media = ways.media.get(&consumer.id).copied();
        consumer.network = ways.networks.get(&consumer.id).cloned();
    }
    consumers
}

fn latency(element: &gst::Element) -> Vec<(&'static str, f64)> {
    let stats = element.property::<Option<gst::Structure>>("stats");
    let Some(stats) = stats.filter(|stats| stats.get::<u64>("count").is_ok_and(|count| count > 0)) else {
        return Vec::new();
    };
    [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99"), ("1", "max")]
        .into_iter()
        .filter_map(|(quantile, field)| Some((quantile, stats.get::<u64>(field).ok()? as f64 / 1e9)))
        .collect()
}
