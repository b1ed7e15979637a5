//! `rtpcongestion` alone, on a harness, and within the sink, where a real receiver tells of the packets that came.

use crate::{
    consumer::{Consumer, PATIENCE},
    sink::{Application, TestStream},
};
use gst::prelude::*;
use gst_check::Harness;
use std::{sync::mpsc, time::Duration};

const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// An element in a harness, with rates in kbit/s.
fn bench(start_kbps: u32) -> Harness {
    crate::init();
    let element = gst::ElementFactory::make("rtpcongestion")
        .property("min-bitrate", 50_000_u32)
        .property("start-bitrate", start_kbps * 1000)
        .property("audio-payload-type", 111)
        .build()
        .unwrap();
    let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
    harness.set_src_caps_str("application/x-rtp");
    harness
}

/// A packet with this number and so much payload, whose timestamp is its number in ms.
fn packet(payload_type: u8, ssrc: u32, number: u16, payload: usize) -> gst::Buffer {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend(number.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(ssrc.to_be_bytes());
    bytes.resize(12 + payload, 0xab);
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(number.into()));
    buffer
}

fn number(buffer: &gst::BufferRef) -> u16 {
    let map = buffer.map_readable().unwrap();
    u16::from_be_bytes([map[2], map[3]])
}

fn stats(element: &gst::Element) -> gst::Structure {
    element.property("stats")
}

