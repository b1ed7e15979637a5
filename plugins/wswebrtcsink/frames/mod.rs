//! Shell: follows the frames of one consumer's video: pad probes tell when each was packetised and sent, the page when it
//! was shown. It reads the sink's clock, so that the decisions need none. Nothing is locked while a packet is passed on.
//!
//! ```text
//! appsrc ─▶ payloader ─▶ webrtcbin: … srtpenc ─▶ nicesink ═══▶ page
//!   entered    packetised (last packet)    sent (last packet)    reported, over the control channel
//! ```

mod backlog;
#[doc(hidden)]
pub mod packet;
mod sight;
#[cfg(test)]
mod simulation;
mod table;

pub use sight::{Beyond, View};

use crate::{
    latency::totals::{BOUNDS_NS, Totals},
    stage::{Stage, Stamps},
};
use backlog::{Backlog, Crossing};
use gst::prelude::*;
use sight::Sight;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use table::{Frames, Shown};
use vdi_protocol::latency::FrameReports;

/// The histograms of all consumers.
pub type SharedTotals = Arc<Mutex<Totals>>;

#[derive(Debug, Default)]
struct State {
    frames: Frames,
    sight: Sight,
    backlog: Backlog,
}

/// The frames of one consumer's video, on their way.
#[derive(Debug)]
pub struct Watch {
    /// Clock and base time of the sink and of the consumer's pipeline.
    clock: (gst::Clock, gst::ClockTime),
    codec: &'static str,
    /// Of the video's packets.
    ssrc: OnceLock<u32>,
    /// Whether the source tells of damage: frames without it are repeats then, and count for nothing.
    damage_is_told: Arc<AtomicBool>,
    totals: SharedTotals,
    state: Mutex<State>,
    /// Nothing is to be sent before, in nanoseconds of the clock.
    paused_until: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Nothing has been sent yet.
    pub fn new(
        clock: (gst::Clock, gst::ClockTime),
        codec: &'static str,
        damage_is_told: Arc<AtomicBool>,
        totals: SharedTotals,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            codec,
            ssrc: OnceLock::new(),
            damage_is_told,
            totals,
            state: Mutex::default(),
            paused_until: AtomicU64::new(0),
        })
    }

    fn now(&self) -> gst::ClockTime {
        self.clock.0.time()
    }

    /// `H264`, `VP8`, … as in SDP.
    pub fn codec(&self) -> &'static str {
        self.codec
    }

    /// The payloader is about to get a frame from this pad.
    pub fn entered(&self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        let mut stamps = Stamps::of(buffer);
        if stamps.get(Stage::Damage).is_some() {
            self.damage_is_told.store(true, Relaxed);
        } else if stamps.get(Stage::Captured).is_none()
            && let Some(captured) = self.captured(pad, buffer)
        {
            stamps.set(Stage::Captured, captured);
        }
        let counts = stamps.get(Stage::Damage).is_some() || !self.damage_is_told.load(Relaxed);
        lock(&self.state).frames.entered(buffer.pts(), stamps, counts);
    }

    /// When a frame without stamps was captured: at its running time.
    fn captured(&self, pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
        let segment = pad.sticky_event::<gst::event::Segment>(0)?;
        let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
        let running_time = segment.to_running_time_full(buffer.pts()?)?.positive()?;
        running_time.checked_add(self.clock.1)
    }

    /// Watches the packets that a payloader makes, whose stream has this SSRC.
    pub fn watch_payloader(self: &Arc<Self>, pad: &gst::Pad, ssrc: u32) {
        let _ = self.ssrc.set(ssrc);
        self.watch_packets(pad, |watch, pts, rtp_timestamp| {
            let now = watch.now();
            lock(&watch.state).frames.packetised(pts, rtp_timestamp, now);
        });
    }

    /// Watches the packets that the element gets which gives them to the network.
    pub fn watch_network(self: &Arc<Self>, nicesink: &gst::Element) {
        let Some(pad) = nicesink.static_pad("sink") else { return };
        self.watch_packets(&pad, |watch, _, rtp_timestamp| {
            let now = watch.now();
            let way = {
                let mut state = lock(&watch.state);
                let way = state.frames.sent(rtp_timestamp, now);
                if let Some(way) = way {
                    state.sight.sent(way, now.into());
                }
                way
            };
            if let Some(way) = way {
                lock(&watch.totals).record_legs(watch.codec, way.legs());
            }
        });
    }

    /// Calls with PTS and RTP timestamp of each last packet of a frame.
    fn watch_packets(
        self: &Arc<Self>,
        pad: &gst::Pad,
        last: impl Fn(&Self, Option<gst::ClockTime>, u32) + Send + Sync + 'static,
    ) {
        let watch = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
            let Some(&ssrc) = watch.ssrc.get() else { return gst::PadProbeReturn::Ok };
            let look = |buffer: &gst::BufferRef| {
                let mut header = [0; packet::HEADER_BYTES];
                if buffer.copy_to_slice(0, &mut header).is_ok()
                    && let Some(rtp_timestamp) = packet::last_of_frame(&header, ssrc)
                {
                    last(&watch, buffer.pts(), rtp_timestamp);
                }
            };
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => look(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(look),
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Whether nothing is to be sent now, so that the network's queue runs dry.
    pub fn is_paused(&self) -> bool {
        self.now().nseconds() < self.paused_until.load(Relaxed)
    }

    /// The page tells of frames. If what is on the way stands in a queue, nothing is sent for the time that is given, and
    /// a key frame is wanted after it.
    pub fn reported(&self, reports: &FrameReports) -> Option<Duration> {
        let now = self.now();
        let uncertainty = Duration::from_micros(reports.uncertainty_us);
        let (shown, pause) = {
            let mut state = lock(&self.state);
            let shown = state.frames.reported(reports, now);
            if !shown.is_empty() {
                state.sight.shown(shown.iter().map(|one| one.way), uncertainty, now.into());
            }
            let crossings = shown.iter().filter_map(|one| crossing(one, uncertainty));
            let pause = state.backlog.crossed(crossings, now.into());
            (shown, pause)
        };
        if let Some(pause) = pause {
            self.paused_until.store(now.nseconds() + pause.as_nanos() as u64, Relaxed);
        }
        let mut totals = lock(&self.totals);
        for Shown { way, .. } in &shown {
            // The legs up to the network were counted when it was sent, shown or not.
            totals.record_legs(self.codec, way.legs().filter(|(stage, _)| *stage > Stage::Sent));
            totals.record_whole(self.codec, way);
        }
        pause
    }

    /// What can be said of the latency of the last `window`.
    pub fn view(&self, beyond: Beyond, window: Duration) -> Option<View> {
        let now = self.now();
        // Of a copy: sorting takes longer than a streaming thread may be kept from its lock.
        let sight = lock(&self.state).sight.clone();
        sight.view(beyond, window, now.into())
    }
}

/// A frame's way over the network, where the page tells when it came.
fn crossing(shown: &Shown, uncertainty: Duration) -> Option<Crossing> {
    let sent = shown.stamps.get(Stage::Sent)?;
    let took = shown.stamps.get(Stage::Received)?.saturating_sub(sent);
    Some(Crossing { sent: sent.into(), took: took.into(), uncertainty })
}

/// The field `latency-histograms` of the sink's `stats`.
pub fn histograms(totals: &SharedTotals) -> gst::Array {
    // Of a copy: streaming threads count in it.
    let totals = lock(totals).clone();
    gst::Array::from_values(totals.iter().map(|(codec, leg, histogram)| {
        gst::Structure::builder("application/x-vdi-histogram")
            .field("stage", leg)
            .field("codec", codec)
            .field("count", histogram.count)
            .field("sum", histogram.sum_ns)
            .field("bounds", gst::Array::new(BOUNDS_NS))
            .field("counts", gst::Array::new(histogram.counts))
            .build()
            .to_send_value()
    }))
}
