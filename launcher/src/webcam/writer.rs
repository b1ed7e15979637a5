//! Shell: the thread that keeps the device there for as long as it is wanted, writes what programs see, and tries again when the device
//! is missing, busy, or has gone.

use super::{
    device::Device,
    picture::{self, Shown},
};
use crate::{config::Webcam, latest::Latest};
use gst::buffer::{MappedBuffer, Readable};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use vdi_protocol::status::WebcamStatus;

/// Pause before the device is tried again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Who loads v4l2loopback has a webcam after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What the decoder has made, and when.
struct Frame {
    picture: Arc<MappedBuffer<Readable>>,
    came: Instant,
    /// It was not written yet.
    is_new: bool,
}

#[derive(Default)]
struct State {
    frame: Option<Frame>,
    /// The first of the frames that count, as they are numbered before they are decoded.
    first: u64,
    ended: bool,
}

/// What is to be shown next, between the decoder and the thread.
#[derive(Clone, Default)]
pub struct Scene(Arc<(Mutex<State>, Condvar)>);

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell gives the time")]
fn now() -> Instant {
    Instant::now()
}

impl Scene {
    /// The frame of this number has been decoded.
    pub fn show(&self, number: u64, picture: MappedBuffer<Readable>) {
        let mut state = self.state();
        if picture.len() == picture::BYTES && number >= state.first {
            state.frame = Some(Frame { picture: Arc::new(picture), came: now(), is_new: true });
            self.0.1.notify_all();
        }
    }

    /// What was shown is shown no more, and nothing from before the frame of this number will be.
    pub fn clear(&self, first: u64) {
        let mut state = self.state();
        state.first = first;
        if state.frame.take().is_some() {
            self.0.1.notify_all();
        }
    }

    /// The thread ends.
    pub fn end(&self) {
        self.state().ended = true;
        self.0.1.notify_all();
    }

    /// A panic elsewhere leaves these values whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long or until the end, and says whether that has come.
    fn rest(&self, time: Duration) -> bool {
        let waited = self.0.1.wait_timeout_while(self.state(), time, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// The picture that is to be written now, none while the camera is off, and how long that stands.
    pub fn take(&self) -> (Option<Arc<MappedBuffer<Readable>>>, Duration) {
        let mut state = self.state();
        let (shown, stands) = picture::shown(state.frame.as_ref().map(|frame| frame.came.elapsed()));
        if shown == Shown::Off {
            state.frame = None;
        }
        let picture = state.frame.as_mut().map(|frame| {
            frame.is_new = false;
            frame.picture.clone()
        });
        (picture, stands)
    }

    /// Waits for the next picture, or until the present one has to be written again; says whether the end has come.
    fn next(&self, had: bool, stands: Duration) -> bool {
        let waited = self.0.1.wait_timeout_while(self.state(), stands, |state| {
            let is_new = state.frame.as_ref().map_or(had, |frame| frame.is_new);
            !state.ended && !is_new
        });
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}

/// The thread's work.
pub fn run(wanted: &Webcam, scene: &Scene, report: &watch::Sender<WebcamStatus>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let words = match Device::open(wanted) {
            Ok(mut device) => {
                tracing::info!("the desktop has a webcam, {}", device.path.display());
                report.send_replace(WebcamStatus { running: true, message: None });
                pause = FIRST_PAUSE;
                match feed(&mut device, scene) {
                    Ok(()) => return,
                    Err(err) => format!("{} takes no pictures any more: {err}", device.path.display()),
                }
            }
            Err(words) => words,
        };
        if report.look(|told| told.message.as_ref() != Some(&words)) {
            // Most machines have none, and nobody has asked for one there.
            if *wanted == Webcam::Auto && !report.look(|told| told.running) {
                tracing::info!("the desktop has no webcam: {words}");
            } else {
                tracing::warn!("the desktop has no webcam: {words}");
            }
        }
        report.send_replace(WebcamStatus { running: false, message: Some(words) });
        if scene.rest(pause) {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Writes what there is to see, until the end or until the device takes it no more.
fn feed(device: &mut Device, scene: &Scene) -> std::io::Result<()> {
    let off = picture::off();
    loop {
        let (picture, stands) = scene.take();
        device.write(picture.as_ref().map_or(&off[..], |picture| picture.as_slice()))?;
        if scene.next(picture.is_some(), stands) {
            return Ok(());
        }
    }
}
