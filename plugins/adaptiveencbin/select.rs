//! Decision: which encoder to take: settings, table and proof results in, the next thing to do out. Refuses to touch
//! GStreamer: proving is the shell's.

use super::{
    codec::{ChromaFormat, Codec, CodecChoice},
    table::Row,
};
use gst::glib;
use std::time::Duration;
use vdi_protocol::reason::FailureReason;

/// Takes the encoder by itself.
pub const AUTO: &str = "auto";

/// What happens when no hardware encoder works.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVdiEncoderPolicy")]
pub enum EncoderPolicy {
    /// Hardware if one works, else software with a warning.
    #[default]
    #[enum_value(name = "Prefer hardware: fall back to software with a warning", nick = "prefer-hardware")]
    PreferHardware,
    /// Hardware or failure.
    #[enum_value(name = "Require hardware: fail with GPU_INIT_ERROR without it", nick = "require-hardware")]
    RequireHardware,
    /// Software only.
    #[enum_value(name = "Software encoders only", nick = "software")]
    Software,
}

impl EncoderPolicy {
    /// What it means when none of the encoders that it allows works.
    pub fn failure(self) -> FailureReason {
        match self {
            Self::RequireHardware => FailureReason::GpuInitError,
            Self::PreferHardware | Self::Software => FailureReason::EncoderUnavailable,
        }
    }
}

/// Why a candidate was not taken. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// There is no such factory: the plugin is not installed, or its driver is missing.
    NoFactory,
    /// The factory makes no element: the registry is older than the driver's state.
    NoElement,
    /// No device to encode on.
    NoDevice,
    /// The element does not start: driver, library or session limit.
    InitError,
    /// It refuses a setting that it has.
    UnsupportedSetting,
    /// It does not take this size, format or frame rate.
    CapsNotNegotiated,
    /// It failed while encoding.
    EncodeError,
    /// It was not done in time.
    TimeOut,
    /// What it made is not what a browser needs.
    BadOutput,
    /// There is a GPU, and it has no encoder.
    NoEncoderEngine,
    /// The device or its licence takes no further encoder session now.
    SessionLimit,
    /// Driver and element do not speak the same version, or the driver has dropped what the element asks for.
    DriverMismatch,
    /// The container was started without the driver's video libraries.
    MissingCapability,
    /// It ended the child process in which it was proven.
    Crashed,
    /// There is no way to prove it without risk to this process.
    Unproven,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::NoFactory,
        Self::NoElement,
        Self::NoDevice,
        Self::InitError,
        Self::UnsupportedSetting,
        Self::CapsNotNegotiated,
        Self::EncodeError,
        Self::TimeOut,
        Self::BadOutput,
        Self::NoEncoderEngine,
        Self::SessionLimit,
        Self::DriverMismatch,
        Self::MissingCapability,
        Self::Crashed,
        Self::Unproven,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoFactory => "no-factory",
            Self::NoElement => "no-element",
            Self::NoDevice => "no-device",
            Self::InitError => "init-error",
            Self::UnsupportedSetting => "unsupported-setting",
            Self::CapsNotNegotiated => "caps-not-negotiated",
            Self::EncodeError => "encode-error",
            Self::TimeOut => "time-out",
            Self::BadOutput => "bad-output",
            Self::NoEncoderEngine => "no-encoder-engine",
            Self::SessionLimit => "session-limit",
            Self::DriverMismatch => "driver-mismatch",
            Self::MissingCapability => "missing-capability",
            Self::Crashed => "crashed",
            Self::Unproven => "unproven",
        }
    }

    /// Whether it may go away by itself, so that another proof is worth its cost later. The rest lasts until somebody
    /// installs, mounts or buys something.
    pub fn is_transient(self) -> bool {
        match self {
            Self::InitError | Self::EncodeError | Self::TimeOut | Self::SessionLimit => true,
            // A device that was lost may come back with its driver.
            Self::NoDevice => true,
            Self::NoFactory
            | Self::NoElement
            | Self::UnsupportedSetting
            | Self::CapsNotNegotiated
            | Self::BadOutput
            | Self::NoEncoderEngine
            | Self::DriverMismatch
            | Self::MissingCapability
            | Self::Crashed
            | Self::Unproven => false,
        }
    }
}

