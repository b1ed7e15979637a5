//! A live stream through `adaptiveencbin` with encoders of one's choice, and a record of everything that comes out of it
//! and of everything that it says.

use super::driver::until;
use gst::prelude::*;
use gst_check::Harness;
use gstvdi::{
    adaptiveencbin::{
        AdaptiveEncBin,
        table::{ENCODERS, Row},
    },
    stage::{Stage, Stamps, stamp},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, mpsc},
    time::Duration,
};

/// No test waits longer for one thing.
pub const LIMIT: Duration = Duration::from_secs(60);

pub const IDR: u8 = 5;
pub const SPS: u8 = 7;
pub const PPS: u8 = 8;

/// One access unit, with the running time that it came out with.
#[derive(Debug, Clone)]
pub struct Unit {
    pub at: gst::ClockTime,
    pub bytes: Vec<u8>,
    /// Points of its way that are stamped on it.
    pub stamped: Vec<Stage>,
}

impl Unit {
    /// Types of its NAL units.
    pub fn kinds(&self) -> Vec<u8> {
        self.nal_units().map(|unit| unit[0] & 0x1f).collect()
    }

    /// Its sequence parameter set, which tells one encoder from another.
    pub fn sps(&self) -> Option<&[u8]> {
        self.nal_units().find(|unit| unit[0] & 0x1f == SPS)
    }

    fn nal_units(&self) -> impl Iterator<Item = &[u8]> {
        let starts: Vec<_> = self.bytes.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).collect();
        let ends: Vec<_> = starts.iter().skip(1).map(|(at, _)| *at).chain([self.bytes.len()]).collect();
        let ranges = starts.iter().map(|(at, _)| at + 3).zip(ends).collect::<Vec<_>>();
        ranges.into_iter().map(|(from, to)| &self.bytes[from..to]).filter(|unit| !unit.is_empty())
    }
}

/// What came out and what was said.
#[derive(Default)]
struct Record {
    units: Vec<Unit>,
    caps: Vec<String>,
    said: Vec<gst::Message>,
}

/// A running stream.
pub struct Stream {
    pub bin: AdaptiveEncBin,
    pipeline: gst::Pipeline,
    record: Arc<Mutex<Record>>,
}

impl Stream {
    /// A bin with the rows of these factories, which is patient unless a test says otherwise.
    pub fn new(factories: &[&str]) -> Self {
        crate::init();
        let element = gst::ElementFactory::make("adaptiveencbin").build().unwrap();
        let bin = element.downcast::<AdaptiveEncBin>().unwrap();
        let row = |factory: &&str| ENCODERS.iter().find(|row| row.factory == *factory).copied().unwrap();
        bin.set_table(factories.iter().map(row).collect::<Vec<Row>>().leak());
        // The last two: no policy may change what a test has set.
        let patience = [
            ("proof-timeout", 30_000u32),
            ("stall-timeout", 30_000),
            ("cool-down", 3_600_000),
            ("bitrate", 8000),
            ("max-latency", 0),
            ("max-cpu", 0),
        ];
        for (name, value) in patience {
            bin.set_property(name, value);
        }

        let source = "videotestsrc is-live=true pattern=ball ! \
                      capsfilter caps=video/x-raw,format=I420,width=320,height=240,framerate=25/1";
        let source = gst::parse::bin_from_description(source, true).unwrap();
        let sink = gst::ElementFactory::make("fakesink").property("sync", false).build().unwrap();
        let pipeline = gst::Pipeline::new();
        let elements: [&gst::Element; 3] = [source.upcast_ref(), bin.upcast_ref(), &sink];
        pipeline.add_many(elements).unwrap();
        gst::Element::link_many(elements).unwrap();

        bin.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, |_, info| {
            let buffer = info.buffer_mut().unwrap().make_mut();
            stamp(buffer, Stage::Captured, gst::SystemClock::obtain().time());
            gst::PadProbeReturn::Ok
        });
        let record = Arc::new(Mutex::new(Record::default()));
        let units = Arc::clone(&record);
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        sink.static_pad("sink").unwrap().add_probe(kinds, move |pad, info| {
            note(&mut units.lock().unwrap(), pad, info);
            gst::PadProbeReturn::Ok
        });
        let said = Arc::clone(&record);
        pipeline.bus().unwrap().set_sync_handler(move |_, message| {
            said.lock().unwrap().said.push(message.clone());
            gst::BusSyncReply::Drop
        });
        Self { bin, pipeline, record }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    /// Starts, and waits for the first frames.
    #[track_caller]
    pub fn play(&self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        self.more(10);
    }

    /// Starts something that may not come to frames.
    pub fn start(&self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
    }

    /// Waits for more frames.
    #[track_caller]
    pub fn more(&self, frames: usize) {
        let wanted = self.record().units.len() + frames;
        until("frames come out", LIMIT, || self.record().units.len() >= wanted);
    }

