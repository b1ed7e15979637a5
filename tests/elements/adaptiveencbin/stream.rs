//! What comes out of the encoders that this machine has: H.264 that decodes, at the rate and size that was asked for.

use super::{AdaptiveEncBin, LIMIT, Session, bin, fake, faults, nal_types};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

const SOFTWARE: [&str; 2] = ["x264enc", "openh264enc"];

const SPS: u8 = 7;
const PPS: u8 = 8;
const IDR: u8 = 5;

/// The bin in a harness, fed by hand.
pub(super) struct Feed {
    pub(super) harness: Harness,
    pub(super) bin: AdaptiveEncBin,
    info: VideoInfo,
    frames: u64,
}

impl Feed {
    pub(super) fn new(bin: &AdaptiveEncBin, info: VideoInfo) -> Self {
        let mut harness = Harness::with_element(bin, Some("sink"), Some("src"));
        harness.set_src_caps(info.to_caps().unwrap());
        Self { harness, bin: bin.clone(), info, frames: 0 }
    }

    /// A bin that has only this encoder.
    pub(super) fn of(factory: &'static str, width: u32, height: u32, fps: i32) -> Self {
        let bin = bin(&[factory]);
        // Brings the codec as well.
        bin.set_property("encoder", factory);
        let info = VideoInfo::builder(VideoFormat::I420, width, height).fps((fps, 1)).build().unwrap();
        Self::new(&bin, info)
    }

    fn resize(&mut self, width: u32, height: u32, fps: i32) {
        self.info = VideoInfo::builder(self.info.format(), width, height).fps((fps, 1)).build().unwrap();
        self.harness.set_src_caps(self.info.to_caps().unwrap());
    }

    /// Pushes a zone plate that moves in a way no motion vector describes, and takes the access unit.
    pub(super) fn frame(&mut self) -> gst::Buffer {
        let (width, height) = (u64::from(self.info.width()), u64::from(self.info.height()));
        let mut picture = vec![0x80u8; self.info.size()];
        let (line_bytes, pixel_bytes) = (self.info.stride()[0] as usize, self.info.comp_pstride(0) as usize);
        for y in 0..height {
            for x in 0..width {
                let ring = (x * x + y * y) / 128 + self.frames * 16;
                picture[y as usize * line_bytes + x as usize * pixel_bytes] = ring as u8;
            }
        }
        let mut buffer = gst::Buffer::from_mut_slice(picture);
        let duration = gst::ClockTime::from_mseconds(16);
        buffer.get_mut().unwrap().set_pts(duration * self.frames);
        buffer.get_mut().unwrap().set_duration(duration);
        self.frames += 1;
        self.harness.push(buffer).unwrap();
        self.harness.pull().unwrap()
    }

    pub(super) fn bytes(&mut self, frames: usize) -> usize {
        (0..frames).map(|_| self.frame().size()).sum()
    }

    pub(super) fn encoder(&self) -> gst::Element {
        let active: String = self.bin.property("active-encoder");
        let mut encoders = self.bin.iterate_all_by_element_factory_name(&active).into_iter();
        encoders.next().expect("the encoder is in the bin").unwrap()
    }
}

/// Decodes with another implementation; every picture's size and whether it has more than one colour.
pub fn decode(units: &[gst::Buffer]) -> Vec<(i32, i32, bool)> {
    let mut harness = Harness::new_parse(
        "h264parse ! avdec_h264 max-threads=1 ! videoconvert ! capsfilter caps=video/x-raw,format=GRAY8",
    );
    harness.set_src_caps_str("video/x-h264,stream-format=byte-stream,alignment=au");
    let mut pictures = Vec::new();
    for unit in units {
        harness.push(unit.clone()).unwrap();
    }
    harness.push_event(gst::event::Eos::new());
    let sizes = std::iter::from_fn(|| harness.try_pull_event()).filter_map(|event| match event.view() {
        gst::EventView::Caps(caps) => {
            let caps = caps.caps().structure(0)?;
            Some((caps.get::<i32>("width").ok()?, caps.get::<i32>("height").ok()?))
        }
        _ => None,
    });
    let sizes: Vec<_> = sizes.collect();
    while let Some(buffer) = harness.try_pull() {
        let bytes = buffer.map_readable().unwrap();
        let info = sizes.iter().find(|(width, height)| {
            bytes.len()
                == VideoInfo::builder(VideoFormat::Gray8, *width as u32, *height as u32)
                    .build()
                    .unwrap()
                    .size()
        });
        let (width, height) = *info.expect("a picture of a size that was announced");
        pictures.push((width, height, bytes.iter().any(|byte| byte.abs_diff(bytes[0]) > 64)));
    }
    pictures
}

