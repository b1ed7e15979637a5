//! Shell: what a consumer says and shows: sections of the offer by which its browser may send sound and pictures, and the way of
//! those out of webrtcbin, as Opus and VP8 frames. Nothing runs here before a first packet has come.

use super::{
    CAT,
    pipeline::{Reports, make},
    plan::Receives,
};
use crate::wswebrtcsink::payload::{incoming_caps, incoming_video_caps, is_incoming_video};
use gst::{glib, prelude::*};
use gst_rtp::RTPBuffer;
use gst_webrtc::{WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How long a packet that is missing is waited for, in ms; webrtcbin's own 200 would be heard in a conversation.
const JITTER_BUFFER_MS: u32 = 40;

/// The same for pictures: time for most packets to be sent again, beside what the sound waits on its further way.
const VIDEO_JITTER_BUFFER_MS: u32 = 120;

/// Frames that may wait for the application, 20 ms each as browsers make them; the oldest is dropped first.
const MAX_WAITING: u32 = 10;

/// Largest frame of a consumer's pictures in packets, many times what a key frame has: of what claims to be larger the rest is dropped.
const MAX_FRAME_BYTES: usize = 2 * 1024 * 1024;

/// Least time between two requests for a key frame: a consumer needs a round trip to make one, and each is large.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Offers to receive sound and pictures. Such a section has no stream of ours, so that a page can let the sound that it hears begin anew
/// without the microphone getting another number (SSRC), which nobody would have told us.
pub fn offer(
    webrtcbin: &gst::Element,
    pipeline: &gst::Pipeline,
    receives: Receives,
    reports: &Arc<dyn Reports>,
) {
    if receives == Receives::default() {
        return;
    }
    webrtcbin.set_property("latency", JITTER_BUFFER_MS);
    let add = |caps: gst::Caps| {
        webrtcbin.emit_by_name::<WebRTCRTPTransceiver>(
            "add-transceiver",
            &[&WebRTCRTPTransceiverDirection::Recvonly, &caps],
        )
    };
    if receives.audio {
        add(incoming_caps());
    }
    if receives.video {
        add(incoming_video_caps()).set_property("do-nack", true);
        wait_longer_for_pictures(webrtcbin);
    }
    let (pipeline, reports) = (pipeline.downgrade(), reports.clone());
    webrtcbin.connect_pad_added(move |_, pad| {
        let Some(pipeline) = pipeline.upgrade().filter(|_| pad.direction() == gst::PadDirection::Src) else {
            return;
        };
        if let Err(why) = receive(&pipeline, pad, &reports) {
            gst::warning!(CAT, obj = pad, "what a consumer sends is not received: {why}");
        }
    });
}

/// webrtcbin has one time for all of its jitter buffers, which is the sound's.
fn wait_longer_for_pictures(webrtcbin: &gst::Element) {
    let Some(rtpbin) = webrtcbin.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("rtpbin")) else {
        return;
    };
    rtpbin.connect("new-jitterbuffer", false, |values| {
        let buffer = values.get(1)?.get::<gst::Element>().ok()?;
        let (pad, buffer) = (buffer.static_pad("sink")?, buffer.downgrade());
        // What it is for is in the packets alone.
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
            let first = match &info.data {
                Some(gst::PadProbeData::Buffer(packet)) => Some(packet.as_ref()),
                Some(gst::PadProbeData::BufferList(list)) => list.get(0),
                _ => None,
            };
            let payload_type = first
                .and_then(|packet| gst_rtp::RTPBuffer::from_buffer_readable(packet).ok())
                .map(|packet| packet.payload_type());
            let video = payload_type.filter(|payload_type| is_incoming_video(*payload_type));
            if let Some(buffer) = buffer.upgrade().filter(|_| video.is_some()) {
                buffer.set_property("latency", VIDEO_JITTER_BUFFER_MS);
            }
            gst::PadProbeReturn::Remove
        });
        None
    });
}

fn receive(pipeline: &gst::Pipeline, pad: &gst::Pad, reports: &Arc<dyn Reports>) -> Result<(), String> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let is_video = caps.structure(0).and_then(|caps| caps.get::<&str>("media").ok()) == Some("video");
    let depayloader = make(if is_video { "rtpvp8depay" } else { "rtpopusdepay" })?;
    let entry = depayloader.static_pad("sink").ok_or("the depayloader has no sink pad")?;
    if is_video {
        depayloader.set_property("wait-for-keyframe", true);
        depayloader.set_property("request-keyframe", true);
        bound(&entry);
    }
    let frames = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .max_buffers(MAX_WAITING)
        .drop(true)
        .callbacks(
            gst_app::AppSinkCallbacks::builder().new_sample(taker(is_video, &entry, reports.clone())).build(),
        )
        .build();
    let chain = [depayloader.clone(), frames.upcast()];
    pipeline.add_many(&chain).map_err(|err| err.to_string())?;
    depayloader.link(&chain[1]).map_err(|err| err.to_string())?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(|err| err.to_string())?;
    }
    pad.link(&entry).map(|_| ()).map_err(|err| err.to_string())
}

/// Hands on what has come, and asks for a key frame where one is wanted.
fn taker(
    is_video: bool,
    entry: &gst::Pad,
    reports: Arc<dyn Reports>,
) -> impl FnMut(&gst_app::AppSink) -> Result<gst::FlowSuccess, gst::FlowError> + Send + 'static {
    let entry = entry.downgrade();
    let asked: Mutex<Option<Instant>> = Mutex::default();
    move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if !is_video {
            reports.audio(&sample);
        } else if reports.video(&sample) {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_none_or(|asked| asked.elapsed() >= KEY_FRAME_INTERVAL) {
                *asked = Some(now());
                ask(&entry);
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a shell; this is where the time between requests is counted from"
)]
fn now() -> Instant {
    Instant::now()
}

/// Asks the consumer's browser for a key frame (PLI).
fn ask(entry: &glib::WeakRef<gst::Pad>) {
    if let Some(entry) = entry.upgrade() {
        entry.push_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
    }
}

/// A depayloader gathers packets up to the one that says that it is a frame's last, which need not come.
fn bound(entry: &gst::Pad) {
    let gathered = AtomicUsize::new(0);
    entry.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(packet) = info.buffer() else { return gst::PadProbeReturn::Ok };
        let bytes = gathered.fetch_add(packet.size(), Relaxed) + packet.size();
        // The receiving side of GStreamer sets no flag of the buffer for it.
        let is_last = RTPBuffer::from_buffer_readable(packet).is_ok_and(|packet| packet.is_marker());
        if is_last {
            gathered.store(0, Relaxed);
        } else if bytes > MAX_FRAME_BYTES {
            return gst::PadProbeReturn::Drop;
        }
        gst::PadProbeReturn::Ok
    });
}