/// One candidate that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its stable reason.
    pub reason: Reason,
    /// What happened, in words.
    pub message: String,
    /// How long ago that was found out.
    pub age: Duration,
}

impl Rejection {
    /// A rejection with this reason and message, of just now.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), age: Duration::ZERO }
    }
}

/// Settings that cannot be followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No row has this name.
    #[error("encoder={name} is not known; accepted are {AUTO}, {accepted}")]
    UnknownEncoder {
        /// What was asked for.
        name: String,
        /// What could be.
        accepted: String,
    },
    /// The named encoder makes another codec than the one that was asked for.
    #[error("encoder={name} makes {makes}, which contradicts codec={codec}")]
    OtherCodec {
        /// What was asked for.
        name: String,
        /// What it makes.
        makes: Codec,
        /// The codec that was asked for, as a nick.
        codec: String,
    },
    /// The named encoder is of the kind that the policy excludes.
    #[error("encoder={name} contradicts encoder-policy={policy}, which excludes {kind} encoders")]
    Contradiction {
        /// What was asked for.
        name: String,
        /// The policy's nick.
        policy: &'static str,
        /// What the policy excludes.
        kind: &'static str,
    },
}

/// One choice in progress.
#[derive(Debug)]
pub struct Selection {
    codec: Codec,
    policy: EncoderPolicy,
    candidates: Vec<&'static Row>,
    rejections: Vec<(&'static Row, Rejection)>,
}

impl Selection {
    /// Lists the candidates, all of one codec: the one asked for, or that of the named encoder, or H.264. A named
    /// hardware encoder is the only one, and under `prefer-hardware` software still stands behind it; a
    /// named software encoder stands alone.
    pub fn new(
        table: &'static [Row],
        encoder: &str,
        codec: CodecChoice,
        policy: EncoderPolicy,
        chroma_format: ChromaFormat,
    ) -> Result<Self, SettingsError> {
        let named = if encoder == AUTO {
            None
        } else {
            Some(table.iter().find(|row| row.factory == encoder).ok_or_else(|| {
                SettingsError::UnknownEncoder {
                    name: encoder.into(),
                    accepted: table.iter().map(|row| row.factory).collect::<Vec<_>>().join(", "),
                }
            })?)
        };
        if let (Some(codec), Some(row)) = (codec.codec(), named)
            && row.codec != codec
        {
            let codec = codec.name().to_lowercase();
            return Err(SettingsError::OtherCodec { name: encoder.into(), makes: row.codec, codec });
        }
        let codec = codec.codec().or(named.map(|row| row.codec)).unwrap_or(Codec::H264);
        let contradiction =
            |policy, kind| Err(SettingsError::Contradiction { name: encoder.into(), policy, kind });
        match (policy, named.map(|row| row.hardware)) {
            (EncoderPolicy::RequireHardware, Some(false)) => {
                return contradiction("require-hardware", "software");
            }
            (EncoderPolicy::Software, Some(true)) => return contradiction("software", "hardware"),
            _ => {}
        }
        let wanted = |row: &Row| {
            let allowed = match policy {
                EncoderPolicy::PreferHardware => true,
                EncoderPolicy::RequireHardware => row.hardware,
                EncoderPolicy::Software => !row.hardware,
            };
            let named =
                named.is_none_or(|named| row.factory == named.factory || (named.hardware && !row.hardware));
            row.codec == codec && allowed && named
        };
        // A better encoder comes before more colours, and of one encoder the kind with all of them.
        let kinds = |row: &'static Row| {
            let full = row.full_chroma.filter(|_| chroma_format == ChromaFormat::Full);
            full.into_iter().chain([row])
        };
        Ok(Self {
            codec,
            policy,
            candidates: table.iter().filter(|row| wanted(row)).flat_map(kinds).collect(),
            rejections: Vec::new(),
        })
    }

