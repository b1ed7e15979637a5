//! Shell: one encoded stream that enters the sink, and its fan-out to the consumers.
//!
//! A producer is the appsink behind a request pad. It owns the stream's caps and encoder name as last seen, and lets
//! only as many key-frame requests up to the encoder as [`Debounce`] allows. What consumers report goes up the same way.

use super::{
    chroma,
    keyframes::{Debounce, Verdict},
    payload::{Kind, Payload},
    runtime::runtime,
    surround,
};
use crate::adaptiveencbin::{ChromaFormat, feedback::Feedback};
use gst::prelude::*;
use gst_utils::{StreamProducer, streamproducer::ProducerSettings};
use once_cell::sync::Lazy;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// What is known of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stream {
    /// Caps of the encoded stream; `None` before the first buffer.
    pub caps: Option<gst::Caps>,
    /// Encoder as the `encoder` tag names it.
    pub encoder: Option<String>,
    /// Whether it has ever been 4:4:4, and may be so again.
    pub may_be_full: bool,
}

impl Stream {
    /// The codec's row.
    pub fn payload(&self) -> Option<&'static Payload> {
        surround::row(self.caps.as_ref()?.structure(0)?)
    }

    /// Whether it is 4:4:4 now.
    pub fn is_full(&self) -> bool {
        let profile = self.caps.as_ref().and_then(|caps| caps.structure(0)?.get::<&str>("profile").ok());
        self.payload().is_some_and(|row| chroma::is_full(row, profile))
    }
}

/// One encoded stream.
#[derive(Debug, Clone)]
pub struct Producer {
    kind: Kind,
    appsink: gst_app::AppSink,
    fan_out: StreamProducer,
    stream: watch::Receiver<Stream>,
    bytes: Arc<AtomicU64>,
    /// Whether its frames tell when they were damaged.
    damage_is_told: Arc<AtomicBool>,
    /// The colours that all consumers take, as the encoder was told.
    taken: Arc<Mutex<ChromaFormat>>,
}

impl Producer {
    /// Makes the appsink of a new pad. `key_frame_interval` is asked at every request.
    pub fn new(
        kind: Kind,
        key_frame_interval: impl Fn() -> Duration + Send + Sync + 'static,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let appsink = gst_app::AppSink::builder()
            .sync(false)
            .async_(false)
            .enable_last_sample(false)
            .qos(false)
            .build();
        let fan_out = StreamProducer::with(&appsink, ProducerSettings { sync: false });
        // The end of a stream ends no consumer: the source may come back, and the application ends consumers itself.
        fan_out.set_forward_events([gst::EventType::Gap]);

        let (sender, stream) = watch::channel(Stream::default());
        let bytes = Arc::new(AtomicU64::new(0));
        #[expect(clippy::expect_used, reason = "a base sink always has its sink pad")]
        let pad = appsink.static_pad("sink").expect("appsink has a sink pad");
        watch_stream(&pad, sender, changed);
        count_bytes(&pad, bytes.clone());
        if kind == Kind::Video {
            debounce_key_frames(&pad, key_frame_interval);
            note_arrivals(&pad);
        }
        Self {
            kind,
            appsink,
            fan_out,
            stream,
            bytes,
            damage_is_told: Arc::default(),
            taken: Arc::new(Mutex::new(ChromaFormat::Full)),
        }
    }

    /// Video or audio.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The element to put into the sink.
    pub fn appsink(&self) -> &gst_app::AppSink {
        &self.appsink
    }

    /// The fan-out that consumers link to.
    pub fn fan_out(&self) -> &StreamProducer {
        &self.fan_out
    }

    /// What is known of the stream.
    #[expect(clippy::disallowed_methods, reason = "the lock is gone when this returns")]
    pub fn stream(&self) -> Stream {
        self.stream.borrow().clone()
    }

    /// Follows what is known of the stream.
    pub fn watch(&self) -> watch::Receiver<Stream> {
        self.stream.clone()
    }

    /// Bytes that have come in.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether its frames tell when they were damaged; whoever sees such a frame sets it.
    pub fn damage_is_told(&self) -> Arc<AtomicBool> {
        self.damage_is_told.clone()
    }

    /// The colours that all consumers take, as the encoder was told.
    pub fn taken(&self) -> &Mutex<ChromaFormat> {
        &self.taken
    }

