//! Shell: private pipelines that try for real what a session does: an encoder encodes, and the sink gathers the addresses
//! that a page would be offered. They block, and are taken down before they return.

use super::{
    Subject,
    session::{CandidateFacts, EncoderFacts},
};
use crate::{encoder::told, media};
use gst::{glib, prelude::*};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};
use vdi_protocol::signalling::{Bye, FromConsumer, ToConsumer};

/// Time for an encoder to be found and to encode; the table's worst case is longer, and then this is what is told.
const ENCODER_LIMIT: Duration = Duration::from_secs(18);
/// Time for the first address to come.
const CANDIDATES_LIMIT: Duration = Duration::from_secs(8);
/// After so long without another address there are no more, if all kinds that are configured have come.
const QUIET: Duration = Duration::from_millis(500);
/// Name under which the private sink knows its only consumer.
const CONSUMER: &str = "doctor";

#[expect(clippy::disallowed_methods, reason = "this shell bounds its waits")]
fn now() -> Instant {
    Instant::now()
}

/// Has the session's encoder settings encode a test picture of the session's size.
pub fn prove_encoder(subject: &Subject) -> EncoderFacts {
    let began = now();
    let mut facts = EncoderFacts::default();
    match encode(subject, began, &mut facts) {
        Ok(()) => facts.took = Some(began.elapsed()),
        Err(error) => facts.failure = Some((error.reason, error.message)),
    }
    facts
}

fn encode(subject: &Subject, began: Instant, facts: &mut EncoderFacts) -> Result<(), crate::error::Error> {
    let failed = |err: glib::BoolError| crate::error::Error::pipeline(err.to_string());
    let framerate = gst::Fraction::new(i32::try_from(subject.video.framerate).unwrap_or(60), 1);
    let caps = gst::Caps::builder("video/x-raw")
        .field("width", i32::from(subject.size.width_px))
        .field("height", i32::from(subject.size.height_px))
        .field("framerate", framerate)
        .build();
    let source =
        gst::ElementFactory::make("videotestsrc").property("is-live", true).build().map_err(failed)?;
    let sink = gst::ElementFactory::make("fakesink")
        .property("sync", false)
        .property("async", false)
        .build()
        .map_err(failed)?;
    let chain = [
        source,
        gst::ElementFactory::make("capsfilter").property("caps", caps).build().map_err(failed)?,
        media::encoder(&subject.video, None).map_err(failed)?,
        sink.clone(),
    ];
    let pipeline = Pipeline(gst::Pipeline::new());
    pipeline.0.add_many(&chain).map_err(failed)?;
    gst::Element::link_many(&chain).map_err(failed)?;
    let encoded = Arc::new(AtomicBool::new(false));
    if let Some(pad) = sink.static_pad("sink") {
        let encoded = encoded.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            encoded.store(true, Relaxed);
            gst::PadProbeReturn::Ok
        });
    }
    let bus = pipeline.0.bus().ok_or_else(|| crate::error::Error::pipeline("the pipeline has no bus"))?;
    // A failure is told on the bus, with its reason.
    let _ = pipeline.0.set_state(gst::State::Playing);
    while began.elapsed() < ENCODER_LIMIT {
        if facts.chosen.is_some() && encoded.load(Relaxed) {
            return Ok(());
        }
        let wanted = [gst::MessageType::Error, gst::MessageType::Element];
        let Some(message) = bus.timed_pop_filtered(gst::ClockTime::from_mseconds(20), &wanted) else {
            continue;
        };
        match message.view() {
            gst::MessageView::Error(error) => return Err(media::failure(error)),
            gst::MessageView::Element(element) => {
                if let Some(choice) = element.structure().and_then(told::choice) {
                    facts.rejections = choice.rejections;
                    facts.chosen = Some((choice.encoder, choice.hardware));
                }
            }
            _ => {}
        }
    }
    // A choice without a frame is none.
    facts.chosen = None;
    Ok(())
}

/// Has a sink with the session's settings offer its addresses to a page that does not exist.
pub fn gather(subject: &Subject) -> CandidateFacts {
    match offered(subject) {
        Ok(lines) => CandidateFacts::Gathered(lines),
        Err(why) => CandidateFacts::Failed(why),
    }
}

fn offered(subject: &Subject) -> Result<Vec<String>, String> {
    let began = now();
    let words = |err: glib::BoolError| err.to_string();
    let caps = gst::Caps::builder("video/x-vp8")
        .field("width", 320)
        .field("height", 240)
        .field("framerate", gst::Fraction::new(30, 1))
        .build();
    let source = gst_app::AppSrc::builder().caps(&caps).is_live(true).format(gst::Format::Time).build();
    let sink = media::sink(&subject.direct).map_err(words)?;
    crate::ice::apply(&sink, &subject.ice);
    let pipeline = Pipeline(gst::Pipeline::new());
    pipeline.0.add_many([source.upcast_ref(), &sink]).map_err(words)?;
    source.link_pads(Some("src"), &sink, Some("video_%u")).map_err(words)?;
    let (tell, told) = mpsc::channel();
    sink.connect("send-signalling", false, move |values| {
        let text = values.get(2).and_then(|value| value.get::<String>().ok());
        let message = text.and_then(|text| serde_json::from_str::<ToConsumer>(&text).ok());
        message.into_iter().for_each(|message| drop(tell.send(message)));
        None
    });
    pipeline.0.set_state(gst::State::Playing).map_err(|err| err.to_string())?;
    // What is in the buffer nobody looks at: it is what brings the caps.
    source.push_buffer(gst::Buffer::from_slice([0_u8])).map_err(|err| err.to_string())?;
    let hello = FromConsumer::Hello {
        version: vdi_protocol::VERSION,
        client: None,
        watches: false,
        session: None,
        decodes: Vec::new(),
        full_chroma: Vec::new(),
        surround: false,
    };
    let hello = serde_json::to_string(&hello).map_err(|err| err.to_string())?;
    if !sink.emit_by_name::<bool>("open-consumer", &[&CONSUMER])
        || !sink.emit_by_name::<bool>("receive-signalling", &[&CONSUMER, &hello])
    {
        return Err("the sink takes no consumer".into());
    }
    let mut lines = Vec::new();
    let mut is_offered = false;
    while let Some(left) = CANDIDATES_LIMIT.checked_sub(began.elapsed()) {
        let complete = is_offered && !lines.is_empty() && has_all_kinds(subject, &lines);
        match told.recv_timeout(if complete { QUIET.min(left) } else { left }) {
            Ok(ToConsumer::Offer { .. }) => is_offered = true,
            Ok(ToConsumer::Ice(candidate)) => lines.push(candidate.candidate),
            Ok(ToConsumer::Error { message, .. }) => return Err(message),
            Ok(ToConsumer::Bye(Bye { reason, .. })) => return Err(reason),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    if is_offered { Ok(lines) } else { Err("webrtcbin made no offer in time".into()) }
}

/// Whether every kind of address has come that can.
fn has_all_kinds(subject: &Subject, lines: &[String]) -> bool {
    let has = |kind: &str| lines.iter().any(|line| line.contains(kind));
    (!subject.has_stun() || has(" typ srflx")) && (!subject.has_turn() || has(" typ relay"))
}

/// A pipeline that is taken down whatever happens.
struct Pipeline(gst::Pipeline);

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}
