//! Behaviour of `wswebrtcsink` towards consumers that do not decode what is sent.

use crate::{
    consumer::PATIENCE,
    init,
    sink::{Greeting, Hosted, TestStream},
    stranded::recode,
};
use gst::prelude::*;
use std::{sync::mpsc, time::Duration};

/// Longer than an offer takes, shorter than one is held back.
const MOMENT: Duration = Duration::from_secs(2);

fn offer(page: &Hosted) -> Option<String> {
    page.consumer.seen.0.lock().unwrap().offer.clone()
}

fn decoding(codecs: &[&str]) -> Greeting {
    Greeting { decodes: codecs.iter().map(ToString::to_string).collect(), ..Greeting::default() }
}

/// A stream of H.264 whose application says of consumers that it changes the codec, or does not; and of whom it was asked.
fn stream_that_changes(changes: bool) -> (TestStream, mpsc::Receiver<(String, Vec<String>)>) {
    let stream = TestStream::of_codec("h264", |sink| sink.set_property("listen", "127.0.0.1:0"));
    let (sender, asked) = mpsc::channel();
    stream.sink.connect("consumer-decodes", false, move |values| {
        let _ = sender.send((values[1].get().unwrap(), values[2].get().unwrap()));
        Some(changes.to_value())
    });
    (stream, asked)
}

#[test]
fn offer_waits_for_a_codec_that_the_consumer_decodes_if_the_application_changes_it() {
    init();
    let (stream, asked) = stream_that_changes(true);
    let page = Hosted::greet(&stream.address(), decoding(&["VP8", "VP9"]));
    let (id, _) = page.welcomed();
    assert_eq!(asked.recv_timeout(PATIENCE).unwrap(), (id, vec!["VP8".to_owned(), "VP9".to_owned()]));
    std::thread::sleep(MOMENT);
    assert_eq!(offer(&page), None, "it could not answer that");

    recode(&stream, "vp8");
    page.consumer.wait_for_frames(5);
    assert!(offer(&page).unwrap().contains("VP8/90000"));

    // Whoever decodes what is sent does not wait, whatever the application says.
    let other = Hosted::greet(&stream.address(), decoding(&["h264", "VP8"]));
    assert_eq!(asked.recv_timeout(PATIENCE).unwrap().1, ["h264", "VP8"]);
    other.consumer.wait_for_frames(5);
}

#[test]
fn consumer_is_offered_what_there_is_where_no_other_codec_comes() {
    init();
    for (changes, codecs) in [(false, &["VP8"][..]), (true, &["VP8"]), (true, &[])] {
        let (stream, asked) = stream_that_changes(changes);
        let page = Hosted::greet(&stream.address(), decoding(codecs));
        let offer = page.consumer.wait_for("the offer", |seen| seen.offer.clone());
        assert!(offer.contains("H264/90000"), "{changes} {codecs:?}: {offer}");
        assert_eq!(
            asked.try_iter().count(),
            usize::from(!codecs.is_empty()),
            "who says nothing is not asked for"
        );
    }
}

#[test]
fn consumer_that_waits_is_offered_what_there_is_at_the_applications_word_and_ends_at_once_when_it_leaves() {
    init();
    let (stream, asked) = stream_that_changes(true);
    let page = Hosted::greet(&stream.address(), decoding(&["VP8"]));
    let (id, _) = page.welcomed();
    asked.recv_timeout(PATIENCE).unwrap();
    assert!(stream.sink.emit_by_name::<bool>("offer-consumer", &[&id]));
    assert!(!stream.sink.emit_by_name::<bool>("offer-consumer", &[&"nobody"]));
    page.consumer.wait_for("the offer", |seen| seen.offer.clone());

    let (sender, removed) = mpsc::channel();
    stream.sink.connect("consumer-removed", false, move |_| {
        let _ = sender.send(());
        None
    });
    let waits = Hosted::greet(&stream.address(), decoding(&["vp8"]));
    asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(offer(&waits), None);
    waits.leave();
    // Well before the end of its wait.
    removed.recv_timeout(2 * MOMENT).unwrap();
}
