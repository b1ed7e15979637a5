//! Shell: the pipeline of one consumer, `appsrc ! payloader ! webrtcbin`, fed by the producers.
//!
//! It shares clock and base time with the sink, so timestamps mean the same on both sides, and nothing else: an error,
//! a stall or a slow teardown here cannot reach the producers or another consumer.

use super::{
    answer,
    branch::StreamBranch,
    channels::{self, Channels},
    congestion::Congestion,
    extensions::Extensions,
    incoming,
    negotiation::Input,
    offered::Offered,
    plan::Plan,
    sdp,
};
use crate::wswebrtcsink::{
    direct::{DirectPaths, Ports},
    frames::Watch,
    payload::Kind,
    producer::Producer,
};
use gst::{glib, prelude::*};
use gst_utils::ConsumptionLink;
use gst_webrtc::{WebRTCBundlePolicy, WebRTCPeerConnectionState, WebRTCSDPType, WebRTCSessionDescription};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use vdi_protocol::signalling::{ErrorCode, IceCandidate};

/// How long a teardown may take before its thread is given up.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Where a pipeline reports to: inputs of the negotiation, and messages of data channels.
pub trait Reports: Send + Sync + 'static {
    /// Something that the negotiation must know.
    fn input(&self, input: Input);
    /// RTCP or data arrived.
    fn heard(&self);
    /// Text of a data channel.
    fn text(&self, channel: &str, text: &str);
    /// Something of a data channel that is no message.
    fn malformed(&self, channel: &str);
    /// An Opus frame of what the consumer says.
    fn audio(&self, frame: &gst::Sample);
    /// A VP8 frame of what the consumer shows. Whether a key frame is wanted of it.
    fn video(&self, frame: &gst::Sample) -> bool;
    /// The consumer wants a key frame. Whether it is asked for now; if not, that is seen to.
    fn wants_key_frame(&self) -> bool;
    /// What is known of the network has changed.
    fn network_changed(&self);
}

/// The pipeline of one consumer.
#[derive(Debug)]
pub struct ConsumerPipeline {
    pipeline: gst::Pipeline,
    webrtcbin: gst::Element,
    /// webrtcbin frees its ICE agent when the application lets go of it.
    _ice_agent: gst_webrtc::WebRTCICE,
    /// None where the consumer has made the offer.
    channels: Option<Channels>,
    offered: Option<Arc<Offered>>,
    links: Vec<(Kind, ConsumptionLink)>,
    producers: Vec<Producer>,
    extensions: Vec<Extensions>,
    frames: Option<Arc<Watch>>,
    congestion: Arc<Congestion>,
}

impl ConsumerPipeline {
    /// Builds and starts the pipeline.
    pub fn build(plan: &Plan, reports: Arc<dyn Reports>) -> Result<Self, String> {
        let pipeline = gst::Pipeline::builder().name(format!("consumer-{}", plan.consumer)).build();
        pipeline.set_start_time(gst::ClockTime::NONE);
        if let Some((clock, base_time)) = &plan.clock {
            pipeline.use_clock(Some(clock));
            pipeline.set_base_time(*base_time);
        }
        // The encoder's timestamps are the capture's, so every frame is late already; waiting for the clock would add
        // the latency that live sources promise on top.
        let frames = plan.watch();
        pipeline.connect_deep_element_added({
            let frames = frames.clone();
            move |_, _, element| match element.factory().as_ref().map(gst::ElementFactory::name).as_deref() {
                Some("clocksync") => element.set_property("sync", false),
                Some("nicesink") => frames.iter().for_each(|frames| frames.watch_network(element)),
                _ => {}
            }
        });
        let built = Self::assemble(plan, &pipeline, frames, &reports);
        if built.is_err() {
            let _ = pipeline.set_state(gst::State::Null);
        }
        built
    }

