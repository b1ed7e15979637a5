//! Behaviour of `wswebrtcsink` when the codec of its video changes.

use crate::{
    consumer::PATIENCE,
    init,
    sink::{Application, TestStream},
};
use gst::prelude::*;
use std::sync::atomic::Ordering;
use vdi_protocol::signalling::ErrorCode;

/// Has the stream go on in another codec, as the launcher does.
fn recode(stream: &TestStream, codec: &str) {
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
    let stream = TestStream::of_codec("h264");
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
