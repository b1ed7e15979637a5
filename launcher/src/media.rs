//! Shell: the main pipeline, from the X display to the sink, and what it tells.
//!
//! ```text
//! xdamagesrc ─▶ gate ─▶ adaptiveencbin (newest frame wins) ─▶ latencystats ─▶ wswebrtcsink
//!                                                              appsrc (sound) ──────────────▲
//! ```
//!
//! The gate stops capture where it begins, so that nothing is captured, converted or encoded while nobody watches. It is
//! open at the start until the first encoded frame has come out: that is the proof behind "ready".

mod figures;
mod gate;

use crate::{
    audio, codec, config, cursor,
    desktop::DisplayName,
    encoder::told::{self, Change, Choice},
    error::Error,
    settings,
};
use futures_util::StreamExt;
use gate::Gate;
use gst::{glib, prelude::*};
use gstvdi::wswebrtcsink::WsWebRtcSink;
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::{Notify, mpsc};
use vdi_protocol::{
    control::Cursor,
    reason::{EndCause, FailureReason},
    settings::VideoCodec,
    status::EncoderStatus,
};

/// What the pipeline tells.
#[derive(Debug)]
pub enum Event {
    /// The first encoded frame has come out.
    FirstFrame,
    /// The desktop is this large, in columns and rows.
    Display(u32, u32),
    /// The pointer has this shape.
    Cursor(Cursor),
    /// An encoder has been chosen.
    Encoder(Choice),
    /// Size, frame rate limit or limitation has changed.
    Quality(Change),
    /// The encoder's figures have been read.
    Figures(Box<EncoderStatus>),
    /// Possible but bad.
    Warning {
        /// What it is about, as its element names it; empty if it does not.
        about: String,
        /// A sentence.
        text: String,
    },
    /// It cannot go on.
    Failed(Error),
    /// A page that is about to be added says which browser it is.
    PageClient(String, String),
    /// A page that is about to be added only watched before.
    PageWatches(String),
    /// A page that is about to be added decodes these.
    PageDecodes(String, Vec<VideoCodec>),
    /// A page has said hello.
    PageAdded(String),
    /// A page's media path is up.
    PageConnected(String),
    /// A page is gone, and why.
    PageRemoved(String, String),
    /// A page did not connect, or is connected no more.
    PageFailed {
        /// The page.
        page: String,
        /// Stable name ([`vdi_protocol::connection::ConnectionFailure`]).
        reason: String,
        /// What was seen, and what to do.
        message: String,
    },
    /// A page has sent a text on a channel.
    Message {
        /// The page.
        page: String,
        /// Its data channel.
        channel: String,
        /// The text.
        text: String,
    },
    /// A page has sent what cannot be read.
    BadMessage {
        /// The page.
        page: String,
        /// What is wrong with it.
        error: String,
    },
    /// A page says far more than is heard.
    Flood(String),
}

/// Registers the plugin's elements in this process.
pub fn register() -> Result<(), Error> {
    let failed = |err: &dyn std::fmt::Display| Error::pipeline(format!("GStreamer cannot be started: {err}"));
    gst::init().map_err(|err| failed(&err))?;
    gstvdi::plugin_register_static().map_err(|err| failed(&err))
}

/// The pipeline.
pub struct Media {
    pipeline: gst::Pipeline,
    sink: WsWebRtcSink,
    encoder: gst::Element,
    latency: gst::Element,
    sound: audio::Sources,
    source: gst::Element,
    display: DisplayName,
    captured: gst::Pad,
    gate: Gate,
    frames: Arc<AtomicU64>,
    /// An encoded frame has come since capture began.
    proven: Arc<AtomicBool>,
    /// What pages want of the encoder, once they do.
    wanted: Mutex<Option<vdi_protocol::settings::Choice>>,
    /// Held while it is written, so that the newest is written last.
    following: Mutex<()>,
    /// The codec that pages want, until it is taken.
    codec: Mutex<Option<&'static str>>,
    /// Held while capture begins anew.
    beginning: Mutex<()>,
}

