//! Shell: what a consumer says: a section of the offer by which its browser may send sound, and the way of that sound out of
//! webrtcbin, as Opus frames. Nothing runs here before a first packet has come.

use super::{
    CAT,
    pipeline::{Reports, make},
};
use crate::wswebrtcsink::payload::incoming_caps;
use gst::prelude::*;
use gst_webrtc::{WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection};
use std::sync::Arc;

/// How long a packet that is missing is waited for, in ms; webrtcbin's own 200 would be heard in a conversation.
const JITTER_BUFFER_MS: u32 = 40;

/// Frames that may wait for the application, 20 ms each as browsers make them; the oldest is dropped first.
const MAX_WAITING: u32 = 10;

/// Offers to receive sound. Its section has no stream of ours, so that a page can let the sound that it hears begin anew
/// without the microphone getting another number (SSRC), which nobody would have told us.
pub fn offer(webrtcbin: &gst::Element, pipeline: &gst::Pipeline, reports: &Arc<dyn Reports>) {
    webrtcbin.set_property("latency", JITTER_BUFFER_MS);
    webrtcbin.emit_by_name::<WebRTCRTPTransceiver>(
        "add-transceiver",
        &[&WebRTCRTPTransceiverDirection::Recvonly, &incoming_caps()],
    );
    let (pipeline, reports) = (pipeline.downgrade(), reports.clone());
    webrtcbin.connect_pad_added(move |_, pad| {
        let Some(pipeline) = pipeline.upgrade().filter(|_| pad.direction() == gst::PadDirection::Src) else {
            return;
        };
        if let Err(why) = receive(&pipeline, pad, &reports) {
            gst::warning!(CAT, obj = pad, "what a consumer says is not heard: {why}");
        }
    });
}

fn receive(pipeline: &gst::Pipeline, pad: &gst::Pad, reports: &Arc<dyn Reports>) -> Result<(), String> {
    let depayloader = make("rtpopusdepay")?;
    let reports = reports.clone();
    let frames = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .max_buffers(MAX_WAITING)
        .drop(true)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    reports.audio(&sample);
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        )
        .build();
    let chain = [depayloader.clone(), frames.upcast()];
    pipeline.add_many(&chain).map_err(|err| err.to_string())?;
    depayloader.link(&chain[1]).map_err(|err| err.to_string())?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(|err| err.to_string())?;
    }
    let entry = depayloader.static_pad("sink").ok_or("the depayloader has no sink pad")?;
    pad.link(&entry).map(|_| ()).map_err(|err| err.to_string())
}