    fn assemble(
        plan: &Plan,
        pipeline: &gst::Pipeline,
        frames: Option<Arc<Watch>>,
        reports: &Arc<dyn Reports>,
    ) -> Result<Self, String> {
        let webrtcbin = make("webrtcbin")?;
        webrtcbin.set_property("bundle-policy", WebRTCBundlePolicy::MaxBundle);
        webrtcbin.set_property("ice-transport-policy", plan.ice_transport_policy);
        if let Some(server) = &plan.stun_server {
            webrtcbin.set_property("stun-server", server);
        }
        for server in &plan.turn_servers {
            if !webrtcbin.emit_by_name::<bool>("add-turn-server", &[server]) {
                return Err("webrtcbin refused a TURN server".into());
            }
        }
        pipeline.add(&webrtcbin).map_err(|err| err.to_string())?;
        let ice_agent = webrtcbin.property::<gst_webrtc::WebRTCICE>("ice-agent");
        add_local_addresses(&ice_agent, &plan.direct)?;
        ice_agent.set_property("min-rtp-port", u32::from(plan.direct.ports.min));
        ice_agent.set_property("max-rtp-port", u32::from(plan.direct.ports.max));
        // A range is opened for UDP. TCP would take ports of it too, and keep each for a minute after its consumer has gone.
        ice_agent.set_property("ice-tcp", plan.direct.ports == Ports::default());
        tune(&ice_agent);
        watch_bus(pipeline, reports);
        watch_webrtcbin(&webrtcbin, &plan.direct, reports);
        let congestion = Congestion::connect(&webrtcbin, plan.congestion, &plan.payload_types(), reports);

        state(pipeline, gst::State::Ready)?;
        let mut links = Vec::new();
        let mut extensions = Vec::new();
        for (index, (producer, row, caps)) in plan.streams.iter().enumerate() {
            let is_first_video = plan.streams[..index].iter().all(|(_, row, _)| row.kind != Kind::Video);
            let frames = frames.as_ref().filter(|_| row.kind == Kind::Video && is_first_video);
            let stream = StreamBranch {
                plan,
                pipeline,
                webrtcbin: &webrtcbin,
                index,
                producer,
                row,
                caps,
                frames,
                congestion: &congestion,
                reports,
            };
            let (link, added) = stream.add()?;
            links.push((row.kind, link));
            extensions.push(added);
        }
        incoming::offer(&webrtcbin, pipeline, plan.receives, reports);
        let channels = match plan.offered {
            Some(_) => None,
            None => Some(create_channels(&webrtcbin, plan.channel.as_deref(), reports)?),
        };
        state(pipeline, gst::State::Playing)?;
        let producers = plan.streams.iter().map(|(producer, ..)| producer.clone()).collect();
        Ok(Self {
            pipeline: pipeline.clone(),
            webrtcbin,
            _ice_agent: ice_agent,
            channels,
            offered: plan.offered.clone(),
            links,
            producers,
            extensions,
            frames,
            congestion,
        })
    }

    /// The data channels.
    pub fn channels(&self) -> Option<&Channels> {
        self.channels.as_ref()
    }

    /// The frames on their way.
    pub fn frames(&self) -> Option<&Arc<Watch>> {
        self.frames.as_ref()
    }

    /// The congestion control.
    pub fn congestion(&self) -> &Arc<Congestion> {
        &self.congestion
    }

    /// Makes the offer, or the answer to the consumer's, which comes as a report.
    pub fn describe(&self, reports: Arc<dyn Reports>) {
        match &self.offered {
            Some(offered) => answer::answer(&self.webrtcbin, &offered.sdp, reports),
            None => create_offer(&self.webrtcbin, reports),
        }
    }

    /// Hands the consumer's answer to webrtcbin. The text has been checked.
    pub fn apply_answer(&self, sdp: &str, reports: Arc<dyn Reports>) {
        let Ok(message) = gst_sdp::SDPMessage::parse_buffer(sdp.as_bytes()) else {
            reports.input(Input::AnswerRefused("it cannot be parsed".into()));
            return;
        };
        for extensions in &self.extensions {
            let kept = extensions.keep(&message);
            gst::debug!(super::CAT, obj = self.pipeline, "header extensions that the answer takes: {kept:?}");
        }
        let answer = WebRTCSessionDescription::new(WebRTCSDPType::Answer, message);
        let promise = gst::Promise::with_change_func(move |reply| {
            if let Err(why) = reply_error(&reply) {
                reports.input(Input::AnswerRefused(why));
            }
        });
        self.webrtcbin.emit_by_name::<()>("set-remote-description", &[&answer, &promise]);
    }

    /// Hands a candidate of the consumer to webrtcbin. The text has been checked.
    pub fn add_candidate(&self, candidate: &IceCandidate) {
        let index = candidate.sdp_m_line_index.unwrap_or(0);
        self.webrtcbin.emit_by_name::<()>("add-ice-candidate", &[&index, &candidate.candidate]);
    }

    /// Lets media flow, beginning with a key frame.
    pub fn open_gate(&self) {
        for (_, link) in &self.links {
            link.set_discard(false);
        }
        self.request_key_frame();
    }

    /// Asks the encoder for a key frame.
    pub fn request_key_frame(&self) {
        for producer in self.producers.iter().filter(|producer| producer.kind() == Kind::Video) {
            producer.request_key_frame();
        }
    }

    /// Changes the playout delay that the packets ask for.
    pub fn set_playout_delay(&self, delay: (Duration, Duration)) {
        for extensions in &self.extensions {
            extensions.set_playout_delay(delay);
        }
    }

