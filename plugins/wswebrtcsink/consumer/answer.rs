//! Shell: webrtcbin as the answerer: takes a player's offer, makes the answer, and tells when its candidates are all there.

use super::{
    negotiation::Input,
    pipeline::{Reports, reply_error},
};
use gst::prelude::*;
use gst_webrtc::{WebRTCICEGatheringState, WebRTCSDPType, WebRTCSessionDescription};
use std::sync::Arc;
use vdi_protocol::signalling::{ErrorCode, IceCandidate};

/// Answers. The answer comes as a report, as an offer would, and an empty candidate is the last one.
pub fn answer(webrtcbin: &gst::Element, offer: &str, reports: Arc<dyn Reports>) {
    let Ok(message) = gst_sdp::SDPMessage::parse_buffer(offer.as_bytes()) else {
        return failed(&reports, "the offer cannot be parsed");
    };
    webrtcbin.connect_notify(Some("ice-gathering-state"), {
        let reports = reports.clone();
        move |webrtcbin, _| {
            let state = webrtcbin.property::<WebRTCICEGatheringState>("ice-gathering-state");
            if state == WebRTCICEGatheringState::Complete {
                reports.input(Input::LocalCandidate(IceCandidate {
                    candidate: String::new(),
                    sdp_m_line_index: Some(0),
                    sdp_mid: None,
                }));
            }
        }
    });
    let offer = WebRTCSessionDescription::new(WebRTCSDPType::Offer, message);
    let weak = webrtcbin.downgrade();
    let taken = gst::Promise::with_change_func(move |reply| {
        if let Err(why) = reply_error(&reply) {
            return failed(&reports, &format!("the offer could not be applied: {why}"));
        }
        if let Some(webrtcbin) = weak.upgrade() {
            create(&webrtcbin, reports);
        }
    });
    webrtcbin.emit_by_name::<()>("set-remote-description", &[&offer, &taken]);
}

fn create(webrtcbin: &gst::Element, reports: Arc<dyn Reports>) {
    let weak = webrtcbin.downgrade();
    let made = gst::Promise::with_change_func(move |reply| {
        let answer = match reply_error(&reply) {
            Ok(Some(reply)) => reply.get::<WebRTCSessionDescription>("answer").map_err(|err| err.to_string()),
            Ok(None) => Err("webrtcbin made none".into()),
            Err(why) => Err(why),
        };
        match (answer, weak.upgrade()) {
            (Ok(answer), Some(webrtcbin)) => match answer.sdp().as_text() {
                Ok(text) => {
                    // First the report: candidates come as soon as the description is set.
                    reports.input(Input::OfferReady(text));
                    webrtcbin.emit_by_name::<()>("set-local-description", &[&answer, &None::<gst::Promise>]);
                }
                Err(err) => failed(&reports, &format!("the answer cannot be written: {err}")),
            },
            (Err(why), _) => failed(&reports, &format!("no answer could be made: {why}")),
            (Ok(_), None) => {}
        }
    });
    webrtcbin.emit_by_name::<()>("create-answer", &[&None::<gst::Structure>, &made]);
}

fn failed(reports: &Arc<dyn Reports>, message: &str) {
    reports.input(Input::PipelineFailed { code: ErrorCode::Internal, message: message.to_owned() });
}
