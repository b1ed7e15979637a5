//! Shell: one stream's way in a consumer's pipeline, from its producer into webrtcbin, and the gate in it that keeps late
//! frames back.

use super::{
    congestion::Congestion,
    extensions::Extensions,
    lateness::{Lateness, Turn, Verdict},
    pipeline::{Reports, make},
    plan::Plan,
};
use crate::wswebrtcsink::{
    frames::Watch,
    payload::{Kind, Payload, answer_caps, offer_caps},
    producer::{self, Producer},
};
use gst::{glib, prelude::*};
use gst_utils::{ConsumptionLink, streamproducer::ConsumerSettings};
use gst_webrtc::WebRTCRTPTransceiverDirection;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Frames that may wait for one consumer, if its thread is stuck; the oldest is dropped first. What waits too long is
/// dropped by [`Lateness`] as soon as the thread goes on. Not told as a time: appsrc takes the silence of a desktop before
/// a frame for time that is queued.
const MAX_QUEUED_FRAMES: u64 = 60;

/// The same in bytes: many times what any codec needs for those.
const MAX_QUEUED_BYTES: gst::format::Bytes = gst::format::Bytes::from_u64(16 * 1024 * 1024);

/// Sound that may wait for one consumer.
const MAX_QUEUED_SOUND: gst::ClockTime = gst::ClockTime::from_mseconds(200);

fn queue(kind: Kind) -> ConsumerSettings {
    match kind {
        Kind::Video => ConsumerSettings {
            max_buffer: MAX_QUEUED_FRAMES,
            max_bytes: MAX_QUEUED_BYTES,
            max_time: gst::ClockTime::ZERO,
            ..ConsumerSettings::default()
        },
        Kind::Audio => ConsumerSettings { max_time: MAX_QUEUED_SOUND, ..ConsumerSettings::default() },
    }
}

/// One stream's way from its producer into webrtcbin.
pub struct StreamBranch<'a> {
    /// Of the whole pipeline.
    pub plan: &'a Plan,
    /// The consumer's.
    pub pipeline: &'a gst::Pipeline,
    /// Where it ends.
    pub webrtcbin: &'a gst::Element,
    /// Among the streams, for names.
    pub index: usize,
    /// Where it begins.
    pub producer: &'a Producer,
    /// How its codec travels.
    pub row: &'static Payload,
    /// What the producer gives.
    pub caps: &'a gst::Caps,
    /// Follows the frames, if they are to be followed.
    pub frames: Option<&'a Arc<Watch>>,
    /// What paces its packets.
    pub congestion: &'a Arc<Congestion>,
    /// Who sees to key frames.
    pub reports: &'a Arc<dyn Reports>,
}

