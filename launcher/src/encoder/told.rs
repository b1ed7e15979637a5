//! Decision: what `adaptiveencbin` tells, read out of its structures: the choice of an encoder, a change of quality, and
//! the figures. A field that is missing or of another type reads as unknown.

use gst::glib;
use vdi_protocol::status::{
    EncoderStatus, EncoderSwitch, QualityLimitationDurations, QualityLimitationReason, Rejection,
};

/// An encoder was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Factory name.
    pub encoder: String,
    /// Whether it runs on a GPU.
    pub hardware: bool,
    /// `H264`, `VP8`, …; empty if it was not told.
    pub codec: String,
    /// `4:2:0` or `4:4:4`; empty if it was not told.
    pub chroma_format: String,
    /// `start`, `renegotiation`, `recovered`, `chroma-format`, or why the one before was given up.
    pub cause: String,
    /// The one before.
    pub previous: Option<String>,
    /// A sentence about the one before.
    pub message: Option<String>,
    /// Who was tried before it.
    pub rejections: Vec<Rejection>,
}

/// Size, frame rate limit or limitation has changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// What holds quality back.
    pub reason: QualityLimitationReason,
    /// Columns of the desktop that it is made of.
    pub source_width: u32,
    /// Rows of the desktop that it is made of.
    pub source_height: u32,
    /// Columns of the encoded frame.
    pub width: u32,
    /// Rows of the encoded frame.
    pub height: u32,
    /// Most frames per second; 0 while only the source sets the pace.
    pub max_framerate: f64,
    /// Bit rate asked of the encoder.
    pub bitrate_bps: u64,
}

/// Reads `vdi-encoder-selected`.
pub fn choice(structure: &gst::StructureRef) -> Option<Choice> {
    if structure.name() != "vdi-encoder-selected" {
        return None;
    }
    let rejections = structure.get::<gst::Structure>("rejections").ok();
    Some(Choice {
        encoder: structure.get("encoder").ok()?,
        hardware: structure.get("hardware").unwrap_or(false),
        codec: structure.get("codec").unwrap_or_default(),
        chroma_format: structure.get("chroma-format").unwrap_or_default(),
        cause: structure.get("cause").unwrap_or_else(|_| "start".into()),
        previous: structure.get("previous").ok(),
        message: structure.get("message").ok(),
        rejections: rejections.iter().flat_map(|rejections| rejections.iter()).map(rejection).collect(),
    })
}

fn rejection((encoder, value): (&glib::GStr, &glib::SendValue)) -> Rejection {
    let of = |field| value.get::<gst::Structure>().ok()?.get::<String>(field).ok();
    Rejection {
        encoder: encoder.to_string(),
        reason: of("reason").unwrap_or_default(),
        message: of("message").unwrap_or_default(),
    }
}

/// Reads `vdi-quality`.
pub fn change(structure: &gst::StructureRef) -> Option<Change> {
    if structure.name() != "vdi-quality" {
        return None;
    }
    Some(Change {
        reason: limitation(structure, "reason"),
        source_width: structure.get("source-width").unwrap_or_default(),
        source_height: structure.get("source-height").unwrap_or_default(),
        width: structure.get("width").unwrap_or_default(),
        height: structure.get("height").unwrap_or_default(),
        max_framerate: structure.get("max-framerate").unwrap_or_default(),
        bitrate_bps: structure.get("bitrate").unwrap_or_default(),
    })
}

fn limitation(structure: &gst::StructureRef, field: &str) -> QualityLimitationReason {
    let name = structure.get::<String>(field).unwrap_or_default();
    QualityLimitationReason::from_name(&name).unwrap_or_default()
}

