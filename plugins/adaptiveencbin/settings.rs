//! Setup: the element's properties, and the settings behind them.

use gst::{glib, prelude::*};
use std::{path::PathBuf, time::Duration};

use super::{
    adapt::{ContentHint, Limits},
    codec::{ChromaFormat, CodecChoice},
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

/// Six frames at 60 a second: the rest of a quarter of a second, which people see, is for the next encoder to start.
const DEFAULT_STALL_TIMEOUT_MS: u32 = 100;

/// A driver that restarts, or another process that gives a session back, takes seconds.
const DEFAULT_COOL_DOWN_MS: u32 = 30_000;

/// Above it people notice that the pointer lags.
const DEFAULT_MAX_LATENCY_MS: u32 = 100;

/// What is left is for the desktop itself.
const DEFAULT_MAX_CPU_PER_CENT: u32 = 80;

/// What the application has set.
pub struct Settings {
    /// `auto`, or a factory name.
    pub encoder: String,
    /// What it has to make.
    pub codec: CodecChoice,
    /// How many colours of it are wanted.
    pub chroma_format: ChromaFormat,
    /// What happens when no hardware encoder works.
    pub policy: EncoderPolicy,
    /// What bounds the adaptation: bit rates, latency, load.
    pub limits: Limits,
    /// Time limit of a hardware candidate's test encode.
    pub proof_timeout: Duration,
    /// File that keeps proofs for other processes.
    pub proof_cache: Option<PathBuf>,
    /// How long a running hardware encoder may keep its frames.
    pub stall_timeout: Duration,
    /// Least time until an encoder that failed is proven again.
    pub cool_down: Duration,
    /// The encoders to choose from.
    pub table: &'static [Row],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            encoder: AUTO.into(),
            codec: CodecChoice::default(),
            chroma_format: ChromaFormat::default(),
            policy: EncoderPolicy::default(),
            limits: Limits {
                rate: Request {
                    target: Bitrate::from_kbps(DEFAULT_BITRATE_KBPS),
                    min: Bitrate::from_kbps(DEFAULT_MIN_BITRATE_KBPS),
                    max: Bitrate::from_kbps(DEFAULT_MAX_BITRATE_KBPS),
                },
                max_latency: time(DEFAULT_MAX_LATENCY_MS),
                max_cpu: share(DEFAULT_MAX_CPU_PER_CENT),
                content_hint: ContentHint::default(),
                max_framerate: None,
            },
            proof_timeout: Duration::from_millis(DEFAULT_PROOF_TIMEOUT_MS.into()),
            proof_cache: None,
            stall_timeout: Duration::from_millis(DEFAULT_STALL_TIMEOUT_MS.into()),
            cool_down: Duration::from_millis(DEFAULT_COOL_DOWN_MS.into()),
            table: ENCODERS,
        }
    }
}

impl Settings {
    /// Takes what the application sets. GObject has checked type and range.
    pub fn set(&mut self, property: &str, value: &glib::Value) {
        let number = || value.get::<u32>().unwrap_or_default();
        let kbps = || Bitrate::from_kbps(number());
        let ms = || Duration::from_millis(number().into());
        match property {
            "encoder" => {
                let encoder = value.get::<Option<String>>().ok().flatten();
                self.encoder = encoder.filter(|name| !name.is_empty()).unwrap_or_else(|| AUTO.into());
            }
            "codec" => self.codec = value.get().unwrap_or_default(),
            "chroma-format" => self.chroma_format = value.get().unwrap_or_default(),
            "proof-cache" => {
                let path = value.get::<Option<String>>().ok().flatten();
                self.proof_cache = path.filter(|path| !path.is_empty()).map(PathBuf::from);
            }
            "encoder-policy" => self.policy = value.get().unwrap_or_default(),
            "bitrate" => self.limits.rate.target = kbps(),
            "min-bitrate" => self.limits.rate.min = kbps(),
            "max-bitrate" => self.limits.rate.max = kbps(),
            "max-latency" => self.limits.max_latency = time(number()),
            "max-cpu" => self.limits.max_cpu = share(number()),
            "content-hint" => self.limits.content_hint = value.get().unwrap_or_default(),
            "max-framerate" => self.limits.max_framerate = Some(number()).filter(|&fps| fps > 0),
            "stall-timeout" => self.stall_timeout = ms(),
            "cool-down" => self.cool_down = ms(),
            _ => self.proof_timeout = ms(),
        }
    }

