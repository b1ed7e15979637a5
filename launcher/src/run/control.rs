//! Shell: what pages say on the channel `control`, as far as the sink does not answer it itself, passed to who does it.

use super::Parts;
use crate::settings;
use vdi_protocol::{
    control::{FromPage, ToPage},
    limits::MAX_DATA_BYTES,
    parse,
    reason::EndCause,
    settings::{Choice, Settings, Wish},
};

impl Parts {
    /// Tells a page, in the language that it speaks.
    pub(super) fn say(&self, page: &str, message: &ToPage) {
        if self.selkies.as_ref().is_some_and(|selkies| selkies.say(page, message)) {
            return;
        }
        match serde_json::to_string(message) {
            Ok(text) => self.media.send(page, "control", &text),
            Err(err) => tracing::error!("a message to a page cannot be written: {err}"),
        }
    }

    /// A text on the channel `control` that the sink does not answer itself.
    pub(super) fn control(&mut self, page: &str, text: &str) {
        match parse::message(text, MAX_DATA_BYTES) {
            Ok(FromPage::TakeControl) => {
                tracing::debug!(page, "a page wants control");
                let now = self.now();
                self.pages.take_control(page, now);
            }
            Ok(FromPage::GiveControl { consumer }) => self.pages.give_control(page, &consumer),
            Ok(FromPage::Invite { role, seconds }) => self.invite(page, role, seconds),
            Ok(FromPage::Revoke { id }) => self.revoke(page, id),
            Ok(FromPage::Record { on }) => self.record(page, on),
            Ok(FromPage::KeepControl) => self.pages.keep_control(page),
            Ok(FromPage::Extend) => self.extend(page),
            Ok(FromPage::Name { name }) => self.pages.call(page, &name),
            // A viewer's window is nobody's business but its own.
            Ok(FromPage::Viewport(viewport)) if self.pages.controller() == Some(page) => {
                self.screen.wish(viewport);
            }
            Ok(FromPage::Settings(wish)) => {
                // Who only watches sets nothing, and is told so by what holds.
                if self.pages.controller() == Some(page) {
                    if let Some(codec) = wish.codec.filter(|codec| self.settings.codecs.contains(codec)) {
                        self.choose_codec(codec);
                    }
                    self.set(settings::granted(&self.settings, Wish { codec: None, ..wish }));
                }
                self.pages.remind_of_settings(page);
            }
            Ok(
                FromPage::Viewport(_)
                | FromPage::Ping { .. }
                | FromPage::Stats(_)
                | FromPage::Frames(_)
                | FromPage::RequestKeyFrame,
            ) => {}
            Err(error) => {
                tracing::debug!(page, "{error}");
                self.bad_message(page);
            }
        }
    }

    /// Has the pipeline follow what holds from now on.
    fn set(&mut self, settings: Settings) {
        if settings.now == self.settings.now {
            return;
        }
        let Choice { bitrate_bps, framerate, content_hint, .. } = settings.now;
        tracing::info!(bitrate_bps, framerate, ?content_hint, "the controller's settings");
        self.settings = settings;
        let media = self.media.clone();
        media.want(self.settings.now);
        // An encoder that hangs may keep whoever writes to it.
        tokio::task::spawn_blocking(move || media.follow());
    }

    pub(super) fn bad_message(&mut self, page: &str) {
        if self.pages.bad_message(page) {
            tracing::warn!(page, "a page sends what cannot be read; it is closed");
            self.media.close_page(page, Some(EndCause::Flooded), "too many malformed messages");
        }
    }
}
