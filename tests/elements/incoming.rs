//! Behaviour of `wswebrtcsink` where consumers may send sound.

use crate::{
    consumer::PATIENCE,
    init,
    sink::{Application, TestStream},
};
use gst::prelude::*;
use std::sync::mpsc;

/// What the sink gathers of one frame.
const MAX_FRAME_BYTES: usize = 2 * 1024 * 1024;

/// Names of consumers and what each frame of their sound is, as it comes.
fn heard(stream: &TestStream) -> mpsc::Receiver<(String, String)> {
    let (sender, heard) = mpsc::channel();
    stream.sink.connect("received-audio", false, move |values| {
        let frame = values[2].get::<gst::Sample>().unwrap();
        assert!(frame.buffer().is_some_and(|buffer| buffer.size() > 0));
        let media = frame.caps().unwrap().structure(0).unwrap().name().to_string();
        let _ = sender.send((values[1].get().unwrap(), media));
        None
    });
    heard
}

#[test]
fn what_a_consumer_says_comes_to_the_application_with_its_name_while_it_sees_and_hears() {
    init();
    let stream = TestStream::with_audio(|sink| sink.set_property("receive-audio", true));
    let application = Application::new(&stream);
    let heard = heard(&stream);
    let consumer = application.connect("anna");
    for _ in 0..20 {
        let frame = heard.recv_timeout(PATIENCE).unwrap();
        assert_eq!(frame, ("anna".to_owned(), "audio/x-opus".to_owned()));
    }
    consumer.wait_for_frames(5);
    consumer.wait_for("sound", |_| {
        (consumer.audio_packets.load(std::sync::atomic::Ordering::Relaxed) > 5).then_some(())
    });
}

#[test]
fn what_a_consumer_shows_comes_to_the_application_which_may_ask_it_for_key_frames() {
    init();
    let stream = TestStream::with_audio(|sink| {
        sink.set_property("receive-audio", true);
        sink.set_property("receive-video", true);
    });
    let application = Application::new(&stream);
    let heard = heard(&stream);
    let (sender, seen) = mpsc::channel();
    stream.sink.connect("received-video", false, move |values| {
        let frame = values[2].get::<gst::Sample>().unwrap();
        let media = frame.caps().unwrap().structure(0).unwrap().name().to_string();
        let buffer = frame.buffer().unwrap();
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let _ = sender.send((values[1].get::<String>().unwrap(), media, is_key, buffer.size()));
        Some(true.to_value())
    });
    let consumer = application.connect("anna");
    let first = seen.recv_timeout(PATIENCE).unwrap();
    assert_eq!((first.0.as_str(), first.1.as_str()), ("anna", "video/x-vp8"));
    assert!(first.2, "decoding can begin with it");
    // Far more than one frame may have.
    let (mut keys, mut bytes) = (0, 0);
    while keys < 2 || bytes < MAX_FRAME_BYTES * 3 / 2 {
        let (_, _, is_key, size) = seen.recv_timeout(PATIENCE).unwrap();
        keys += u32::from(is_key);
        bytes += size;
    }
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap().1, "audio/x-opus", "sound comes its own way");
    consumer.wait_for_frames(5);
}

#[test]
fn sound_of_consumers_is_offered_to_be_received_only_where_that_is_wanted() {
    init();
    let sections = |stream: &TestStream, id: &str| {
        let consumer = Application::new(stream).connect(id);
        let offer = consumer.wait_for("the offer", |seen| seen.offer.clone());
        (offer.matches("m=audio").count(), offer.matches("a=recvonly").count())
    };
    let stream = TestStream::with_audio(|_| {});
    assert_eq!(sections(&stream, "anna"), (1, 0));
    stream.sink.set_property("receive-audio", true);
    assert_eq!(sections(&stream, "bert"), (2, 1));
    let stream = TestStream::new(|sink| sink.set_property("receive-audio", true));
    assert_eq!(sections(&stream, "carl"), (1, 1), "a stream without sound may hear as well");
    stream.sink.set_property("receive-video", true);
    assert_eq!(sections(&stream, "dora"), (1, 2), "pictures have a section of their own");
}
