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

use crate::{config::SoundServer, error::Error, latest::Latest};
use gst::{glib, prelude::*};
use pace::Pace;
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
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
    /// Something was said since this was looked at.
    spoken: Arc<AtomicBool>,
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
    pub fn start(server: SoundServer, pipe: PathBuf) -> Result<Self, Error> {
        let failed = |err: glib::BoolError| Error::pipeline(format!("the microphone has no decoder: {err}"));
        let sound = Shared::default();
        let (pipeline, decoder) = decoder(sound.clone()).map_err(failed)?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| Error::pipeline("the microphone's decoder does not start"))?;
        let (wanted, wants) = watch::channel(true);
        let (report, status) = watch::channel(MicrophoneStatus::default());
        let task = tokio::spawn(source::supervise(server, pipe, sound, wants, report));
        let ear = Ear { controller: Arc::default(), spoken: Arc::default(), decoder };
        Ok(Self { ear, status, pipeline, wanted, task })
    }

    /// Where sound of pages goes in.
    pub fn ear(&self) -> Ear {
        self.ear.clone()
    }

    /// Only this page's sound counts from now on.
    pub fn set_controller(&self, page: Option<&str>) {
        let mut controller = lock(&self.ear.controller);
        *controller = page.map(str::to_owned);
        self.ear.spoken.store(false, Relaxed);
    }

    /// Whether the page in control has spoken since this was asked.
    pub fn was_used(&self) -> bool {
        self.ear.spoken.swap(false, Relaxed)
    }

    /// Why no program can record from it, if none can.
    pub fn failure(&self) -> Option<String> {
        self.status.look(|status| status.message.clone().filter(|_| !status.running))
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
        let controller = lock(&self.controller);
        if controller.as_deref() != Some(page) {
            return;
        }
        self.spoken.store(true, Relaxed);
        drop(controller);
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
        // A page's frame that is none is left out; one that does as if it were a page must not end everybody's microphone.
        gst::ElementFactory::make("opusdec").property("max-errors", -1).build()?,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is looked whether there is sound: for 20 s.
    const LOOKS: usize = 2000;

    /// Opus frames of a tone.
    fn frames(count: usize) -> Vec<gst::Sample> {
        let line = format!(
            "audiotestsrc num-buffers={count} samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=1 ! opusenc \
             ! appsink name=end sync=false"
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let end = pipeline.by_name("end").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let frames = std::iter::from_fn(|| end.pull_sample().ok()).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        frames
    }

    fn becomes_sound(sound: &Shared) -> bool {
        (0..LOOKS).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            lock(sound).take().iter().any(|byte| *byte != 0)
        })
    }

    #[test]
    fn only_the_controller_is_heard_and_noise_on_the_wire_does_not_end_it() {
        gst::init().unwrap();
        let sound = Shared::default();
        let (pipeline, decoder) = decoder(sound.clone()).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let ear = Ear { controller: Arc::default(), spoken: Arc::default(), decoder };
        let frames = frames(20);
        for frame in &frames {
            ear.hear("anna", frame);
        }
        assert!(!ear.spoken.load(Relaxed), "nobody is in control");
        *lock(&ear.controller) = Some("anna".into());
        let noise = gst::Buffer::from_slice([0xff_u8; 7]);
        let noise = gst::Sample::builder().buffer(&noise).caps(&frames[0].caps_owned().unwrap()).build();
        for _ in 0..20 {
            ear.hear("anna", &noise);
        }
        for frame in &frames {
            ear.hear("bert", frame);
        }
        std::thread::sleep(Duration::from_millis(200));
        lock(&sound).forget();
        for frame in &frames[..6] {
            ear.hear("anna", frame);
        }
        assert!(becomes_sound(&sound));
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
