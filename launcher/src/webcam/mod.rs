//! Shell: the webcam: what the camera of the page in control shows becomes a device of v4l2loopback, from which programs on the
//! desktop take it. Everybody else's pictures are thrown away here, whatever their page does.
//!
//! ```text
//! sink's signal received-video (VP8) ─▶ gate (pure) ─▶ appsrc ! vp8dec ! videoconvertscale ! appsink
//!                                             writer ◀── picture (pure): which one, how often ◀──┘
//!                                               └─▶ device (v4l2loopback): one size, one format
//! ```

mod device;
mod gate;
mod picture;
mod writer;

use crate::{config, error::Error, latest::Latest};
use device::Device;
pub use device::NO_DEVICE;
use gate::{Gate, Verdict};
use gst::{glib, prelude::*};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::watch;
use vdi_protocol::status::WebcamStatus;
use writer::Scene;

/// Frames that may wait for the decoder, a sixth of a second. One that falls behind begins anew with a key frame.
const MAX_WAITING: u64 = 5;
/// Time in which the device has to take the last picture.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Whose pictures count, and where they go.
#[derive(Debug, Clone)]
pub struct Eye {
    gate: Arc<Mutex<Gate>>,
    /// Counts the frames that were decoded, under the lock of the gate.
    count: Arc<AtomicU64>,
    /// Something was shown since this was looked at.
    shown: Arc<AtomicBool>,
    decoder: gst_app::AppSrc,
    status: watch::Receiver<WebcamStatus>,
}

/// The webcam of the desktop.
#[derive(Debug)]
pub struct Webcam {
    eye: Eye,
    /// Whether programs can see it, and why not.
    pub status: watch::Receiver<WebcamStatus>,
    pipeline: gst::Pipeline,
    scene: Scene,
    thread: JoinHandle<()>,
}

impl Webcam {
    /// Keeps the device as a camera, now or as soon as it is there.
    pub fn start(wanted: config::Webcam) -> Result<Self, Error> {
        let failed = |err: glib::BoolError| Error::pipeline(format!("the webcam has no decoder: {err}"));
        let scene = Scene::default();
        let gate = Arc::<Mutex<Gate>>::default();
        let (pipeline, decoder) = decoder(scene.clone(), &gate).map_err(failed)?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| Error::pipeline("the webcam's decoder does not start"))?;
        let (report, status) = watch::channel(WebcamStatus::default());
        let thread = std::thread::Builder::new().name("webcam".into()).spawn({
            let scene = scene.clone();
            move || writer::run(&wanted, &scene, &report)
        });
        let thread = thread.map_err(|err| {
            let _ = pipeline.set_state(gst::State::Null);
            Error::pipeline(format!("the webcam's thread cannot be started: {err}"))
        })?;
        let eye = Eye { gate, count: Arc::default(), shown: Arc::default(), decoder, status: status.clone() };
        Ok(Self { eye, status, pipeline, scene, thread })
    }

    /// Where pictures of pages go in.
    pub fn eye(&self) -> Eye {
        self.eye.clone()
    }

    /// Only this page's pictures count from now on, and what another one has shown is gone.
    pub fn set_controller(&self, page: Option<&str>) {
        let mut gate = lock(&self.eye.gate);
        gate.set_controller(page);
        self.eye.shown.store(false, Relaxed);
        self.scene.clear(self.eye.count.load(Relaxed));
    }

    /// Whether the page in control has shown something since this was asked.
    pub fn was_used(&self) -> bool {
        self.eye.shown.swap(false, Relaxed)
    }

    /// Why no program can see it, if none can.
    pub fn failure(&self) -> Option<String> {
        self.status.look(|status| status.message.clone().filter(|_| !status.running))
    }

    /// Lets the device go, within a bound.
    pub async fn stop(self) {
        self.scene.end();
        let end = tokio::task::spawn_blocking(move || self.thread.join());
        if tokio::time::timeout(STOP_TIMEOUT, end).await.is_err() {
            tracing::warn!("the webcam's device takes no picture; the process ends without it");
        }
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Eye {
    /// A page has shown this; returns whether a key frame is wanted of it. Called from streaming threads; does not wait.
    pub fn see(&self, page: &str, frame: &gst::Sample) -> bool {
        let mut gate = lock(&self.gate);
        if !gate.is_of(page) {
            return false;
        }
        self.shown.store(true, Relaxed);
        if !self.status.look(|status| status.running) {
            gate.broken();
            return false;
        }
        let Some(mut buffer) = frame.buffer_owned() else { return false };
        let is_full = self.decoder.current_level_buffers() >= MAX_WAITING;
        let verdict = match buffer.map_readable() {
            Ok(bytes) => gate.judge(page, &bytes, is_full),
            Err(_) => Verdict::Drop,
        };
        let number = self.count.load(Relaxed);
        if verdict == Verdict::Decode {
            self.count.store(number + 1, Relaxed);
        }
        drop(gate);
        if verdict == Verdict::Decode {
            let told = buffer.make_mut();
            // Each connection counts time in its own way, and what counts here is only when the picture came: the decoder, which hands the
            // time on, is given the frame's number for it.
            told.set_pts(gst::ClockTime::from_mseconds(number));
            told.set_dts(gst::ClockTime::NONE);
            let numbered = gst::Sample::builder().buffer(&buffer).caps(&vp8()).build();
            // A decoder that takes no more is ending.
            let _ = self.decoder.push_sample(&numbered);
        }
        verdict == Verdict::DropAndAsk
    }
}

fn vp8() -> gst::Caps {
    gst::Caps::new_empty_simple("video/x-vp8")
}

/// Where programs would see it just now, or why nowhere.
pub fn look(wanted: &config::Webcam) -> Result<PathBuf, String> {
    Device::open(wanted).map(|device| device.path)
}

/// The pipeline that makes pictures of frames; it is at rest while nobody shows anything.
fn decoder(
    scene: Scene,
    gate: &Arc<Mutex<Gate>>,
) -> Result<(gst::Pipeline, gst_app::AppSrc), glib::BoolError> {
    let pipeline = gst::Pipeline::new();
    let entry = gst_app::AppSrc::builder().format(gst::Format::Time).is_live(true).caps(&vp8()).build();
    let caps = gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::Yuy2)
        .width(i32::try_from(picture::WIDTH_PX).unwrap_or(1280))
        .height(i32::try_from(picture::HEIGHT_PX).unwrap_or(720))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        // As VP8 has it, and as programs take what a camera gives.
        .field("colorimetry", "bt601")
        .build();
    let end = gst_app::AppSink::builder()
        .caps(&caps)
        .sync(false)
        .async_(false)
        .max_buffers(1)
        .drop(true)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |end| {
                    let sample = end.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    let number =
                        sample.buffer().and_then(|buffer| buffer.pts()).unwrap_or_default().mseconds();
                    let picture =
                        sample.buffer_owned().and_then(|buffer| buffer.into_mapped_buffer_readable().ok());
                    picture.into_iter().for_each(|picture| scene.show(number, picture));
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        )
        .build();
    let decoder = gst::ElementFactory::make("vp8dec")
        // A page's frame that is none is left out; it must not end everybody's webcam.
        .property("max-errors", -1)
        .property("automatic-request-sync-points", true)
        .property("discard-corrupted-frames", true)
        .build()?;
    let chain = [
        entry.clone().upcast(),
        decoder,
        // Keeps the shape: what is missing becomes black.
        gst::ElementFactory::make("videoconvertscale").property("add-borders", true).build()?,
        end.upcast(),
    ];
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    let asks = entry.static_pad("src").ok_or_else(|| glib::bool_error!("appsrc has no pad"))?;
    let gate = gate.clone();
    asks.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        if info.event().is_some_and(|event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok()) {
            lock(&gate).broken();
        }
        gst::PadProbeReturn::Ok
    });
    Ok((pipeline, entry))
}