/// Reads the property `stats`; `None` before there is an encoder. Rejections are not among the figures.
pub fn figures(stats: &gst::StructureRef) -> Option<EncoderStatus> {
    let name = stats.get::<String>("encoder").ok().filter(|name| !name.is_empty())?;
    let size = |field| stats.get::<u32>(field).unwrap_or_default();
    let count = |field| stats.get::<u64>(field).unwrap_or_default();
    let number = |field| stats.get::<f64>(field).unwrap_or_default();
    let seconds = |field| count(field) as f64 / 1e9;
    let durations = stats.get::<gst::Structure>("quality-limitation-durations").ok();
    let duration = |field| durations.as_ref().and_then(|all| all.get::<f64>(field).ok()).unwrap_or_default();
    Some(EncoderStatus {
        name,
        hardware: stats.get("hardware").unwrap_or(false),
        codec: stats.get("codec").unwrap_or_default(),
        chroma_format: stats.get("chroma-format").unwrap_or_default(),
        source_width: size("source-width"),
        source_height: size("source-height"),
        frame_width: size("frame-width"),
        frame_height: size("frame-height"),
        frames_per_second: number("frames-per-second"),
        max_framerate: Some(number("max-framerate")).filter(|limit| *limit > 0.0),
        target_bitrate_bps: count("target-bitrate"),
        frames_encoded: count("frames-encoded"),
        key_frames_encoded: count("key-frames-encoded"),
        frames_dropped: count("frames-dropped"),
        total_encode_time_seconds: seconds("total-encode-time"),
        encode_time_seconds: seconds("encode-time"),
        cpu_usage: stats.get::<f64>("cpu-usage").ok().filter(|usage| *usage >= 0.0),
        latency_seconds: Some(seconds("latency")).filter(|seconds| *seconds > 0.0),
        quality_limitation_reason: limitation(stats, "quality-limitation-reason"),
        quality_limitation_durations: QualityLimitationDurations {
            none: duration("none"),
            cpu: duration("cpu"),
            bandwidth: duration("bandwidth"),
            latency: duration("latency"),
        },
        quality_limitation_resolution_changes: size("quality-limitation-resolution-changes"),
        switches: size("encoder-switches"),
        last_switch: stats.get::<gst::Structure>("last-switch").ok().map(|switch| last_switch(&switch)),
        rejections: Vec::new(),
    })
}

fn last_switch(structure: &gst::StructureRef) -> EncoderSwitch {
    let of = |field| structure.get::<String>(field).unwrap_or_default();
    EncoderSwitch { from: of("from"), to: of("to"), cause: of("cause"), message: of("message") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_with_its_cause_and_who_was_rejected() {
        gst::init().unwrap();
        let rejected = gst::Structure::builder("rejection")
            .field("reason", "encode-error")
            .field("message", "it says no")
            .build();
        let message = gst::Structure::builder("vdi-encoder-selected")
            .field("encoder", "x264enc")
            .field("hardware", false)
            .field("codec", "H264")
            .field("chroma-format", "4:4:4")
            .field("cause", "encode-error")
            .field("previous", "nvh264enc")
            .field("message", "nvh264enc failed")
            .field("rejections", gst::Structure::builder("r").field("nvh264enc", rejected).build())
            .build();
        let read = choice(&message).unwrap();
        assert_eq!(
            read,
            Choice {
                encoder: "x264enc".into(),
                hardware: false,
                codec: "H264".into(),
                chroma_format: "4:4:4".into(),
                cause: "encode-error".into(),
                previous: Some("nvh264enc".into()),
                message: Some("nvh264enc failed".into()),
                rejections: vec![Rejection {
                    encoder: "nvh264enc".into(),
                    reason: "encode-error".into(),
                    message: "it says no".into()
                }],
            }
        );
        assert_eq!(choice(&gst::Structure::new_empty("vdi-quality")), None);
    }

    #[test]
    fn figures_keep_unknown_apart_from_zero() {
        gst::init().unwrap();
        assert_eq!(figures(&gst::Structure::new_empty("application/x-vdi-encoder-stats")), None);
        let stats = gst::Structure::builder("application/x-vdi-encoder-stats")
            .field("encoder", "x264enc")
            .field("cpu-usage", -1.0)
            .field("latency", 0u64)
            .field("max-framerate", 0.0)
            .field("encode-time", 6_000_000u64)
            .field("quality-limitation-reason", "latency")
            .field(
                "quality-limitation-durations",
                gst::Structure::builder("durations").field("latency", 2.5).build(),
            )
            .build();
        let read = figures(&stats).unwrap();
        assert_eq!((read.cpu_usage, read.latency_seconds, read.max_framerate), (None, None, None));
        assert_eq!(read.encode_time_seconds, 0.006);
        assert_eq!(read.quality_limitation_reason, QualityLimitationReason::Latency);
        assert_eq!(read.quality_limitation_durations.of(QualityLimitationReason::Latency), 2.5);
    }
}
