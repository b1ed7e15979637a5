//! The sink as a client of somebody else's signalling broker: what becomes of it, and of its consumers, with the broker.

use crate::{
    broker::{Broker, Certificate},
    consumer::PATIENCE,
    init,
    sink::TestStream,
};
use gst::prelude::*;

#[test]
fn broker_is_dialled_again_while_media_lives_on() {
    init();
    let broker = Broker::start(None);
    let stream = TestStream::new(|sink| sink.set_property("uri", broker.uri()));
    let consumer = broker.add_consumer("alice");
    consumer.wait_for_frames(10);
    broker.cut();
    consumer.wait_for_frames(30);
    let resumed = broker.next_registration();
    assert_eq!(resumed, ["alice"], "the sink names the consumers that it still serves");
    consumer.wait_for_frames(30);
    let other = broker.add_consumer("bob");
    other.wait_for_frames(10);
    drop(stream);
}

#[test]
fn a_broker_that_falls_silent_is_dialled_again_while_media_lives_on() {
    init();
    let broker = Broker::start(None);
    let stream = TestStream::new(|sink| sink.set_property("uri", broker.uri()));
    let consumer = broker.add_consumer("alice");
    broker.fall_silent();
    assert_eq!(broker.next_registration(), ["alice"]);
    consumer.wait_for_frames(30);
    broker.add_consumer("bob").wait_for_frames(10);
    drop(stream);
}

#[test]
fn wss_is_verified() {
    init();
    let certificate = Certificate::for_localhost();
    let broker = Broker::start(Some(&certificate));
    let trusting = TestStream::new(|sink| {
        sink.set_property("uri", broker.uri());
        sink.set_property("ca-file", certificate.ca_file());
    });
    let consumer = broker.add_consumer("alice");
    consumer.wait_for_frames(10);
    drop(consumer);
    drop(trusting);

    let failures = broker.handshake_failures();
    let _distrusting = TestStream::new(|sink| sink.set_property("uri", broker.uri()));
    broker.wait_for_handshake_failure(failures);
}

#[test]
fn a_broker_that_refuses_is_an_error_on_the_bus() {
    init();
    let broker = Broker::refusing("unknown token");
    let stream = TestStream::new(|sink| sink.set_property("uri", broker.uri()));
    let bus = stream.pipeline.bus().unwrap();
    let message = bus
        .timed_pop_filtered(gst::ClockTime::from_seconds(PATIENCE.as_secs()), &[gst::MessageType::Error])
        .expect("an error");
    let gst::MessageView::Error(err) = message.view() else { unreachable!() };
    assert!(err.error().to_string().contains("unknown token"), "{}", err.error());
}
