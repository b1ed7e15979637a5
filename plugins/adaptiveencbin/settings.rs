//! Setup: the element's properties, and the settings behind them.

use gst::{glib, prelude::*};
use std::{path::PathBuf, time::Duration};

use super::{
    codec::CodecChoice,
    rate::{Bitrate, Request},
    select::{AUTO, EncoderPolicy},
    table::{ENCODERS, Row},
};

const DEFAULT_BITRATE_KBPS: u32 = 8000;
const DEFAULT_MIN_BITRATE_KBPS: u32 = 500;
const DEFAULT_MAX_BITRATE_KBPS: u32 = 20_000;

/// The most that x264enc and the NVENC elements take.
const HIGHEST_BITRATE_KBPS: u32 = 2_048_000;

/// A first proof of NVENC, driver start included, takes some hundreds of milliseconds.
const DEFAULT_PROOF_TIMEOUT_MS: u32 = 2000;

/// What the application has set.
pub struct Settings {
    /// `auto`, or a factory name.
    pub encoder: String,
    /// What it has to make.
    pub codec: CodecChoice,
    /// What happens when no hardware encoder works.
    pub policy: EncoderPolicy,
    /// Target bit rate and its bounds.
    pub rate: Request,
    /// Time limit of a hardware candidate's test encode.
    pub proof_timeout: Duration,
    /// File that keeps proofs for other processes.
    pub proof_cache: Option<PathBuf>,
    /// The encoders to choose from.
    pub table: &'static [Row],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            encoder: AUTO.into(),
            codec: CodecChoice::default(),
            policy: EncoderPolicy::default(),
            rate: Request {
                target: Bitrate::from_kbps(DEFAULT_BITRATE_KBPS),
                min: Bitrate::from_kbps(DEFAULT_MIN_BITRATE_KBPS),
                max: Bitrate::from_kbps(DEFAULT_MAX_BITRATE_KBPS),
            },
            proof_timeout: Duration::from_millis(DEFAULT_PROOF_TIMEOUT_MS.into()),
            proof_cache: None,
            table: ENCODERS,
        }
    }
}

impl Settings {
    /// Takes what the application sets. GObject has checked type and range.
    pub fn set(&mut self, property: &str, value: &glib::Value) {
        let number = || value.get::<u32>().unwrap_or_default();
        let kbps = || Bitrate::from_kbps(number());
        match property {
            "encoder" => {
                let encoder = value.get::<Option<String>>().ok().flatten();
                self.encoder = encoder.filter(|name| !name.is_empty()).unwrap_or_else(|| AUTO.into());
            }
            "codec" => self.codec = value.get().unwrap_or_default(),
            "proof-cache" => {
                let path = value.get::<Option<String>>().ok().flatten();
                self.proof_cache = path.filter(|path| !path.is_empty()).map(PathBuf::from);
            }
            "encoder-policy" => self.policy = value.get().unwrap_or_default(),
            "bitrate" => self.rate.target = kbps(),
            "min-bitrate" => self.rate.min = kbps(),
            "max-bitrate" => self.rate.max = kbps(),
            _ => self.proof_timeout = Duration::from_millis(number().into()),
        }
    }

    /// What the application reads.
    pub fn get(&self, property: &str) -> glib::Value {
        match property {
            "encoder" => self.encoder.to_value(),
            "codec" => self.codec.to_value(),
            "proof-cache" => {
                self.proof_cache.as_ref().map(|path| path.to_string_lossy().into_owned()).to_value()
            }
            "encoder-policy" => self.policy.to_value(),
            "bitrate" => self.rate.target.kbps().to_value(),
            "min-bitrate" => self.rate.min.kbps().to_value(),
            "max-bitrate" => self.rate.max.kbps().to_value(),
            _ => u32::try_from(self.proof_timeout.as_millis()).unwrap_or(u32::MAX).to_value(),
        }
    }
}

/// All properties of the element, the read-only ones too.
pub fn properties() -> Vec<glib::ParamSpec> {
    let kbps = |name, nick, blurb, default| {
        glib::ParamSpecUInt::builder(name)
            .nick(nick)
            .blurb(blurb)
            .minimum(1)
            .maximum(HIGHEST_BITRATE_KBPS)
            .default_value(default)
            .mutable_playing()
            .build()
    };
    vec![
        glib::ParamSpecString::builder("encoder")
            .nick("Encoder")
            .blurb("auto, or the factory name of a known encoder; with a hardware encoder and prefer-hardware, software stands behind it")
            .default_value(AUTO)
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("codec", CodecChoice::default())
            .nick("Codec")
            .blurb("What to make; a named encoder must make it")
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("encoder-policy", EncoderPolicy::default())
            .nick("Encoder policy")
            .blurb("What happens when no hardware encoder works")
            .mutable_ready()
            .build(),
        kbps("bitrate", "Bit rate", "Target bit rate in kbit/s, held between the bounds", DEFAULT_BITRATE_KBPS),
        kbps("min-bitrate", "Minimum bit rate", "Lower bound of the bit rate in kbit/s", DEFAULT_MIN_BITRATE_KBPS),
        kbps(
            "max-bitrate",
            "Maximum bit rate",
            "Upper bound of the bit rate in kbit/s; it wins over min-bitrate",
            DEFAULT_MAX_BITRATE_KBPS,
        ),
        glib::ParamSpecString::builder("active-encoder")
            .nick("Active encoder")
            .blurb("Factory name of the encoder at work; null before the choice")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("rejections")
            .nick("Rejections")
            .blurb("One structure {reason, message, age} per encoder that was tried and not taken")
            .read_only()
            .build(),
        glib::ParamSpecUInt::builder("proof-timeout")
            .nick("Proof time-out")
            .blurb("Time limit of a hardware candidate's test encode in ms; software gets ten times as long")
            .minimum(1)
            .default_value(DEFAULT_PROOF_TIMEOUT_MS)
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("proof-cache")
            .nick("Proof cache")
            .blurb("File that keeps the proofs of this boot for other processes; null keeps them in this process only")
            .mutable_ready()
            .build(),
    ]
}
