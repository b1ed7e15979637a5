//! What follows when a running encoder fails: another takes over, and whoever receives the stream sees neither a new
//! stream nor a gap in its format, only a key frame.

use super::{
    AdaptiveEncBin, LIMIT, Session, bin,
    mortal::{self, Fate},
    nal_types,
    stream::decode,
};
use gst::prelude::*;
use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

const LIVE: &str = "videotestsrc is-live=true pattern=ball ! capsfilter caps=video/x-raw,format=I420,width=320,height=240,framerate=30/1";

/// A session whose source pad's events are written down.
struct Watched {
    session: Session,
    events: Arc<Mutex<Vec<gst::Event>>>,
}

impl Watched {
    fn play(bin: &AdaptiveEncBin, source: &str) -> Self {
        let session = Session::new(bin, source);
        let events = Arc::new(Mutex::new(Vec::new()));
        let written = events.clone();
        bin.static_pad("src").unwrap().add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            written.lock().unwrap().extend(info.event().map(|event| event.to_owned()));
            gst::PadProbeReturn::Ok
        });
        session.play();
        Self { session, events }
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !is_so() {
            assert!(
                Instant::now() < deadline,
                "{what} did not come; {} frames; {:#?}",
                self.units(),
                self.said()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the bin said, in short.
    fn said(&self) -> Vec<String> {
        let said = self.session.said.lock().unwrap();
        let kinds = [gst::MessageType::Error, gst::MessageType::Warning, gst::MessageType::Element];
        let said = said.iter().filter(|message| kinds.contains(&message.type_()));
        said.map(|message| match message.view() {
            gst::MessageView::Error(error) => format!("error {}", error.error()),
            gst::MessageView::Warning(warning) => format!("warning {}", warning.error()),
            _ => message.structure().unwrap().to_string(),
        })
        .collect()
    }

    fn units(&self) -> usize {
        self.session.units.lock().unwrap().len()
    }

    /// Waits for so many more frames; returns how many there were before.
    fn wait_for_frames(&self, more: usize) -> usize {
        let before = self.units();
        self.wait("frames", || self.units() >= before + more);
        before
    }

    /// Waits until this encoder was announced, and nothing after it.
    fn wait_for_encoder(&self, factory: &str) {
        self.wait(factory, || {
            self.selected().last().is_some_and(|selected| selected.get::<&str>("encoder") == Ok(factory))
        });
    }

    fn selected(&self) -> Vec<gst::Structure> {
        let said = self.session.said.lock().unwrap();
        let structures = said.iter().filter_map(|message| message.structure());
        structures
            .filter(|structure| structure.name() == "vdi-encoder-selected")
            .map(ToOwned::to_owned)
            .collect()
    }

    fn count(&self, kind: gst::MessageType) -> usize {
        self.session.said.lock().unwrap().iter().filter(|message| message.type_() == kind).count()
    }

    /// Stops, which may not hang.
    fn stop(self) -> Vec<gst::Buffer> {
        let (done, stopped) = mpsc::channel();
        let pipeline = self.session.pipeline.clone();
        std::thread::spawn(move || {
            let _ = pipeline.set_state(gst::State::Null);
            let _ = done.send(());
        });
        stopped.recv_timeout(LIMIT).expect("stopping does not hang");
        std::mem::take(&mut *self.session.units.lock().unwrap())
    }

    /// Whoever receives the stream was told of one stream with one format, and its frames come one after the other.
    fn assert_one_stream(&self, units: &[gst::Buffer]) {
        let events = self.events.lock().unwrap();
        for kind in [gst::EventType::StreamStart, gst::EventType::Caps, gst::EventType::Segment] {
            let told: Vec<_> = events.iter().filter(|event| event.type_() == kind).collect();
            assert_eq!(told.len(), 1, "{told:#?}");
        }
        let times: Vec<_> = units.iter().map(|unit| unit.pts().unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        assert!(
            times[0] < gst::ClockTime::from_seconds(100),
            "the source's time, not the encoder's: {}",
            times[0]
        );
        assert!(decode(units).iter().all(|picture| *picture == (320, 240, true)));
    }
}

fn is_key(unit: &gst::Buffer) -> bool {
    assert_eq!(nal_types(unit).contains(&5), !unit.flags().contains(gst::BufferFlags::DELTA_UNIT));
    !unit.flags().contains(gst::BufferFlags::DELTA_UNIT)
}

/// A bin with encoders that die and, if wanted, one that does not.
fn mortals(count: usize, last: Option<&'static str>) -> (AdaptiveEncBin, Vec<&'static str>) {
    crate::init();
    let names: Vec<_> = (0..count).map(|_| mortal::new()).collect();
    let all: Vec<_> = names.iter().copied().chain(last).collect();
    let bin = bin(&all);
    bin.set_property("cool-down", 3_600_000u32);
    // Nothing here has stalled but what hangs, however loaded the machine is.
    bin.set_property("stall-timeout", 1000u32);
    (bin, names)
}

fn replaced(fate: Fate, cause: &str) {
    let (bin, names) = mortals(1, Some("x264enc"));
    let watched = Watched::play(&bin, LIVE);
    watched.wait_for_frames(10);
    mortal::set(names[0], fate);
    watched.wait_for_encoder("x264enc");
    watched.wait_for_frames(10);

    let selected = watched.selected();
    assert_eq!(selected.len(), 2, "{selected:#?}");
    assert_eq!(selected[0].get::<&str>("cause"), Ok("start"));
    assert_eq!(selected[1].get::<&str>("cause"), Ok(cause));
    assert_eq!(selected[1].get::<&str>("previous"), Ok(names[0]));
    assert_eq!(selected[1].get::<&str>("encoder"), Ok("x264enc"));
    let rejections = selected[1].get::<gst::Structure>("rejections").unwrap();
    assert_eq!(rejections.get::<gst::Structure>(names[0]).unwrap().get::<&str>("reason"), Ok(cause));
    assert_eq!((watched.count(gst::MessageType::Warning), watched.count(gst::MessageType::Error)), (1, 0));

    let units = watched.session.units.lock().unwrap().clone();
    let keys: Vec<_> = (0..units.len()).filter(|&n| is_key(&units[n])).collect();
    assert_eq!(keys.len(), 2, "one at each encoder's start: {keys:?}");
    watched.assert_one_stream(&units);
    watched.stop();
}

#[test]
fn an_encoder_that_fails_is_replaced() {
    replaced(Fate::Fails, "encode-error");
}

#[test]
fn an_encoder_that_refuses_frames_without_a_word_is_replaced() {
    replaced(Fate::Refuses, "encode-error");
}

#[test]
fn an_encoder_that_loses_its_device_is_replaced() {
    replaced(Fate::LosesDevice, "no-device");
}

#[test]
fn an_encoder_that_hangs_is_left_behind_and_replaced() {
    replaced(Fate::Hangs, "time-out");
}

#[test]
fn an_encoder_that_takes_frames_and_gives_none_is_replaced() {
    replaced(Fate::Swallows, "time-out");
}

#[test]
fn three_failures_in_a_row_are_the_end_and_nothing_hangs() {
    for (policy, reason) in
        [("prefer-hardware", "ENCODER_UNAVAILABLE"), ("require-hardware", "GPU_INIT_ERROR")]
    {
        let (bin, names) = mortals(4, None);
        bin.set_property_from_str("encoder-policy", policy);
        let watched = Watched::play(&bin, LIVE);
        for name in &names[..3] {
            watched.wait_for_encoder(name);
            watched.wait_for_frames(2);
            mortal::set(name, Fate::Refuses);
        }
        assert_eq!(watched.session.end(), gst::MessageType::Error);
        assert_eq!(watched.session.bin.property::<Option<String>>("active-encoder"), None);
        let said = watched.session.said.lock().unwrap().clone();
        let errors: Vec<_> = said
            .iter()
            .filter_map(|message| match message.view() {
                gst::MessageView::Error(error) => Some(error),
                _ => None,
            })
            .collect();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert_eq!(errors[0].details().unwrap().get::<&str>("reason"), Ok(reason));
        let text = errors[0].error().message().to_owned();
        assert!(text.contains("3 encoders in a row") && text.contains(names[2]), "{text}");
        watched.stop();
    }
}

#[test]
fn the_only_encoder_gets_a_fresh_start_unless_it_hung() {
    let (bin, names) = mortals(1, None);
    let watched = Watched::play(&bin, LIVE);
    watched.wait_for_frames(2);
    mortal::set(names[0], Fate::Fails);
    watched.wait("the second start", || watched.selected().len() == 2);
    watched.stop();

    let (bin, names) = mortals(1, None);
    let watched = Watched::play(&bin, LIVE);
    watched.wait_for_frames(2);
    mortal::set(names[0], Fate::Hangs);
    assert_eq!(watched.session.end(), gst::MessageType::Error, "what hung once is not tried again");
    assert_eq!(watched.selected().len(), 1);
    watched.stop();
}

#[test]
fn a_better_encoder_that_works_again_comes_back() {
    let (bin, names) = mortals(1, Some("x264enc"));
    bin.set_property("cool-down", 300u32);
    let watched = Watched::play(&bin, LIVE);
    watched.wait_for_frames(5);
    mortal::set(names[0], Fate::Refuses);
    watched.wait_for_encoder("x264enc");
    mortal::set(names[0], Fate::Lives);
    watched.wait_for_encoder(names[0]);
    watched.wait_for_frames(5);
    let causes: Vec<String> = watched.selected().iter().map(|one| one.get("cause").unwrap()).collect();
    assert_eq!(causes, ["start", "encode-error", "recovered"]);
    assert_eq!(watched.session.bin.property::<gst::Structure>("rejections").n_fields(), 0);
    let units = watched.session.units.lock().unwrap().clone();
    watched.assert_one_stream(&units);
    watched.stop();
}

#[test]
fn a_better_encoder_that_still_fails_stays_away() {
    let (bin, names) = mortals(1, Some("x264enc"));
    bin.set_property("cool-down", 50u32);
    let watched = Watched::play(&bin, LIVE);
    watched.wait_for_frames(5);
    mortal::set(names[0], Fate::Refuses);
    watched.wait_for_encoder("x264enc");
    watched.wait_for_frames(30);
    assert_eq!(watched.selected().len(), 2, "proofs in the background are nobody's business");
    watched.stop();
}

#[test]
fn a_hung_encoder_does_not_keep_the_pipeline_from_stopping() {
    let (bin, names) = mortals(1, Some("x264enc"));
    bin.set_property("stall-timeout", 3_600_000u32);
    let watched = Watched::play(&bin, LIVE);
    watched.wait_for_frames(2);
    mortal::set(names[0], Fate::Hangs);
    std::thread::sleep(Duration::from_millis(100));
    watched.stop();
}

#[test]
fn a_source_that_waits_for_a_hung_encoder_is_set_free() {
    let (bin, names) = mortals(1, Some("x264enc"));
    // Not live: no frame is dropped, and the source stands still until each is taken.
    let watched = Watched::play(&bin, &LIVE.replace("is-live=true", "num-buffers=2000"));
    watched.wait_for_frames(2);
    mortal::set(names[0], Fate::Hangs);
    assert_eq!(watched.session.end(), gst::MessageType::Eos);
    assert_eq!(watched.session.bin.property::<String>("active-encoder"), "x264enc");
    let units = watched.session.units.lock().unwrap().clone();
    assert!(units.len() > 1990, "only what was on its way is lost: {}", units.len());
    watched.stop();
}

/// The bin between a source and a receiver that takes only these caps.
fn before(caps: &str) -> Session {
    let bin = bin(&["x264enc", "openh264enc", "vp8enc"]);
    let session = Session::new(&bin, LIVE);
    let filter = gst::ElementFactory::make("capsfilter").property_from_str("caps", caps).build().unwrap();
    session.pipeline.add(&filter).unwrap();
    let sink = bin.static_pad("src").unwrap().peer().unwrap();
    bin.static_pad("src").unwrap().unlink(&sink).unwrap();
    bin.link(&filter).unwrap();
    filter.static_pad("src").unwrap().link(&sink).unwrap();
    session
}

#[test]
fn the_codec_is_one_that_the_receiver_takes() {
    let session = before("video/x-vp8");
    session.play();
    let deadline = Instant::now() + LIMIT;
    while session.units.lock().unwrap().is_empty() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(session.bin.property::<String>("active-encoder"), "vp8enc");
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_receiver_that_takes_another_codec_is_not_blamed_on_the_encoder() {
    let session = before("video/x-vp8");
    session.bin.set_property_from_str("codec", "h264");
    session.play();
    assert_eq!(session.end(), gst::MessageType::Error);
    let said = session.said.lock().unwrap().clone();
    let errors: Vec<_> = said
        .iter()
        .filter_map(|message| match message.view() {
            gst::MessageView::Error(error) => Some(error.error().message().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("H.264") && errors[0].contains("video/x-vp8"), "{errors:?}");
    assert!(!said.iter().any(|message| message.type_() == gst::MessageType::Warning));
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_receiver_that_fails_is_not_blamed_on_the_encoder() {
    let (bin, _) = mortals(2, None);
    let session = Session::new(&bin, LIVE);
    let refuse = gst::ElementFactory::make("identity").property("error-after", 5i32).build().unwrap();
    session.pipeline.add(&refuse).unwrap();
    let sink = bin.static_pad("src").unwrap().peer().unwrap();
    bin.static_pad("src").unwrap().unlink(&sink).unwrap();
    bin.link(&refuse).unwrap();
    refuse.static_pad("src").unwrap().link(&sink).unwrap();
    session.play();
    assert_eq!(session.end(), gst::MessageType::Error);
    let record = session.said.lock().unwrap().clone();
    assert!(record.iter().filter(|m| m.type_() == gst::MessageType::Warning).count() == 0, "{record:#?}");
    let selected = record.iter().filter(|message| {
        message.structure().is_some_and(|structure| structure.name() == "vdi-encoder-selected")
    });
    assert_eq!(selected.count(), 1);
    session.pipeline.set_state(gst::State::Null).unwrap();
}
