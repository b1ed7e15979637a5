//! Shell: the two ends of a running encoder. In front, its answer to each frame is seen at once, and an error goes to
//! the supervisor and not upstream; behind, what it makes is brought into the form and onto the clock of the stream that
//! began before it.

use crate::stage::{self, Stage};
use gst::{glib, prelude::*};
use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    CAT,
    codec::Codec,
    journal::Journal,
    select::{Reason, Rejection},
    table::Row,
    timeline::Timeline,
};

type Time = gst::FormattedSegment<gst::ClockTime>;

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time of a capture of a whole screen with its conversion.
const CAPTURE_AHEAD: Duration = Duration::from_millis(4);

/// The longest that a source is kept from its next frame.
const MAX_WAIT: Duration = Duration::from_millis(50);

/// What outlives encoders: the frames on their way, and where the stream's clock stands.
pub struct Flow {
    began: Instant,
    pub journal: Mutex<Journal>,
    /// Told when a frame has come out, or is not waited for any more.
    out: Condvar,
    timeline: Mutex<Timeline>,
    pub said: Mutex<Said>,
    pub frames_encoded: AtomicU64,
    pub key_frames_encoded: AtomicU64,
    pub bytes_encoded: AtomicU64,
    pub frames_in: AtomicU64,
}

impl Default for Flow {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this shell hands the time to the decisions")]
        let began = Instant::now();
        Self {
            began,
            journal: Mutex::default(),
            out: Condvar::new(),
            timeline: Mutex::default(),
            said: Mutex::default(),
            frames_encoded: AtomicU64::new(0),
            key_frames_encoded: AtomicU64::new(0),
            bytes_encoded: AtomicU64::new(0),
            frames_in: AtomicU64::new(0),
        }
    }
}

impl Flow {
    /// The time that decisions are given.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until nothing is inside any more, or almost: the source is let go so long before the expected end as it takes
    /// to capture the next frame. Of an encoder that has given nothing for a while nothing is expected: one that begins may take
    /// its time, and what is captured meanwhile would be thrown away. So would be what is captured while one frame waits for
    /// its turn already: a source that goes on then takes the processor from the encoder that it waits for.
    pub fn wait_until_out(&self) {
        let journal = lock(&self.journal);
        let waited = self.out.wait_timeout_while(journal, MAX_WAIT, |journal| journal.inside() > 1);
        let (journal, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let usual = journal.p95(self.now());
        let limit = usual.map_or(MAX_WAIT, |usual| usual.saturating_sub(CAPTURE_AHEAD).min(MAX_WAIT));
        // Poisoned or in vain, the source goes on.
        drop(self.out.wait_timeout_while(journal, limit, |journal| journal.inside() > 0));
    }

    /// What is inside will not come out.
    pub fn forget_inside(&self) {
        lock(&self.journal).forget_inside();
        self.out.notify_all();
    }

    /// A flush: running time begins again.
    pub fn flush(&self) {
        self.forget_inside();
        lock(&self.timeline).reset();
        lock(&self.said).segment = None;
    }
}

/// Where an encoder's failure is told.
pub type Report = Box<dyn Fn(Rejection) + Send + Sync>;

/// Prepares the encoder's elements for input with these caps; what they are told instead.
pub type Prepare = Box<dyn Fn(&gst::CapsRef) -> Option<gst::Caps> + Send + Sync>;

/// What the two ends of one encoder share.
pub struct Guard {
    row: &'static Row,
    flow: Arc<Flow>,
    report: Report,
    /// Another encoder has taken over: nothing of this one counts any more.
    is_retired: AtomicBool,
    /// The first key frame has come out.
    has_begun: AtomicBool,
    pub is_taking: AtomicBool,
    /// It is told of another format: sessions may be closed and opened for that.
    pub is_formatting: AtomicBool,
    pub is_giving: AtomicBool,
    pub outputs: AtomicU64,
    /// What whoever comes after the bin said last, if that was not "ok".
    refused: Mutex<Option<gst::FlowError>>,
    /// The segments before and behind the encoder.
    input: Mutex<Option<Time>>,
    output: Mutex<Option<Time>>,
}

fn time_segment(event: &gst::event::Segment) -> Option<Time> {
    event.segment().downcast_ref::<gst::ClockTime>().cloned()
}

impl Guard {
    pub fn new(row: &'static Row, flow: Arc<Flow>, report: Report) -> Arc<Self> {
        Arc::new(Self {
            row,
            flow,
            report,
            is_retired: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            is_taking: AtomicBool::new(false),
            is_formatting: AtomicBool::new(false),
            is_giving: AtomicBool::new(false),
            outputs: AtomicU64::new(0),
            refused: Mutex::default(),
            input: Mutex::default(),
            output: Mutex::default(),
        })
    }