impl StreamBranch<'_> {
    /// Adds it to the pipeline; the gate of the link is shut.
    pub fn add(&self) -> Result<(ConsumptionLink, Extensions), String> {
        let glib_error = |err: glib::BoolError| err.to_string();
        let name = format!("{}{}", self.row.kind.as_str(), self.index);
        let appsrc = gst_app::AppSrc::builder().name(&name).caps(self.caps).build();
        let payloader = make(self.row.payloader)?;
        for (property, value) in self.row.settings {
            payloader.set_property_from_str(property, value);
        }
        let section = self.plan.offered.as_ref().and_then(|offered| offered.section(self.row.kind));
        let payload_type = section.map_or(self.row.payload_type, |section| section.payload_type);
        payloader.set_property("pt", u32::try_from(payload_type).unwrap_or(96));

        let extensions = Extensions::add(self.plan, self.row.kind, &payloader, self.congestion.is_wanted())?;
        let ssrc = random_ssrc();
        // As text: payloaders differ in the type.
        payloader.set_property_from_str("ssrc", &ssrc.to_string());
        let offered = match section {
            Some(section) => answer_caps(&section.caps, ssrc),
            None => {
                // A decoder of 4:4:4 takes 4:2:0 too: the stream may change between them without another offer.
                offer_caps(self.row, self.caps, self.plan.full, &extensions.offered(), ssrc)
            }
        };
        self.pipeline.add_many([appsrc.upcast_ref(), &payloader]).map_err(glib_error)?;
        appsrc.link(&payloader).map_err(glib_error)?;
        let sink_pad = match section {
            // By the caps it knows for which section of the offer this is.
            Some(_) => self
                .webrtcbin
                .pad_template("sink_%u")
                .and_then(|template| self.webrtcbin.request_pad(&template, None, Some(&offered))),
            None => self.webrtcbin.request_pad_simple("sink_%u"),
        };
        let sink_pad = sink_pad.ok_or("webrtcbin gave no pad")?;
        // A stream of its own per track: browsers delay video for audio only within one stream.
        if sink_pad.has_property("msid") {
            sink_pad.set_property("msid", format!("vdi-{}", self.row.kind.as_str()));
        }
        let transceiver = sink_pad.property::<gst_webrtc::WebRTCRTPTransceiver>("transceiver");
        transceiver.set_property("direction", WebRTCRTPTransceiverDirection::Sendonly);
        transceiver.set_property("codec-preferences", &offered);
        transceiver.set_property("do-nack", self.row.kind == Kind::Video);
        let payloaded = payloader.static_pad("src").ok_or("the payloader has no source pad")?;
        lift_level_limit(&payloaded);
        payloaded.link(&sink_pad).map_err(|err| err.to_string())?;

        let link = self
            .producer
            .fan_out()
            .add_consumer_with(&appsrc, queue(self.row.kind))
            .map_err(|err| err.to_string())?;
        link.set_discard(true);
        if self.row.kind == Kind::Video {
            let reports = self.reports.clone();
            let foreign = keep_codec(&appsrc, self.row);
            send_in_time(&appsrc, self.frames, Some(self.congestion), foreign, move || {
                reports.wants_key_frame()
            });
            ask_through(&payloader, self.reports);
        }
        if let Some(frames) = self.frames {
            frames.watch_payloader(&payloaded, ssrc);
        }
        for element in [payloader, appsrc.upcast()] {
            element.sync_state_with_parent().map_err(glib_error)?;
        }
        Ok((link, extensions))
    }
}

/// Hides `profile-level-id` from the payloader. It is the browser's promise of what it decodes at least, 3.1; the
/// payloader takes it for what may be sent at most, and would refuse 1080p.
fn lift_level_limit(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM | gst::PadProbeType::PULL, |_, info| {
        if let Some(gst::QueryViewMut::Caps(query)) = info.query_mut().map(|query| query.view_mut())
            && let Some(mut caps) = query.result_owned()
        {
            for structure in caps.make_mut().iter_mut() {
                // The last two are how GStreamer reads the first in a consumer's offer.
                structure.remove_fields(["profile-level-id", "profile", "level"]);
            }
            query.set_result(&caps);
        }
        gst::PadProbeReturn::Ok
    });
}

/// Keeps caps of another codec from the payloader, which cannot follow. Says whether what comes now is of another.
fn keep_codec(appsrc: &gst_app::AppSrc, row: &'static Payload) -> Arc<AtomicBool> {
    let foreign = Arc::new(AtomicBool::new(false));
    let Some(pad) = appsrc.static_pad("src") else { return foreign };
    let found = foreign.clone();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        let is_foreign = caps.caps().structure(0).is_none_or(|caps| caps.name() != row.media_type);
        found.store(is_foreign, Ordering::Relaxed);
        // Not Drop: GStreamer 1.22 would release the event a second time.
        if is_foreign { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
    });
    foreign
}

/// Lets only those frames pass that come in time and can be decoded, and follows them. `may_ask` is asked when a key frame is wanted.
fn send_in_time(
    appsrc: &gst_app::AppSrc,
    frames: Option<&Arc<Watch>>,
    congestion: Option<&Arc<Congestion>>,
    foreign: Arc<AtomicBool>,
    may_ask: impl Fn() -> bool + Send + Sync + 'static,
) {
    let Some(pad) = appsrc.static_pad("src") else { return };
    let (appsrc, frames, congestion) = (appsrc.downgrade(), frames.cloned(), congestion.cloned());
    let lateness = Mutex::new(Lateness::default());
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        if foreign.load(Ordering::Relaxed) {
            return gst::PadProbeReturn::Drop;
        }
        let now = appsrc.upgrade().and_then(|appsrc| appsrc.current_clock_time()).unwrap_or_default();
        let arrived = producer::arrival(buffer);
        let turn = Turn {
            is_key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            follows_gap: buffer.flags().contains(gst::BufferFlags::DISCONT),
            paused: frames.as_ref().is_some_and(|frames| frames.is_paused()),
            waited: arrived.map(|arrived| now.saturating_sub(arrived).into()),
            ahead: congestion.as_ref().map(|congestion| congestion.pacer_delay()).unwrap_or_default(),
        };
        let verdict = lateness.lock().unwrap_or_else(PoisonError::into_inner).judge(turn, now.into());
        match verdict {
            Verdict::Send => {
                if turn.is_key {
                    // Who knows packets only is to know as well.
                    let comes = gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(true).build();
                    pad.push_event(comes);
                }
                frames.iter().for_each(|frames| frames.entered(pad, buffer));
                return gst::PadProbeReturn::Ok;
            }
            Verdict::Drop => {}
            Verdict::DropAndAsk => {
                gst::debug!(super::CAT, obj = pad, "a frame is not sent any more: {turn:?}");
                if may_ask() {
                    pad.send_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
                }
            }
        }
        gst::PadProbeReturn::Drop
    });
}

