//! Behaviour of `wswebrtcsink` for consumers that get only a part of what there is.

use crate::{
    init,
    sink::{Application, TestStream},
};
use gst::prelude::*;
use std::sync::{atomic::Ordering, mpsc};

fn options(media: &str, channel: &str) -> gst::Structure {
    gst::Structure::builder("options").field("media", media).field("data-channel", channel).build()
}

#[test]
fn picture_and_sound_can_have_a_connection_each_with_one_channel_of_another_name() {
    init();
    let stream = TestStream::with_audio(|_| {});
    let application = Application::new(&stream);
    let (sender, heard) = mpsc::channel();
    stream.sink.connect("data-message", false, move |values| {
        let text = |index: usize| values[index].get::<String>().unwrap();
        sender.send((text(1), text(2), text(3))).unwrap();
        None
    });

    let picture = application.connect_part("picture", &options("video", "words"));
    picture.wait_for_frames(5);
    let sound = application.connect_part("sound", &options("audio", "words"));
    sound.wait_for("sound", |_| (sound.audio_packets.load(Ordering::Relaxed) > 5).then_some(()));

    assert_eq!(picture.audio_packets.load(Ordering::Relaxed), 0);
    assert_eq!(sound.video_frames.load(Ordering::Relaxed), 0);
    for (consumer, kind, other) in [(&picture, "m=video", "m=audio"), (&sound, "m=audio", "m=video")] {
        let offer = consumer.wait_for("the offer", |seen| seen.offer.clone());
        assert!(offer.contains(kind) && !offer.contains(other), "{offer}");
    }
    picture.send_text("words", "kd,97");
    assert_eq!(
        heard.recv_timeout(crate::consumer::PATIENCE).unwrap(),
        ("picture".into(), "words".into(), "kd,97".into())
    );
    assert!(stream.sink.emit_by_name::<bool>("send-data", &[&"picture", &"words", &"hello"]));
    picture.wait_for("the answer", |seen| {
        seen.texts.get("words").filter(|texts| texts.contains(&"hello".to_owned())).cloned()
    });
    assert!(!stream.sink.emit_by_name::<bool>("send-data", &[&"picture", &"control", &"hello"]));
}

#[test]
fn options_that_mean_nothing_open_nothing() {
    init();
    let stream = TestStream::new(|_| {});
    let refused = |options: gst::Structure| {
        assert!(!stream.sink.emit_by_name::<bool>("open-consumer-full", &[&"someone", &options]));
    };
    refused(options("smell", "words"));
    refused(gst::Structure::builder("options").field("colour", "red").build());
    assert!(
        stream.sink.emit_by_name::<bool>("open-consumer-full", &[&"someone", &options("video", "words")])
    );
}