    pub fn retire(&self) {
        self.is_retired.store(true, Relaxed);
    }

    pub fn fail(&self, rejection: Rejection) {
        if !self.is_retired.load(Relaxed) {
            (self.report)(rejection);
        }
    }

    /// The pad in front of the encoder's elements.
    pub fn sink_pad(
        self: &Arc<Self>,
        target: &gst::Pad,
        prepare: Prepare,
    ) -> Result<gst::GhostPad, glib::BoolError> {
        let (chain, event) = (self.clone(), self.clone());
        Ok(gst::GhostPad::builder_with_target(target)?
            .name("sink")
            .chain_function(move |pad, parent, buffer| chain.take(pad, parent, buffer))
            .event_function(move |pad, parent, incoming| {
                let is_format = incoming.type_() == gst::EventType::Caps;
                event.is_formatting.store(is_format, Relaxed);
                let changed = match incoming.view() {
                    gst::EventView::Segment(segment) => {
                        *lock(&event.input) = time_segment(segment);
                        None
                    }
                    gst::EventView::Caps(caps) => prepare(caps.caps()),
                    _ => None,
                };
                let outgoing = changed.map_or(incoming, |caps| gst::event::Caps::new(&caps));
                let is_handled = gst::Pad::event_default(pad, parent, outgoing);
                event.is_formatting.store(false, Relaxed);
                is_handled
            })
            .build())
    }

    /// The pad behind them.
    pub fn src_pad(self: &Arc<Self>, target: &gst::Pad) -> Result<gst::GhostPad, glib::BoolError> {
        let (chain, list, event) = (self.clone(), self.clone(), self.clone());
        Ok(gst::GhostPad::builder_with_target(target)?
            .name("src")
            .proxy_pad_chain_function(move |pad, parent, buffer| chain.give(pad, parent, buffer))
            .proxy_pad_chain_list_function(move |pad, parent, buffers| {
                let mut buffers = buffers.iter_owned();
                buffers.try_for_each(|buffer| list.give(pad, parent, buffer).map(drop))?;
                Ok(gst::FlowSuccess::Ok)
            })
            .proxy_pad_event_function(move |pad, parent, outgoing| event.tell(pad, parent, outgoing))
            .build())
    }

    fn take(
        &self,
        pad: &gst::GhostPad,
        parent: Option<&gst::Object>,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let running_time = lock(&self.input).as_ref().and_then(|input| input.to_running_time(buffer.pts()));
        if let Some(running_time) = running_time {
            lock(&self.flow.journal).taken(running_time);
        }
        self.is_taking.store(true, Relaxed);
        let result = gst::ProxyPad::chain_default(pad, parent, buffer);
        self.is_taking.store(false, Relaxed);
        match result {
            Ok(success) => Ok(success),
            Err(error @ (gst::FlowError::Flushing | gst::FlowError::Eos)) => Err(error),
            // Whoever comes after the bin may refuse: that is for upstream to know.
            Err(_) if let Some(refused) = *lock(&self.refused) => Err(refused),
            Err(error) => {
                gst::debug!(CAT, obj = pad, "{} answers {error}", self.row.factory);
                self.fail(match error {
                    gst::FlowError::NotNegotiated => {
                        Rejection::new(Reason::CapsNotNegotiated, "it does not take the pictures any more")
                    }
                    _ => Rejection::new(Reason::EncodeError, "it refused a frame without saying why"),
                });
                Ok(gst::FlowSuccess::Ok)
            }
        }
    }

    fn give(
        &self,
        pad: &gst::ProxyPad,
        parent: Option<&gst::Object>,
        mut buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.is_retired.load(Relaxed) {
            return Err(gst::FlowError::Flushing);
        }
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if !is_key && !self.has_begun.load(Relaxed) {
            gst::debug!(CAT, obj = pad, "a frame that needs one before it is dropped");
            return Ok(gst::FlowSuccess::Ok);
        }
        self.has_begun.store(true, Relaxed);
        self.outputs.fetch_add(1, Relaxed);
        self.flow.frames_encoded.fetch_add(1, Relaxed);
        self.flow.key_frames_encoded.fetch_add(u64::from(is_key), Relaxed);
        self.flow.bytes_encoded.fetch_add(buffer.size() as u64, Relaxed);
        self.put_on_the_clock(&mut buffer);
        if let Some(now) = clock_time(parent) {
            stage::stamp(buffer.make_mut(), Stage::Encoded, now);
        }
        self.is_giving.store(true, Relaxed);
        let result = gst::ProxyPad::chain_default(pad, parent, buffer);
        self.is_giving.store(false, Relaxed);
        *lock(&self.refused) = result.err();
        result
    }

