//! Shell: the GObject of `rtpcongestion`: pads, properties, the clock, and the thread on which packets leave. What leaves when
//! is [`Sender`]'s to decide.
//!
//! Two threads and more come in (sound, pictures, retransmissions), one goes out. The lock is held while it is decided, never
//! while a packet or an event is passed on.

use super::{
    feedback,
    packet::Header,
    properties::{self, bps},
    sender::{Kind, Packet, Turn},
    state::{Format, Item, Mode, Segment, State, now},
};
use gst::{glib, prelude::*, subclass::prelude::*};
use std::{
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use vdi_congestion::Bitrate;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtpcongestion",
        gst::DebugColorFlags::empty(),
        Some("Congestion control and pacing of RTP"),
    )
});

/// The header extension of a transport-wide number.
const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// The thread looks around at least so often, whatever it was told.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The element's private side.
pub struct RtpCongestion {
    sink_pad: gst::Pad,
    src_pad: gst::Pad,
    state: Mutex<State>,
    /// Something has come, or the mode has changed.
    wake: Condvar,
}

impl RtpCongestion {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What comes in.

    fn take(&self, buffers: impl Iterator<Item = gst::Buffer>) -> Result<gst::FlowSuccess, gst::FlowError> {
        let now = now();
        let mut state = self.state();
        for buffer in buffers {
            state.flow?;
            if state.eos.is_some() {
                return Err(gst::FlowError::Eos);
            }
            let packet = self.packet(&mut state, buffer);
            if !state.sender.push(packet, now) {
                gst::debug!(CAT, imp = self, "no room for a packet");
            }
        }
        self.wake.notify_all();
        state.flow
    }

    fn packet(&self, state: &mut State, buffer: gst::Buffer) -> Packet<Item> {
        // Not mapped: that would join the memories of header and payload.
        let copy = |offset, slice: &mut [u8]| {
            let length = slice.len();
            buffer.copy_to_slice(offset, slice).is_ok() && length > 0
        };
        let header = Header::read(state.numbering, copy);
        let kind = match header {
            // What is no RTP is not ours to hold.
            None => Kind::Audio,
            Some(header) => match self.format(state, header.payload_type) {
                Format::Audio => Kind::Audio,
                Format::Video => Kind::Video,
                Format::Retransmission => header.original(copy).map_or(Kind::Video, Kind::Retransmission),
            },
        };
        let (bytes, segment) = (buffer.size(), state.segment.clone());
        Packet { kind, header: header.unwrap_or_default(), bytes, item: Item { buffer, segment } }
    }

    fn format(&self, state: &mut State, payload_type: u8) -> Format {
        if let Some(known) = state.kinds[usize::from(payload_type)] {
            return known;
        }
        let format = if state.audio_payload_type == Some(payload_type) {
            Format::Audio
        } else if self.retransmission_types().contains(&payload_type) {
            Format::Retransmission
        } else {
            Format::Video
        };
        gst::debug!(CAT, imp = self, "payload type {payload_type} is {format:?}");
        state.kinds[usize::from(payload_type)] = Some(format);
        format
    }

