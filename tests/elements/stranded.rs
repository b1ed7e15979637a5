//! Behaviour of `wswebrtcsink` when the codec of its video changes.

use crate::{
    consumer::PATIENCE,
    init,
    rtpcongestion::congestion,
    sink::{Application, Greeting, Hosted, TestStream},
};
use gst::prelude::*;
use std::sync::atomic::Ordering;
use vdi_protocol::signalling::{Continued, ErrorCode, MediaPath};

/// Has the stream go on in another codec, as the launcher does.
pub fn recode(stream: &TestStream, codec: &str) {
    let [source, encoder] = ["source", "encoder"].map(|name| stream.pipeline.by_name(name).unwrap());
    for element in [&source, &encoder] {
        element.set_state(gst::State::Null).unwrap();
    }
    encoder.set_property_from_str("codec", codec);
    for element in [&encoder, &source] {
        element.sync_state_with_parent().unwrap();
    }
}

#[test]
fn another_codec_is_for_another_connection_and_nobody_gets_what_it_has_not_negotiated() {
    init();
    let stream = TestStream::of_codec("h264", |_| {});
    let application = Application::new(&stream);
    let removed = application.removed();
    let part = gst::Structure::builder("options").field("media", "video").field("data-channel", "words");
    let picture = application.connect_part("picture", &part.build());
    let page = application.connect("page");
    picture.wait_for_frames(5);
    page.wait_for_frames(5);

    recode(&stream, "vp8");
    let (name, reason) = removed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(name, "picture", "it knows of no other connection");
    assert!(reason.contains("another codec"), "{reason}");
    page.wait_for("word of the codec", |seen| {
        seen.texts.get("control")?.iter().any(|text| text.contains(r#""codec":"VP8""#)).then_some(())
    });
    let before = page.video_frames.load(Ordering::SeqCst);
    let again = application.connect("again");
    again.wait_for_frames(30);
    assert_eq!(page.video_frames.load(Ordering::SeqCst), before, "its payloader is H.264's");

    // Back in time: what was negotiated is there again.
    recode(&stream, "h264");
    page.wait_for_frames(5);
    again.wait_for("the end of its time", |seen| {
        seen.errors.iter().any(|(code, _)| *code == ErrorCode::NoMedia).then_some(())
    });
    page.wait_for_frames(5);
    assert_eq!(removed.recv_timeout(PATIENCE).unwrap().0, "again");
    assert!(removed.try_recv().is_err(), "the page is as it was");
}

#[test]
fn what_is_known_of_the_network_is_known_to_the_connection_for_the_other_codec() {
    const KNOWN: u64 = 2_000_000;
    init();
    // More than this the first connection cannot come to know.
    let stream = TestStream::of_codec("h264", |sink| {
        sink.set_property("listen", "127.0.0.1:0");
        sink.set_property("max-bitrate", 1_000_u32);
    });
    let first = Hosted::connect(&stream.address());
    let (id, token) = first.welcomed();
    let estimate = || congestion(&stream, &id)?.get::<u64>("available-outgoing-bitrate").ok();
    let known = first.consumer.wait_for("an estimate", |_| estimate());
    assert!(known < KNOWN, "{known}");

    stream.sink.set_property("max-bitrate", 20_000_u32);
    recode(&stream, "vp8");
    first.consumer.wait_for("word of the codec", |seen| {
        seen.texts.get("control")?.iter().any(|text| text.contains(r#""codec":"VP8""#)).then_some(())
    });
    let (sender, told) = std::sync::mpsc::channel();
    stream.sink.connect("consumer-connected", false, move |_| {
        let _ = sender.send(());
        None
    });
    let session = Some(Continued { consumer: id.clone(), token, media: MediaPath::Replace });
    let second = Hosted::greet(&stream.address(), Greeting { session, ..Greeting::default() });
    told.recv_timeout(PATIENCE).unwrap();
    let begun_with = second.consumer.wait_for("its estimate", |_| estimate());
    assert!(begun_with < 2 * KNOWN, "{begun_with}: a stranger's begins with that");
    second.consumer.wait_for_frames(30);
}