impl Media {
    /// Builds the pipeline; nothing runs yet.
    /// `proofs` is the file in which encoders' proofs are kept for later sessions.
    pub fn new(config: &config::Config, display: &DisplayName, proofs: Option<&Path>) -> Result<Self, Error> {
        let failed = |err: glib::BoolError| Error::pipeline(format!("the pipeline cannot be built: {err}"));
        let video = &config.video;
        let source = gst::ElementFactory::make("xdamagesrc")
            .name(CAPTURE)
            .property("display-name", display.get())
            .property("show-pointer", !video.enable_cursors)
            .property("cursor-messages", video.enable_cursors)
            .build()
            .map_err(failed)?;
        let framerate = gst::Fraction::new(i32::try_from(video.framerate).unwrap_or(60), 1);
        let caps = gst::Caps::builder("video/x-raw").field("framerate", framerate).build();
        let encoder = encoder(video, proofs).map_err(failed)?;
        let latency = gst::ElementFactory::make("latencystats").build().map_err(failed)?;
        let sink = sink(&config.direct_paths).map_err(failed)?;
        sink.set_property("max-consumers", config.max_consumers);
        sink.set_property_from_str("congestion-control", video.congestion_control.nick());
        sink.set_property_from_str("bitrate-policy", video.bitrate_policy.nick());
        sink.set_property("max-bitrate", video.max_bitrate_kbps);
        let chain = [
            source.clone(),
            gst::ElementFactory::make("capsfilter").property("caps", &caps).build().map_err(failed)?,
            encoder.clone(),
            latency.clone(),
        ];
        let sound = audio::Sources::new(&config.audio);
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&chain).map_err(failed)?;
        pipeline.add(&sink).map_err(failed)?;
        gst::Element::link_many(&chain).map_err(failed)?;
        latency.link_pads(Some("src"), &sink, Some("video_%u")).map_err(failed)?;
        for source in sound.all() {
            pipeline.add(source).map_err(failed)?;
            source.link_pads(Some("src"), &sink, Some("audio_%u")).map_err(failed)?;
        }
        // Sound is captured by a pipeline of its own on the same clock, which must not be one that comes and goes.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let sink = sink
            .downcast::<WsWebRtcSink>()
            .map_err(|_| Error::pipeline("another plugin's wswebrtcsink is registered in this process"))?;
        let pad = source.static_pad("src").ok_or_else(|| Error::pipeline("xdamagesrc has no source pad"))?;
        // A source that fails ends its stream; the stream goes on when the display does.
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| match info.event() {
            Some(event) if event.type_() == gst::EventType::Eos => gst::PadProbeReturn::Handled,
            _ => gst::PadProbeReturn::Ok,
        });
        let frames = Arc::new(AtomicU64::new(0));
        Ok(Self {
            gate: Gate::new(pad.clone()),
            source,
            display: display.clone(),
            captured: pad,
            pipeline,
            sink,
            encoder,
            latency,
            sound,
            frames,
            proven: Arc::default(),
            wanted: Mutex::default(),
            following: Mutex::default(),
            codec: Mutex::default(),
            beginning: Mutex::default(),
        })
    }

    /// The sink, for its routes.
    pub fn sink(&self) -> &WsWebRtcSink {
        &self.sink
    }

    /// The pipeline, for its clock.
    pub fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    /// Where the sound goes in.
    pub fn sound(&self) -> &audio::Sources {
        &self.sound
    }

    /// Encoded frames so far.
    pub fn frames(&self) -> Arc<AtomicU64> {
        self.frames.clone()
    }

    /// The element that knows the age of frames.
    pub fn latency(&self) -> gst::Element {
        self.latency.clone()
    }

    /// Lets everything that happens go to `tell`, which must not block: it is called from streaming threads. Pages wait for
    /// another of the codecs that are `offered`, if they decode one.
    pub fn connect(&self, offered: Vec<VideoCodec>, tell: impl Fn(Event) + Clone + Send + Sync + 'static) {
        let (frames, proven) = (self.frames.clone(), self.proven.clone());
        if let Some(pad) = self.latency.static_pad("src") {
            let tell = tell.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                frames.fetch_add(1, Relaxed);
                if !proven.swap(true, Relaxed) {
                    tell(Event::FirstFrame);
                }
                gst::PadProbeReturn::Ok
            });
        }
        let display = tell.clone();
        self.captured.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view())
                && let Some((width, height)) = shown_size(caps.caps())
            {
                display(Event::Display(width, height));
            }
            gst::PadProbeReturn::Ok
        });
        let one = |make: fn(String) -> Event| {
            let tell = tell.clone();
            move |values: &[glib::Value]| {
                tell(make(text(values, 1)));
                None
            }
        };
        let named = tell.clone();
        self.sink.connect("consumer-client", false, move |values| {
            named(Event::PageClient(text(values, 1), text(values, 2)));
            None
        });
        self.sink.connect("consumer-watches", false, one(Event::PageWatches));
        let decoding = tell.clone();
        self.sink.connect("consumer-decodes", false, move |values| {
            let names = values.get(2).and_then(|names| names.get::<Vec<String>>().ok()).unwrap_or_default();
            let codecs: BTreeSet<VideoCodec> = names.iter().filter_map(|name| codec::of_sdp(name)).collect();
            let may_change = offered.iter().any(|codec| codecs.contains(codec));
            decoding(Event::PageDecodes(text(values, 1), codecs.into_iter().collect()));
            Some(may_change.to_value())
        });
        self.sink.connect("consumer-added", false, one(Event::PageAdded));
        self.sink.connect("consumer-connected", false, one(Event::PageConnected));
        let failed = tell.clone();
        self.sink.connect("consumer-failed", false, move |values| {
            let (page, reason, message) = (text(values, 1), text(values, 2), text(values, 3));
            failed(Event::PageFailed { page, reason, message });
            None
        });
        let removed = tell.clone();
        self.sink.connect("consumer-removed", false, move |values| {
            removed(Event::PageRemoved(text(values, 1), text(values, 2)));
            None
        });
        self.sink.connect("data-message", false, move |values| {
            tell(Event::Message { page: text(values, 1), channel: text(values, 2), text: text(values, 3) });
            None
        });
    }

    /// Passes on what the elements say, until the pipeline is gone.
    pub async fn watch_bus(bus: gst::Bus, encoder: gst::Element, events: mpsc::Sender<Event>) {
        let look = Arc::new(Notify::new());
        tokio::spawn(figures::watch(encoder, look.clone(), events.clone()));
        let mut messages = bus.stream();
        while let Some(message) = messages.next().await {
            let event = match message.view() {
                gst::MessageView::Error(error) => Event::Failed(failure(error)),
                gst::MessageView::Warning(warning) => Event::Warning {
                    about: warning.details().map(|details| details.name().to_string()).unwrap_or_default(),
                    text: warning.error().to_string(),
                },
                gst::MessageView::Eos(_) => Event::Failed(Error::pipeline("the stream has ended by itself")),
                gst::MessageView::Element(element) => {
                    let Some(structure) = element.structure() else { continue };
                    if let Some(choice) = told::choice(structure) {
                        look.notify_one();
                        Event::Encoder(choice)
                    } else if let Some(change) = told::change(structure) {
                        Event::Quality(change)
                    } else if let Some(cursor) = cursor::from_message(structure) {
                        Event::Cursor(cursor)
                    } else {
                        continue;
                    }
                }
                _ => continue,
            };
            if events.send(event).await.is_err() {
                return;
            }
        }
    }

    /// The bus and the encoder that [`Media::watch_bus`] needs.
    pub fn bus(&self) -> Option<(gst::Bus, gst::Element)> {
        Some((self.pipeline.bus()?, self.encoder.clone()))
    }

    /// Starts the pipeline. May take as long as an encoder's proof. A failure is told on the bus, with its reason.
    pub fn play(&self) -> bool {
        self.pipeline.set_state(gst::State::Playing).is_ok()
    }

    /// Begins to capture anew; everything behind the source goes on. May take as long as a display's answer.
    pub fn recapture(&self) {
        let _beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.source.set_state(gst::State::Null);
        self.proven.store(false, Relaxed);
        self.source.set_property("display-name", self.display.get());
        // What goes wrong is told on the bus.
        let _ = self.source.sync_state_with_parent();
    }

    /// The codec that [`Media::recode`] changes to, a nick of `adaptiveencbin`'s.
    pub fn want_codec(&self, codec: &'static str) {
        *self.codec.lock().unwrap_or_else(PoisonError::into_inner) = Some(codec);
    }

    /// Encodes in the codec that was wanted last from the next frame on; everything behind the encoder goes on. May take as long as an encoder's proof.
    pub fn recode(&self) {
        let _beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(codec) = self.codec.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let _ = self.source.set_state(gst::State::Null);
        let _ = self.encoder.set_state(gst::State::Null);
        self.encoder.set_property_from_str("codec", codec);
        // What goes wrong is told on the bus.
        let _ = self.encoder.sync_state_with_parent();
        let _ = self.source.sync_state_with_parent();
    }

    /// What is captured; `None` before the first frame.
    pub fn captured(&self) -> Option<gst::Caps> {
        self.captured.current_caps()
    }

    /// Draws the pointer into the picture, or leaves it out.
    pub fn draw_pointer(&self, drawn: bool) {
        if self.source.property::<bool>("show-pointer") != drawn {
            self.source.set_property("show-pointer", drawn);
        }
    }

    /// Ends the pipeline. May never return if a driver or the X server hangs.
    pub fn stop(&self) {
        self.gate.open();
        let _ = self.pipeline.set_state(gst::State::Null);
    }

    /// Lets frames flow, or stops them where they begin.
    pub fn set_flowing(&self, flowing: bool) {
        if flowing { self.gate.open() } else { self.gate.close() }
    }

    /// What the encoder is to make from the next [`Media::follow`] on.
    pub fn want(&self, choice: vdi_protocol::settings::Choice) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(choice);
    }

    /// Writes what was wanted last to the encoder. May never return if a driver hangs.
    pub fn follow(&self) {
        let _following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = *self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wanted) = wanted else { return };
        let kbps = u32::try_from(wanted.bitrate_bps / 1000).unwrap_or(u32::MAX);
        self.encoder.set_property("bitrate", kbps);
        self.encoder.set_property("max-framerate", wanted.framerate);
        self.encoder.set_property_from_str("content-hint", settings::nick(wanted.content_hint));
    }

    /// Whose network moves the bit rate, where the policy asks for it.
    pub fn set_controller(&self, page: Option<&str>) {
        self.sink.set_property("controller", page);
    }

    /// Sends a text to one page, or to all with an empty id.
    pub fn send(&self, page: &str, channel: &str, text: &str) {
        self.sink.emit_by_name::<bool>("send-data", &[&page, &channel, &text]);
    }

    /// A page that waits for another codec is offered what there is.
    pub fn offer(&self, page: &str) {
        self.sink.emit_by_name::<bool>("offer-consumer", &[&page]);
    }

    /// Ends one page's session.
    pub fn close_page(&self, page: &str, cause: Option<EndCause>, reason: &str) {
        let cause = cause.map(EndCause::as_str);
        let options =
            gst::Structure::builder("end").field("reason", reason).field_if_some("cause", cause).build();
        self.sink.emit_by_name::<bool>("close-consumer-full", &[&page, &options]);
    }
}

