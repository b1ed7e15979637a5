//! Shell: the microphone: what the page in control says becomes a source of PulseAudio, from which programs on the desktop
//! record. Everybody else's sound is thrown away here, whatever their page does.
//!
//! ```text
//! sink's signal received-audio (Opus) ─▶ appsrc ! opusdec ! appsink ─▶ pace (pure) ─▶ source (PulseAudio)
//! ```
//!
//! A source, and no sink with a monitor: no sink can become the one that programs play to, and nothing that a page says can
//! come to the capture of the desktop's sound.

mod pace;
mod source;

use crate::error::Error;
use gst::{glib, prelude::*};
use pace::Pace;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use vdi_protocol::status::MicrophoneStatus;

/// Opus frames that may wait for the decoder; the oldest is dropped first.
const MAX_WAITING: u64 = 10;
/// Time in which PulseAudio has to let go of the source.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What is played to the desktop's programs, waiting.
type Shared = Arc<Mutex<Pace>>;

/// Whose sound counts, and where it goes.
#[derive(Debug, Clone)]
pub struct Ear {
    controller: Arc<Mutex<Option<String>>>,
    decoder: gst_app::AppSrc,
}

/// The microphone of the desktop.
#[derive(Debug)]
pub struct Microphone {
    ear: Ear,
    /// Whether programs can record from it, and why not.
    pub status: watch::Receiver<MicrophoneStatus>,
    pipeline: gst::Pipeline,
    wanted: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Microphone {
    /// Has PulseAudio offer a microphone, now or as soon as it is there. `pipe` is the path by which sound gets there.
    pub fn start(server: Option<String>, pipe: PathBuf) -> Result<Self, Error> {
        let failed = |err: glib::BoolError| Error::pipeline(format!("the microphone has no decoder: {err}"));
        let sound = Shared::default();
        let (pipeline, decoder) = decoder(sound.clone()).map_err(failed)?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| Error::pipeline("the microphone's decoder does not start"))?;
        let (wanted, wants) = watch::channel(true);
        let (report, status) = watch::channel(MicrophoneStatus::default());
        let task = tokio::spawn(source::supervise(server, pipe, sound, wants, report));
        let ear = Ear { controller: Arc::default(), decoder };
        Ok(Self { ear, status, pipeline, wanted, task })
    }

    /// Where sound of pages goes in.
    pub fn ear(&self) -> Ear {
        self.ear.clone()
    }

    /// Only this page's sound counts from now on.
    pub fn set_controller(&self, page: Option<&str>) {
        *lock(&self.ear.controller) = page.map(str::to_owned);
    }

    /// Takes the source from PulseAudio, within a bound.
    pub async fn stop(self) {
        self.wanted.send_replace(false);
        if tokio::time::timeout(STOP_TIMEOUT, self.task).await.is_err() {
            tracing::warn!("PulseAudio does not let go; the microphone is left behind");
        }
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Ear {
    /// A page has said this. Called from streaming threads; does not wait.
    pub fn hear(&self, page: &str, frame: &gst::Sample) {
        if lock(&self.controller).as_deref() != Some(page) {
            return;
        }
        let Some(mut buffer) = frame.buffer_owned() else { return };
        let told = buffer.make_mut();
        // Each connection counts time in its own way, and what counts here is only when the sound came.
        told.set_pts(gst::ClockTime::NONE);
        told.set_dts(gst::ClockTime::NONE);
        let caps = frame.caps_owned();
        let untimed = gst::Sample::builder().buffer(&buffer).caps_if_some(caps.as_ref()).build();
        // A decoder that takes no more is ending.
        let _ = self.decoder.push_sample(&untimed);
    }
}

/// The pipeline that makes samples of Opus frames; it is at rest while nobody says anything.
fn decoder(sound: Shared) -> Result<(gst::Pipeline, gst_app::AppSrc), glib::BoolError> {
    let pipeline = gst::Pipeline::new();
    let entry = gst_app::AppSrc::builder()
        .format(gst::Format::Time)
        .is_live(true)
        .max_buffers(MAX_WAITING)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build();
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("rate", i32::try_from(pace::RATE).unwrap_or(48_000))
        .field("channels", 1)
        .build();
    let end = gst_app::AppSink::builder()
        .caps(&caps)
        .sync(false)
        .async_(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |end| {
                    let sample = end.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    if let Some(map) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) {
                        lock(&sound).push(&map);
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        )
        .build();
    let chain = [
        entry.clone().upcast(),
        gst::ElementFactory::make("opusdec").build()?,
        gst::ElementFactory::make("audioconvert").build()?,
        gst::ElementFactory::make("audioresample").build()?,
        end.upcast(),
    ];
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    Ok((pipeline, entry))
}

/// A panic elsewhere leaves these values whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