    /// Waits until this encoder has the stream.
    #[track_caller]
    pub fn until_active(&self, factory: &str) {
        until(factory, LIMIT, || self.active().as_deref() == Some(factory));
    }

    pub fn active(&self) -> Option<String> {
        self.bin.property("active-encoder")
    }

    /// The element that encodes.
    #[track_caller]
    pub fn encoder(&self) -> gst::Element {
        let active = self.active().expect("an encoder is active");
        let children = self.bin.iterate_recurse().into_iter().flatten();
        let is_it =
            |element: &gst::Element| element.factory().is_some_and(|factory| factory.name() == active);
        children.into_iter().find(is_it).expect("the encoder is in the bin")
    }

    /// Stops, which nothing may hold up.
    #[track_caller]
    pub fn stop(&self) {
        let (sender, stopped) = mpsc::channel();
        let pipeline = self.pipeline.clone();
        std::thread::spawn(move || sender.send(pipeline.set_state(gst::State::Null)));
        stopped.recv_timeout(LIMIT).expect("set_state(NULL) returns").unwrap();
    }

    pub fn units(&self) -> Vec<Unit> {
        self.record().units.clone()
    }

    /// The caps that went downstream, one after another.
    pub fn caps(&self) -> Vec<String> {
        self.record().caps.clone()
    }

    /// The `vdi-encoder-selected` messages.
    pub fn selected(&self) -> Vec<gst::Structure> {
        let record = self.record();
        let structures = record.said.iter().filter_map(|message| message.structure());
        structures
            .filter(|structure| structure.name() == "vdi-encoder-selected")
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Texts of the warnings.
    pub fn warnings(&self) -> Vec<String> {
        let record = self.record();
        let text = |message: &gst::Message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        };
        record.said.iter().filter_map(text).collect()
    }

    /// The `vdi-failure` reason and the text of each error.
    pub fn errors(&self) -> Vec<(String, String)> {
        let record = self.record();
        let error = |message: &gst::Message| match message.view() {
            gst::MessageView::Error(error) => {
                let reason =
                    error.details().and_then(|details| details.get("reason").ok()).unwrap_or_default();
                Some((reason, error.error().message().to_owned()))
            }
            _ => None,
        };
        record.said.iter().filter_map(error).collect()
    }

    /// Factory, reason and message of each rejection.
    pub fn rejections(&self) -> Vec<(String, String, String)> {
        let Some(all) = self.bin.property::<Option<gst::Structure>>("rejections") else { return Vec::new() };
        all.iter()
            .map(|(factory, value)| {
                let one: gst::Structure = value.get().unwrap();
                (factory.to_string(), one.get("reason").unwrap(), one.get("message").unwrap())
            })
            .collect()
    }

    /// What every stream has to be, whoever encoded it: one caps, time that goes on, and every unit a picture.
    #[track_caller]
    pub fn assert_whole(&self) {
        let units = self.units();
        assert_eq!(self.caps().len(), 1, "no renegotiation: {:#?}", self.caps());
        for pair in units.windows(2) {
            let step = pair[1].at.checked_sub(pair[0].at).expect("time goes on");
            assert!(!step.is_zero() && step < gst::ClockTime::from_seconds(30), "a step of {step}");
        }
        assert_eq!(decoded(&units), units.len(), "every unit is a picture");
    }
}

fn note(record: &mut Record, pad: &gst::Pad, info: &gst::PadProbeInfo) {
    match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => {
            let segment = pad.sticky_event::<gst::event::Segment>(0).unwrap();
            let segment = segment.segment().downcast_ref::<gst::ClockTime>().unwrap();
            let at = segment.to_running_time(buffer.pts()).expect("inside the segment");
            let stamped = Stamps::of(buffer).known().map(|(stage, _)| stage).collect();
            record.units.push(Unit { at, bytes: buffer.map_readable().unwrap().to_vec(), stamped });
        }
        Some(gst::PadProbeData::Event(event)) => {
            if let gst::EventView::Caps(caps) = event.view() {
                record.caps.push(caps.caps().to_string());
            }
        }
        _ => {}
    }
}

/// How many pictures another implementation decodes of this.
pub fn decoded(units: &[Unit]) -> usize {
    let mut harness = Harness::new_parse("h264parse ! avdec_h264 max-threads=1 output-corrupt=false");
    harness.set_src_caps_str("video/x-h264,stream-format=byte-stream,alignment=au");
    for unit in units {
        let mut buffer = gst::Buffer::from_slice(unit.bytes.clone());
        buffer.get_mut().unwrap().set_pts(unit.at);
        harness.push(buffer).unwrap();
    }
    harness.push_event(gst::event::Eos::new());
    std::iter::from_fn(|| harness.try_pull()).count()
}
