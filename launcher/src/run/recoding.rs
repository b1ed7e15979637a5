//! Shell: the stream goes over to another codec, at the controller's wish or for a page whose browser decodes only so much. Encoders
//! of it are tried first; a page that waits for what does not come is offered what there is.

use super::Parts;
use crate::{
    codec::{self, Codecs},
    decoders::{self, Past},
    notices,
};
use std::time::Duration;
use vdi_protocol::settings::VideoCodec;

/// After a change for one page nobody else is disturbed for another for so long.
const REST: Duration = Duration::from_secs(30);

/// For whom a codec is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    Controller,
    Page(String),
}

/// What is known of codecs besides which holds.
#[derive(Debug)]
pub(super) struct Recoding {
    /// Tries them.
    pub(super) codecs: Codecs,
    /// For whom, while one is tried.
    whom: Option<Whom>,
    /// What the controller wanted last.
    chosen: Option<VideoCodec>,
    /// Those that were tried for pages in vain.
    failed: Vec<VideoCodec>,
    /// When the stream changed for a page last.
    changed: Option<Duration>,
}

impl Recoding {
    pub(super) fn new(codecs: Codecs) -> Self {
        Self { codecs, whom: None, chosen: None, failed: Vec::new(), changed: None }
    }
}

impl Parts {
    /// The controller wants a codec.
    pub(super) fn choose_codec(&mut self, codec: VideoCodec) {
        // Whoever goes back to the defaults and has them chooses nothing.
        if codec != decoders::sent(&self.settings) {
            self.recoding.chosen = Some(codec);
        }
        self.try_codec(codec, Whom::Controller, "the controller wants another codec; it is tried");
    }

    /// Has the encoders of a codec tried, if it is another.
    fn try_codec(&mut self, codec: VideoCodec, whom: Whom, why: &str) {
        let codecs = &mut self.recoding.codecs;
        if codec == self.settings.now.codec {
            codecs.forget();
        } else if codecs.trying() == Some(codec) {
            self.recoding.whom = Some(whom);
        } else if let Some(captured) = self.media.captured() {
            tracing::info!(codec = codec::nick(codec), "{why}");
            codecs.start(codec, captured);
            self.recoding.whom = Some(whom);
        }
        self.settings.trying = self.recoding.codecs.trying();
    }

    /// What the stream is to become for a page, if anything else.
    fn better(&self, page: &str) -> Option<VideoCodec> {
        let Recoding { chosen, failed, changed, .. } = &self.recoding;
        let past = Past {
            chosen: *chosen == Some(decoders::sent(&self.settings)),
            failed,
            restless: changed.is_some_and(|changed| self.now().saturating_sub(changed) < REST),
        };
        decoders::better(&self.settings, &self.pages.decoders(page), past)
    }

    /// A page has come whose browser decodes only so much: the stream follows that as far as it may.
    pub(super) fn suit(&mut self, page: &str) {
        let sent = decoders::sent(&self.settings);
        let is_shown = self.pages.decoders(page).shows(sent);
        let whom = Whom::Page(page.to_owned());
        match self.better(page) {
            Some(codec) if is_shown => {
                self.try_codec(codec, whom, "nobody is here any more who needs another codec; it is tried");
            }
            Some(codec) => {
                let sent = codec::nick(sent);
                tracing::info!(page, sent, "a page has come whose browser does not decode what is sent");
                self.try_codec(codec, whom, "everybody who is here decodes this codec; it is tried");
            }
            None => {}
        }
        // That it cannot go on then, the page and the sink tell.
        if !self.pages.decoders(page).shows(decoders::sent(&self.settings)) {
            self.media.offer(page);
        }
    }

    /// The encoders of a codec were tried: the stream changes over, or the pages are told why not.
    pub(super) fn codec_tried(&mut self, codec: VideoCodec, result: Result<(), String>) {
        let nick = codec::nick(codec);
        self.settings.trying = None;
        let whom = self.recoding.whom.take();
        // Others may have come meanwhile, and who needed it may have gone.
        let page = match &whom {
            Some(Whom::Page(page)) => Some(page.as_str()),
            _ => None,
        };
        match result {
            Ok(()) if page.is_none_or(|page| self.better(page) == Some(codec)) => {
                tracing::info!(codec = nick, "the stream changes to another codec");
                if page.is_some() {
                    self.recoding.changed = Some(self.now());
                }
                self.recoding.failed.retain(|failed| *failed != codec);
                self.settings.now.codec = codec;
                let media = self.media.clone();
                media.want_codec(nick);
                tokio::task::spawn_blocking(move || media.recode());
                return;
            }
            Ok(()) => {
                tracing::info!(codec = nick, "it is not needed any more, and the codec stays as it was")
            }
            Err(why) => {
                tracing::warn!(codec = nick, "no encoder of it works, and the codec stays as it was: {why}");
                match page {
                    // Who watches has not asked for it.
                    Some(_) => self.recoding.failed.push(codec),
                    None => self.pages.notice(&notices::codec_unavailable(codec, &why)),
                }
            }
        }
        for page in self.pages.waiting() {
            self.suit(&page);
        }
    }
}
