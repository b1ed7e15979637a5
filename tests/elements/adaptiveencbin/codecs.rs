//! Every encoder of the table that this machine has: its settings as the element holds them, and its pictures.

use super::{bin, stream::Feed};
use gst::{glib, prelude::*};
use gst_check::Harness;
use gstvdi::adaptiveencbin::{
    Codec,
    table::{self, ENCODERS, Row, Value},
};

/// Rows whose encoder is installed. On any machine that runs the tests these are the software encoders at least.
fn installed() -> impl Iterator<Item = &'static Row> {
    crate::init();
    ENCODERS.iter().filter(|row| gst::ElementFactory::find(row.factory).is_some())
}

/// A property as text, whatever its type.
fn text(value: &glib::Value) -> String {
    value.serialize().unwrap().to_string()
}

/// What the element holds must be what the row says. Settings that the installed version lacks are returned.
fn compare(row: &'static Row, encoder: &gst::Element) -> Vec<&'static str> {
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut skipped = Vec::new();
    for (name, value) in row.settings {
        let Some(pspec) = encoder.find_property(name) else {
            skipped.push(*name);
            continue;
        };
        let wanted = match value {
            Value::FirstOf(texts) => texts.iter().map(ToString::to_string).collect(),
            value => vec![table::text(row, value, cores)],
        };
        let wanted =
            wanted.iter().find_map(|text| glib::Value::deserialize_with_pspec(text, &pspec).ok()).unwrap();
        assert_eq!(text(&encoder.property_value(name)), text(&wanted), "{}: {name}", row.factory);
    }
    skipped
}

#[test]
fn every_installed_encoder_holds_exactly_what_its_row_says() {
    let mut seen = Vec::new();
    for row in installed() {
        let mut feed = Feed::of(row.factory, 320, 240, 60);
        feed.frame();
        let encoder = feed.encoder();
        let skipped = compare(row, &encoder);
        eprintln!("{}: not in this version: {skipped:?}", row.factory);
        if !row.hardware {
            assert_eq!(skipped, [""; 0], "{}: Debian 12's software encoders have them all", row.factory);
        }
        let unit =
            if row.rate.name == "target-bitrate" && row.codec != Codec::Av1 || row.factory == "openh264enc" {
                1000
            } else {
                1
            };
        assert_eq!(
            text(&encoder.property_value(row.rate.name)),
            (8000 * unit).to_string(),
            "{}: 8 Mbit/s",
            row.factory
        );
        seen.push((row.codec, row.hardware));
    }
    for codec in Codec::ALL {
        assert!(seen.contains(&(codec, false)), "{codec} has a software encoder on this machine");
    }
}

#[test]
fn buffers_hold_one_and_a_half_frames() {
    let held = |factory, names: &[&str]| {
        let mut feed = Feed::of(factory, 320, 240, 60);
        feed.frame();
        let encoder = feed.encoder();
        names.iter().map(|name| text(&encoder.property_value(name))).collect::<Vec<_>>()
    };
    for factory in ["vp8enc", "vp9enc"] {
        let names = ["buffer-size", "buffer-initial-size", "buffer-optimal-size"];
        assert_eq!(held(factory, &names), ["25", "25", "25"], "{factory}");
    }
    assert_eq!(held("av1enc", &["buf-sz", "buf-initial-sz", "buf-optimal-sz"]), ["25", "25", "25"]);
    assert_eq!(
        held("x265enc", &["option-string"]),
        ["\"vbv-maxrate\\=8000:vbv-bufsize\\=200:open-gop\\=0:bframes\\=0:aud\\=0\""]
    );
}

/// Sizes of the pictures that another implementation decodes from these units.
fn decode(codec: Codec, caps: &gst::Caps, units: &[gst::Buffer]) -> Vec<usize> {
    let decoder = match codec {
        Codec::H264 => "h264parse ! avdec_h264 max-threads=1",
        Codec::H265 => "h265parse ! avdec_h265 max-threads=1",
        Codec::Vp8 => "avdec_vp8 max-threads=1",
        Codec::Vp9 => "avdec_vp9 max-threads=1",
        Codec::Av1 => "av1dec",
    };
    let mut harness =
        Harness::new_parse(&format!("{decoder} ! videoconvert ! capsfilter caps=video/x-raw,format=GRAY8"));
    harness.set_src_caps(caps.clone());
    units.iter().for_each(|unit| assert!(harness.push(unit.clone()).is_ok()));
    harness.push_event(gst::event::Eos::new());
    std::iter::from_fn(|| harness.try_pull()).map(|picture| picture.size()).collect()
}

#[test]
fn every_codec_decodes_and_gives_key_frames_when_asked_and_only_then() {
    for row in installed().filter(|row| !row.hardware) {
        let mut feed = Feed::of(row.factory, 320, 240, 60);
        let is_key = |unit: &gst::Buffer| !unit.flags().contains(gst::BufferFlags::DELTA_UNIT);
        // av1enc of 1.22 does not hear requests, so its row asks for periodic key frames.
        let second = if row.codec == Codec::Av1 { row.key_interval as usize } else { 10 };
        let mut units: Vec<_> = (0..second).map(|_| feed.frame()).collect();
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        assert!(feed.harness.push_upstream_event(event));
        units.extend((0..5).map(|_| feed.frame()));
        let keys: Vec<_> = (0..units.len()).filter(|at| is_key(&units[*at])).collect();
        assert_eq!(keys, [0, second], "{}", row.factory);

        let caps = feed.bin.static_pad("src").unwrap().current_caps().unwrap();
        assert!(caps.is_subset(&row.codec.caps(row.profiles)), "{}: {caps}", row.factory);
        assert_eq!(decode(row.codec, &caps, &units), vec![320 * 240; second + 5], "{}", row.factory);
        // Whoever joins at the second key frame sees what comes after it.
        assert_eq!(decode(row.codec, &caps, &units[second..]), [320 * 240; 5], "{}", row.factory);
    }
}

#[test]
fn the_bit_rate_acts_while_frames_flow_in_every_codec() {
    for row in installed().filter(|row| !row.hardware) {
        let mut feed = Feed::of(row.factory, 320, 240, 60);
        feed.bin.set_property("bitrate", 3000u32);
        feed.bytes(10);
        let before = feed.bytes(30);
        // Less than any needs: some take no more than the picture is worth.
        feed.bin.set_properties(&[("min-bitrate", &100u32), ("bitrate", &250u32)]);
        feed.bytes(20);
        let after = feed.bytes(30);
        assert!(after * 2 < before, "{}: {before} bytes and then {after}", row.factory);
    }
}

#[test]
fn a_codec_is_asked_for_by_name_and_a_named_encoder_brings_its_own() {
    let chosen = |codec: &str, encoder: &str| {
        let bin = bin(&["x264enc", "vp8enc", "vp9enc"]);
        bin.set_property_from_str("codec", codec);
        bin.set_property("encoder", encoder);
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 64, 64).fps((30, 1));
        let mut feed = Feed::new(&bin, info.build().unwrap());
        feed.frame();
        bin.property::<String>("active-encoder")
    };
    assert_eq!(chosen("auto", "auto"), "x264enc");
    assert_eq!(chosen("vp8", "auto"), "vp8enc");
    assert_eq!(chosen("auto", "vp9enc"), "vp9enc");

    let bin = bin(&["x264enc", "vp8enc"]);
    bin.set_property_from_str("codec", "vp8");
    bin.set_property("encoder", "x264enc");
    let bus = gst::Bus::new();
    bin.set_bus(Some(&bus));
    assert!(bin.set_state(gst::State::Ready).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert_eq!(error.error().message(), "encoder=x264enc makes H.264, which contradicts codec=vp8");
    assert_eq!(error.details().unwrap().get::<&str>("reason"), Ok("CONFIG_INVALID"));
    bin.set_state(gst::State::Null).unwrap();
}

#[test]
fn an_encoder_that_would_end_the_process_ends_its_child_and_is_rejected() {
    // As GStreamer 1.22 has it without quantizers: its rate control runs into an assertion after a dozen frames.
    let row = *ENCODERS.iter().find(|row| row.factory == "av1enc").unwrap();
    let settings = row.settings.iter().filter(|(name, _)| !name.ends_with("-quantizer")).copied();
    let dangerous = Row { settings: settings.collect::<Vec<_>>().leak(), ..row };
    let bin = bin(&[]);
    bin.set_table(vec![dangerous].leak());
    bin.set_property_from_str("codec", "av1");
    let source = "videotestsrc num-buffers=2 ! capsfilter caps=video/x-raw,format=I420,width=322,height=242,framerate=60/1";
    let record = super::Session::new(&bin, source).run();
    let (text, reason) = record.error();
    assert_eq!(reason, "ENCODER_UNAVAILABLE");
    assert!(
        text.starts_with("No AV1 encoder works (av1enc: crashed, it ended its process with signal 6"),
        "{text}"
    );
    assert_eq!(record.rejected()[0].1, "crashed");
}

#[test]
fn proofs_are_kept_in_a_file_and_rejections_know_their_age() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proofs.json");
    let play = || {
        let bin = bin(&["testnotinstalled", super::faults::for_cache::FACTORY, "x264enc"]);
        bin.set_property("proof-cache", path.to_str().unwrap());
        assert_eq!(bin.property::<String>("proof-cache"), path.to_str().unwrap());
        let source = "videotestsrc num-buffers=2 ! capsfilter caps=video/x-raw,format=I420,width=336,height=240,framerate=30/1";
        super::Session::new(&bin, source).run()
    };
    let age = |record: &super::Record| -> u64 {
        let rejections = record.rejections.as_ref().unwrap();
        let one: gst::Structure = rejections.get(super::faults::for_cache::FACTORY).unwrap();
        one.get("age").unwrap()
    };
    assert_eq!(age(&play()), 0);
    assert!(age(&play()) > 0, "the second one was remembered");

    let text = std::fs::read_to_string(&path).unwrap();
    for kept in ["\"x264enc\"", "\"proven\"", super::faults::for_cache::FACTORY, "\"bad-output\""] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
}
