//! Shell: what other threads want of the streaming thread, and the bell that tells it so. Refuses to do any of it.

use super::{schedule::Rules, x11::Doorbell};
use gst_video::VideoInfo;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What may change while frames flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// When frames leave.
    pub rules: Rules,
    /// Draw the pointer.
    pub show_pointer: bool,
    /// Tell its picture.
    pub cursor_messages: bool,
}

/// What has been asked for and not been taken yet.
#[derive(Debug, Default)]
pub struct Pending {
    /// A frame, at once.
    pub demand: bool,
    /// At most one frame in this time.
    pub throttle: Option<Duration>,
    /// Other options.
    pub options: Option<Options>,
    /// Another kind of frames.
    pub output: Option<VideoInfo>,
}

/// The way to the streaming thread.
#[derive(Debug)]
pub struct Requests {
    /// Wakes it.
    pub bell: Arc<Doorbell>,
    pending: Mutex<Pending>,
}

impl Requests {
    /// None so far.
    pub fn new(bell: Doorbell) -> Self {
        Self { bell: Arc::new(bell), pending: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds some.
    pub fn ask(&self, add: impl FnOnce(&mut Pending)) {
        add(&mut self.lock());
        self.bell.ring();
    }

    /// Takes all.
    pub fn take(&self) -> Pending {
        std::mem::take(&mut self.lock())
    }
}