    /// Gives the frame its time in the input's segment.
    fn put_on_the_clock(&self, buffer: &mut gst::Buffer) {
        let (input, output) = (lock(&self.input).clone(), lock(&self.output).clone());
        let (Some(input), Some(output)) = (input, output) else { return };
        let Some(running_time) = output.to_running_time(buffer.pts()) else { return };
        lock(&self.flow.journal).came_out(running_time, self.flow.now());
        self.flow.out.notify_all();
        let placed = lock(&self.flow.timeline).place(running_time);
        let position = input.position_from_running_time(placed);
        let buffer = buffer.make_mut();
        buffer.set_pts(position);
        // Nothing is reordered.
        buffer.set_dts(position);
    }

    fn tell(&self, pad: &gst::ProxyPad, parent: Option<&gst::Object>, event: gst::Event) -> bool {
        if self.is_retired.load(Relaxed) {
            return false;
        }
        let event = match event.view() {
            gst::EventView::Segment(segment) => {
                *lock(&self.output) = time_segment(segment);
                match lock(&self.input).as_ref() {
                    Some(input) => gst::event::Segment::builder(input).seqnum(event.seqnum()).build(),
                    None => event,
                }
            }
            gst::EventView::Caps(caps) => gst::event::Caps::new(&canonical(self.row, caps.caps())),
            _ => event,
        };
        let refused = match event.view() {
            gst::EventView::Caps(caps) => {
                format!("whoever comes after the bin does not take {}", caps.caps())
            }
            _ => return gst::Pad::event_default(pad, parent, event),
        };
        self.is_giving.store(true, Relaxed);
        let is_taken = gst::Pad::event_default(pad, parent, event);
        self.is_giving.store(false, Relaxed);
        if !is_taken && !self.is_retired.load(Relaxed) {
            gst::error!(CAT, obj = pad, "{refused}");
            // The encoder will answer its next frame so, and it is not its fault.
            *lock(&self.refused) = Some(gst::FlowError::NotNegotiated);
        }
        is_taken
    }
}

/// The time of the pipeline's clock; `ghost` is the pad behind the encoder.
fn clock_time(ghost: Option<&gst::Object>) -> Option<gst::ClockTime> {
    let worker = ghost?.parent()?.downcast::<gst::Element>().ok()?;
    Some(worker.clock()?.time())
}

/// What was told of the stream, by whatever encoder: the same is not said again.
#[derive(Default)]
pub struct Said {
    stream_start: Option<gst::Event>,
    caps: Option<gst::Event>,
    segment: Option<gst::Event>,
}

impl Said {
    /// Whether this says something else than what was said before.
    pub fn is_news(&mut self, event: &gst::Event) -> bool {
        use gst::EventView::{Caps, Segment, StreamStart};
        let slot = match event.view() {
            StreamStart(_) => &mut self.stream_start,
            Caps(_) => &mut self.caps,
            Segment(_) => &mut self.segment,
            _ => return true,
        };
        let before = slot.replace(event.clone());
        match (event.view(), before.as_ref().map(|before| before.view())) {
            (StreamStart(now), Some(StreamStart(before))) => {
                now.stream_id() != before.stream_id() || now.group_id() != before.group_id()
            }
            (Caps(now), Some(Caps(before))) => now.caps() != before.caps(),
            (Segment(now), Some(Segment(before))) => now.segment() != before.segment(),
            _ => true,
        }
    }
}

/// The caps without what differs between encoders of one codec and tells a receiver nothing.
fn canonical(row: &Row, caps: &gst::CapsRef) -> gst::Caps {
    const KEPT: [&str; 7] =
        ["stream-format", "alignment", "profile", "width", "height", "framerate", "pixel-aspect-ratio"];
    let mut caps = caps.to_owned();
    for structure in caps.make_mut().iter_mut() {
        let other: Vec<_> = structure
            .fields()
            .filter(|name| !KEPT.contains(&name.as_str()))
            .map(|name| name.to_string())
            .collect();
        for name in other {
            structure.remove_field(&name);
        }
        // NVENC calls the same thing "baseline"; the proof has read what it is.
        if let Some(profile) = row.profiles.first() {
            structure.set("profile", profile);
        }
        // The payloader of AV1 takes none that was not parsed, and every row of it ends in a parser.
        if row.codec == Codec::Av1 {
            structure.set("parsed", true);
        }
    }
    caps
}
