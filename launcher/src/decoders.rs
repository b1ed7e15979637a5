//! Decision: in which codec a page that comes is to find the desktop, by what browsers say that they decode. One that does not decode
//! what is sent gets another codec, if that is one for everybody who is here; and where nobody else is, the session's own is
//! taken again as soon as the page decodes that. What the operator or the controller has chosen stands.

use vdi_protocol::settings::{Settings, VideoCodec};

/// What a page that has just come, and those that are here already, decode; nothing where one does not say: that takes what it has.
#[derive(Debug, Clone)]
pub struct Decoders<'a> {
    /// The one that has come.
    pub own: &'a [VideoCodec],
    /// Those that are here.
    pub others: Vec<&'a [VideoCodec]>,
}

/// What came before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past<'a> {
    /// The controller wanted what is sent.
    pub chosen: bool,
    /// Codecs of which no encoder has worked.
    pub failed: &'a [VideoCodec],
    /// The codec has just changed for somebody: who comes and goes must not make everybody connect again and again.
    pub restless: bool,
}

impl Decoders<'_> {
    /// Whether the one that has come decodes this, as far as it says.
    pub fn shows(&self, codec: VideoCodec) -> bool {
        self.own.is_empty() || self.own.contains(&codec)
    }
}

/// What is sent, or about to be.
pub fn sent(settings: &Settings) -> VideoCodec {
    settings.trying.unwrap_or(settings.now.codec)
}

/// The codec to change to for it, if any.
pub fn better(settings: &Settings, decoders: &Decoders<'_>, past: Past<'_>) -> Option<VideoCodec> {
    let Decoders { own, others } = decoders;
    let (now, shown) = (sent(settings), decoders.shows(sent(settings)));
    // Nobody who is here loses what somebody has chosen, nor is disturbed where nobody gains by it.
    let stays = if others.is_empty() { past.chosen && shown } else { past.chosen || shown || past.restless };
    if stays || settings.codecs.is_empty() {
        return None;
    }
    let for_all = |codec: &VideoCodec| {
        let takes = |other: &&[VideoCodec]| match other.is_empty() {
            true => *codec == settings.now.codec,
            false => other.contains(codec),
        };
        own.contains(codec) && !past.failed.contains(codec) && others.iter().all(takes)
    };
    let first = std::iter::once(&settings.defaults.codec).chain(&settings.codecs);
    first.copied().find(for_all).filter(|codec| *codec != now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use VideoCodec::{Av1, H264, Vp8, Vp9};
    use vdi_protocol::settings::Choice;

    const ALL: &[VideoCodec] = &[H264, Vp8, Vp9, Av1];
    /// As Firefox is without its plugin.
    const FREE: &[VideoCodec] = &[Vp8, Vp9, Av1];
    const NEW: Past<'static> = Past { chosen: false, failed: &[], restless: false };
    const CHOSEN: Past<'static> = Past { chosen: true, ..NEW };

    fn sent(codec: VideoCodec) -> Settings {
        let choice = |codec| Choice { bitrate_bps: 8_000_000, framerate: 60, codec, ..Choice::default() };
        Settings { now: choice(codec), defaults: choice(H264), codecs: ALL.to_vec(), ..Settings::default() }
    }

    fn better_for(
        now: VideoCodec,
        own: &[VideoCodec],
        others: &[&[VideoCodec]],
        past: Past<'_>,
    ) -> Option<VideoCodec> {
        better(&sent(now), &Decoders { own, others: others.to_vec() }, past)
    }

    #[test]
    fn browser_that_does_not_decode_what_is_sent_gets_the_first_that_everybody_decodes() {
        assert_eq!(better_for(H264, FREE, &[], NEW), Some(Vp8));
        assert_eq!(better_for(H264, &[Av1], &[], NEW), Some(Av1));
        assert_eq!(better_for(H264, FREE, &[ALL], NEW), Some(Vp8));
        assert_eq!(better_for(H264, FREE, &[&[H264, Vp9]], NEW), Some(Vp9));
    }

    #[test]
    fn nobody_loses_the_picture_for_another() {
        assert_eq!(better_for(H264, FREE, &[&[H264]], NEW), None);
        assert_eq!(better_for(H264, FREE, &[ALL, &[]], NEW), None, "a player has one codec");
    }

    #[test]
    fn sessions_own_codec_is_taken_again_once_whoever_is_here_decodes_it() {
        assert_eq!(better_for(Vp8, ALL, &[], NEW), Some(H264));
        assert_eq!(better_for(Vp8, ALL, &[FREE], NEW), None);
        assert_eq!(better_for(Vp8, ALL, &[ALL], NEW), None, "it shows, and a change is a disturbance");
        assert_eq!(better_for(H264, ALL, &[], NEW), None);
    }

    #[test]
    fn what_was_chosen_stands_while_somebody_watches_it_or_can() {
        assert_eq!(better_for(Av1, &[H264, Vp8], &[ALL], CHOSEN), None);
        assert_eq!(better_for(H264, FREE, &[ALL], CHOSEN), None, "the session's own can be chosen too");
        assert_eq!(better_for(Av1, ALL, &[], CHOSEN), None);
        assert_eq!(better_for(Av1, &[H264, Vp8], &[], CHOSEN), Some(H264), "nobody else is here");
        let operators = Settings { codecs: Vec::new(), ..sent(H264) };
        assert_eq!(better(&operators, &Decoders { own: FREE, others: Vec::new() }, NEW), None);
    }

    #[test]
    fn what_is_being_tried_counts_as_sent_also_for_who_comes_next() {
        let trying = Settings { trying: Some(Vp8), ..sent(H264) };
        assert_eq!(better(&trying, &Decoders { own: FREE, others: Vec::new() }, NEW), None);
        assert_eq!(better(&trying, &Decoders { own: ALL, others: vec![FREE] }, NEW), None);
        assert_eq!(better(&trying, &Decoders { own: &[H264], others: vec![FREE] }, NEW), None);
    }

    #[test]
    fn codec_whose_encoders_fail_is_passed_over() {
        let failed = Past { failed: &[Vp8], ..NEW };
        assert_eq!(better_for(H264, FREE, &[], failed), Some(Vp9));
        assert_eq!(better_for(H264, &[Vp8], &[], failed), None);
    }

    #[test]
    fn who_comes_and_goes_does_not_make_others_connect_again_and_again() {
        let restless = Past { restless: true, ..NEW };
        assert_eq!(better_for(Vp8, &[H264], &[ALL], restless), None);
        assert_eq!(better_for(Vp8, &[H264], &[], restless), Some(H264), "nobody is disturbed");
    }
}
