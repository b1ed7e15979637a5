//! The real NVENC elements fail in mid-stream, in each way that a driver can, and another encoder takes over.

use super::{
    driver::{Driver, under, until},
    stream::{IDR, LIMIT, PPS, SPS, Stream},
};
use gst::prelude::*;

const NVENC: [&str; 3] = ["nvautogpuh264enc", "nvcudah264enc", "nvh264enc"];

/// Lets each NVENC element in turn fail as `words` say while it encodes, and looks at what x264enc makes of it.
fn each_is_replaced(driver: &Driver, words: &str, causes: &[&str], prepare: impl Fn(&Stream)) {
    for factory in NVENC {
        driver.say("");
        let stream = Stream::new(&[factory, "x264enc"]);
        prepare(&stream);
        stream.play();
        assert_eq!(stream.active().as_deref(), Some(factory));

        driver.say(words);
        stream.until_active("x264enc");
        stream.more(20);
        stream.stop();

        stream.assert_whole();
        let units = stream.units();
        let other = |unit: &&super::stream::Unit| unit.sps().is_some() && unit.sps() != units[0].sps();
        let first = units.iter().find(other).expect("x264enc has parameter sets of its own");
        let kinds = first.kinds();
        assert!([SPS, PPS, IDR].iter().all(|kind| kinds.contains(kind)), "{factory}: begins with {kinds:?}");

        assert_eq!(stream.errors(), [], "{factory}: nothing of it is an error of the pipeline");
        let selected = stream.selected();
        assert_eq!(selected.len(), 2, "{factory}: {selected:#?}");
        let text = |field: &str| selected[1].get::<String>(field).unwrap_or_default();
        assert_eq!((text("encoder").as_str(), text("previous").as_str()), ("x264enc", factory));
        assert!(causes.contains(&text("cause").as_str()), "{factory}: {}", text("cause"));
        let warnings = stream.warnings();
        assert!(
            warnings.iter().any(|text| text.contains(factory) && text.contains("x264enc")),
            "{factory}: {warnings:?}"
        );
    }
}

#[test]
fn an_error_of_encode_picture() {
    // GStreamer's elements tell nobody: all there is is what the chain function returns.
    under(Driver::with(""), |driver| each_is_replaced(driver, "encode=20", &["encode-error"], |_| ()));
}

#[test]
fn an_error_of_lock_bitstream() {
    under(Driver::with(""), |driver| each_is_replaced(driver, "lock=20", &["encode-error"], |_| ()));
}

/// Long enough for a busy machine, and short enough to wait for.
fn stall_after_two_seconds(stream: &Stream) {
    stream.bin.set_property("stall-timeout", 2000u32);
}

#[test]
fn a_hang_in_encode_picture() {
    let hang = "hang-encode=forever";
    under(Driver::with(""), |driver| each_is_replaced(driver, hang, &["time-out"], stall_after_two_seconds));
}

#[test]
fn a_hang_in_lock_bitstream() {
    let hang = "hang-lock=forever";
    under(Driver::with(""), |driver| each_is_replaced(driver, hang, &["time-out"], stall_after_two_seconds));
}

/// A stream whose driver takes so long over a change of the frame rate, which it has just begun.
fn while_the_frame_rate_changes(driver: &Driver, factory: &str, hang: &str, prepare: fn(&Stream)) -> Stream {
    driver.say("");
    let stream = Stream::new(&[factory, "x264enc"]);
    prepare(&stream);
    // What has a new format may take as long as a proof.
    stream.bin.set_property("proof-timeout", 5000u32);
    stream.play();
    assert_eq!(stream.active().as_deref(), Some(factory));
    let before = driver.events("fault").len();
    driver.say(&format!("hang-preset={hang}"));
    stream.bin.set_property("max-framerate", 10u32);
    until("the driver to be in the change", LIMIT, || driver.events("fault").len() > before);
    stream
}