    /// What the application reads.
    pub fn get(&self, property: &str) -> glib::Value {
        let ms = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).to_value();
        match property {
            "encoder" => self.encoder.to_value(),
            "codec" => self.codec.to_value(),
            "chroma-format" => self.chroma_format.to_value(),
            "proof-cache" => {
                self.proof_cache.as_ref().map(|path| path.to_string_lossy().into_owned()).to_value()
            }
            "encoder-policy" => self.policy.to_value(),
            "bitrate" => self.limits.rate.target.kbps().to_value(),
            "min-bitrate" => self.limits.rate.min.kbps().to_value(),
            "max-bitrate" => self.limits.rate.max.kbps().to_value(),
            "max-latency" => ms(self.limits.max_latency.unwrap_or_default()),
            "max-cpu" => per_cent(self.limits.max_cpu),
            "content-hint" => self.limits.content_hint.to_value(),
            "max-framerate" => self.limits.max_framerate.unwrap_or_default().to_value(),
            "stall-timeout" => ms(self.stall_timeout),
            "cool-down" => ms(self.cool_down),
            _ => ms(self.proof_timeout),
        }
    }
}

/// The properties that bound the adaptation.
pub fn is_limit(property: &str) -> bool {
    property.ends_with("bitrate")
        || ["max-latency", "max-cpu", "content-hint", "max-framerate"].contains(&property)
}

/// A percentage, and none for "no limit".
fn share(per_cent: u32) -> Option<f64> {
    (per_cent > 0).then(|| f64::from(per_cent) / 100.0)
}

/// Milliseconds, and none for "no limit".
fn time(ms: u32) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms.into()))
}

/// Back again, for whoever reads the property.
fn per_cent(share: Option<f64>) -> glib::Value {
    share.map_or(0, |share| (share * 100.0).round() as u32).to_value()
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
    let ms = |name, nick, blurb, default| {
        glib::ParamSpecUInt::builder(name)
            .nick(nick)
            .blurb(blurb)
            .minimum(1)
            .default_value(default)
            .mutable_ready()
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
        glib::ParamSpecEnum::builder_with_default("chroma-format", ChromaFormat::default())
            .nick("Chroma format")
            .blurb("How many pixels share a colour, as far as encoder and consumers allow")
            .mutable_playing()
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
        glib::ParamSpecEnum::builder_with_default("content-hint", ContentHint::default())
            .nick("Content hint")
            .blurb("What is given up first when quality must go down (W3C contentHint)")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-framerate")
            .nick("Maximum frame rate")
            .blurb("Most frames per second to encode; 0 is as many as come in")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-latency")
            .nick("Maximum latency")
            .blurb("Latency in ms above which quality goes down step by step; 0 is no limit")
            .default_value(DEFAULT_MAX_LATENCY_MS)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-cpu")
            .nick("Maximum CPU load")
            .blurb("Load in per cent of what this process may use, above which the frame rate goes to 30; 0 is no limit")
            .maximum(100)
            .default_value(DEFAULT_MAX_CPU_PER_CENT)
            .mutable_playing()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Encoder, size, rates, times and what limits quality, in W3C webrtc-stats terms")
            .read_only()
            .build(),
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
        ms(
            "proof-timeout",
            "Proof time-out",
            "Time limit of a hardware candidate's test encode in ms; software gets ten times as long",
            DEFAULT_PROOF_TIMEOUT_MS,
        ),
        ms(
            "stall-timeout",
            "Stall time-out",
            "A running hardware encoder that has frames and gives none for so many ms has stalled; software gets thirty times as long",
            DEFAULT_STALL_TIMEOUT_MS,
        ),
        ms(
            "cool-down",
            "Cool-down",
            "Least time in ms until an encoder that failed is proven again; each further failure doubles it",
            DEFAULT_COOL_DOWN_MS,
        ),
        glib::ParamSpecString::builder("proof-cache")
            .nick("Proof cache")
            .blurb("File that keeps the proofs of this boot for other processes; null keeps them in this process only")
            .mutable_ready()
            .build(),
    ]
}
