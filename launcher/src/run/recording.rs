//! Shell: the recording of the session: who may start and stop it, and what everybody is told of it.

use super::Parts;
use crate::{config::When, latest::Latest, recording::Recorder, session};
use vdi_protocol::{phase::Phase, recording::Recording, status::RecordingStatus};

/// What there is to tell of the recording, as soon as there is something.
pub(super) async fn news(recorder: &mut Option<Recorder>) -> Option<RecordingStatus> {
    let status = &mut recorder.as_mut()?.status;
    status.changed().await.ok()?;
    Some(status.borrow_and_update().clone())
}

impl Parts {
    /// A page wants the session recorded, or no more.
    pub(super) fn record(&self, page: &str, on: bool) {
        let may = self.pages.may_decide(page);
        match self.recorder.as_ref().filter(|recorder| may && recorder.when == When::OnRequest) {
            Some(recorder) if on => recorder.start(),
            Some(recorder) => recorder.stop(),
            None => {
                tracing::debug!(page, on, "a page may not say whether the session is recorded");
                return;
            }
        }
        tracing::info!(page, on, "the controller says whether the session is recorded");
    }

    /// The session stands elsewhere now: one that is always recorded is so from when it is ready. While its display is gone,
    /// there is nothing to record.
    pub(super) fn record_always(&self, phase: Phase) {
        let Some(recorder) = &self.recorder else { return };
        match phase {
            Phase::Starting => recorder.interrupt(),
            Phase::Ready | Phase::Streaming | Phase::Idle
                if recorder.when == When::Always && self.recordings_failed == 0 =>
            {
                recorder.start();
            }
            _ => {}
        }
    }

    /// The recorder has told something.
    pub(super) fn recorder_told(&mut self, status: RecordingStatus) -> session::Event {
        if let Some(reason) = status.failure.filter(|_| status.failures > self.recordings_failed) {
            self.recordings_failed = status.failures;
            self.pages.recording_failed(reason);
        }
        session::Event::Recorded(status.running)
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.status.look(|status| status.running))
    }

    /// As pages are told it; none where nothing is ever recorded.
    pub(super) fn recording(&self) -> Option<Recording> {
        let recorder = self.recorder.as_ref()?;
        Some(Recording { on_request: recorder.when == When::OnRequest, running: self.is_recorded() })
    }
}
