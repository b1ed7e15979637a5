//! The wire: what a page is told in passing. Each notice is a sentence for whoever knows no better, and, so that a page can
//! say it in its user's language, what the sentence is about.

use crate::settings::VideoCodec;
use serde::{Deserialize, Serialize};

/// Something the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// How bad it is.
    pub level: NoticeLevel,
    /// A sentence, for people.
    pub text: String,
    /// The same for programs; absent where the sentence says something that has no name here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<NoticeSubject>,
    /// A tab of the browser shows a notice of this name once, however often it connects or is reloaded; without a
    /// name it is shown each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}

/// How bad a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Possible but bad.
    Warning,
    /// Something does not work.
    Error,
}

/// What a notice is about. Encoders are named by their GStreamer elements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum NoticeSubject {
    /// The display is gone, and is waited for.
    DisplayLost,
    /// It is back.
    DisplayBack,
    /// Whoever is in control speaks, and the desktop has no microphone.
    NoMicrophone,
    /// Whoever is in control has a camera on, and the desktop has no webcam.
    NoWebcam,
    /// No encoder of the codec that was chosen works here.
    CodecUnavailable {
        /// That codec.
        codec: VideoCodec,
    },
    /// Nobody was at this desktop for long.
    LeftAlone {
        /// For so long.
        seconds: u64,
        /// After so long it is ended.
        limit_seconds: u64,
    },
    /// Encoders on a GPU were looked for, and this one on the CPU is used.
    NoGpuEncoder {
        /// The encoder.
        encoder: String,
    },
    /// Another encoder has taken over.
    EncoderSwitched {
        /// Why.
        cause: SwitchCause,
        /// The one before.
        previous: String,
        /// Whether that ran on a GPU.
        previous_hardware: bool,
        /// The encoder.
        encoder: String,
        /// Whether it runs on a GPU.
        hardware: bool,
    },
}

/// Why one encoder takes over from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SwitchCause {
    /// The better one works again.
    Recovered,
    /// The one before does not encode pictures of this size.
    Size,
    /// The one before does not encode this chroma format.
    ChromaFormat,
    /// The one before reported an error.
    Error,
    /// It stopped answering.
    TimeOut,
    /// Its device is gone.
    NoDevice,
    /// Its device has no encoder.
    NoEncoderEngine,
    /// Too many sessions use it.
    SessionLimit,
    /// The driver does not fit.
    DriverMismatch,
    /// What it made was broken.
    BadOutput,
    /// It failed, and there is no name for how.
    Unknown,
}