    /// The codec that all candidates make.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Everyone that may be taken, the most wanted first.
    pub fn candidates(&self) -> &[&'static Row] {
        &self.candidates
    }

    /// This candidate does not work.
    pub fn reject(&mut self, row: &'static Row, rejection: Rejection) {
        self.rejections.push((row, rejection));
    }

    /// The sentence that a user must see if `chosen` is taken: software although hardware was preferred.
    pub fn warning(&self, chosen: &Row) -> Option<String> {
        let fell_back =
            self.policy == EncoderPolicy::PreferHardware && !chosen.hardware && self.candidates[0].hardware;
        fell_back.then(|| {
            format!(
                "No hardware encoder works, {} takes over in software ({}).",
                chosen.factory,
                self.summary(true)
            )
        })
    }

    /// Every rejection in few words; only of hardware, if asked so.
    pub fn summary(&self, hardware_only: bool) -> String {
        let told = self.rejections.iter().filter(|(row, _)| row.hardware || !hardware_only);
        let told: Vec<_> = told
            .map(|(row, rejection)| match rejection.reason {
                Reason::NoFactory => (row.name(), rejection.reason.as_str().to_owned()),
                reason => (row.name(), format!("{}, {}", reason.as_str(), rejection.message)),
            })
            .collect();
        // Several elements over one driver have one thing to say.
        let groups = told.chunk_by(|(_, one), (_, other)| one == other);
        let texts: Vec<_> = groups
            .map(|group| {
                let names: Vec<_> = group.iter().map(|(name, _)| name.as_ref()).collect();
                format!("{}: {}", names.join(", "), group[0].1)
            })
            .collect();
        texts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::table::ENCODERS, ChromaFormat::*, EncoderPolicy::*, *};

    /// The names that are tried when nothing works, and how that ends.
    fn order(encoder: &str, policy: EncoderPolicy) -> (Vec<&'static str>, FailureReason) {
        let selection = Selection::new(ENCODERS, encoder, CodecChoice::Auto, policy, Half).unwrap();
        (selection.candidates().iter().map(|row| row.factory).collect(), policy.failure())
    }

    const HARDWARE: [&str; 5] =
        ["nvautogpuh264enc", "nvcudah264enc", "nvh264enc", "vah264lpenc", "vah264enc"];

    #[test]
    fn the_three_policies() {
        let everything = [&HARDWARE[..], &["x264enc", "openh264enc"]].concat();
        assert_eq!(order(AUTO, PreferHardware), (everything, FailureReason::EncoderUnavailable));
        assert_eq!(order(AUTO, RequireHardware), (HARDWARE.to_vec(), FailureReason::GpuInitError));
        assert_eq!(
            order(AUTO, Software),
            (vec!["x264enc", "openh264enc"], FailureReason::EncoderUnavailable)
        );
    }

    #[test]
    fn a_named_encoder() {
        assert_eq!(order("openh264enc", PreferHardware).0, ["openh264enc"]);
        assert_eq!(order("nvh264enc", RequireHardware), (vec!["nvh264enc"], FailureReason::GpuInitError));
        assert_eq!(order("nvh264enc", PreferHardware).0, ["nvh264enc", "x264enc", "openh264enc"]);
    }

    #[test]
    fn a_codec_leaves_only_its_own_rows_and_a_named_encoder_brings_its_codec() {
        let selection = Selection::new(ENCODERS, "x264enc", CodecChoice::H264, PreferHardware, Half).unwrap();
        assert_eq!(selection.candidates().iter().map(|row| row.factory).collect::<Vec<_>>(), ["x264enc"]);
        let error = Selection::new(ENCODERS, "x264enc", CodecChoice::Vp9, PreferHardware, Half).unwrap_err();
        assert_eq!(error.to_string(), "encoder=x264enc makes H.264, which contradicts codec=vp9");
        for codec in [CodecChoice::Auto, CodecChoice::H264] {
            let all = Selection::new(ENCODERS, AUTO, codec, PreferHardware, Half).unwrap();
            assert!(all.candidates().iter().all(|row| row.codec == Codec::H264));
            assert_eq!(all.codec(), Codec::H264);
        }
    }