    /// Video units sent and dropped so far.
    pub fn video_units(&self) -> (u64, u64) {
        self.links
            .iter()
            .filter(|(kind, _)| *kind == Kind::Video)
            .fold((0, 0), |(sent, dropped), (_, link)| (sent + link.pushed(), dropped + link.dropped()))
    }

    /// Takes everything down, on a thread of its own: a pipeline's way to NULL may block.
    pub async fn shut_down(self) {
        let name = self.pipeline.name();
        let (done, finished) = tokio::sync::oneshot::channel();
        let spawned = std::thread::Builder::new().name("vdi-teardown".into()).spawn(move || {
            drop(self.links);
            if let Some(bus) = self.pipeline.bus() {
                bus.set_flushing(true);
            }
            let _ = self.pipeline.set_state(gst::State::Null);
            if let Some(bus) = self.pipeline.bus() {
                bus.unset_sync_handler();
            }
            let _ = done.send(());
        });
        let ended = spawned.is_ok() && tokio::time::timeout(TEARDOWN_LIMIT, finished).await.is_ok();
        if !ended {
            gst::error!(
                super::CAT,
                "{name} did not stop within {TEARDOWN_LIMIT:?}; its threads are given up"
            );
        }
    }
}

/// Makes an element.
pub fn make(factory: &str) -> Result<gst::Element, String> {
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|_| format!("GStreamer has no element {factory}; a plugin package is missing"))
}

fn create_channels(
    webrtcbin: &gst::Element,
    only: Option<&str>,
    reports: &Arc<dyn Reports>,
) -> Result<Channels, String> {
    let reports = reports.clone();
    Channels::create(webrtcbin, only, move |label, event| match event {
        channels::Event::MainOpen => reports.input(Input::ControlOpen),
        channels::Event::Open => {}
        channels::Event::Text(text) => reports.text(label, text),
        channels::Event::Binary => reports.malformed(label),
        channels::Event::MainClosed => reports.input(Input::MediaEnded),
        channels::Event::Closed => {}
    })
}

fn state(pipeline: &gst::Pipeline, state: gst::State) -> Result<(), String> {
    pipeline
        .set_state(state)
        .map(|_| ())
        .map_err(|_| format!("the consumer's pipeline did not reach {state:?}"))
}

/// Left alone, the agent offers no loopback address, and a browser on the same machine may then find no way. Once one
/// address is given, the agent looks for no others itself, so all are given.
fn add_local_addresses(ice_agent: &gst_webrtc::WebRTCICE, direct: &DirectPaths) -> Result<(), String> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let all: Vec<_> =
        interfaces.into_iter().map(|interface| (interface.name.clone(), interface.ip())).collect();
    for address in direct.select(&all)? {
        ice_agent.emit_by_name::<bool>("add-local-ip-address", &[&address.to_string()]);
    }
    Ok(())
}

/// Least time between two connectivity checks in ms (RFC 8445, 14.2); libnice takes 20 by default, and a consumer waits
/// for several before its path is up.
const CHECK_PACING_MS: u32 = 5;

/// libnice asks the network's router for a port mapping by default: a daemon's traffic for every consumer, for a way
/// that STUN and TURN find more reliably.
fn tune(ice_agent: &gst_webrtc::WebRTCICE) {
    if !ice_agent.has_property("agent") {
        return;
    }
    let Some(agent) = ice_agent.property::<Option<glib::Object>>("agent") else { return };
    if agent.has_property("upnp") {
        agent.set_property("upnp", false);
    }
    if agent.has_property("stun-pacing-timer") {
        agent.set_property("stun-pacing-timer", CHECK_PACING_MS);
    }
    leave_the_choice(&agent);
}

/// The browser chooses the pair of candidates, not libnice, which as GStreamer makes it nominates only when no pair is left
/// in progress, unless two work or one needs no relay: a page behind a relay then waits two seconds for pairs that lead
/// nowhere, such as that of our loopback address, and fifteen for one whose answers get lost. An offer makes webrtcbin
/// the side that chooses; this takes it back before the agent begins, and `offer_lite` tells the browser. Once only: a
/// consumer that is no browser may not know of lite agents, and then the agents settle it between them (RFC 8445, 7.3.1.1).
fn leave_the_choice(agent: &glib::Object) {
    if !agent.has_property("controlling-mode") {
        return;
    }
    let once = AtomicBool::new(false);
    agent.connect_notify(Some("controlling-mode"), move |agent, _| {
        if agent.property::<bool>("controlling-mode") && !once.swap(true, Ordering::Relaxed) {
            agent.set_property("controlling-mode", false);
        }
    });
}