    /// The payload types to which the retransmission sender before this element maps.
    fn retransmission_types(&self) -> Vec<u8> {
        let before = self.sink_pad.peer().and_then(|peer| peer.parent_element());
        let map = before
            .filter(|element| element.has_property("payload-type-map"))
            .and_then(|element| element.property::<Option<gst::Structure>>("payload-type-map"));
        let Some(map) = map else { return Vec::new() };
        let types = map.iter().filter_map(|(_, value)| value.get::<u32>().ok());
        types.filter_map(|payload_type| u8::try_from(payload_type).ok()).collect()
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            // It leaves with the packets that it belongs to.
            gst::EventView::Segment(_) => {
                let mut state = self.state();
                state.segments.0 += 1;
                state.segment = Some(Segment { number: state.segments.0, event });
                return true;
            }
            // A packet that does not come needs no pace.
            gst::EventView::Gap(_) => return true,
            gst::EventView::Eos(_) => {
                self.state().eos = Some(event);
                self.wake.notify_all();
                return true;
            }
            gst::EventView::Caps(caps) => self.note_caps(caps.caps()),
            gst::EventView::CustomDownstream(_)
                if gst_video::DownstreamForceKeyUnitEvent::parse(&event).is_ok() =>
            {
                self.state().sender.key_frame_comes(now());
            }
            gst::EventView::FlushStart(_) => {
                self.set_mode(Mode::Flushing, Err(gst::FlowError::Flushing));
            }
            gst::EventView::FlushStop(_) => {
                // Not yet running: the event is to go first.
                let passed = gst::Pad::event_default(pad, Some(&*self.obj()), event);
                let is_active = self.state().mode == Mode::Flushing;
                if is_active {
                    self.state().segment = None;
                    self.set_mode(Mode::Running, Ok(gst::FlowSuccess::Ok));
                }
                return passed;
            }
            _ => {}
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    /// What a stream says of itself: which of its header extensions numbers its packets, and that it is sound, for which there is a
    /// property otherwise.
    fn note_caps(&self, caps: &gst::CapsRef) {
        let numbers = |(name, value): (&str, &glib::SendValue)| {
            let id = name.strip_prefix("extmap-")?.parse::<u32>().ok().filter(|id| (1..16).contains(id))?;
            (value.get::<&str>() == Ok(TRANSPORT_CC)).then_some(1 << id)
        };
        let fields = caps.iter().flat_map(gst::StructureRef::iter);
        let found = fields
            .filter_map(|(name, value)| numbers((name.as_str(), value)))
            .fold(0, |all: u16, one: u16| all | one);
        self.state().numbering |= found;
        let Some(stream) = caps.structure(0).filter(|stream| stream.get::<&str>("media") == Ok("audio"))
        else {
            return;
        };
        let number = stream.get::<i32>("payload").ok().and_then(|number| usize::try_from(number).ok());
        let mut state = self.state();
        if let Some(kind) = number.and_then(|number| state.kinds.get_mut(number)) {
            *kind = Some(Format::Audio);
        }
    }

    fn src_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        if let Some(structure) = event.structure().filter(|structure| feedback::is_feedback(structure)) {
            gst::trace!(CAT, imp = self, "{structure}");
            let (header_bytes, kinds) = {
                let state = self.state();
                (state.sender.header_bytes(), state.kinds)
            };
            let is_picture = |number: u8| kinds.get(usize::from(number)) == Some(&Some(Format::Video));
            let reports = feedback::reports(structure, header_bytes, is_picture);
            let output = {
                let mut state = self.state();
                state.sender.feedback(&reports, now());
                state.sender.output()
            };
            self.wake.notify_all();
            gst::log!(CAT, imp = self, "feedback of {} packets: {output:?}", reports.len());
        }
        if let Some(ask) = event.structure().and_then(feedback::request) {
            self.state().sender.requested(ask, now());
            self.wake.notify_all();
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    // What goes out.

    fn set_mode(&self, mode: Mode, flow: Result<gst::FlowSuccess, gst::FlowError>) {
        let mut state = self.state();
        state.mode = mode;
        state.flow = flow;
        if mode != Mode::Running {
            state.forget();
        }
        drop(state);
        self.wake.notify_all();
    }

    fn activate(&self, active: bool) -> Result<(), gst::LoggableError> {
        if active {
            self.state().restart();
            self.set_mode(Mode::Running, Ok(gst::FlowSuccess::Ok));
            let weak = self.obj().downgrade();
            self.src_pad.start_task(move || {
                if let Some(element) = weak.upgrade() {
                    element.imp().work();
                }
            })?;
        } else {
            self.set_mode(Mode::Stopped, Err(gst::FlowError::Flushing));
            self.src_pad.stop_task()?;
        }
        Ok(())
    }

    /// One turn of the thread: waits for something to do, and does it.
    fn work(&self) {
        let (turn, eos) = {
            let mut state = self.state();
            loop {
                match state.mode {
                    Mode::Stopped => {
                        drop(state);
                        let _ = self.src_pad.pause_task();
                        return;
                    }
                    Mode::Flushing => state = self.wait(state, MAX_WAIT),
                    Mode::Running => {
                        let now = now();
                        let turn = state.sender.turn(now);
                        let eos = if state.sender.is_empty() { state.eos.take() } else { None };
                        if !turn.is_idle() || eos.is_some() {
                            break (turn, eos);
                        }
                        state = self.wait(state, turn.again.saturating_sub(now).min(MAX_WAIT));
                    }
                }
            }
        };
        self.carry_out(turn);
        if let Some(eos) = eos {
            self.src_pad.push_event(eos);
        }
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.wake.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn carry_out(&self, turn: Turn<Item>) {
        let mut run: Vec<Packet<Item>> = Vec::new();
        let mut flow = Ok(gst::FlowSuccess::Ok);
        for packet in turn.send {
            // What goes out together has to be of one stream, or the session counts it wrongly.
            let joins = run.last().is_none_or(|last| {
                last.header.ssrc == packet.header.ssrc
                    && last.item.segment_number() == packet.item.segment_number()
            });
            if !joins {
                flow = flow.and(self.send(std::mem::take(&mut run)));
            }
            run.push(packet);
        }
        if !run.is_empty() {
            flow = flow.and(self.send(run));
        }
        if let Err(err) = flow {
            gst::debug!(CAT, imp = self, "nothing takes packets any more: {err}");
            let mut state = self.state();
            // A flush that has begun or ended in between has said what is so.
            if state.mode == Mode::Running {
                state.flow = Err(err);
                state.forget();
            }
        }
        for ask in turn.ask {
            self.sink_pad.push_event(gst::event::CustomUpstream::new(feedback::asking(ask)));
        }
        if turn.key_frame {
            gst::debug!(CAT, imp = self, "a key frame is quicker than what was lost");
            let wanted = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
            self.sink_pad.push_event(wanted);
        }
        if turn.news {
            self.obj().notify("estimated-bitrate");
        }
    }

    /// Passes on packets of one stream and one segment.
    fn send(&self, packets: Vec<Packet<Item>>) -> Result<gst::FlowSuccess, gst::FlowError> {
        let segment = packets.first().and_then(|packet| packet.item.segment.clone());
        if let Some(Segment { number, event }) = segment
            && std::mem::replace(&mut self.state().segments.1, number) != number
        {
            self.src_pad.push_event(event);
        }
        let mut buffers = packets.into_iter().map(|packet| packet.item.buffer);
        if buffers.len() == 1 {
            return buffers.next().map_or(Ok(gst::FlowSuccess::Ok), |buffer| self.src_pad.push(buffer));
        }
        self.src_pad.push_list(buffers.collect::<gst::BufferList>())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for RtpCongestion {
    const NAME: &'static str = "GstVdiRtpCongestion";
    type Type = super::RtpCongestion;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        #[expect(clippy::expect_used, reason = "both templates are among the class's own")]
        let pad = |name| gst::Pad::builder_from_template(&class.pad_template(name).expect("a pad template"));
        let flags = gst::PadFlags::PROXY_CAPS | gst::PadFlags::PROXY_ALLOCATION;
        let sink_pad = pad("sink")
            .chain_function(|_, parent, buffer| {
                let failed = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, failed, |imp| imp.take(std::iter::once(buffer)))
            })
            .chain_list_function(|_, parent, list| {
                let failed = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, failed, |imp| imp.take(list.iter_owned()))
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.sink_event(pad, event))
            })
            .flags(flags)
            .build();
        let src_pad = pad("src")
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.src_event(pad, event))
            })
            .activatemode_function(|_, parent, mode, active| {
                let failed = || Err(gst::loggable_error!(CAT, "the source pad's activation panicked"));
                Self::catch_panic_pad_function(parent, failed, |imp| match mode {
                    gst::PadMode::Push => imp.activate(active),
                    _ => Err(gst::loggable_error!(CAT, "packets are pushed here")),
                })
            })
            .flags(flags)
            .build();
        Self { sink_pad, src_pad, state: Mutex::new(State::new()), wake: Condvar::new() }
    }
}

