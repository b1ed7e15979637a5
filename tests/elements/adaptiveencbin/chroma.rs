//! 4:4:4 where it is wanted, can be had and is taken by all, and 4:2:0 everywhere else; the source follows.

use super::{
    LIMIT, Session, bin,
    mortal::{self, Fate},
};
use gst::prelude::*;
use gstvdi::adaptiveencbin::{ChromaFormat, taken};
use std::time::{Duration, Instant};

/// A live source that can make every format.
const SOURCE: &str =
    "videotestsrc is-live=true ! capsfilter caps=video/x-raw,width=320,height=240,framerate=30/1";

fn playing(factories: &[&'static str], encoder: &str) -> Session {
    let bin = bin(factories);
    bin.set_property("encoder", encoder);
    bin.set_property_from_str("chroma-format", "4:4:4");
    let session = Session::new(&bin, SOURCE);
    session.play();
    session
}

/// What comes in, in which profile it leaves, and what `stats` calls it.
fn path(session: &Session) -> Option<(String, String, String)> {
    let field = |pad: &str, name: &str| -> Option<String> {
        session.bin.static_pad(pad)?.current_caps()?.structure(0)?.get(name).ok()
    };
    let stats: gst::Structure = session.bin.property("stats");
    Some((field("sink", "format")?, field("src", "profile")?, stats.get("chroma-format").ok()?))
}

fn wait_for(session: &Session, format: &str, profile: &str, chroma_format: &str) {
    let wanted = Some((format.to_owned(), profile.to_owned(), chroma_format.to_owned()));
    let deadline = Instant::now() + LIMIT;
    while path(session) != wanted {
        assert!(Instant::now() < deadline, "{:?} did not become {wanted:?}", path(session));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What all consumers take from now on.
fn tell(session: &Session, taken: ChromaFormat) {
    let peer = session.bin.static_pad("src").unwrap().peer().unwrap();
    assert!(peer.push_event(taken::event(taken)));
}

/// Units are whole: each of them begins where the one before ended, and another kind begins with a key frame.
fn key_frames(session: &Session) -> usize {
    let units = session.units.lock().unwrap();
    units.iter().filter(|unit| !unit.flags().contains(gst::BufferFlags::DELTA_UNIT)).count()
}

#[test]
fn colours_follow_what_consumers_take_and_the_source_follows_the_encoder() {
    for (factory, full, half) in [("x264enc", "high-4:4:4", "constrained-baseline"), ("vp9enc", "1", "0")] {
        let session = playing(&[factory], factory);
        wait_for(&session, "Y444", full, "4:4:4");
        tell(&session, ChromaFormat::Half);
        wait_for(&session, "I420", half, "4:2:0");
        let before = key_frames(&session);
        tell(&session, ChromaFormat::Full);
        wait_for(&session, "Y444", full, "4:4:4");
        let deadline = Instant::now() + LIMIT;
        while key_frames(&session) == before {
            assert!(Instant::now() < deadline, "the other kind begins with a key frame");
            std::thread::sleep(Duration::from_millis(20));
        }
        session.pipeline.set_state(gst::State::Null).unwrap();
        let said = session.said.lock().unwrap().clone();
        let chosen: Vec<(String, String)> = said
            .iter()
            .filter_map(|message| message.structure())
            .filter(|structure| structure.name() == "vdi-encoder-selected")
            .map(|structure| (structure.get("chroma-format").unwrap(), structure.get("cause").unwrap()))
            .collect();
        let chosen: Vec<_> = chosen.iter().map(|(format, cause)| (format.as_str(), cause.as_str())).collect();
        assert_eq!(
            chosen,
            [("4:4:4", "start"), ("4:2:0", "chroma-format"), ("4:4:4", "chroma-format")],
            "{factory}"
        );
        assert!(said.iter().all(|message| message.type_() != gst::MessageType::Warning), "nothing is wrong");
    }
}

#[test]
fn the_property_may_change_while_frames_flow() {
    let session = playing(&["x264enc"], "x264enc");
    wait_for(&session, "Y444", "high-4:4:4", "4:4:4");
    session.bin.set_property_from_str("chroma-format", "4:2:0");
    wait_for(&session, "I420", "constrained-baseline", "4:2:0");
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn an_encoder_without_4_4_4_makes_4_2_0_of_what_it_takes_itself() {
    let session = playing(&["openh264enc"], "openh264enc");
    wait_for(&session, "I420", "constrained-baseline", "4:2:0");
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn colours_come_with_the_encoder_that_takes_over_and_from_the_source_itself() {
    crate::init();
    let hardware = mortal::new();
    let session = playing(&[hardware, "x264enc"], "auto");
    wait_for(&session, "I420", "constrained-baseline", "4:2:0");
    mortal::set(hardware, Fate::Fails);
    wait_for(&session, "Y444", "high-4:4:4", "4:4:4");
    session.pipeline.set_state(gst::State::Null).unwrap();
}
