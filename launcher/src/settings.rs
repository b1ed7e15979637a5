//! Decision: what pages may set of the session: a wish, held between the operator's bounds, becomes what holds. It refuses
//! to know who wishes: that is the roles'.

use crate::config;
use vdi_protocol::settings::{Choice, ContentHint, Settings, VideoCodec, Wish};

/// What the operator allows, and what holds at the start: this codec, and others if any are `offered`.
pub fn beginning(video: &config::Video, codec: VideoCodec, offered: Vec<VideoCodec>) -> Settings {
    let bps = |kbps: u32| u64::from(kbps) * 1000;
    let defaults = Choice {
        bitrate_bps: bps(video.bitrate_kbps),
        framerate: video.framerate,
        content_hint: match video.content_hint {
            config::ContentHint::Auto => ContentHint::Auto,
            config::ContentHint::Motion => ContentHint::Motion,
            config::ContentHint::Text => ContentHint::Text,
        },
        codec,
    };
    Settings {
        now: defaults,
        defaults,
        min_bitrate_bps: bps(video.min_bitrate_kbps),
        max_bitrate_bps: bps(video.max_bitrate_kbps),
        max_framerate: video.framerate,
        codecs: offered,
        trying: None,
    }
}

/// What holds after a wish; the codec as it would if it can be had.
pub fn granted(settings: &Settings, wish: Wish) -> Settings {
    let Choice { bitrate_bps, framerate, content_hint, codec } = settings.now;
    let bitrate_bps = wish.bitrate_bps.unwrap_or(bitrate_bps);
    let now = Choice {
        // The upper bound wins, because it is the operator's cost.
        bitrate_bps: bitrate_bps.max(settings.min_bitrate_bps).min(settings.max_bitrate_bps),
        framerate: wish.framerate.unwrap_or(framerate).max(1).min(settings.max_framerate),
        content_hint: wish.content_hint.unwrap_or(content_hint),
        codec: wish.codec.filter(|wished| settings.codecs.contains(wished)).unwrap_or(codec),
    };
    Settings { now, ..settings.clone() }
}

/// The nick of `adaptiveencbin`'s property.
pub fn nick(hint: ContentHint) -> &'static str {
    match hint {
        ContentHint::Auto => "auto",
        ContentHint::Motion => "motion",
        ContentHint::Text => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::resolve;

    fn settings(words: &[&str]) -> Settings {
        let offered = vec![VideoCodec::H264, VideoCodec::Vp9];
        beginning(&resolve(words).unwrap().video, VideoCodec::H264, offered)
    }

    fn bitrate(bps: u64) -> Wish {
        Wish { bitrate_bps: Some(bps), ..Wish::default() }
    }

    #[test]
    fn session_begins_with_what_the_operator_has_set() {
        let begun = settings(&["--video-bitrate=4000", "--framerate=30", "--content-hint=text"]);
        let defaults = Choice {
            bitrate_bps: 4_000_000,
            framerate: 30,
            content_hint: ContentHint::Text,
            codec: VideoCodec::H264,
        };
        assert_eq!((begun.now, begun.defaults), (defaults, defaults));
        assert_eq!(
            (begun.min_bitrate_bps, begun.max_bitrate_bps, begun.max_framerate),
            (500_000, 20_000_000, 30)
        );
    }

    #[test]
    fn wish_is_held_between_the_operators_bounds() {
        let begun = settings(&["--min-bitrate=1000", "--max-bitrate=10000"]);
        let granted = |wish| granted(&begun, wish).now;
        assert_eq!(granted(bitrate(3_000_000)).bitrate_bps, 3_000_000);
        assert_eq!(granted(bitrate(0)).bitrate_bps, 1_000_000);
        assert_eq!(granted(bitrate(u64::MAX)).bitrate_bps, 10_000_000);
        let frames = |framerate| granted(Wish { framerate: Some(framerate), ..Wish::default() }).framerate;
        assert_eq!([0, 1, 15, 60, 61, u32::MAX].map(frames), [1, 1, 15, 60, 60, 60]);
    }

    #[test]
    fn codec_is_one_of_those_that_are_offered() {
        let begun = settings(&[]);
        let wish = |codec| Wish { codec: Some(codec), ..Wish::default() };
        assert_eq!(granted(&begun, wish(VideoCodec::Vp9)).now.codec, VideoCodec::Vp9);
        assert_eq!(granted(&begun, wish(VideoCodec::Av1)).now.codec, VideoCodec::H264);
    }

    #[test]
    fn what_is_not_wished_stays_and_the_defaults_are_never_lost() {
        let begun = settings(&[]);
        let slow = granted(&begun, Wish { framerate: Some(15), ..bitrate(2_000_000) });
        let sharp = granted(&slow, Wish { content_hint: Some(ContentHint::Text), ..Wish::default() });
        let expected = Choice {
            bitrate_bps: 2_000_000,
            framerate: 15,
            content_hint: ContentHint::Text,
            codec: VideoCodec::H264,
        };
        assert_eq!(sharp.now, expected);
        assert_eq!(sharp.defaults, begun.now);
        assert_eq!(granted(&sharp, Wish::default()), sharp);
    }
}
