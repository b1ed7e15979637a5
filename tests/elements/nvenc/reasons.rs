//! Each stable reason for not taking an NVENC element, from the state of the driver that is its cause.

use super::{
    driver::{Driver, under},
    stream::Stream,
};
use gst::prelude::*;

const NVENC: [&str; 3] = ["nvautogpuh264enc", "nvcudah264enc", "nvh264enc"];

/// Offers each NVENC element beside x264enc, and wants it turned down for this reason.
fn all_are_rejected(reason: &str, proof_timeout_ms: u32) {
    let mut all = NVENC.to_vec();
    all.push("x264enc");
    let stream = Stream::new(&all);
    stream.bin.set_property("proof-timeout", proof_timeout_ms);
    stream.play();
    let said = stream.rejections();
    stream.stop();
    let reasons: Vec<_> =
        said.iter().map(|(factory, reason, _)| (factory.as_str(), reason.as_str())).collect();
    assert_eq!(reasons, NVENC.map(|factory| (factory, reason)), "{said:#?}");
    assert!(said.iter().all(|(.., message)| !message.is_empty()), "each in words: {said:#?}");
    assert_eq!(stream.errors(), []);
}

/// Time enough for every proof that does not hang.
const PATIENT: u32 = 30_000;

#[test]
fn no_device() {
    under(Driver::with("no-device"), |_| all_are_rejected("no-device", PATIENT));
}

#[test]
fn no_encoder_engine() {
    under(Driver::with("no-engine"), |_| all_are_rejected("no-encoder-engine", PATIENT));
}

#[test]
fn session_limit() {
    under(Driver::with("open=10@5"), |_| all_are_rejected("session-limit", PATIENT));
}

#[test]
fn session_limit_of_newer_drivers() {
    under(Driver::with("open=21@5"), |_| all_are_rejected("session-limit", PATIENT));
}

#[test]
fn session_limit_while_the_plugin_loads() {
    under(Driver::with("open=10"), |_| all_are_rejected("session-limit", PATIENT));
}

#[test]
fn driver_that_is_too_old() {
    under(Driver::with("max-version=8.0"), |_| all_are_rejected("driver-mismatch", PATIENT));
}

#[test]
fn driver_that_refuses_the_interface() {
    under(Driver::with("create-instance=15"), |_| all_are_rejected("driver-mismatch", PATIENT));
}

#[test]
fn driver_that_has_dropped_the_presets() {
    under(Driver::with("preset=8"), |_| all_are_rejected("driver-mismatch", PATIENT));
}

#[test]
fn container_without_the_video_capability() {
    let driver = Driver::with("").without("libnvidia-encode.so.1");
    under(driver, |_| all_are_rejected("missing-capability", PATIENT));
}

#[test]
fn init_error_when_cuda_does_not_start() {
    under(Driver::with("cuda-init=999"), |_| all_are_rejected("init-error", PATIENT));
}

#[test]
fn unsupported_setting_when_the_encoder_refuses_its_parameters() {
    under(Driver::with("init=8"), |_| all_are_rejected("unsupported-setting", PATIENT));
}

#[test]
fn encode_error() {
    under(Driver::with("encode=20@1"), |_| all_are_rejected("encode-error", PATIENT));
}

#[test]
fn encode_error_when_the_bitstream_is_fetched() {
    under(Driver::with("lock=20@1"), |_| all_are_rejected("encode-error", PATIENT));
}

#[test]
fn time_out_of_a_driver_that_hangs_while_its_plugin_is_loaded_which_keeps_no_other_from_being_loaded() {
    under(Driver::with(""), |driver| {
        // GStreamer itself asks the driver once, to learn what there is.
        crate::init();
        driver.say("hang-init=forever");
        all_are_rejected("time-out", 1500);
    });
}

#[test]
fn time_out_of_a_frame_that_is_never_taken() {
    under(Driver::with("hang-encode=forever@1"), |_| all_are_rejected("time-out", 1500));
}

#[test]
fn time_out_of_a_frame_that_never_comes_out() {
    under(Driver::with("hang-lock=forever@1"), |_| all_are_rejected("time-out", 1500));
}
