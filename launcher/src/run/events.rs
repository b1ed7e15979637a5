//! Shell: what the pipeline tells, passed to who it concerns: the session, the pages, the story of the encoder.

use super::Parts;
use crate::{
    encoder::{self, words},
    media, notices, session,
};
use std::time::Duration;
use vdi_protocol::reason::FailureReason;

/// Time between a capture that failed and the next try.
const RECAPTURE_PAUSE: Duration = Duration::from_millis(300);

impl Parts {
    /// What an event of the pipeline means for the session, if anything.
    pub(super) fn media_event(&mut self, event: media::Event) -> Option<session::Event> {
        match event {
            media::Event::FirstFrame => {
                tracing::info!(encoder = self.encoder.status().map(|encoder| encoder.name.as_str()), "ready");
                return Some(session::Event::Proven);
            }
            media::Event::Display(width, height) => {
                self.display = Some((width, height));
                return None;
            }
            media::Event::Cursor(cursor) => {
                self.cursor = Some(cursor);
                return None;
            }
            media::Event::Encoder(choice) => {
                self.chosen(choice);
                return None;
            }
            media::Event::Quality(change) => {
                tracing::info!("{}", words::quality(&change));
                self.encoder.changed(&change, self.now());
                return None;
            }
            media::Event::Figures(figures) => {
                self.encoder.measured(*figures, self.now());
                return None;
            }
            media::Event::Warning(text) => {
                tracing::warn!("{text}");
                return None;
            }
            media::Event::Failed(error) if error.reason == FailureReason::DisplayUnavailable => {
                // The display itself may be well: a look at it tells, and begins the next try.
                let input = self.input.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(RECAPTURE_PAUSE).await;
                    input.look();
                });
                return Some(session::Event::DisplayLost(error));
            }
            media::Event::Failed(error) => return Some(session::Event::Failed(error)),
            media::Event::PageClient(page, client) => {
                self.pages.client(&page, client);
                return None;
            }
            media::Event::PageWatches(page) => {
                self.pages.watches(&page);
                return None;
            }
            media::Event::PageAdded(page) => {
                tracing::info!(page, "a page has come");
                self.pages.added(&page);
            }
            media::Event::PageConnected(page) => {
                tracing::info!(page, "a page is connected");
                let alone_for = self.alone_since.map(|since| since.elapsed()).unwrap_or_default();
                let told = self.seen_page.then(|| self.limits.welcome_back(alone_for)).flatten();
                self.pages.connected(&page);
                self.seen_page = true;
                if let Some(notice) = told {
                    self.pages.notice(&notice);
                }
            }
            media::Event::PageRemoved(page, reason) => {
                tracing::info!(page, reason, "a page has gone");
                let now = self.now();
                self.pages.removed(&page, now);
            }
            media::Event::PageFailed { page, reason, message } => {
                tracing::warn!(page, reason, "a page failed to connect, or was lost: {message}");
                return None;
            }
            media::Event::Message { page, text, .. } => {
                self.control(&page, &text);
                return None;
            }
            media::Event::BadMessage { page, error } => {
                tracing::debug!(page, "{error}");
                self.bad_message(&page);
                return None;
            }
            media::Event::Flood(page) => {
                tracing::warn!(page, "a page says far more than is heard; it is closed");
                self.media.close_page(&page, "too many messages");
                return None;
            }
        }
        let (present, connected) = self.pages.count();
        Some(session::Event::Pages { present, connected })
    }

    /// An encoder was chosen: the log and the pages are told what that means.
    fn chosen(&mut self, choice: encoder::told::Choice) {
        for rejection in &choice.rejections {
            tracing::debug!("{} is rejected, {}: {}", rejection.encoder, rejection.reason, rejection.message);
        }
        let (encoder, codec, previous) = (&choice.encoder, &choice.codec, choice.previous.as_deref());
        let (hardware, cause) = (choice.hardware, &choice.cause);
        tracing::info!(encoder, codec, hardware, cause, previous, "the encoder is chosen");
        if hardware {
            self.pages.standing(None);
        }
        match self.encoder.chosen(choice, media::is_hardware) {
            // The element's own warning has every reason; it stands in the log, and at /status.
            Some(encoder::News::NoGpu(encoder)) => {
                self.pages.standing(Some(notices::no_gpu(&encoder, &self.name)));
            }
            Some(encoder::News::Switched(notice)) => self.pages.notice(&notice),
            None => {}
        }
    }
}
