//! The wire: what pages may set of the session, and what holds. The server has the last word: it holds every wish between
//! the operator's bounds, and takes none from a page that only watches.

use serde::{Deserialize, Serialize};

/// What is given up first when the bit rate is short (W3C `contentHint`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentHint {
    /// What suits the stream.
    #[default]
    Auto,
    /// Resolution: it moves.
    Motion,
    /// Frame rate: it is read.
    Text,
}

/// A video codec, by its name in SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VideoCodec {
    /// ITU-T H.264.
    #[default]
    H264,
    /// RFC 6386.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1.
    Av1,
    /// ITU-T H.265.
    H265,
}

/// What a page wants changed; what is absent stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Wish {
    /// Goal of the video's bit rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_bps: Option<u64>,
    /// Most frames per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framerate: Option<u32>,
    /// What is given up first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hint: Option<ContentHint>,
    /// Codec of the video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<VideoCodec>,
}

/// What can be set, and stands so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// Goal of the video's bit rate.
    pub bitrate_bps: u64,
    /// Most frames per second.
    pub framerate: u32,
    /// What is given up first.
    pub content_hint: ContentHint,
    /// Codec of the video.
    #[serde(default)]
    pub codec: VideoCodec,
}

/// What holds, and between which bounds it can be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// What holds.
    pub now: Choice,
    /// What held when the session began.
    pub defaults: Choice,
    /// The operator's lower bound of the bit rate.
    pub min_bitrate_bps: u64,
    /// And the upper one.
    pub max_bitrate_bps: u64,
    /// Frames per second that are captured: there are never more.
    pub max_framerate: u32,
    /// Codecs of which there is an encoder; none where the operator has chosen.
    #[serde(default)]
    pub codecs: Vec<VideoCodec>,
    /// The codec whose encoder is being tried, to be taken if it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trying: Option<VideoCodec>,
}