impl ObjectImpl for RtpCongestion {
    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        for pad in [&self.sink_pad, &self.src_pad] {
            if let Err(err) = obj.add_pad(pad) {
                gst::error!(CAT, imp = self, "{err}");
            }
        }
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::specs);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let rate = || value.get::<u32>().map(|bps| Bitrate::from_bps(bps.into())).unwrap_or_default();
        let mut state = self.state();
        match pspec.name() {
            "min-bitrate" => state.bounds.min = rate(),
            "max-bitrate" => state.bounds.max = rate(),
            "start-bitrate" => state.start = rate(),
            _ => {
                state.audio_payload_type = value.get::<i32>().ok().and_then(|number| number.try_into().ok());
                state.kinds = [None; 128];
            }
        }
        let bounds = state.valid_bounds();
        state.sender.set_bounds(bounds);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "estimated-bitrate" => bps(self.state().sender.output().estimate).to_value(),
            "min-bitrate" => bps(self.state().bounds.min).to_value(),
            "max-bitrate" => bps(self.state().bounds.max).to_value(),
            "start-bitrate" => bps(self.state().start).to_value(),
            "audio-payload-type" => self.state().audio_payload_type.map_or(-1, i32::from).to_value(),
            "pacer-delay" => {
                let delay = self.state().sender.delay();
                u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX).to_value()
            }
            _ => properties::stats(&mut self.state()).to_value(),
        }
    }
}

impl GstObjectImpl for RtpCongestion {}

impl ElementImpl for RtpCongestion {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "RTP congestion control",
                "Network/WebRTC/RTP/Filter",
                "Estimates what the network carries, paces packets, and probes for more",
                "The gst-vdi authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst::Caps::new_empty_simple("application/x-rtp");
            [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(|(name, direction)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                })
                .collect()
        });
        &TEMPLATES
    }
}
