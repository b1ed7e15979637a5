//! `wswebrtcsink` from outside: a real webrtcbin receives what it sends, over each of its three ways of signalling.

use crate::{
    consumer::PATIENCE,
    init,
    sink::{Application, Hosted, TestStream},
};
use gst::prelude::*;
use std::sync::{Mutex, atomic::Ordering, mpsc};
use vdi_protocol::{
    control::{FromPage, Media, PageStats, ToPage},
    signalling::{ErrorCode, FromConsumer, IceCandidate, ToConsumer},
};

fn media(seen: &crate::consumer::Seen) -> Option<Media> {
    seen.texts.get("control")?.iter().find_map(|text| match serde_json::from_str(text).ok()? {
        ToPage::Media(media) => Some(media),
        _ => None,
    })
}

#[test]
fn application_carries_the_messages_and_gets_video_audio_and_data() {
    init();
    let stream = TestStream::with_audio(|_| {});
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(30);
    consumer.wait_for("audio", |_| (consumer.audio_packets.load(Ordering::SeqCst) > 20).then_some(()));
    assert!(consumer.wait_for("a frame", |seen| seen.first_is_key), "media begins with a key frame");

    let media = consumer.wait_for("the media message", media);
    assert_eq!((media.codec.as_str(), media.width, media.height, media.framerate), ("H264", 320, 240, 30));
    assert!(media.audio);
    assert!(!media.encoder.is_empty());

    consumer.send_text("control", &serde_json::to_string(&FromPage::Ping { id: 7 }).unwrap());
    consumer.wait_for("the pong", |seen| {
        let mut answers = seen.texts["control"].iter().map(|text| serde_json::from_str(text).unwrap());
        answers.any(|answer: ToPage| matches!(answer, ToPage::Pong { id: 7, .. })).then_some(())
    });

    let (sender, messages) = mpsc::channel();
    stream.sink.connect("data-message", false, move |values| {
        let text = |i: usize| values[i].get::<String>().unwrap();
        sender.send((text(1), text(2), text(3))).unwrap();
        None
    });
    consumer.send_text("input", r#"{"type":"releaseAll"}"#);
    let expected = ("alice".to_owned(), "input".to_owned(), r#"{"type":"releaseAll"}"#.to_owned());
    assert_eq!(messages.recv_timeout(PATIENCE), Ok(expected));
    assert!(stream.sink.emit_by_name::<bool>("send-data", &[&"alice", &"control", &r#"{"x":1}"#]));
    consumer.wait_for("the application's text", |seen| {
        seen.texts["control"].iter().any(|text| text == r#"{"x":1}"#).then_some(())
    });
    assert!(!stream.sink.emit_by_name::<bool>("send-data", &[&"bob", &"control", &""]), "nobody called bob");
    assert!(!stream.sink.emit_by_name::<bool>("send-data", &[&"alice", &"nonsense", &""]), "no such channel");
}

#[test]
fn hosted_signalling_serves_a_consumer_and_the_page() {
    init();
    let stream = TestStream::new(|sink| sink.set_property("listen", "127.0.0.1:0"));
    let hosted = Hosted::connect(&stream.address());
    hosted.consumer.wait_for_frames(30);
    let response = crate::sink::http_get(&stream.address(), "/");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.contains("text/html") && response.contains("content-security-policy"), "{response}");
    assert!(crate::sink::http_get(&stream.address(), "/../Cargo.toml").starts_with("HTTP/1.1 404"));
}

#[test]
fn full_hd_at_60_is_sent_although_browsers_promise_level_3_1() {
    init();
    let stream = TestStream::of_size(1920, 1080, 60);
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    let offer = consumer.wait_for("the offer", |seen| seen.offer.clone());
    assert!(offer.contains("profile-level-id=42e01f"), "{offer}");
    consumer.wait_for_frames(10);
}

#[test]
fn offer_says_what_browsers_need() {
    init();
    let stream = TestStream::with_audio(|_| {});
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    let offer = consumer.wait_for("the offer", |seen| seen.offer.clone());
    for wanted in [
        "a=group:BUNDLE",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "packetization-mode=1",
        "profile-level-id=42e01f",
        "level-asymmetry-allowed=1",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 ccm fir",
        "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        "m=audio",
        "OPUS/48000/2",
        "m=application",
        "a=sendonly",
    ] {
        assert!(offer.contains(wanted), "{wanted} is missing in\n{offer}");
    }
    assert!(!offer.contains("a=sendrecv"), "{offer}");
    let streams: std::collections::HashSet<_> = offer
        .lines()
        .filter_map(|line| line.split_once("msid:"))
        .filter_map(|(_, value)| value.split_whitespace().next())
        .collect();
    assert_eq!(streams.len(), 2, "one stream per track, so that audio cannot delay video:\n{offer}");
}

#[test]
fn every_codec_of_the_encoder_bin_reaches_a_consumer_and_begins_with_a_key_frame() {
    init();
    for codec in gstvdi::adaptiveencbin::Codec::ALL {
        let stream = TestStream::of_codec(&codec.name().to_lowercase(), |_| {});
        let application = Application::new(&stream);
        let consumer = application.connect("alice");
        let offer = consumer.wait_for("the offer", |seen| seen.offer.clone());
        assert!(offer.contains(&format!(" {}/90000", codec.name())), "{offer}");
        assert!(offer.contains("a=extmap:5 "), "{codec}: {offer}");
        consumer.wait_for_frames(10);
        assert!(consumer.wait_for("a frame", |seen| seen.first_is_key), "{codec}");
        consumer.wait_for("the playout delay", |seen| seen.playout_delays.first().cloned());
        let media = consumer.wait_for("the media message", media);
        assert_eq!(media.codec, codec.name());
    }
}

#[test]
fn playout_delay_stands_in_real_rtp_packets_and_changes_live() {
    init();
    let stream = TestStream::new(|_| {});
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for("the extension", |seen| seen.playout_delays.first().cloned());
    assert_eq!(consumer.seen.0.lock().unwrap().playout_delays, [vec![0, 0, 0]]);
    // 100 ms and 400 ms are 10 and 40 units of 10 ms, 12 bits each: 0x00a, 0x028.
    stream.sink.set_property("min-playout-delay", 100_u32);
    stream.sink.set_property("max-playout-delay", 400_u32);
    consumer
        .wait_for("the new delay", |seen| (seen.playout_delays.last()? == &[0x00, 0xa0, 0x28]).then_some(()));
}

#[test]
fn key_frames_on_request_are_debounced() {
    init();
    let stream = TestStream::new(|sink| sink.set_property("key-frame-interval", 60_000_u32));
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);
    assert_eq!(consumer.key_frames.load(Ordering::SeqCst), 1);
    for _ in 0..20 {
        consumer.send_text("control", r#"{"type":"requestKeyFrame"}"#);
    }
    consumer.wait_for_frames(60);
    assert_eq!(consumer.key_frames.load(Ordering::SeqCst), 1, "the interval has not passed");

    stream.sink.set_property("key-frame-interval", 0_u32);
    consumer.request_key_frame();
    consumer.wait_for("the key frame that a PLI asks for", |_| {
        (consumer.key_frames.load(Ordering::SeqCst) == 2).then_some(())
    });
    let second = application.connect("bob");
    second.wait_for_frames(10);
    assert!(second.wait_for("a frame", |seen| seen.first_is_key));
}

#[test]
fn what_a_page_reports_reaches_the_encoder_as_an_event() {
    init();
    let stream = TestStream::new(|_| {});
    let (sender, events) = mpsc::channel();
    let upstream = stream.sink.static_pad("video_0").unwrap().peer().unwrap();
    upstream.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let structure = info.event().and_then(|event| event.structure());
        let structure = structure.filter(|structure| structure.name() == "application/x-vdi-feedback");
        // What is known of the network is an event of its own, and may come before.
        if let Some(structure) = structure.filter(|structure| structure.has_field("frames-per-second")) {
            let _ = sender.send(structure.to_owned());
        }
        gst::PadProbeReturn::Ok
    });
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);
    let stats = PageStats {
        frames_per_second: 29.5,
        round_trip_ms: 30.0,
        jitter_buffer_delay_ms: 6.0,
        decode_ms: 2.5,
        packets_received: 300,
        packets_lost: 100,
        ..PageStats::default()
    };
    consumer.send_text("control", &serde_json::to_string(&FromPage::Stats(stats)).unwrap());
    let event = events.recv_timeout(PATIENCE).unwrap();
    assert_eq!(event.get::<&str>("consumer"), Ok("alice"));
    assert_eq!(event.get::<u64>("round-trip-time"), Ok(30_000_000));
    assert_eq!(event.get::<f64>("packet-loss"), Ok(0.25));
    assert_eq!(event.get::<f64>("frames-per-second"), Ok(29.5));
    assert!(!event.has_field("estimated-bitrate"), "a page does not estimate it: {event}");
    // The frames' age, which depends on the machine, comes on top of 15 + 6 + 2.5 ms.
    let latency = event.get::<u64>("latency").unwrap();
    assert!((23_500_001..PATIENCE.as_nanos() as u64).contains(&latency), "{latency} ns");
}

#[test]
fn a_consumer_that_dies_or_never_answers_does_not_disturb_the_others() {
    init();
    let stream = TestStream::new(|_| {});
    let application = Application::new(&stream);
    let steady = application.connect("steady");
    steady.wait_for_frames(10);

    let removed = application.removed();
    // Short for the one that is meant to miss it, and only for that one.
    stream.sink.set_property("negotiation-timeout", 3_000_u32);
    assert!(stream.sink.emit_by_name::<bool>("open-consumer", &[&"silent"]));
    stream.sink.set_property("negotiation-timeout", 30_000_u32);
    let hello = r#"{"type":"hello","version":1}"#;
    stream.sink.emit_by_name::<bool>("receive-signalling", &[&"silent", &hello]);
    for round in 0..3 {
        let name = format!("dying-{round}");
        let dying = application.connect(&name);
        dying.wait_for_frames(5);
        drop(dying);
        steady.wait_for_frames(15);
    }
    let mut gone = Vec::new();
    while gone.len() < 4 {
        gone.push(removed.recv_timeout(PATIENCE).unwrap().0);
        steady.wait_for_frames(5);
    }
    gone.sort();
    assert_eq!(gone, ["dying-0", "dying-1", "dying-2", "silent"]);
    let stats = stream.sink.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("consumers-total"), Ok(5));
    assert_eq!(stats.get::<gst::Array>("consumers").unwrap().len(), 1);
}

/// Says hello and collects the replies.
struct Bare {
    stream: TestStream,
    replies: mpsc::Receiver<ToConsumer>,
}

impl Bare {
    fn new(name: &str, configure: impl FnOnce(&gst::Element)) -> Self {
        init();
        let stream = TestStream::new(configure);
        let (sender, replies) = mpsc::channel();
        let sender = Mutex::new(sender);
        stream.sink.connect("send-signalling", false, move |values| {
            let message = serde_json::from_str(values[2].get::<&str>().unwrap()).unwrap();
            let _ = sender.lock().unwrap().send(message);
            None
        });
        assert!(stream.sink.emit_by_name::<bool>("open-consumer", &[&name]));
        Self { stream, replies }
    }

    fn say(&self, name: &str, text: &str) {
        assert!(self.stream.sink.emit_by_name::<bool>("receive-signalling", &[&name, &text]));
    }

    fn error(&self) -> (ErrorCode, String) {
        loop {
            match self.replies.recv_timeout(PATIENCE).unwrap() {
                ToConsumer::Error { code, message } => return (code, message),
                _ => continue,
            }
        }
    }

    fn wait_for_offer(&self) {
        while !matches!(self.replies.recv_timeout(PATIENCE).unwrap(), ToConsumer::Offer { .. }) {}
    }
}

const HELLO: &str = r#"{"type":"hello","version":1}"#;

#[test]
fn bad_messages_get_an_error_that_says_what_is_accepted() {
    let bare = Bare::new("eve", |_| {});
    bare.say("eve", "not json");
    assert_eq!(bare.error().0, ErrorCode::MalformedMessage);
    bare.say("eve", r#"{"type":"dance"}"#);
    let (code, text) = bare.error();
    assert_eq!(code, ErrorCode::MalformedMessage);
    assert!(text.contains("dance") && text.contains("hello"), "{text}");
    bare.say("eve", &format!(r#"{{"type":"answer","sdp":"{}"}}"#, "x".repeat(70_000)));
    let (code, text) = bare.error();
    assert_eq!(code, ErrorCode::MalformedMessage);
    assert!(text.contains("65536"), "{text}");
    bare.say("eve", r#"{"type":"answer","sdp":"v=0"}"#);
    let (code, text) = bare.error();
    assert_eq!(code, ErrorCode::UnexpectedMessage);
    assert!(text.contains("accepted: hello"), "{text}");
    bare.say("eve", HELLO);
    bare.wait_for_offer();
}

#[test]
fn nonsense_sdp_and_candidates_are_refused_and_the_stream_goes_on() {
    for (answer, wanted) in [
        ("hello", "must begin with v=0"),
        ("v=0\r\n", "media sections"),
        (
            "v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
            "lacks ice-ufrag",
        ),
    ] {
        let bare = Bare::new("eve", |_| {});
        bare.say("eve", HELLO);
        bare.wait_for_offer();
        for candidate in ["", "nonsense", "candidate:1 1 UDP 1 999.1.1.1 1 typ host"] {
            let ice = IceCandidate { candidate: candidate.into(), sdp_m_line_index: Some(0), sdp_mid: None };
            bare.say("eve", &serde_json::to_string(&FromConsumer::Ice(ice)).unwrap());
            if !candidate.is_empty() {
                assert_eq!(bare.error().0, ErrorCode::BadCandidate, "{candidate}");
            }
        }
        bare.say("eve", &serde_json::to_string(&FromConsumer::Answer { sdp: answer.into() }).unwrap());
        let (code, text) = bare.error();
        assert_eq!(code, ErrorCode::BadSdp);
        assert!(text.contains(wanted), "{text}");

        let application = Application::new(&bare.stream);
        application.connect("alice").wait_for_frames(10);
    }
}

#[test]
fn a_full_house_and_another_version_are_refused() {
    let bare = Bare::new("first", |sink| sink.set_property("max-consumers", 1_u32));
    assert!(!bare.stream.sink.emit_by_name::<bool>("open-consumer", &[&"second"]));
    assert!(!bare.stream.sink.emit_by_name::<bool>("open-consumer", &[&"first"]), "the name is taken");
    bare.say("first", r#"{"type":"hello","version":99}"#);
    assert_eq!(bare.error().0, ErrorCode::UnsupportedVersion);
}

#[test]
fn a_sink_without_media_says_so() {
    init();
    let stream = TestStream::without_media();
    let (sender, replies) = mpsc::channel();
    stream.sink.connect("send-signalling", false, move |values| {
        let _ = sender.send(values[2].get::<String>().unwrap());
        None
    });
    stream.sink.emit_by_name::<bool>("open-consumer", &[&"early"]);
    stream.sink.emit_by_name::<bool>("receive-signalling", &[&"early", &HELLO]);
    let text = std::iter::from_fn(|| replies.recv_timeout(PATIENCE).ok())
        .find(|text| text.contains("error"))
        .unwrap();
    assert!(text.contains("noMedia"), "{text}");
}

#[test]
fn end_of_the_stream_is_told_to_the_consumers() {
    init();
    let stream = TestStream::new(|_| {});
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(5);
    stream.pipeline.set_state(gst::State::Null).unwrap();
    let reason = consumer.wait_for("bye", |seen| seen.bye.clone());
    assert_eq!(reason, "the stream has ended");
}

#[test]
fn unusable_settings_are_an_error_on_the_bus_that_names_them() {
    init();
    for (property, value, wanted) in [
        ("listen", "nowhere", "cannot listen on nowhere"),
        ("listen", "127.0.0.1:99999", "cannot listen on 127.0.0.1:99999"),
        ("stun-server", "http://x", "stun://"),
        ("uri", "http://127.0.0.1:1/", "the scheme must be ws or wss"),
        ("ca-file", "/nonexistent.pem", "ca-file /nonexistent.pem"),
    ] {
        let sink = gst::ElementFactory::make("wswebrtcsink").property("listen", "").build().unwrap();
        if property == "ca-file" {
            sink.set_property("uri", "wss://127.0.0.1:1/");
        }
        sink.set_property(property, value);
        let bus = gst::Bus::new();
        sink.set_bus(Some(&bus));
        assert!(sink.set_state(gst::State::Ready).is_err(), "{property}={value}");
        let message = bus.pop_filtered(&[gst::MessageType::Error]).expect("an error message");
        let gst::MessageView::Error(err) = message.view() else { unreachable!() };
        let text = format!("{} {}", err.error(), err.debug().unwrap_or_default());
        assert!(text.contains(wanted), "{property}={value}: {text}");
        sink.set_bus(None);
        sink.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_the_address() {
    init();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let sink = gst::ElementFactory::make("wswebrtcsink").property("listen", &address).build().unwrap();
    let bus = gst::Bus::new();
    sink.set_bus(Some(&bus));
    assert!(sink.set_state(gst::State::Ready).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(err) = message.view() else { unreachable!() };
    assert!(err.error().to_string().contains(&address), "{}", err.error());
    sink.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_foreign_page_may_not_open_the_websocket() {
    init();
    let stream = TestStream::new(|sink| sink.set_property("listen", "127.0.0.1:0"));
    let status = crate::sink::websocket_status(&stream.address(), "https://evil.example", None);
    assert_eq!(status, 403);
    // DNS rebinding: the page's own name points here, so that Origin and Host agree.
    let status =
        crate::sink::websocket_status(&stream.address(), "http://evil.example", Some("evil.example"));
    assert_eq!(status, 403);
    let own = format!("http://{}", stream.address());
    assert_eq!(crate::sink::websocket_status(&stream.address(), &own, None), 101);
}

#[test]
fn fifty_consumers_come_and_go_and_leave_nothing_behind() {
    init();
    let child = crate::sink::ChildSink::start();
    // The first ones load plugins and start threads that stay.
    for _ in 0..3 {
        child.visit();
    }
    child.wait_until_alone();
    let before = child.resources();
    for _ in 0..50 {
        child.visit();
    }
    child.wait_until_alone();
    child.wait_for_resources(before);
    // The stream is as good as before.
    let hosted = Hosted::connect(&child.address);
    hosted.consumer.wait_for_frames(10);
}
