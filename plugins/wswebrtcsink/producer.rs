//! Shell: one encoded stream that enters the sink, and its fan-out to the consumers.
//!
//! A producer is the appsink behind a request pad. It owns the stream's caps and encoder name as last seen, and lets
//! only as many key-frame requests up to the encoder as [`Debounce`] allows. What consumers report goes up the same way.

use super::{
    ages::Ages,
    keyframes::{Debounce, Verdict},
    payload::{Kind, Payload, payload_for},
    runtime::runtime,
};
use crate::adaptiveencbin::feedback::Feedback;
use gst::prelude::*;
use gst_utils::{StreamProducer, streamproducer::ProducerSettings};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
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
}

impl Stream {
    /// The codec's row.
    pub fn payload(&self) -> Option<&'static Payload> {
        payload_for(self.caps.as_ref()?.structure(0)?.name())
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
    ages: Arc<Mutex<Ages>>,
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
        let ages = Arc::default();
        if kind == Kind::Video {
            debounce_key_frames(&pad, key_frame_interval);
            measure_ages(&pad, Arc::clone(&ages));
        }
        Self { kind, appsink, fan_out, stream, bytes, ages }
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

    /// How old frames are when they leave for the consumers: the median of the last second.
    pub fn age(&self) -> Option<Duration> {
        let now = self.appsink.current_running_time()?;
        self.ages.lock().unwrap_or_else(PoisonError::into_inner).median(now.into())
    }

    /// Tells the encoder what a consumer sees.
    pub fn send_feedback(&self, feedback: &Feedback) {
        if let Some(pad) = self.appsink.static_pad("sink") {
            pad.push_event(gst::event::CustomUpstream::new(feedback.to_structure()));
        }
    }

    /// Asks the encoder for a key frame, within the limits of the debounce.
    pub fn request_key_frame(&self) {
        if let Some(pad) = self.appsink.static_pad("sink") {
            pad.push_event(key_frame_event());
        }
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

/// Measures from capture to here, as `latencystats` does: by the segment, since encoders shift timestamps.
fn measure_ages(pad: &gst::Pad, ages: Arc<Mutex<Ages>>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let age = || {
            let segment = pad.sticky_event::<gst::event::Segment>(0)?;
            let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
            let captured = segment.to_running_time_full(info.buffer()?.pts()?)?.positive()?;
            let now = pad.parent_element()?.current_running_time()?;
            Some((now.saturating_sub(captured), now))
        };
        if let Some((age, now)) = age() {
            ages.lock().unwrap_or_else(PoisonError::into_inner).record(age.into(), now.into());
        }
        gst::PadProbeReturn::Ok
    });
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
