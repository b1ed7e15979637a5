//! Consumers of `wswebrtcsink` that go on with their session: over another WebSocket, over another peer connection, and
//! what is left of them afterwards.

use crate::{
    consumer::PATIENCE,
    init,
    sink::{ChildSink, Greeting, Hosted, TestStream},
};
use gst::prelude::*;
use std::sync::mpsc;
use vdi_protocol::signalling::{Continued, ErrorCode, MediaPath};

/// What a sink tells of its consumers, in order.
fn told(stream: &TestStream) -> mpsc::Receiver<(String, String)> {
    let (sender, told) = mpsc::channel();
    for signal in ["consumer-client", "consumer-added", "consumer-connected", "consumer-removed"] {
        let sender = std::sync::Mutex::new(sender.clone());
        stream.sink.connect(signal, false, move |values| {
            let _ = sender.lock().unwrap().send((signal.to_owned(), values[1].get().unwrap()));
            None
        });
    }
    told
}

fn stream() -> TestStream {
    init();
    TestStream::new(|sink| {
        sink.set_property("listen", "127.0.0.1:0");
        sink.set_property("max-consumers", 1_u32);
    })
}

fn next(told: &mpsc::Receiver<(String, String)>) -> (String, String) {
    told.recv_timeout(PATIENCE).unwrap()
}

fn events(told: &mpsc::Receiver<(String, String)>) -> Vec<String> {
    told.try_iter().map(|(signal, _)| signal).collect()
}

/// Goes on with the session of a consumer that was welcomed.
fn going_on(hosted: &Hosted, media: MediaPath) -> Greeting {
    let (consumer, token) = hosted.welcomed();
    Greeting { session: Some(Continued { consumer, token, media }), ..Greeting::default() }
}

#[test]
fn media_lives_on_without_a_websocket_and_another_one_takes_over_the_messages() {
    let stream = stream();
    let told = told(&stream);
    let anna = Greeting { client: Some("anna".into()), ..Greeting::default() };
    let mut hosted = Hosted::greet(&stream.address(), anna);
    hosted.consumer.wait_for_frames(10);
    let names: Vec<_> = (0..3).map(|_| next(&told).0).collect();
    assert_eq!(names, ["consumer-client", "consumer-added", "consumer-connected"]);
    hosted.cut();
    hosted.consumer.wait_for_frames(30);
    let again = Hosted::bare(&stream.address(), going_on(&hosted, MediaPath::Keep));
    assert!(again.resumed());
    hosted.consumer.wait_for_frames(30);
    assert_eq!(events(&told), Vec::<String>::new(), "nobody came, nobody left");
    let (consumer, _) = hosted.welcomed();
    let closed = stream.sink.emit_by_name::<bool>("close-consumer", &[&consumer, &"the end"]);
    assert!(closed);
    assert_eq!(again.bye(), "the end", "the new one carries the messages");
    assert_eq!(next(&told), ("consumer-removed".to_owned(), consumer));
}

#[test]
fn successor_takes_the_place_of_a_consumer_without_a_place_of_its_own() {
    let stream = stream();
    let told = told(&stream);
    let first = Hosted::connect(&stream.address());
    first.consumer.wait_for_frames(10);
    assert_eq!([next(&told).0, next(&told).0], ["consumer-added", "consumer-connected"]);
    let second = Hosted::greet(&stream.address(), going_on(&first, MediaPath::Replace));
    assert_eq!(
        next(&told),
        ("consumer-connected".to_owned(), first.welcomed().0),
        "it is told everything anew"
    );
    second.consumer.wait_for_frames(30);
    assert_eq!(second.welcomed(), first.welcomed());
    // The one before it is gone by now, or on its way, and nobody is told.
    drop(first);
    second.consumer.wait_for_frames(30);
    assert_eq!(events(&told), Vec::<String>::new());
    let stats = stream.sink.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("consumers-total"), Ok(1));
    assert_eq!(stats.get::<gst::Array>("consumers").unwrap().len(), 1);
    second.leave();
    assert_eq!(next(&told).0, "consumer-removed");
    assert_eq!(events(&told), Vec::<String>::new(), "once");
}

#[test]
fn newest_of_two_successors_wins_and_the_sink_ends_in_the_middle_of_a_third() {
    let stream = stream();
    let first = Hosted::connect(&stream.address());
    first.consumer.wait_for_frames(10);
    let second = Hosted::bare(&stream.address(), going_on(&first, MediaPath::Replace));
    assert!(second.resumed());
    let third = Hosted::greet(&stream.address(), going_on(&first, MediaPath::Replace));
    third.consumer.wait_for_frames(30);
    let fourth = Hosted::bare(&stream.address(), going_on(&first, MediaPath::Replace));
    assert!(fourth.resumed());
    let removed = told(&stream);
    stream.pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(removed.try_iter().filter(|(signal, _)| signal == "consumer-removed").count(), 1);
}

#[test]
fn nobody_goes_on_with_a_session_that_is_not_his() {
    let stream = stream();
    let hosted = Hosted::connect(&stream.address());
    hosted.consumer.wait_for_frames(10);
    for media in [MediaPath::Keep, MediaPath::Replace] {
        let mut wrong = going_on(&hosted, media);
        wrong.session.as_mut().unwrap().token = "0".repeat(32);
        assert_eq!(Hosted::bare(&stream.address(), wrong).error(), ErrorCode::UnknownConsumer);
        let mut stranger = going_on(&hosted, media);
        stranger.session.as_mut().unwrap().consumer = "c99".into();
        assert_eq!(Hosted::bare(&stream.address(), stranger).error(), ErrorCode::UnknownConsumer);
    }
    hosted.consumer.wait_for_frames(30);
}

#[test]
fn twenty_successors_leave_no_thread_and_no_descriptor_behind() {
    init();
    let sink = ChildSink::start();
    sink.visit();
    sink.wait_until_alone();
    let before = sink.resources();
    let mut present = Hosted::connect(&sink.address);
    present.consumer.wait_for_frames(2);
    for _ in 0..20 {
        let next = Hosted::greet(&sink.address, going_on(&present, MediaPath::Replace));
        next.consumer.wait_for_frames(2);
        std::mem::replace(&mut present, next).leave();
    }
    present.leave();
    sink.wait_for_resources(before);
}
