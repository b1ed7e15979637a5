//! Wire: what the operator remembers of a session or a warm pool between two looks. All of it can be lost: it is asked for or tried again.

use crate::phase::{Refusal, Report};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// What is remembered of a session.
#[derive(Debug, Clone, Default)]
pub struct Memo {
    /// UID of the pod that is asked.
    pub pod: Option<String>,
    /// What its launcher last said.
    pub report: Option<Report>,
    /// Why it did not answer, if it did not when it was last asked.
    pub silence: Option<String>,
    /// When it was last asked.
    pub asked: Option<Instant>,
    /// When it is to be asked next.
    pub ask_at: Option<Instant>,
    /// Whether it is being asked now.
    pub asking: bool,
    /// Whether it was ready when it was asked last.
    pub asked_ready: bool,
    /// Why the API server refused one of the session's objects at the last try.
    pub refusal: Option<Refusal>,
    /// How often in a row it was refused.
    pub refusals: u32,
    /// When people were last told of a refusal; of warm pools only.
    pub told: Option<Instant>,
    /// Since when the status that was decided on is not the one that is written.
    pub unwritten: Option<Instant>,
    /// Looks in a row that have failed.
    pub failures: u32,
}

impl Memo {
    /// Forgets what was said of another pod.
    pub fn turn_to(&mut self, pod: Option<&str>) {
        if self.pod.as_deref() != pod {
            self.pod = pod.map(str::to_owned);
            (self.report, self.silence, self.asked, self.ask_at) = (None, None, None, None);
            (self.asking, self.asked_ready) = (false, false);
        }
    }
}

impl Memo {
    /// The launcher of a pod was asked at this time, and said this.
    pub fn answered(&mut self, pod: Option<&str>, answer: Result<Report, String>, asked: Instant) {
        if self.pod.as_deref() != pod {
            return;
        }
        (self.asked, self.ask_at, self.asking) = (Some(asked), None, false);
        match answer {
            Ok(report) => (self.report, self.silence) = (Some(report), None),
            Err(why) => self.silence = Some(why),
        }
    }
}

/// What is remembered of all sessions, by UID.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<String, Memo>>);

impl Memory {
    /// Reads or changes what is remembered.
    pub fn with<T>(&self, uid: &str, change: impl FnOnce(&mut Memo) -> T) -> T {
        change(self.lock().entry(uid.to_owned()).or_default())
    }

    /// Forgets a session.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Memo>> {
        // Each field stands for itself, so a panic elsewhere leaves nothing that does not fit together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
