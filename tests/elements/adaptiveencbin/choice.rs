//! Which encoder is taken: every way to be rejected, the order, the policies, and what the application is told.

use super::{LIMIT, Session, bin, faults};
use gst::prelude::*;
use gstvdi::adaptiveencbin::table::{ENCODERS, Row, Value};
use std::sync::{atomic::Ordering, mpsc};

const SOURCE: &str = "videotestsrc num-buffers=5 ! capsfilter caps=video/x-raw,format=I420,width=320,height=240,framerate=30/1";

/// Runs `factory` in front of x264enc and returns why it was rejected.
#[track_caller]
fn rejection(factory: &'static str) -> (String, String) {
    rejection_within(30_000, factory)
}

#[track_caller]
fn rejection_within(ms: u32, factory: &'static str) -> (String, String) {
    let bin = bin(&[factory, "x264enc"]);
    bin.set_property("proof-timeout", ms);
    let record = Session::new(&bin, SOURCE).run();
    assert_eq!(record.end, gst::MessageType::Eos);
    assert_eq!(record.active.as_deref(), Some("x264enc"));
    assert_eq!(record.units.len(), 5, "the stream goes on in software");
    assert_eq!(
        record.count(gst::MessageType::Error),
        0,
        "a candidate's errors are no errors of the pipeline"
    );
    let mut rejected = record.rejected();
    assert_eq!(rejected.len(), 1);
    let (name, reason, message) = rejected.remove(0);
    assert_eq!(name, factory);
    (reason, message)
}

#[test]
fn no_factory() {
    let (reason, message) = rejection("testnotinstalled");
    assert_eq!((reason.as_str(), message.as_str()), ("no-factory", "testnotinstalled is not installed"));
}

