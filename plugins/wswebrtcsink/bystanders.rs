//! Shell: when key frames are asked for that consumers want who count less than another. All of them together have one budget:
//! ten slow ones shall not cost the one who counts more than one does.

use super::{
    hub::Hub,
    keyframes::{Debounce, Verdict},
    policy,
    runtime::runtime,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Their budget.
pub struct Bystanders {
    debounce: Mutex<Debounce>,
    began: Instant,
}

impl Default for Bystanders {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this shell hands the time to the decision")]
        let began = Instant::now();
        Self { debounce: Mutex::default(), began }
    }
}

impl Bystanders {
    fn debounce(&self) -> MutexGuard<'_, Debounce> {
        self.debounce.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a key frame that one of the hub's wants is to be asked for now; if not, it will be in time.
    pub fn may_request(&self, hub: &Arc<Hub>) -> bool {
        let due = match self.debounce().request(policy::BYSTANDER_KEY_FRAMES, self.began.elapsed()) {
            Verdict::Now => return true,
            Verdict::Pending => return false,
            Verdict::At(due) => due,
        };
        let hub = hub.clone();
        runtime().spawn(async move {
            let bystanders = &hub.bystanders;
            tokio::time::sleep(due.saturating_sub(bystanders.began.elapsed())).await;
            let is_due = bystanders.debounce().due(bystanders.began.elapsed().max(due));
            if is_due {
                hub.request_key_frame();
            }
        });
        false
    }
}