#[test]
fn every_encoder_here_gives_constrained_baseline_that_decodes() {
    for factory in SOFTWARE {
        let bin = bin(&[factory]);
        let source = "videotestsrc num-buffers=20 ! capsfilter caps=video/x-raw,format=BGRx,width=640,height=360,framerate=60/1";
        let session = Session::new(&bin, source);
        session.play();
        assert_eq!(session.end(), gst::MessageType::Eos);
        let caps = bin.static_pad("src").unwrap().current_caps().unwrap();
        let caps = caps.structure(0).unwrap();
        assert_eq!(caps.get::<&str>("profile"), Ok("constrained-baseline"));
        assert_eq!(caps.get::<&str>("stream-format"), Ok("byte-stream"));
        assert_eq!(caps.get::<&str>("alignment"), Ok("au"));
        session.pipeline.set_state(gst::State::Null).unwrap();
        let units = session.units.lock().unwrap().clone();
        assert_eq!(units.len(), 20, "{factory}");
        let idr: Vec<_> = (0..20).filter(|&n| nal_types(&units[n]).contains(&IDR)).collect();
        assert_eq!(idr, [0], "{factory}: one key frame at the start and none that nobody asked for");
        assert_eq!(decode(&units), [(640, 360, true); 20], "{factory}");
    }
}

#[test]
fn odd_sizes_lose_their_last_line_and_column() {
    for factory in SOFTWARE {
        let mut feed = Feed::of(factory, 321, 243, 30);
        let mut units: Vec<_> = (0..3).map(|_| feed.frame()).collect();
        feed.resize(322, 242, 30);
        units.extend((0..2).map(|_| feed.frame()));
        let expected = [[(320, 242, true); 3].as_slice(), &[(322, 242, true); 2]].concat();
        assert_eq!(decode(&units), expected, "{factory}");
    }
}

#[test]
fn a_force_key_unit_event_gives_an_idr_with_its_parameter_sets() {
    for factory in SOFTWARE {
        let mut feed = Feed::of(factory, 320, 240, 60);
        let first = nal_types(&feed.frame());
        assert!(first.contains(&SPS) && first.contains(&PPS) && first.contains(&IDR), "{factory}: {first:?}");
        for _ in 0..5 {
            let unit = feed.frame();
            assert!(unit.flags().contains(gst::BufferFlags::DELTA_UNIT), "{factory}");
            assert!(!nal_types(&unit).contains(&IDR), "{factory}");
        }
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        assert!(feed.harness.push_upstream_event(event));
        let unit = feed.frame();
        let asked = nal_types(&unit);
        assert!(!unit.flags().contains(gst::BufferFlags::DELTA_UNIT), "{factory}");
        assert!(asked.contains(&SPS) && asked.contains(&PPS) && asked.contains(&IDR), "{factory}: {asked:?}");
    }
}