#[test]
fn no_element_when_the_registry_is_older_than_the_plugins_state() {
    crate::init();
    // A plugin that is removed after it was scanned: its factories are found and make nothing.
    let registry = gst::Registry::get();
    let plugin = registry.find_plugin("goom").expect("plugins-good");
    let file = plugin.filename().unwrap();
    registry.remove_plugin(&plugin);
    let folder = std::env::temp_dir().join(format!("vdi-stale-plugin-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(file, folder.join("libgstgoom.so")).unwrap();
    assert!(registry.scan_path(&folder));
    std::fs::remove_dir_all(&folder).unwrap();

    let (reason, message) = rejection("goom");
    assert_eq!((reason.as_str(), message.as_str()), ("no-element", "the installed goom makes no element"));
}

#[test]
fn init_error_when_the_driver_does_not_start() {
    let (reason, message) = rejection(faults::init::FACTORY);
    assert_eq!(reason, "init-error");
    assert!(message.contains("no driver"), "{message}");
}

#[test]
fn init_error_when_it_does_not_start_and_does_not_say_why() {
    assert_eq!(rejection(faults::silent_start::FACTORY).0, "init-error");
}

#[test]
fn no_device() {
    assert_eq!(rejection(faults::no_device::FACTORY).0, "no-device");
}

#[test]
fn caps_not_negotiated() {
    assert_eq!(rejection(faults::caps::FACTORY).0, "caps-not-negotiated");
}

#[test]
fn encode_error_with_the_elements_own_words() {
    let (reason, message) = rejection(faults::second_frame::FACTORY);
    assert_eq!(reason, "encode-error");
    assert!(message.contains("the driver said 20"), "{message}");
}

#[test]
fn encode_error_that_is_only_a_flow_return() {
    let (reason, message) = rejection(faults::silent_second_frame::FACTORY);
    assert_eq!(
        (reason.as_str(), message.as_str()),
        ("encode-error", "it refused a frame without saying why")
    );
}

#[test]
fn time_out_of_a_frame_that_never_comes_back_once_per_process() {
    assert_eq!(
        rejection_within(1500, faults::hangs::FACTORY),
        ("time-out".into(), "4 frames were not done within 1500 ms".into())
    );
    assert_eq!(rejection_within(1500, faults::hangs::FACTORY).0, "time-out");
    assert_eq!(faults::hangs::MADE.load(Ordering::SeqCst), 1, "a second bin remembers");
}

#[test]
fn time_out_of_a_start_that_never_comes_back() {
    assert_eq!(rejection_within(1500, faults::hangs_at_start::FACTORY).0, "time-out");
}

#[test]
fn bad_output() {
    let faults = [
        (faults::garbage::FACTORY, "it does not start with a key frame"),
        (faults::drops::FACTORY, "1 pictures for 4 frames"),
        (faults::profile::FACTORY, "its profile is 100 with constraints 0xc0, not constrained-baseline"),
        (faults::no_parameter_sets::FACTORY, "its key frame comes without parameter sets that can be read"),
        (faults::other_size::FACTORY, "its size is 304x240, not 320x240"),
        (faults::reorders::FACTORY, "picture 1 needs a later one"),
        (faults::many_slices::FACTORY, "picture 0 has 5 slices, over 4"),
    ];
    for (factory, message) in faults {
        assert_eq!(rejection(factory), ("bad-output".into(), message.into()));
    }
}

#[test]
fn unsupported_setting() {
    let row = |factory| ENCODERS.iter().find(|row| row.factory == factory).copied().unwrap();
    let strange = Row { settings: &[("complexity", Value::Fixed("breathtaking"))], ..row("openh264enc") };
    let bin = bin(&[]);
    bin.set_table(vec![strange, row("x264enc")].leak());
    let record = Session::new(&bin, SOURCE).run();
    assert_eq!(record.active.as_deref(), Some("x264enc"));
    let expected = ("openh264enc", "unsupported-setting", "complexity does not take breathtaking");
    assert_eq!(record.rejected(), [(expected.0.into(), expected.1.into(), expected.2.into())]);
}

#[test]
fn a_property_that_the_installed_version_lacks_is_no_reason() {
    let row = ENCODERS.iter().find(|row| row.factory == "openh264enc").copied().unwrap();
    let bin = bin(&[]);
    bin.set_table(vec![Row { settings: &[("from-the-future", Value::Fixed("1"))], ..row }].leak());
    let record = Session::new(&bin, SOURCE).run();
    assert_eq!(record.active.as_deref(), Some("openh264enc"));
}

#[test]
fn the_first_that_works_is_taken_and_later_ones_are_not_tried() {
    let bin = bin(&[
        "testnotinstalled",
        faults::garbage::FACTORY,
        faults::good::FACTORY,
        faults::caps::FACTORY,
        "x264enc",
    ]);
    let record = Session::new(&bin, SOURCE).run();
    assert_eq!(record.active.as_deref(), Some(faults::good::FACTORY));
    let tried: Vec<_> = record.rejected().into_iter().map(|(factory, reason, _)| (factory, reason)).collect();
    assert_eq!(
        tried,
        [
            ("testnotinstalled".into(), "no-factory".into()),
            (faults::garbage::FACTORY.into(), "bad-output".into())
        ]
    );
    assert_eq!(record.warnings(), [""; 0]);
    assert_eq!(record.units.len(), 5);

    let told = record.structures("vdi-encoder-selected");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].get::<&str>("encoder"), Ok(faults::good::FACTORY));
    assert_eq!(told[0].get::<bool>("hardware"), Ok(true));
    assert_eq!(told[0].get::<Option<gst::Structure>>("rejections").unwrap(), record.rejections);
}

#[test]
fn falling_back_to_software_is_a_warning_that_says_why() {
    let bin = bin(&["testnotinstalled", faults::caps::FACTORY, "x264enc"]);
    let record = Session::new(&bin, SOURCE).run();
    assert_eq!(
        record.warnings(),
        ["No hardware encoder works, x264enc takes over in software (testnotinstalled: no-factory; \
          testcaps: caps-not-negotiated, it refused a frame without saying why)."]
    );
    assert_eq!(record.warnings_about(), ["vdi-software-taken"]);
    assert_eq!(record.structures("vdi-encoder-selected")[0].get::<bool>("hardware"), Ok(false));
}

#[test]
fn require_hardware_fails_once_with_gpu_init_error() {
    let bin = bin(&[faults::init::FACTORY, "testnotinstalled", "x264enc"]);
    bin.set_property_from_str("encoder-policy", "require-hardware");
    let record = Session::new(&bin, SOURCE).run();
    let (text, reason) = record.error();
    assert_eq!(reason, "GPU_INIT_ERROR");
    assert!(text.contains("testinit: init-error") && text.contains("testnotinstalled: no-factory"), "{text}");
    assert_eq!(record.active, None);
    assert_eq!(record.rejected().len(), 2);
    assert_eq!(record.units.len(), 0);
}

