//! Shell: another codec for a session that runs. Encoders of it are proven beside the stream, on what is captured; only when one
//! has made frames does the stream change over. Until then, and if none does, everything stays as it was.

use crate::{config, media};
use gst::prelude::*;
use gstvdi::adaptiveencbin::{Codec, table::ENCODERS};
use std::{path::PathBuf, time::Duration};
use tokio::task::JoinHandle;
use vdi_protocol::settings::VideoCodec;

/// Frames that the trial encodes.
const FRAMES: i32 = 3;
/// Longest trial: each of a codec's encoders may take its own time.
const LIMIT: Duration = Duration::from_secs(60);

/// Name for pages, row of the table, nick of the element's property.
const CODECS: [(VideoCodec, Codec, &str); 5] = [
    (VideoCodec::H264, Codec::H264, "h264"),
    (VideoCodec::Vp8, Codec::Vp8, "vp8"),
    (VideoCodec::Vp9, Codec::Vp9, "vp9"),
    (VideoCodec::Av1, Codec::Av1, "av1"),
    (VideoCodec::H265, Codec::H265, "h265"),
];

/// The nick of `adaptiveencbin`'s property.
pub fn nick(codec: VideoCodec) -> &'static str {
    CODECS.iter().find(|(name, ..)| *name == codec).map_or("auto", |(.., nick)| *nick)
}

/// The codec of this name in SDP, if that is one of video.
pub fn of_sdp(name: &str) -> Option<VideoCodec> {
    CODECS.iter().find(|(.., nick)| nick.eq_ignore_ascii_case(name)).map(|(codec, ..)| *codec)
}

/// With which codec the session begins.
pub fn first(video: &config::Video) -> VideoCodec {
    let named = ENCODERS.iter().find(|row| row.factory == video.encoder).map(|row| row.codec);
    let found = CODECS.iter().find(|(_, codec, nick)| *nick == video.codec.nick() || named == Some(*codec));
    found.map(|(name, ..)| *name).unwrap_or_default()
}

/// Between which codecs pages may choose: those of which this machine has an encoder, unless the operator has chosen.
pub fn offered(video: &config::Video) -> Vec<VideoCodec> {
    if video.codec != config::Codec::Auto || video.encoder != "auto" {
        return Vec::new();
    }
    let is_there = |codec| {
        ENCODERS.iter().any(|row| row.codec == codec && gst::ElementFactory::find(row.factory).is_some())
    };
    CODECS.iter().filter(|(_, codec, _)| is_there(*codec)).map(|(name, ..)| *name).collect()
}

/// Tries codecs, one at a time.
#[derive(Debug)]
pub struct Codecs {
    video: config::Video,
    proofs: Option<PathBuf>,
    trial: Option<Trial>,
    /// What is wanted: what is being tried, or is to be tried after that.
    wanted: Option<(VideoCodec, gst::Caps)>,
}

/// A trial that runs.
#[derive(Debug)]
struct Trial {
    codec: VideoCodec,
    task: JoinHandle<Result<(), String>>,
}

impl Codecs {
    /// For encoders with these settings, whose proofs are kept in this file.
    pub fn new(video: &config::Video, proofs: Option<PathBuf>) -> Self {
        Self { video: video.clone(), proofs, trial: None, wanted: None }
    }

    /// The codec that is to be taken if it works.
    pub fn trying(&self) -> Option<VideoCodec> {
        self.wanted.as_ref().map(|(codec, _)| *codec)
    }