    #[test]
    fn all_colours_are_tried_first_with_each_encoder_and_are_no_reason_to_take_a_worse_one() {
        let selection = |policy, codec| Selection::new(ENCODERS, AUTO, codec, policy, Full).unwrap();
        let names = |selection: Selection| -> Vec<_> {
            selection.candidates().iter().map(|row| row.name().into_owned()).collect()
        };
        assert_eq!(
            names(selection(Software, CodecChoice::H264)),
            ["x264enc:4:4:4", "x264enc", "openh264enc"]
        );
        assert_eq!(names(selection(Software, CodecChoice::Vp9)), ["vp9enc:4:4:4", "vp9enc"]);
        assert_eq!(names(selection(Software, CodecChoice::Vp8)), ["vp8enc"]);
        assert_eq!(
            names(selection(RequireHardware, CodecChoice::H264)),
            ["nvautogpuh264enc", "nvcudah264enc", "nvh264enc:4:4:4", "nvh264enc", "vah264lpenc", "vah264enc"]
        );
    }

    #[test]
    fn what_passes_by_itself_is_transient() {
        assert!(Reason::SessionLimit.is_transient() && Reason::TimeOut.is_transient());
        assert!(!Reason::NoEncoderEngine.is_transient() && !Reason::Crashed.is_transient());
    }

    #[test]
    fn an_unknown_name_lists_what_is_accepted() {
        const SHORT: &[Row] = ENCODERS.split_at(2).0;
        let error = Selection::new(SHORT, "x265enc", CodecChoice::Auto, PreferHardware, Half).unwrap_err();
        assert_eq!(
            error.to_string(),
            "encoder=x265enc is not known; accepted are auto, nvautogpuh264enc, nvcudah264enc"
        );
    }

    #[test]
    fn a_name_that_the_policy_excludes_is_refused() {
        let error =
            Selection::new(ENCODERS, "x264enc", CodecChoice::Auto, RequireHardware, Half).unwrap_err();
        assert_eq!(
            error.to_string(),
            "encoder=x264enc contradicts encoder-policy=require-hardware, which excludes software encoders"
        );
        assert!(Selection::new(ENCODERS, "nvh264enc", CodecChoice::Auto, Software, Half).is_err());
    }

    #[test]
    fn encoders_that_fail_for_the_same_reason_are_told_together() {
        let mut selection = Selection::new(ENCODERS, AUTO, CodecChoice::Auto, PreferHardware, Half).unwrap();
        for (n, message) in ["no GPU", "no GPU", "no render node"].into_iter().enumerate() {
            selection.reject(selection.candidates()[n], Rejection::new(Reason::NoDevice, message));
        }
        assert_eq!(
            selection.summary(true),
            "nvautogpuh264enc, nvcudah264enc: no-device, no GPU; nvh264enc: no-device, no render node"
        );
    }

    #[test]
    fn the_warning_names_every_hardware_encoder_and_why() {
        let mut selection =
            Selection::new(ENCODERS, "nvh264enc", CodecChoice::Auto, PreferHardware, Half).unwrap();
        let [nvh264enc, x264enc] = [0, 1].map(|n| selection.candidates()[n]);
        selection.reject(nvh264enc, Rejection::new(Reason::TimeOut, "no frame within 2 s"));
        assert_eq!(
            selection.warning(x264enc).as_deref(),
            Some(
                "No hardware encoder works, x264enc takes over in software (nvh264enc: time-out, no frame within 2 s)."
            )
        );
        let software = Selection::new(ENCODERS, AUTO, CodecChoice::Auto, Software, Half).unwrap();
        assert_eq!(software.warning(x264enc), None);
        let named = Selection::new(ENCODERS, "x264enc", CodecChoice::Auto, PreferHardware, Half).unwrap();
        assert_eq!(named.warning(x264enc), None);
    }
}