#[test]
fn no_encoder_at_all_fails_once_with_encoder_unavailable() {
    let bin = bin(&["testnotinstalled", faults::garbage::FACTORY]);
    // A live source goes on after the error; nothing of that may become a second one.
    let record = Session::new(&bin, &SOURCE.replace("num-buffers=5", "is-live=true")).run();
    assert_eq!(record.error().1, "ENCODER_UNAVAILABLE");
}

#[test]
fn software_policy_does_not_touch_hardware() {
    let bin = bin(&[faults::good::FACTORY, "testnotinstalled", "openh264enc"]);
    bin.set_property_from_str("encoder-policy", "software");
    let record = Session::new(&bin, SOURCE).run();
    assert_eq!(record.active.as_deref(), Some("openh264enc"));
    assert_eq!(record.rejected(), []);
    assert_eq!(record.warnings(), [""; 0]);
}

#[test]
fn a_named_encoder_is_taken_over_better_ones() {
    let bin = bin(&[faults::good::FACTORY, "x264enc", "openh264enc"]);
    bin.set_property("encoder", "openh264enc");
    let record = Session::new(&bin, SOURCE).run();
    assert_eq!(record.active.as_deref(), Some("openh264enc"));
    assert_eq!(record.rejected(), []);
}

#[test]
fn an_unknown_encoder_does_not_even_start() {
    crate::init();
    let bin = gst::ElementFactory::make("adaptiveencbin").property("encoder", "theoraenc").build().unwrap();
    let bus = gst::Bus::new();
    bin.set_bus(Some(&bus));
    assert!(bin.set_state(gst::State::Ready).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert_eq!(
        error.error().message(),
        "encoder=theoraenc is not known; accepted are auto, nvautogpuh264enc, nvcudah264enc, nvh264enc, \
         vah264lpenc, vah264enc, x264enc, openh264enc, vavp8enc, vp8enc, vavp9lpenc, vavp9enc, vp9enc, vaav1lpenc, \
         vaav1enc, av1enc, nvautogpuh265enc, nvcudah265enc, nvh265enc, vah265lpenc, vah265enc, x265enc"
    );
    assert_eq!(error.details().unwrap().get::<&str>("reason"), Ok("CONFIG_INVALID"));
    bin.set_property("encoder", "auto");
    assert!(bin.set_state(gst::State::Ready).is_ok(), "and can be put right");
    bin.set_state(gst::State::Null).unwrap();
}

#[test]
fn stopping_does_not_wait_for_a_proof_that_hangs() {
    let bin = bin(&[faults::hangs_for_cancel::FACTORY, "x264enc"]);
    bin.set_property("proof-timeout", u32::MAX);
    let session = Session::new(&bin, &SOURCE.replace("num-buffers=5", "is-live=true"));
    session.play();
    let deadline = LIMIT.as_millis() / 10;
    let hung = (0..deadline).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        faults::hangs_for_cancel::FRAMES.load(Ordering::SeqCst) >= 2
    });
    assert!(hung, "the proof has reached the frame that hangs");

    let (sender, stopped) = mpsc::channel();
    let pipeline = session.pipeline.clone();
    std::thread::spawn(move || sender.send(pipeline.set_state(gst::State::Null)));
    stopped.recv_timeout(LIMIT).expect("it stops").unwrap();
    let errors = session.said.lock().unwrap().iter().filter(|m| m.type_() == gst::MessageType::Error).count();
    assert_eq!(errors, 0, "stopping is no error");
}

#[test]
fn the_choice_is_made_anew_after_a_stop() {
    let bin = bin(&[faults::good_restarted::FACTORY, "x264enc"]);
    let session = Session::new(&bin, SOURCE);
    for _ in 0..2 {
        session.play();
        assert_eq!(session.end(), gst::MessageType::Eos);
        let active: Option<String> = bin.property("active-encoder");
        assert_eq!(active.as_deref(), Some(faults::good_restarted::FACTORY));
        session.pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(bin.property::<Option<String>>("active-encoder"), None);
        assert_eq!(bin.children().len(), 0);
    }
    assert_eq!(session.units.lock().unwrap().len(), 10);
    assert_eq!(faults::good_restarted::MADE.load(Ordering::SeqCst), 3, "one proof, two streams");
}