/// A panic elsewhere leaves these values whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// How long it may take until there is a picture.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// VP8 frames of a square picture that is red.
    fn frames(count: usize) -> Vec<gst::Sample> {
        let line = format!(
            "videotestsrc num-buffers={count} pattern=red ! video/x-raw,format=I420,width=240,height=240,colorimetry=bt601 \
             ! vp8enc deadline=1 ! appsink name=end sync=false"
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let end = pipeline.by_name("end").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let frames = std::iter::from_fn(|| end.pull_sample().ok()).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        frames
    }

    /// Brightness and redness of the picture that programs see, at its edge and in its middle.
    fn seen(scene: &Scene) -> Option<[(u8, u8); 2]> {
        let picture = scene.take().0?;
        let at = |x: usize| {
            let at = (picture::HEIGHT_PX / 2 * picture::WIDTH_PX + x) * 2;
            (picture[at], picture[at + 3])
        };
        Some([at(20), at(picture::WIDTH_PX / 2)])
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a bound for what comes from another thread")]
    fn only_the_controller_is_seen_in_the_shape_of_its_camera_and_noise_on_the_wire_does_not_end_it() {
        gst::init().unwrap();
        let (scene, gate) = (Scene::default(), Arc::<Mutex<Gate>>::default());
        let (pipeline, decoder) = decoder(scene.clone(), &gate).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let (report, status) = watch::channel(WebcamStatus { running: true, message: None });
        let eye = Eye { gate: gate.clone(), count: Arc::default(), shown: Arc::default(), decoder, status };
        let frames = frames(3);
        assert!(!eye.see("anna", &frames[0]) && !eye.shown.load(Relaxed), "nobody is in control");
        lock(&gate).set_controller(Some("anna"));
        assert!(eye.see("anna", &frames[1]), "a key frame is asked for");
        assert!(!eye.see("bert", &frames[0]));
        let mut noise = frames[0].buffer_owned().unwrap().map_readable().unwrap().to_vec();
        noise[10..].fill(0x5a);
        let noise = gst::Sample::builder().buffer(&gst::Buffer::from_slice(noise)).build();
        eye.see("anna", &noise);
        let began = Instant::now();
        let picture = loop {
            eye.see("anna", &frames[0]);
            std::thread::sleep(Duration::from_millis(20));
            let red = seen(&scene).filter(|[_, middle]| middle.1 > 200);
            if let Some(picture) = red {
                break picture;
            }
            assert!(began.elapsed() < PATIENCE, "no red picture has come");
        };
        assert!(
            picture[0].0.abs_diff(16) < 4 && picture[0].1.abs_diff(128) < 4,
            "black beside it: {picture:?}"
        );
        assert!(picture[1].0.abs_diff(81) < 8, "{picture:?}");
        // Frames may still be on their way through the decoder; none of before is shown after this.
        scene.clear(eye.count.load(Relaxed));
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(seen(&scene), None, "what was on its way is not seen any more");
        report.send_replace(WebcamStatus { running: false, message: Some("it has gone".into()) });
        assert!(!eye.see("anna", &frames[0]), "nothing is decoded that nobody can see");
        assert!(eye.shown.load(Relaxed), "and who shows it is told");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