#[test]
fn a_hang_while_the_frame_rate_changes_under_a_lock_that_a_change_of_the_bit_rate_needs() {
    under(Driver::with(""), |driver| {
        for factory in NVENC {
            let stream = while_the_frame_rate_changes(driver, factory, "forever", stall_after_two_seconds);
            stream.bin.set_property("bitrate", 1000u32);
            stream.until_active("x264enc");
            stream.more(20);
            stream.stop();
            assert_eq!(stream.selected()[1].get::<String>("cause").as_deref(), Ok("time-out"), "{factory}");
        }
    });
}

#[test]
fn a_change_of_the_frame_rate_may_take_longer_than_a_frame() {
    under(Driver::with(""), |driver| {
        for factory in NVENC {
            let stream = while_the_frame_rate_changes(driver, factory, "700", |_| ());
            stream.more(20);
            assert_eq!(stream.active().as_deref(), Some(factory));
            stream.stop();
            assert_eq!(stream.selected().len(), 1, "{factory}: {:#?}", stream.selected());
        }
    });
}

#[test]
fn a_lost_device() {
    under(Driver::with(""), |driver| {
        // The elements tell a lost device from no other error; the device itself may be asked, and may not answer.
        each_is_replaced(driver, "lost", &["no-device", "encode-error"], |_| ());
    });
}

#[test]
fn a_failed_encoder_comes_back_after_its_cool_down() {
    under(Driver::with(""), |driver| {
        for factory in NVENC {
            driver.say("");
            let stream = Stream::new(&[factory, "x264enc"]);
            stream.bin.set_property("cool-down", 500u32);
            stream.play();
            driver.say("encode=20*1");
            stream.until_active("x264enc");
            stream.until_active(factory);
            stream.more(20);
            stream.stop();
            stream.assert_whole();
            assert_eq!(stream.errors(), []);
            let causes: Vec<_> =
                stream.selected().iter().map(|one| one.get::<String>("cause").unwrap()).collect();
            assert_eq!(causes, ["start", "encode-error", "recovered"], "{factory}");
        }
    });
}

#[test]
fn a_session_limit_keeps_it_away_until_a_session_is_free() {
    under(Driver::with(""), |driver| {
        let stream = Stream::new(&["nvcudah264enc", "x264enc"]);
        stream.bin.set_property("cool-down", 200u32);
        stream.play();
        // Others take the sessions while this one is down.
        driver.say("encode=20 sessions=0/10");
        stream.until_active("x264enc");
        let refused = || driver.events("open").iter().filter(|open| open.text("refused") == "10").count();
        until("it is proven again, twice, and refused", LIMIT, || refused() >= 2);
        assert_eq!(stream.active().as_deref(), Some("x264enc"));
        driver.say("");
        stream.until_active("nvcudah264enc");
        stream.more(10);
        stream.stop();
        stream.assert_whole();
    });
}

#[test]
fn three_failures_in_a_row_are_the_end_and_nothing_hangs() {
    // Proofs take four frames, so every encoder is proven, and none of the driver's lives to its tenth.
    under(Driver::with("encode=20@10"), |_| {
        let stream = Stream::new(&[NVENC[0], NVENC[1], NVENC[2], "x264enc"]);
        stream.start();
        until("an error", LIMIT, || !stream.errors().is_empty());
        stream.stop();
        let errors = stream.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].0, "ENCODER_UNAVAILABLE");
        let took: Vec<_> =
            stream.selected().iter().map(|one| one.get::<String>("encoder").unwrap()).collect();
        assert_eq!(took, NVENC);
    });
}

#[test]
fn hardware_that_is_required_and_fails_is_a_gpu_error() {
    under(Driver::with(""), |driver| {
        let stream = Stream::new(&["nvcudah264enc", "x264enc"]);
        stream.bin.set_property_from_str("encoder-policy", "require-hardware");
        stream.play();
        driver.say("lost");
        until("an error", LIMIT, || !stream.errors().is_empty());
        stream.stop();
        assert_eq!(stream.errors()[0].0, "GPU_INIT_ERROR");
        assert_eq!(stream.active(), None);
    });
}