/// Rates are written by a thread of the encoder's own.
fn rate_becomes(encoder: &gst::Element, rate: u32) {
    let deadline = Instant::now() + LIMIT;
    while encoder.property::<u32>("bitrate") != rate {
        assert!(Instant::now() < deadline, "{} instead of {rate}", encoder.property::<u32>("bitrate"));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_bit_rate_is_written_live_in_the_encoders_own_unit_and_acts() {
    for (factory, unit) in [("x264enc", 1u32), ("openh264enc", 1000)] {
        let mut feed = Feed::of(factory, 640, 480, 60);
        feed.bin.set_property("bitrate", 6000u32);
        feed.bytes(10);
        rate_becomes(&feed.encoder(), 6000 * unit);
        let before = feed.bytes(30);

        feed.bin.set_property("bitrate", 600u32);
        rate_becomes(&feed.encoder(), 600 * unit);
        feed.bytes(10);
        let after = feed.bytes(30);
        assert!(after * 2 < before, "{factory}: {before} bytes and then {after}");
        assert_eq!(feed.bin.property::<u32>("bitrate"), 600);
    }
}

#[test]
fn bounds_hold_whatever_is_asked_for() {
    let mut feed = Feed::of("x264enc", 320, 240, 60);
    feed.bin.set_property("bitrate", 90_000u32);
    feed.frame();
    let encoder = feed.encoder();
    // The default maximum.
    rate_becomes(&encoder, 20_000);
    feed.bin.set_property("max-bitrate", 4000u32);
    rate_becomes(&encoder, 4000);
    feed.bin.set_property("bitrate", 100u32);
    // The default minimum.
    rate_becomes(&encoder, 500);
    feed.bin.set_property("min-bitrate", 5000u32);
    // The maximum is the last word.
    rate_becomes(&encoder, 4000);
    assert_eq!(feed.bin.property::<u32>("bitrate"), 100, "the goal stays what was asked for");
}

#[test]
fn x264enc_runs_with_the_settings_of_its_row() {
    let mut feed = Feed::of("x264enc", 320, 240, 60);
    feed.frame();
    let encoder = feed.encoder();
    let text = |name: &str| encoder.property_value(name).serialize().unwrap().to_string();
    assert_eq!(text("speed-preset"), "ultrafast");
    assert!(
        ["zerolatency", "Zero latency"].contains(&text("tune").as_str()),
        "a flag is written by name or by nick"
    );
    assert_eq!(text("pass"), "qual");
    assert_eq!(encoder.property::<u32>("quantizer"), 20);
    assert_eq!(encoder.property::<u32>("key-int-max"), 2_147_483_647);
    assert_eq!(encoder.property::<u32>("bframes"), 0);
    assert_eq!(encoder.property::<i32>("rc-lookahead"), 0);
    assert!(!encoder.property::<bool>("aud"));
    assert!((1..=4).contains(&encoder.property::<u32>("threads")));
    assert_eq!(encoder.property::<u32>("vbv-buf-capacity"), 25, "one and a half frames at 60 a second");
}

#[test]
fn the_vbv_follows_the_frame_rate() {
    let mut feed = Feed::of("x264enc", 320, 240, 60);
    feed.frame();
    feed.resize(320, 240, 30);
    feed.frame();
    assert_eq!(feed.encoder().property::<u32>("vbv-buf-capacity"), 50);
}

#[test]
fn a_live_size_change_keeps_the_encoder_and_starts_with_an_idr() {
    for factory in SOFTWARE {
        let mut feed = Feed::of(factory, 320, 240, 60);
        let mut units: Vec<_> = (0..5).map(|_| feed.frame()).collect();
        let encoder = feed.encoder();
        feed.resize(640, 360, 60);
        units.extend((0..5).map(|_| feed.frame()));
        feed.resize(162, 122, 60);
        units.extend((0..5).map(|_| feed.frame()));
        assert_eq!(feed.encoder(), encoder, "{factory}");
        for start in [0, 5, 10] {
            let types = nal_types(&units[start]);
            assert!(
                types.contains(&SPS) && types.contains(&PPS) && types.contains(&IDR),
                "{factory}: {types:?}"
            );
        }
        let sizes: Vec<_> = decode(&units).into_iter().map(|(width, height, _)| (width, height)).collect();
        assert_eq!(sizes, [[(320, 240); 5], [(640, 360); 5], [(162, 122); 5]].concat(), "{factory}");
    }
}

#[test]
fn statistics_never_put_the_frame_of_one_size_beside_the_source_of_another() {
    let mut feed = Feed::of("x264enc", 320, 240, 60);
    let mut seen = Vec::new();
    for (width, height) in [(320, 240), (640, 360), (162, 122)] {
        feed.resize(width, height, 60);
        feed.frame();
        // At once: whoever maps a place of the picture to the source takes both from here.
        let stats: gst::Structure = feed.bin.property("stats");
        let size = |name: &str| stats.get::<u32>(name).unwrap();
        seen.push(["source-width", "source-height", "frame-width", "frame-height"].map(size));
    }
    assert_eq!(seen, [[320, 240, 320, 240], [640, 360, 640, 360], [162, 122, 162, 122]]);
}

#[test]
fn hardware_that_cannot_follow_a_size_change_is_replaced() {
    let bin = bin(&[faults::wide_caps::FACTORY, "x264enc"]);
    let info = VideoInfo::builder(VideoFormat::I420, 320, 240).fps((60, 1)).build().unwrap();
    let mut feed = Feed::new(&bin, info);
    feed.frame();
    assert_eq!(bin.property::<String>("active-encoder"), faults::wide_caps::FACTORY);
    let before = faults::wide_caps::MADE.load(Ordering::SeqCst);
    assert_eq!(before, 2, "the proof and the stream");

    feed.resize(640, 360, 60);
    let units: Vec<_> = (0..3).map(|_| feed.frame()).collect();
    assert_eq!(bin.property::<String>("active-encoder"), "x264enc");
    assert_eq!(faults::wide_caps::MADE.load(Ordering::SeqCst), 3, "it was proven at the new size");
    assert_eq!(decode(&units), [(640, 360, true); 3]);
    let rejections: gst::Structure = bin.property("rejections");
    let rejection: gst::Structure = rejections.get(faults::wide_caps::FACTORY).unwrap();
    assert_eq!(rejection.get::<&str>("reason"), Ok("caps-not-negotiated"));
}

#[test]
fn colours_are_told_in_the_stream_itself() {
    let bin = bin(&["x264enc"]);
    let info = VideoInfo::builder(VideoFormat::Bgrx, 1280, 720).fps((30, 1)).build().unwrap();
    let mut feed = Feed::new(&bin, info);
    let unit = feed.frame();
    // A parser that was told nothing reads it from the VUI.
    let mut parser = Harness::new("h264parse");
    parser.set_src_caps_str("video/x-h264,stream-format=byte-stream,alignment=au");
    parser.push(unit).unwrap();
    parser.push_event(gst::event::Eos::new());
    let caps = parser.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(caps.structure(0).unwrap().get::<&str>("colorimetry"), Ok("bt709"));
}

#[test]
fn the_choice_travels_downstream_as_a_tag() {
    for factory in SOFTWARE {
        let mut feed = Feed::of(factory, 320, 240, 60);
        feed.frame();
        feed.frame();
        let tags: Vec<String> = std::iter::from_fn(|| feed.harness.try_pull_event())
            .filter_map(|event| match event.view() {
                gst::EventView::Tag(event) => Some(event.tag().get::<gst::tags::Encoder>()?.get().to_owned()),
                _ => None,
            })
            .collect();
        assert!(!tags.is_empty() && tags.iter().all(|tag| tag == factory), "{factory}: {tags:?}");
    }
}

#[test]
fn what_fits_is_not_converted() {
    let mut feed = Feed::of("x264enc", 320, 240, 60);
    feed.frame();
    let mut converters = feed.bin.iterate_all_by_element_factory_name("videoconvertscale").into_iter();
    let convert = converters.next().unwrap().unwrap();
    let transform = convert.downcast::<gst_base::BaseTransform>().unwrap();
    assert!(gst_base::prelude::BaseTransformExt::is_passthrough(&transform));
}

#[test]
fn eos_before_any_picture_passes() {
    crate::init();
    let mut harness = Harness::new("adaptiveencbin");
    harness.play();
    harness.push_event(gst::event::StreamStart::new("test"));
    harness.push_event(gst::event::Eos::new());
    let passed =
        std::iter::from_fn(|| harness.try_pull_event()).any(|event| event.type_() == gst::EventType::Eos);
    assert!(passed);
}

#[test]
fn sources_link_before_anything_is_chosen() {
    crate::init();
    for source in ["videotestsrc", "appsrc", "videotestsrc ! capsfilter caps=video/x-raw,format=BGRx"] {
        let bin = gst::ElementFactory::make("adaptiveencbin").build().unwrap();
        let source = gst::parse::bin_from_description(source, true).unwrap();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([source.upcast_ref(), &bin]).unwrap();
        source.link(&bin).unwrap();
    }
    let bin = gst::ElementFactory::make("adaptiveencbin").build().unwrap();
    let sink = bin.static_pad("sink").unwrap();
    let accepts = |caps: &str| sink.query_accept_caps(&caps.parse::<gst::Caps>().unwrap());
    assert!(accepts("video/x-raw,format=BGRx,width=1920,height=1080,framerate=60/1"));
    assert!(!accepts("video/x-h264"));
    assert!(!accepts("audio/x-raw"));
}

#[test]
fn a_rate_whose_write_costs_a_key_frame_is_written_only_when_it_matters() {
    let bin = bin(&[]);
    let row = gstvdi::adaptiveencbin::table::Row {
        rate: gstvdi::adaptiveencbin::table::RateProperty {
            cost: gstvdi::adaptiveencbin::rate::WriteCost::KeyFrame,
            ..fake(faults::good::FACTORY).rate
        },
        ..fake(faults::good::FACTORY)
    };
    bin.set_table(vec![row].leak());
    let info = VideoInfo::builder(VideoFormat::I420, 64, 64).fps((60, 1)).build().unwrap();
    let mut feed = Feed::new(&bin, info);
    feed.frame();
    let encoder = feed.encoder();
    assert_eq!(encoder.property::<u32>("bitrate"), 8000);
    bin.set_property("bitrate", 8300u32);
    assert_eq!(encoder.property::<u32>("bitrate"), 8000);
    // Not right after another write, but not forgotten either.
    bin.set_property("bitrate", 7000u32);
    rate_becomes(&encoder, 7000);
}

#[test]
fn a_session_ends_well_while_rates_change_from_another_thread() {
    let bin = bin(&["x264enc"]);
    let source =
        "videotestsrc num-buffers=60 ! capsfilter caps=video/x-raw,width=320,height=240,framerate=60/1";
    let session = Session::new(&bin, source);
    session.play();
    let writer = std::thread::spawn(move || {
        for rate in (600..6000).step_by(10) {
            bin.set_property("bitrate", rate as u32);
        }
    });
    assert_eq!(session.end(), gst::MessageType::Eos);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(writer.join().is_ok()));
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(true));
    session.pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(session.units.lock().unwrap().len(), 60);
}
