//! `adaptiveencbin` from outside: which encoder it takes and why, and what comes out of it.

mod adaptation;
mod choice;
mod chroma;
mod codecs;
mod failover;
mod faults;
mod mortal;
mod quality;
mod source;
mod stream;

use gst::prelude::*;
use gstvdi::adaptiveencbin::{
    AdaptiveEncBin, ChromaFormat, Codec,
    rate::WriteCost,
    table::{ENCODERS, Input, ON_REQUEST, RateProperty, RateUnit, Row},
};
use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

/// No test waits longer for one thing.
const LIMIT: Duration = Duration::from_secs(30);

/// A bin whose table holds these factories: rows of the real table, and hardware rows for the rest.
fn bin(factories: &[&'static str]) -> AdaptiveEncBin {
    crate::init();
    faults::register();
    let bin =
        gst::ElementFactory::make("adaptiveencbin").build().unwrap().downcast::<AdaptiveEncBin>().unwrap();
    let rows: Vec<Row> = factories
        .iter()
        .map(|factory| match ENCODERS.iter().find(|row| row.factory == *factory) {
            Some(row) => *row,
            None if factory.starts_with("testmortal") => {
                Row { settings: mortal::settings(factory), ..fake(factory) }
            }
            None => fake(factory),
        })
        .collect();
    bin.set_table(rows.leak());
    // Nothing here is late but what hangs, however loaded the machine is.
    bin.set_property("proof-timeout", 30_000u32);
    // Nor do these tests share the machine with nobody; what limits do is tested where they are set.
    bin.set_properties(&[("max-cpu", &0u32), ("max-latency", &0u32)]);
    bin
}

/// A row for a test encoder that calls itself hardware.
fn fake(factory: &'static str) -> Row {
    Row {
        factory,
        codec: Codec::H264,
        hardware: true,
        driver: None,
        isolated: false,
        input: Input { memory: "memory:SystemMemory", formats: &["I420"] },
        chroma_format: ChromaFormat::Half,
        full_chroma: None,
        front: &[],
        behind: &[],
        profiles: &["constrained-baseline"],
        settings: &[],
        key_interval: ON_REQUEST,
        max_slices: Some(4),
        rate: RateProperty { name: "bitrate", unit: RateUnit::KbitPerSecond, cost: WriteCost::Soft },
        vbv: None,
    }
}

/// A pipeline with the bin in the middle, and everything that it said.
struct Session {
    pipeline: gst::Pipeline,
    bin: AdaptiveEncBin,
    said: Arc<Mutex<Vec<gst::Message>>>,
    ends: mpsc::Receiver<gst::MessageType>,
    units: Arc<Mutex<Vec<gst::Buffer>>>,
}

impl Session {
    /// `source ! bin ! appsink`, in NULL.
    fn new(bin: &AdaptiveEncBin, source: &str) -> Self {
        let source = gst::parse::bin_from_description(source, true).unwrap();
        let units = Arc::new(Mutex::new(Vec::new()));
        let sample_units = Arc::clone(&units);
        let sink = gst_app::AppSink::builder()
            .sync(false)
            .callbacks(
                gst_app::AppSinkCallbacks::builder()
                    .new_sample(move |sink| {
                        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                        sample_units.lock().unwrap().extend(sample.buffer_owned());
                        Ok(gst::FlowSuccess::Ok)
                    })
                    .build(),
            )
            .build();
        let pipeline = gst::Pipeline::new();
        let elements: [&gst::Element; 3] = [source.upcast_ref(), bin.upcast_ref(), sink.upcast_ref()];
        pipeline.add_many(elements).unwrap();
        gst::Element::link_many(elements).unwrap();

        let said = Arc::new(Mutex::new(Vec::new()));
        let (sender, ends) = mpsc::channel();
        let all = Arc::clone(&said);
        pipeline.bus().unwrap().set_sync_handler(move |_, message| {
            all.lock().unwrap().push(message.clone());
            if matches!(message.type_(), gst::MessageType::Eos | gst::MessageType::Error) {
                let _ = sender.send(message.type_());
            }
            gst::BusSyncReply::Drop
        });
        Self { pipeline, bin: bin.clone(), said, ends, units }
    }

    fn play(&self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
    }

    /// Waits for EOS or an error.
    fn end(&self) -> gst::MessageType {
        self.ends.recv_timeout(LIMIT).expect("the stream comes to an end")
    }

    /// Plays to the end, and stops. What was said afterwards is in the record too, since stopping joins every thread.
    fn run(self) -> Record {
        self.play();
        let end = self.end();
        let active = self.bin.property("active-encoder");
        let rejections = self.bin.property("rejections");
        self.pipeline.set_state(gst::State::Null).unwrap();
        let said = self.said.lock().unwrap().clone();
        let units = std::mem::take(&mut *self.units.lock().unwrap());
        Record { end, active, rejections, said, units }
    }
}

/// What happened in a session.
struct Record {
    end: gst::MessageType,
    active: Option<String>,
    rejections: Option<gst::Structure>,
    said: Vec<gst::Message>,
    units: Vec<gst::Buffer>,
}

impl Record {
    /// Factory, reason and message of each rejection, in order.
    fn rejected(&self) -> Vec<(String, String, String)> {
        let Some(all) = &self.rejections else { return Vec::new() };
        all.iter()
            .map(|(factory, value)| {
                let one: gst::Structure = value.get().unwrap();
                (factory.to_string(), one.get("reason").unwrap(), one.get("message").unwrap())
            })
            .collect()
    }

    fn count(&self, kind: gst::MessageType) -> usize {
        self.said.iter().filter(|message| message.type_() == kind).count()
    }

    /// The element messages of this name.
    fn structures(&self, name: &str) -> Vec<gst::Structure> {
        let structures = self.said.iter().filter_map(|message| message.structure());
        structures.filter(|structure| structure.name() == name).map(ToOwned::to_owned).collect()
    }

    /// Text and `vdi-failure` reason of the only error.
    fn error(&self) -> (String, String) {
        assert_eq!(self.count(gst::MessageType::Error), 1, "one error, not several: {:#?}", self.said);
        let message = self.said.iter().find(|message| message.type_() == gst::MessageType::Error).unwrap();
        let gst::MessageView::Error(error) = message.view() else { unreachable!() };
        let details = error.details().expect("an error of ours has details");
        assert_eq!(details.name(), "vdi-failure");
        (error.error().message().to_owned(), details.get("reason").unwrap())
    }

    fn warnings(&self) -> Vec<String> {
        let texts = self.said.iter().filter_map(|message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        });
        texts.collect()
    }

    /// What they are about, as applications tell one from another.
    fn warnings_about(&self) -> Vec<String> {
        let names = self.said.iter().filter_map(|message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.details()?.name().to_string()),
            _ => None,
        });
        names.collect()
    }
}

/// NAL unit types in a byte-stream access unit.
fn nal_types(unit: &gst::Buffer) -> Vec<u8> {
    let bytes = unit.map_readable().unwrap();
    bytes.windows(4).filter(|window| window[..3] == [0, 0, 1]).map(|window| window[3] & 0x1f).collect()
}