#[test]
fn packets_pass_unchanged_and_in_order_and_the_end_comes_after_them() {
    let mut harness = bench(4000);
    for n in 0..100 {
        assert_eq!(harness.push(packet(96, 7, n, 1000)), Ok(gst::FlowSuccess::Ok));
    }
    harness.push_event(gst::event::Eos::new());
    for n in 0..100 {
        let buffer = harness.pull().unwrap();
        assert_eq!((number(&buffer), buffer.size()), (n, 1012));
        assert_eq!(buffer.pts(), Some(gst::ClockTime::from_mseconds(n.into())));
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while std::iter::from_fn(|| harness.try_pull_event()).all(|event| event.type_() != gst::EventType::Eos) {
        assert!(std::time::Instant::now() < deadline, "the end does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(harness.push(packet(96, 7, 100, 1000)), Err(gst::FlowError::Eos));
}

#[test]
fn sound_overtakes_pictures_that_wait_and_keeps_its_own_segment() {
    let mut harness = bench(100);
    let segment = |base_ms: u64| {
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_base(gst::ClockTime::from_mseconds(base_ms));
        gst::event::Segment::new(&segment)
    };
    let src = harness.element().unwrap().static_pad("src").unwrap();
    let (sender, passed) = mpsc::channel();
    src.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |pad, info| {
        let segment = pad.sticky_event::<gst::event::Segment>(0).unwrap();
        let base = segment.segment().downcast_ref::<gst::ClockTime>().unwrap().base().unwrap();
        let tell = |buffer: &gst::BufferRef| sender.send((number(buffer), base.mseconds())).unwrap();
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => tell(buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(tell),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    harness.push_event(segment(1000));
    for n in 0..20 {
        harness.push(packet(96, 7, n, 1000)).unwrap();
    }
    assert!(harness.element().unwrap().property::<u64>("pacer-delay") > 0);
    harness.push_event(segment(2000));
    harness.push(packet(111, 8, 1000, 100)).unwrap();
    let order: Vec<_> = (0..21).map(|_| passed.recv_timeout(PATIENCE).unwrap()).collect();
    let sound = order.iter().position(|(number, _)| *number == 1000).unwrap();
    assert!(sound < 20, "it did not wait for all pictures: {order:?}");
    assert_eq!(order.remove_sound(), (0..20).map(|n| (n, 1000)).collect::<Vec<_>>());
    assert_eq!(order[sound], (1000, 2000));
}

trait WithoutSound {
    fn remove_sound(&self) -> Vec<(u16, u64)>;
}

impl WithoutSound for Vec<(u16, u64)> {
    fn remove_sound(&self) -> Vec<(u16, u64)> {
        self.iter().copied().filter(|(number, _)| *number != 1000).collect()
    }
}

#[test]
fn a_flush_forgets_what_waits_and_the_stream_goes_on_after_it() {
    let mut harness = bench(50);
    for n in 0..200 {
        harness.push(packet(96, 7, n, 1000)).unwrap();
    }
    let element = harness.element().unwrap();
    assert!(stats(&element).get::<u64>("pacer-queued-bytes").unwrap() > 0);
    harness.push_event(gst::event::FlushStart::new());
    assert_eq!(element.property::<u64>("pacer-delay"), 0);
    assert_eq!(harness.push(packet(96, 7, 500, 1000)), Err(gst::FlowError::Flushing));
    harness.push_event(gst::event::FlushStop::new(true));
    harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    harness.push(packet(96, 7, 1000, 1000)).unwrap();
    let last = std::iter::from_fn(|| harness.pull().ok()).find(|buffer| number(buffer) >= 500);
    assert_eq!(last.map(|buffer| number(&buffer)), Some(1000));
}

#[test]
fn it_stops_at_once_while_packets_wait_and_begins_anew() {
    let mut harness = bench(50);
    for n in 0..200 {
        harness.push(packet(96, 7, n, 1000)).unwrap();
    }
    let element = harness.element().unwrap();
    element.set_state(gst::State::Ready).unwrap();
    assert_eq!(element.property::<u64>("pacer-delay"), 0);
    element.set_state(gst::State::Playing).unwrap();
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn requests_for_retransmissions_pass_upstream() {
    let mut harness = bench(4000);
    let request = gst::Structure::builder("GstRTPRetransmissionRequest")
        .field("seqnum", 5_u32)
        .field("ssrc", 7_u32)
        .build();
    assert!(harness.push_upstream_event(gst::event::CustomUpstream::new(request)));
    let passed = std::iter::from_fn(|| harness.try_pull_upstream_event())
        .find_map(|event| event.structure()?.get::<u32>("seqnum").ok());
    assert_eq!(passed, Some(5));
}

#[test]
fn feedback_that_makes_no_sense_changes_nothing() {
    let mut harness = bench(4000);
    let element = harness.element().unwrap();
    let before: u32 = element.property("estimated-bitrate");
    let nonsense = gst::Structure::builder("RTPTWCCPackets").field("packets", 7).build();
    harness.push_upstream_event(gst::event::CustomUpstream::new(nonsense));
    harness.push_upstream_event(gst::event::CustomUpstream::new(gst::Structure::new_empty("RTPTWCCPackets")));
    assert_eq!(element.property::<u32>("estimated-bitrate"), before);
    assert_eq!(stats(&element).get::<&str>("state"), Ok("increase"));
    assert!(!stats(&element).has_field("round-trip-time"));
}

// Within the sink.

/// Feedback that reaches the encoder of a stream.
fn feedback(stream: &TestStream) -> mpsc::Receiver<gst::Structure> {
    let (sender, received) = mpsc::channel();
    let pad = stream.sink.static_pad("video_0").unwrap().peer().unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let structure = info.event().and_then(|event| event.structure());
        if let Some(structure) = structure.filter(|one| one.name() == "application/x-vdi-feedback") {
            let _ = sender.send(structure.to_owned());
        }
        gst::PadProbeReturn::Ok
    });
    received
}

/// The first word of this kind.
fn wait_for<T>(
    feedback: &mpsc::Receiver<gst::Structure>,
    what: &str,
    found: impl Fn(&gst::Structure) -> Option<T>,
) -> T {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let event = feedback.recv_timeout(left).unwrap_or_else(|_| panic!("{what} did not come"));
        if let Some(value) = found(&event) {
            return value;
        }
    }
}

/// What a consumer's congestion control tells.
pub fn congestion(stream: &TestStream, id: &str) -> Option<gst::Structure> {
    let stats: gst::Structure = stream.sink.property("stats");
    let consumers = stats.get::<gst::Array>("consumers").unwrap();
    let consumers = consumers.iter().map(|value| value.get::<gst::Structure>().unwrap());
    let of = |consumer: &gst::Structure| consumer.get::<&str>("id") == Ok(id);
    consumers.into_iter().find(of)?.get("congestion").ok()
}

fn offer(consumer: &Consumer) -> String {
    consumer.wait_for("the offer", |seen| seen.offer.clone())
}

#[test]
fn every_section_of_the_offer_asks_for_feedback_and_video_for_retransmissions() {
    crate::init();
    let stream = TestStream::with_audio(|_| {});
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    let offer = offer(&consumer);
    let sections: Vec<_> = offer.split("\r\nm=").skip(1).collect();
    for section in sections.iter().filter(|section| !section.starts_with("application")) {
        assert!(section.contains(&format!("a=extmap:1 {TRANSPORT_CC}")), "{section}");
        assert!(section.contains("transport-cc\r\n"), "{section}");
    }
    let video = sections.iter().find(|section| section.starts_with("video")).unwrap();
    assert!(video.contains(" rtx/90000") && video.contains("apt=96"), "{video}");
    assert!(video.contains("a=ssrc-group:FID"), "{video}");
}

#[test]
fn the_encoder_is_told_what_a_receiver_says_of_the_network() {
    crate::init();
    let stream = TestStream::with_audio(|_| {});
    let feedback = feedback(&stream);
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);
    let told = wait_for(&feedback, "an estimate", |event| {
        event.has_field("estimated-bitrate").then(|| event.clone())
    });
    assert_eq!(told.get::<&str>("consumer"), Ok("alice"));
    assert!(told.get::<u64>("estimated-bitrate").unwrap() > 1_000_000, "{told}");
    assert!(told.get::<u64>("round-trip-time").unwrap() > 0, "{told}");
    assert!(told.get::<f64>("packet-loss").unwrap() < 1.0, "{told}");
    let known = consumer.wait_for("figures", |_| {
        congestion(&stream, "alice").filter(|stats| stats.has_field("delivered-bitrate"))
    });
    // What is left for pictures is less than everything.
    let bps = |name| known.get::<u64>(name).unwrap();
    assert!(bps("available-video-bitrate") < bps("available-outgoing-bitrate"), "{known}");
    assert!(bps("pacing-rate") > bps("available-outgoing-bitrate"), "{known}");
    assert_eq!(bps("packets-dropped"), 0, "{known}");
}

/// A stream that needs more than the estimate begins with can prove.
const NOISE: &str = "videotestsrc is-live=true pattern=snow ! video/x-raw,width=320,height=240,framerate=30/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=100000 bitrate=3500 \
    ! video/x-h264,profile=constrained-baseline ! sink.";

#[test]
fn a_link_that_carries_more_is_found_out_with_retransmissions_that_nobody_lost() {
    crate::init();
    let stream = TestStream::of(NOISE);
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    let known = consumer.wait_for("a burst that has found more", |_| {
        let stats = congestion(&stream, "alice")?;
        let bps = stats.get::<u64>("available-outgoing-bitrate").unwrap();
        // What comes proves no more than 3.5 Mbit/s, and the growth without proof is slow.
        (stats.get::<u64>("padding-bytes").unwrap() > 0 && bps > 5_500_000).then_some(stats)
    });
    assert!(known.get::<u64>("probes-sent").unwrap() >= 1, "{known}");
    consumer.wait_for_frames(30);
}

#[test]
fn without_congestion_control_nothing_is_asked_for_and_nothing_told() {
    crate::init();
    let stream = TestStream::new(|sink| sink.set_property_from_str("congestion-control", "none"));
    let feedback = feedback(&stream);
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(60);
    assert!(!offer(&consumer).contains(TRANSPORT_CC));
    assert!(congestion(&stream, "alice").is_none());
    assert!(feedback.try_iter().all(|event| !event.has_field("estimated-bitrate")));
}

#[test]
fn googles_is_there_for_comparison() {
    crate::init();
    let stream = TestStream::new(|sink| sink.set_property_from_str("congestion-control", "gcc"));
    let feedback = feedback(&stream);
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);
    wait_for(&feedback, "an estimate", |event| event.get::<u64>("estimated-bitrate").ok());
    assert!(congestion(&stream, "alice").unwrap().has_field("available-outgoing-bitrate"));
}

#[test]
fn under_the_controllers_policy_others_move_nothing_while_the_controller_is_there() {
    crate::init();
    let stream = TestStream::new(|sink| {
        sink.set_property_from_str("bitrate-policy", "controller");
        sink.set_property("controller", "alice");
    });
    let application = Application::new(&stream);
    let bob = application.connect("bob");
    let feedback = feedback(&stream);
    bob.wait_for_frames(5);
    // Somebody has to be heard.
    wait_for(&feedback, "bob's word", |event| (event.get::<&str>("consumer") == Ok("bob")).then_some(()));
    let alice = application.connect("alice");
    alice.wait_for_frames(5);
    wait_for(&feedback, "alice's word", |event| (event.get::<&str>("consumer") == Ok("alice")).then_some(()));
    // What was on its way when she came has arrived with it. Words come once a second from each who has a say.
    for _ in 0..3 {
        let event = feedback.recv_timeout(PATIENCE).unwrap();
        assert_eq!(event.get::<&str>("consumer"), Ok("alice"));
    }
    stream.sink.set_property_from_str("bitrate-policy", "slowest");
    wait_for(&feedback, "bob's word", |event| (event.get::<&str>("consumer") == Ok("bob")).then_some(()));
}
