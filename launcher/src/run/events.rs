//! Shell: what the pipeline tells, passed to who it concerns: the session, the pages, the story of the encoder.

use super::Parts;
use crate::{encoder, journal, media, notices, session};
use std::time::Duration;
use vdi_protocol::reason::{EndCause, FailureReason};

/// Time between a capture that failed and the next try.
const RECAPTURE_PAUSE: Duration = Duration::from_millis(300);

/// The session can be watched: a frame has come out, and it is known of which encoder.
fn proven() -> session::Event {
    tracing::info!("the desktop is captured and encoded");
    session::Event::Proven
}

impl Parts {
    /// What an event of the pipeline means for the session, if anything.
    pub(super) fn media_event(&mut self, event: media::Event) -> Option<session::Event> {
        match event {
            media::Event::FirstFrame => return self.encoder.has_frame().then(proven),
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
                return self.encoder.catch_up().then(proven);
            }
            media::Event::Quality(change) => {
                self.encoder.changed(&change, self.now());
                self.tell_quality();
                return None;
            }
            media::Event::Figures(figures) => {
                self.encoder.measured(*figures, self.now());
                self.tell_quality();
                return None;
            }
            media::Event::Warning { about, text } => {
                // Each codec has its own encoders, and the same GPU is missing for all of them.
                if about == media::SOFTWARE_TAKEN && !self.encoder.software_is_news() {
                    tracing::debug!("{text}");
                } else {
                    tracing::warn!("{text}");
                }
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
            media::Event::PageDecodes(page, codecs) => {
                self.pages.decodes(&page, codecs);
                self.suit(&page);
            }
            media::Event::PageAdded(page) => {
                let selkies = self.selkies.as_ref().is_some_and(|selkies| selkies.knows(&page));
                let (client, guest) = (journal::kind(&page, selkies), journal::guest(&page));
                tracing::info!(page, client, guest, "a page has come");
                self.pages.added(&page);
            }
            media::Event::PageConnected(page) => {
                if self.pages.is_connected(&page) {
                    tracing::info!(page, "a page goes on by another connection");
                } else {
                    tracing::info!(page, "a page is connected");
                }
                let alone_for = self.alone_since.map(|since| since.elapsed()).unwrap_or_default();
                let told = self.seen_page.then(|| self.limits.welcome_back(alone_for)).flatten();
                self.pages.connected(&page);
                self.seen_page = true;
                if let Some(notice) = told {
                    self.pages.notice(&notice);
                }
            }
            media::Event::PageRemoved(page, reason) => {
                tracing::info!(page, name = self.pages.name(&page), reason, "a page has gone");
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
                self.media.close_page(&page, Some(EndCause::Flooded), "too many messages");
                return None;
            }
        }
        let (present, connected) = self.pages.count();
        Some(session::Event::Pages { present, connected })
    }

    /// What holds quality back while nobody watches is nobody's concern.
    fn tell_quality(&mut self) {
        let (_, connected) = self.pages.count();
        if connected > 0
            && let Some(line) = self.encoder.quality_line(self.now())
        {
            tracing::info!("{line}");
        }
    }

    /// An encoder was chosen: the log and the pages are told what that means.
    fn chosen(&mut self, choice: encoder::told::Choice) {
        for rejection in &choice.rejections {
            tracing::debug!("{} is rejected, {}: {}", rejection.encoder, rejection.reason, rejection.message);
        }
        let (encoder, codec, previous) = (&choice.encoder, &choice.codec, choice.previous.as_deref());
        let (hardware, cause) = (choice.hardware, self.encoder.cause(&choice));
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