    /// Tries another codec on frames of this kind, once the trial before has ended: what came of that is not taken any more.
    pub fn start(&mut self, codec: VideoCodec, captured: gst::Caps) {
        self.wanted = Some((codec, captured));
        if self.trial.is_none() {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let Some((codec, captured)) = self.wanted.clone() else { return };
        let (video, proofs) = (self.video.clone(), self.proofs.clone());
        // An encoder that hangs may keep whoever tries it.
        let task = tokio::task::spawn_blocking(move || {
            let encoder = media::encoder(&video, proofs.as_deref()).map_err(|err| err.to_string())?;
            encoder.set_property_from_str("codec", nick(codec));
            encode(&encoder, &captured)
        });
        self.trial = Some(Trial { codec, task });
    }

    /// What was tried is not wanted any more.
    pub fn forget(&mut self) {
        self.wanted = None;
    }

    /// What came of the codec that is wanted, once that is known. May be dropped and called again.
    pub async fn tried(&mut self) -> (VideoCodec, Result<(), String>) {
        loop {
            let Some(trial) = &mut self.trial else { return std::future::pending().await };
            let result = (&mut trial.task).await.unwrap_or_else(|err| Err(err.to_string()));
            let tried = trial.codec;
            self.trial = None;
            if self.trying() == Some(tried) {
                self.wanted = None;
                return (tried, result);
            }
            tracing::info!(codec = nick(tried), "what came of trying it is not wanted any more");
            self.begin();
        }
    }
}

/// Lets the encoder make a few frames of this kind.
fn encode(encoder: &gst::Element, captured: &gst::Caps) -> Result<(), String> {
    let failed = |err: gst::glib::BoolError| err.to_string();
    let chain = [
        gst::ElementFactory::make("videotestsrc").property("num-buffers", FRAMES).build().map_err(failed)?,
        gst::ElementFactory::make("capsfilter").property("caps", captured).build().map_err(failed)?,
        encoder.clone(),
        gst::ElementFactory::make("fakesink").property("sync", false).build().map_err(failed)?,
    ];
    let pipeline = gst::Pipeline::new();
    pipeline.add_many(&chain).map_err(failed)?;
    gst::Element::link_many(&chain).map_err(failed)?;
    let bus = pipeline.bus().ok_or("the trial has no bus")?;
    let _ = pipeline.set_state(gst::State::Playing);
    let limit = gst::ClockTime::try_from(LIMIT).ok();
    let told = bus.timed_pop_filtered(limit, &[gst::MessageType::Error, gst::MessageType::Eos]);
    let result = match told.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(media::failure(error).to_string()),
        _ => Err(format!("no encoder of it has made {FRAMES} frames within {} s", LIMIT.as_secs())),
    };
    let _ = pipeline.set_state(gst::State::Null);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::resolve;

    fn video(words: &[&str]) -> config::Video {
        resolve(words).unwrap().video
    }

    #[test]
    fn session_begins_with_the_operators_codec_or_that_of_the_operators_encoder() {
        for (words, codec) in [
            (&[][..], VideoCodec::H264),
            (&["--codec=av1"], VideoCodec::Av1),
            (&["--encoder=vp9enc"], VideoCodec::Vp9),
            (&["--encoder=x264enc"], VideoCodec::H264),
        ] {
            assert_eq!(first(&video(words)), codec, "{words:?}");
        }
    }

    #[test]
    fn pages_choose_between_what_this_machine_has_unless_the_operator_has_chosen() {
        media::register().unwrap();
        assert!(offered(&video(&[])).starts_with(&[VideoCodec::H264, VideoCodec::Vp8]));
        assert_eq!(offered(&video(&["--codec=h264"])), []);
        assert_eq!(offered(&video(&["--encoder=x264enc"])), []);
    }

    #[tokio::test]
    async fn what_was_tried_last_counts_and_a_failure_has_its_words() {
        media::register().unwrap();
        let mut codecs = Codecs::new(&video(&[]), None);
        let captured: gst::Caps =
            "video/x-raw,format=BGRx,width=320,height=240,framerate=30/1".parse().unwrap();
        codecs.start(VideoCodec::H264, captured.clone());
        codecs.start(VideoCodec::Vp8, captured.clone());
        assert_eq!(codecs.trying(), Some(VideoCodec::Vp8));
        assert_eq!(codecs.tried().await, (VideoCodec::Vp8, Ok(())));
        assert_eq!(codecs.trying(), None);
        codecs.start(VideoCodec::Vp8, captured.clone());
        codecs.forget();
        let none = tokio::time::timeout(Duration::from_secs(2), codecs.tried()).await;
        assert!(none.is_err(), "nobody wants it any more: {none:?}");
        let mut hardware = Codecs::new(&video(&["--encoder-policy=require-hardware"]), None);
        hardware.start(VideoCodec::Vp8, captured);
        assert!(hardware.tried().await.1.is_err());
    }
}
