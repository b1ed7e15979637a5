//! Shell: the pipeline that captures and encodes, and the sources in the main pipeline into which it goes. Where there are more
//! than two channels, everything is encoded a second time, in stereo, for those who decode no more and for recordings.
//!
//! ```text
//! pulsesrc ─▶ tee ─▶ opusenc (6 or 8 channels) ─▶ appsink ┄┄▶ appsrc
//!              └─▶ audioconvert ─▶ opusenc (2) ─▶ appsink ┄┄▶ appsrc
//! ```

use super::{layout, opus};
use crate::config;
use gst::{glib, prelude::*};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What is captured, as PulseAudio names it whatever the default sink is called.
pub const DEFAULT_MONITOR: &str = "@DEFAULT_MONITOR@";
/// What the names of sources end with that hold what a sink plays. Others hold what a microphone hears.
const MONITOR: &str = ".monitor";
/// Encoded buffers that may wait in the main pipeline: 200 ms of the shorter frames; older ones are dropped.
const MAX_WAITING: u64 = 40;
/// PulseAudio hands over so much at a time.
const STEP_US: i64 = 5_000;
/// What `pulsesrc` keeps for an encoder that is late.
const BUFFER_US: i64 = 20_000;

/// The sources in the main pipeline.
#[derive(Debug, Clone)]
pub struct Sources {
    /// What everybody can decode: one channel or two.
    pub sound: gst_app::AppSrc,
    /// All channels, where there are more.
    pub surround: Option<gst_app::AppSrc>,
}

impl Sources {
    /// Makes them.
    pub fn new(config: &config::Audio) -> Self {
        let surround = (config.channels > 2).then(|| source("surround", config.channels));
        Self { sound: source("audio", if surround.is_some() { 2 } else { config.channels }), surround }
    }

    /// All of them; what everybody can decode is the first.
    pub fn all(&self) -> impl Iterator<Item = &gst_app::AppSrc> {
        std::iter::once(&self.sound).chain(&self.surround)
    }
}

fn source(name: &str, channels: u32) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        .name(name)
        .caps(&layout::encoded(channels))
        .format(gst::Format::Time)
        .is_live(true)
        .do_timestamp(false)
        .max_buffers(MAX_WAITING)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build()
}

/// The pipeline that captures, not yet started, and its first element.
pub fn capture(
    config: &config::Audio,
    sources: &Sources,
    main: &gst::Pipeline,
) -> Result<(gst::Pipeline, gst::Element), glib::BoolError> {
    let pipeline = gst::Pipeline::new();
    let mut recorder = gst::ElementFactory::make("pulsesrc")
        .property("device", DEFAULT_MONITOR)
        .property("client-name", "gst-vdi")
        // PipeWire takes the default monitor's name for that of nothing, and gives the default source; this it knows.
        .property(
            "stream-properties",
            gst::Structure::builder("properties").field("stream.capture.sink", "true").build(),
        )
        .property("provide-clock", false)
        .property("buffer-time", BUFFER_US)
        .property("latency-time", STEP_US);
    if let Some(server) = &config.server.name {
        recorder = recorder.property("server", server);
    }
    let recorder = recorder.build()?;
    // When a sink goes, PulseAudio moves those who listen to it to any other source.
    let overhears = Arc::new(AtomicBool::new(false));
    recorder.connect_notify(Some("current-device"), {
        let overhears = overhears.clone();
        move |recorder, _| {
            let device: Option<String> = recorder.property("current-device");
            if device.is_some_and(|device| !device.is_empty() && !device.ends_with(MONITOR)) {
                overhears.store(true, Ordering::Relaxed);
                gst::element_error!(
                    recorder,
                    gst::ResourceError::NotFound,
                    ["PulseAudio plays to nothing any more"]
                );
            }
        }
    });
    let chain = [
        recorder.clone(),
        make("audioconvert")?,
        make("audioresample")?,
        filter(&layout::raw(config.channels))?,
    ];
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    let [.., captured] = &chain;
    match &sources.surround {
        None => encode(&pipeline, captured, config, config.channels, &sources.sound, &overhears)?,
        Some(surround) => {
            let tee = make("tee")?;
            let downmix = [make("audioconvert")?, filter(&layout::raw(2))?];
            pipeline.add(&tee)?;
            pipeline.add_many(&downmix)?;
            gst::Element::link_many([captured, &tee, &downmix[0], &downmix[1]])?;
            encode(&pipeline, &downmix[1], config, 2, &sources.sound, &overhears)?;
            encode(&pipeline, &tee, config, config.channels, surround, &overhears)?;
        }
    }
    pipeline.use_clock(main.clock().as_ref());
    pipeline.set_start_time(gst::ClockTime::NONE);
    if let Some(base_time) = main.base_time() {
        pipeline.set_base_time(base_time);
    }
    Ok((pipeline, recorder))
}

fn make(factory: &str) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make(factory).build()
}

fn filter(caps: &gst::Caps) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make("capsfilter").property("caps", caps).build()
}

/// Encodes what comes out of an element, and hands it over.
fn encode(
    pipeline: &gst::Pipeline,
    from: &gst::Element,
    config: &config::Audio,
    channels: u32,
    to: &gst_app::AppSrc,
    overhears: &Arc<AtomicBool>,
) -> Result<(), glib::BoolError> {
    let encoder = opus::encoder(config, channels)?;
    let (to, overhears) = (to.clone(), overhears.clone());
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    if overhears.load(Ordering::Relaxed) {
                        return Err(gst::FlowError::Eos);
                    }
                    if let Some(buffer) = sample.buffer_owned() {
                        // Both pipelines share clock and base time, so the time stamps fit as they are. If the main
                        // pipeline takes no more, it is ending, and so is this one.
                        let _ = to.push_buffer(buffer);
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        )
        .build();
    let rest = [encoder, sink.upcast()];
    pipeline.add_many(&rest)?;
    gst::Element::link_many([from, &rest[0], &rest[1]])
}