/// Time for one encoder's proof. A session often starts while its machine is busy starting others, and an encoder that
/// is only slow for that reason must not be rejected.
const PROOF_TIMEOUT_MS: u32 = 5000;

/// What `adaptiveencbin` calls its warning that software is taken although hardware was preferred.
pub const SOFTWARE_TAKEN: &str = "vdi-software-taken";

/// Name of the element that captures: its errors are the display's.
const CAPTURE: &str = "capture";

fn text(values: &[glib::Value], index: usize) -> String {
    values.get(index).and_then(|value| value.get::<Option<String>>().ok().flatten()).unwrap_or_default()
}

/// What an error on the bus is for the session.
pub fn failure(error: &gst::message::Error) -> Error {
    let message = error.error().to_string();
    let reason = error
        .details()
        .filter(|details| details.name() == "vdi-failure")
        .and_then(|details| details.get::<String>("reason").ok())
        .and_then(|name| FailureReason::from_name(&name));
    let source = error.src().map(|source| source.name().to_string()).unwrap_or_default();
    match reason {
        Some(reason) => Error::new(reason, message),
        None if source == CAPTURE => Error::display(format!("the display cannot be captured: {message}")),
        None => Error::pipeline(format!("{source}: {message}")),
    }
}

/// The encoder with its settings.
pub fn encoder(video: &config::Video, proofs: Option<&Path>) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make("adaptiveencbin")
        .property("encoder", &video.encoder)
        .property_from_str("encoder-policy", video.policy.nick())
        .property("proof-timeout", PROOF_TIMEOUT_MS)
        .property("min-bitrate", video.min_bitrate_kbps)
        .property("max-bitrate", video.max_bitrate_kbps)
        .property("bitrate", video.bitrate_kbps)
        .property_from_str("codec", video.codec.nick())
        .property_from_str("chroma-format", video.chroma_format.nick())
        .property_from_str("content-hint", video.content_hint.nick())
        .property("max-latency", video.max_latency_ms)
        .property("max-cpu", video.max_cpu_percent)
        .property("stall-timeout", video.stall_timeout_ms)
        .property("proof-cache", proofs.and_then(Path::to_str))
        .build()
}

/// The sink, with the direct paths that it offers. It hosts nothing itself.
pub fn sink(direct: &config::DirectPaths) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make("wswebrtcsink")
        .name("sink")
        .property("listen", "")
        .property("min-rtp-port", direct.ports.map_or(0, |(first, _)| u32::from(first)))
        .property("max-rtp-port", direct.ports.map_or(u32::from(u16::MAX), |(_, last)| u32::from(last)))
        .property("announced-addresses", gst::Array::new(direct.announced.iter().map(ToString::to_string)))
        .property("interfaces", gst::Array::new(&direct.interfaces))
        .build()
}

/// Whether an encoder runs on a GPU, by its factory name.
pub fn is_hardware(factory: &str) -> bool {
    gstvdi::adaptiveencbin::table::ENCODERS.iter().any(|row| row.hardware && row.factory == factory)
}

/// The captured size as the stream shows it: 4:2:0 has no odd last line or column.
fn shown_size(caps: &gst::CapsRef) -> Option<(u32, u32)> {
    let structure = caps.structure(0)?;
    let even = |field| structure.get::<i32>(field).ok().and_then(|px| u32::try_from(px & !1).ok());
    Some((even("width")?, even("height")?))
}
