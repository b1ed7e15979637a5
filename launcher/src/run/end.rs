//! Shell: the end of the session: the limits that bring it, and taking everything down in order, each part in its time.

use super::Parts;
use crate::{error::Error, limits::Activity, media, session, termination::Ended};
use jiff::Timestamp;
use std::time::Duration;
use tokio::{sync::mpsc, time::Instant};
use vdi_protocol::{phase::Phase, reason::EndCause, status::LimitsStatus};

/// Time for the reason of a failure to reach the pages: it goes by the data channel, and the farewell by another way.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// Time for the pages to take their leave.
const GOODBYE: Duration = Duration::from_secs(1);
/// Time for a part to end; after that the process ends without it.
const PART_TIMEOUT: Duration = Duration::from_secs(3);

impl Parts {
    pub(super) fn activity(&self) -> Activity {
        let since_began = |at: Instant| at.saturating_duration_since(self.began);
        Activity {
            last_input: self.input.last_input().map(since_began),
            alone_since: self.alone_since.map(since_began),
        }
    }

    /// A page would have the session live longer.
    pub(super) fn extend(&mut self, page: &str) {
        let now = self.now();
        if self.pages.may_decide(page) && self.limits.extend(now, Timestamp::now()) {
            let LimitsStatus { extensions_left, expires_at, .. } = self.limits.status();
            tracing::info!(page, expires_at, extensions_left, "the session is extended");
        } else {
            tracing::debug!(page, "the session is not extended");
        }
    }

    /// Takes the limits of the session from their file, if that has changed.
    pub(super) fn read_limits(&mut self) {
        let now = self.now();
        let Some(file) = self.limits_file.as_mut().filter(|file| file.has_changed().unwrap_or(false)) else {
            return;
        };
        let content = file.borrow_and_update().clone();
        match content.and_then(|json| self.limits.tell(&json, now)) {
            Ok(()) => tracing::debug!("the limits of the session are read"),
            Err(why) => tracing::warn!("{why}"),
        }
    }

    /// Takes everything down in order; each part has its time.
    pub(super) async fn end(mut self, inbox: &mut mpsc::Receiver<media::Event>) -> Result<Ended, Error> {
        self.input.set_controller(None);
        let reason = self.session.message().unwrap_or_else(|| "the session has ended".into());
        if self.session.phase() == Phase::Failed && self.pages.count().1 > 0 {
            tokio::time::sleep(LAST_WORDS).await;
        }
        for page in self.pages.ids() {
            self.media.close_page(page, self.session.end(), &reason);
        }
        let leave = async {
            while self.pages.count().0 > 0 {
                let Some(event) = inbox.recv().await else { break };
                if let media::Event::PageRemoved(page, _) = event {
                    self.pages.removed(&page, self.began.elapsed());
                }
            }
        };
        if tokio::time::timeout(GOODBYE, leave).await.is_err() {
            tracing::debug!("some pages did not take their leave");
        }
        self.server.stop().await;
        for listener in [self.turn_listener, self.exporter].into_iter().flatten() {
            listener.abort();
        }
        if let Some(recorder) = self.recorder {
            bounded("the recording", move || recorder.end()).await;
        }
        self.audio.stop().await;
        self.senses.stop().await;
        self.clipboard.stop();
        let thread = self.clipboard_thread;
        bounded("the clipboard", move || thread.join()).await;
        self.gamepads.stop();
        self.input.stop();
        let thread = self.input_thread;
        bounded("the input", move || thread.join()).await;
        let screen = self.screen;
        bounded("the screen", move || screen.stop()).await;
        let media = self.media;
        bounded("the pipeline", move || media.stop()).await;
        let now = self.began.elapsed();
        self.session.handle(session::Event::Drained, now);
        let why = self.session.message().unwrap_or_default();
        self.session.outcome().map(|()| match self.session.end() {
            Some(EndCause::LoggedOut) => Ended::LoggedOut(why),
            _ => Ended::Stopped(why),
        })
    }
}

async fn bounded(what: &str, end: impl FnOnce() + Send + 'static) {
    if tokio::time::timeout(PART_TIMEOUT, tokio::task::spawn_blocking(end)).await.is_err() {
        tracing::warn!("{what} did not end in time; the process ends without it");
    }
}