    /// Tells the encoder what a consumer sees.
    pub fn send_feedback(&self, feedback: &Feedback) {
        self.send_upstream(gst::event::CustomUpstream::new(feedback.to_structure()));
    }

    /// Tells the encoder something.
    pub fn send_upstream(&self, event: gst::Event) {
        if let Some(pad) = self.appsink.static_pad("sink") {
            pad.push_event(event);
        }
    }

    /// Asks the encoder for a key frame, within the limits of the debounce.
    pub fn request_key_frame(&self) {
        self.send_upstream(key_frame_event());
    }
}

fn key_frame_event() -> gst::Event {
    gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build()
}

fn watch_stream(pad: &gst::Pad, sender: watch::Sender<Stream>, changed: impl Fn() + Send + Sync + 'static) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let modified = match info.event().map(|event| event.view()) {
            Some(gst::EventView::Caps(caps)) => {
                let caps = caps.caps_owned();
                sender.send_if_modified(|stream| {
                    let new = stream.caps.as_ref() != Some(&caps);
                    stream.caps = Some(caps);
                    stream.may_be_full |= stream.is_full();
                    new
                })
            }
            Some(gst::EventView::Tag(tag)) => {
                let encoder = tag.tag().get::<gst::tags::Encoder>().map(|value| value.get().to_owned());
                encoder.is_some()
                    && sender.send_if_modified(|stream| {
                        let new = stream.encoder != encoder;
                        stream.encoder = encoder;
                        new
                    })
            }
            _ => false,
        };
        if modified {
            changed();
        }
        gst::PadProbeReturn::Ok
    });
}

fn count_bytes(pad: &gst::Pad, bytes: Arc<AtomicU64>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            bytes.fetch_add(buffer.size() as u64, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
}

/// Reference of the stamp that tells when a frame came into the sink. It is between the sink's own parts: `Stage` names
/// the points that statistics know.
static ARRIVAL: Lazy<gst::Caps> = Lazy::new(|| gst::Caps::new_empty_simple("timestamp/x-vdi-arrival"));

/// Stamps frames with their time of arrival: from then on they wait for consumers.
fn note_arrivals(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let now = pad.parent_element().and_then(|appsink| appsink.current_clock_time());
        if let (Some(now), Some(buffer)) = (now, info.buffer_mut()) {
            set_arrival(buffer.make_mut(), now);
        }
        gst::PadProbeReturn::Ok
    });
}

/// A frame came into the sink then.
pub fn set_arrival(buffer: &mut gst::BufferRef, at: gst::ClockTime) {
    gst::ReferenceTimestampMeta::add(buffer, &ARRIVAL, at, gst::ClockTime::NONE);
}

/// When a frame came into the sink, on the sink's clock.
pub fn arrival(buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    let mut stamps = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
    stamps.find(|meta| meta.reference() == ARRIVAL.as_ref()).map(|meta| meta.timestamp())
}

fn debounce_key_frames(pad: &gst::Pad, interval: impl Fn() -> Duration + Send + Sync + 'static) {
    #[expect(clippy::disallowed_methods, reason = "this shell hands the time to the decision")]
    let started = Instant::now();
    let debounce = Arc::new(Mutex::new(Debounce::default()));
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |pad, info| {
        let Some(event) = info.event() else { return gst::PadProbeReturn::Ok };
        if gst_video::UpstreamForceKeyUnitEvent::parse(event).is_err() {
            return gst::PadProbeReturn::Ok;
        }
        let now = started.elapsed();
        let verdict = debounce.lock().unwrap_or_else(PoisonError::into_inner).request(interval(), now);
        match verdict {
            Verdict::Now => return gst::PadProbeReturn::Ok,
            Verdict::At(due) => {
                let (pad, debounce) = (pad.downgrade(), debounce.clone());
                runtime().spawn(async move {
                    tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
                    let is_due = {
                        let mut debounce = debounce.lock().unwrap_or_else(PoisonError::into_inner);
                        debounce.due(started.elapsed().max(due))
                    };
                    // To the peer itself: the probe on this pad would take it for a new request.
                    if is_due && let Some(peer) = pad.upgrade().and_then(|pad| pad.peer()) {
                        peer.send_event(key_frame_event());
                    }
                });
            }
            Verdict::Pending => {}
        }
        // Not Drop: GStreamer 1.22 would release the event a second time.
        gst::PadProbeReturn::Handled
    });
}