/// Key frames that the consumer's browser or its congestion control want are asked for as the consumer may. Not at the appsrc:
/// there the fan-out takes every request for the encoder's.
fn ask_through(payloader: &gst::Element, reports: &Arc<dyn Reports>) {
    let Some(pad) = payloader.static_pad("sink") else { return };
    let reports = reports.clone();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let wanted =
            info.event().is_some_and(|event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok());
        // Not Drop: GStreamer 1.22 would release the event a second time.
        if wanted && !reports.wants_key_frame() {
            gst::PadProbeReturn::Handled
        } else {
            gst::PadProbeReturn::Ok
        }
    });
}

/// Random, as RFC 3550, 8.1 asks: it is unique only within its session, so nothing more is needed.
fn random_ssrc() -> u32 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    // rtpbin takes the largest value for "choose one".
    u32::from_be_bytes(bytes).min(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, time::Duration};

    /// A branch that ends in a sink: what came through it, and how often it asked for a key frame.
    struct Bench {
        pipeline: gst::Pipeline,
        appsrc: gst_app::AppSrc,
        passed: mpsc::Receiver<u64>,
        asked: mpsc::Receiver<()>,
    }

    impl Bench {
        fn new() -> Self {
            gst::init().unwrap();
            let pipeline = gst::Pipeline::new();
            let appsrc = gst_app::AppSrc::builder().format(gst::Format::Time).is_live(true).build();
            let sink = gst::ElementFactory::make("fakesink")
                .property("sync", false)
                .property("async", false)
                .build()
                .unwrap();
            pipeline.add_many([appsrc.upcast_ref(), &sink]).unwrap();
            appsrc.link(&sink).unwrap();
            let (sender, asked) = mpsc::channel();
            let pad = appsrc.static_pad("src").unwrap();
            pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
                let event =
                    info.event().filter(|event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok());
                if event.is_some() {
                    sender.send(()).unwrap();
                }
                gst::PadProbeReturn::Ok
            });
            send_in_time(&appsrc, None, None, Arc::default(), || true);
            let (sender, passed) = mpsc::channel();
            sink.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                sender.send(info.buffer().unwrap().offset()).unwrap();
                gst::PadProbeReturn::Ok
            });
            pipeline.set_state(gst::State::Playing).unwrap();
            pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
            Self { pipeline, appsrc, passed, asked }
        }

        /// A frame that came so many milliseconds ago.
        fn push(&self, number: u64, is_key: bool, ago_ms: u64) {
            let mut buffer = gst::Buffer::with_size(8).unwrap();
            let writable = buffer.make_mut();
            writable.set_offset(number);
            if !is_key {
                writable.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            let came =
                self.pipeline.clock().unwrap().time().saturating_sub(gst::ClockTime::from_mseconds(ago_ms));
            producer::set_arrival(writable, came);
            self.appsrc.push_buffer(buffer).unwrap();
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            let _ = self.pipeline.set_state(gst::State::Null);
        }
    }

    #[test]
    fn a_frame_that_has_waited_too_long_is_dropped_up_to_the_next_key_frame() {
        let bench = Bench::new();
        // A minute, which no machine is slow by.
        for (number, is_key, ago_ms) in
            [(1, true, 0), (2, false, 60_000), (3, false, 0), (4, true, 60_000), (5, true, 0)]
        {
            bench.push(number, is_key, ago_ms);
        }
        let passed: Vec<_> =
            (0..3).map(|_| bench.passed.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
        assert_eq!(passed, [1, 4, 5]);
        assert_eq!(bench.asked.try_iter().count(), 1);
    }
}