fn watch_bus(pipeline: &gst::Pipeline, reports: &Arc<dyn Reports>) {
    let Some(bus) = pipeline.bus() else { return };
    let reports = reports.clone();
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(err) = message.view() {
            let source = err.src().map(|src| src.path_string()).unwrap_or_default();
            // A browser that goes without a word resets its SCTP association, which is no fault of ours.
            let input = if err.src().is_some_and(|src| src.name().starts_with("sctp")) {
                Input::MediaEnded
            } else {
                Input::PipelineFailed {
                    code: ErrorCode::Internal,
                    message: format!("{source}: {} {}", err.error(), err.debug().unwrap_or_default()),
                }
            };
            reports.input(input);
        }
        gst::BusSyncReply::Drop
    });
}

fn watch_webrtcbin(webrtcbin: &gst::Element, direct: &DirectPaths, reports: &Arc<dyn Reports>) {
    webrtcbin.connect("on-ice-candidate", false, {
        let (direct, reports) = (direct.clone(), reports.clone());
        move |values| {
            let index = values.get(1)?.get::<u32>().ok()?;
            let candidate = values.get(2)?.get::<String>().ok()?;
            let announced = direct.announced_for(&candidate);
            for candidate in std::iter::once(candidate).chain(announced) {
                reports.input(Input::LocalCandidate(IceCandidate {
                    candidate,
                    sdp_m_line_index: Some(index),
                    sdp_mid: None,
                }));
            }
            None
        }
    });
    webrtcbin.connect_notify(Some("connection-state"), {
        let reports = reports.clone();
        move |webrtcbin, _| {
            use WebRTCPeerConnectionState as State;
            match webrtcbin.property::<State>("connection-state") {
                State::Connected => reports.input(Input::MediaConnected),
                State::Failed => reports.input(Input::MediaFailed),
                State::Closed => reports.input(Input::MediaEnded),
                _ => {}
            }
        }
    });
    webrtcbin.connect_notify(Some("ice-connection-state"), {
        let reports = reports.clone();
        move |webrtcbin, _| {
            use gst_webrtc::WebRTCICEConnectionState as State;
            let state = webrtcbin.property::<State>("ice-connection-state");
            if matches!(state, State::Connected | State::Completed) {
                reports.input(Input::PathFound);
            }
        }
    });
    // A consumer makes no channels of its own; what it makes all the same is closed.
    webrtcbin.connect("on-data-channel", false, |values| {
        values.get(1)?.get::<gst_webrtc::WebRTCDataChannel>().ok()?.close();
        None
    });
    let rtpbin = webrtcbin.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("rtpbin"));
    if let Some(rtpbin) = rtpbin {
        let reports = reports.clone();
        rtpbin.connect("on-ssrc-active", false, move |_| {
            reports.heard();
            None
        });
    }
}

fn create_offer(webrtcbin: &gst::Element, reports: Arc<dyn Reports>) {
    let weak = webrtcbin.downgrade();
    let promise = gst::Promise::with_change_func(move |reply| {
        let failed = |message: String| {
            reports.input(Input::PipelineFailed { code: ErrorCode::Internal, message });
        };
        let offer = match reply_error(&reply) {
            Ok(Some(reply)) => reply.get::<WebRTCSessionDescription>("offer").map_err(|err| err.to_string()),
            Ok(None) => Err("webrtcbin made no offer".into()),
            Err(why) => Err(why),
        };
        match (offer, weak.upgrade()) {
            (Ok(offer), Some(webrtcbin)) => {
                webrtcbin.emit_by_name::<()>("set-local-description", &[&offer, &None::<gst::Promise>]);
                match offer.sdp().as_text() {
                    Ok(text) => reports.input(Input::OfferReady(sdp::offer_lite(&text))),
                    Err(err) => failed(format!("the offer cannot be written: {err}")),
                }
            }
            (Err(why), _) => failed(format!("no offer could be made: {why}")),
            (Ok(_), None) => {}
        }
    });
    webrtcbin.emit_by_name::<()>("create-offer", &[&None::<gst::Structure>, &promise]);
}

/// A promise's reply, or the error in it.
pub fn reply_error<'a>(
    reply: &'a Result<Option<&'a gst::StructureRef>, gst::PromiseError>,
) -> Result<Option<&'a gst::StructureRef>, String> {
    match reply {
        Ok(Some(structure)) => match structure.get::<glib::Error>("error") {
            Ok(err) => Err(err.to_string()),
            Err(_) => Ok(Some(structure)),
        },
        Ok(None) => Ok(None),
        Err(err) => Err(format!("{err:?}")),
    }
}
