//! Shell: the GstBin: pads, properties, states, and what is answered to data, events and queries. It refuses to know any
//! encoder by name. `switch.rs` puts encoders in and takes them out, `supervisor.rs` looks after the one that runs.
//!
//! ```text
//!            CAPS                     proven, started
//! Waiting ─────────▶ (proofs run) ─────────────────────▶ Working ◀──────────────┐
//!    ▲                    │ none works                      │ it fails, or       │ the next is in
//!    │                    ▼                                 ▼ a better one works │
//!    └─── READY ◀────── Failed ◀──────────────────────── Switching ──────────────┘
//!                swallows data, so that nobody              drops frames, keeps the newest
//!                adds a second error to ours
//! ```
//!
//! Proofs run without any lock but the turn. Going back to READY cancels them.

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_video::{VideoFormat, VideoInfo};
use std::sync::{
    Arc, LazyLock, Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};
use vdi_protocol::reason::FailureReason;

use super::{
    CAT,
    codec::{ChromaFormat, Codec},
    guard::lock,
    input::{ProvenSizes, Size},
    pacer::Pacer,
    proof::{Cancel, Outcome},
    quality,
    rate::Writer,
    settings::{self, Settings},
    supervisor::Run,
    table::Row,
    verdict,
    worker::{Shape, Worker},
};

/// A running encoder.
pub struct Work {
    pub worker: Worker,
    /// Which one it is, in the order in which they were started.
    pub generation: u64,
    /// The input.
    pub caps: gst::Caps,
    pub info: VideoInfo,
    /// The sizes at which it was proven.
    pub proven: ProvenSizes,
    /// What it makes of it.
    pub shape: Shape,
    /// Sizes at which it does not work.
    pub refused: Vec<Size>,
    /// How often its input or its shape has changed.
    pub renewals: u32,
}

#[derive(Default)]
pub enum Phase {
    /// No caps yet.
    #[default]
    Waiting,
    /// An encoder is built in.
    Working(Box<Work>),
    /// One is taken out and another put in.
    Switching,
    /// None works, and the application has been told.
    Failed,
}

#[derive(Default)]
pub struct State {
    pub phase: Phase,
    /// One field per rejected factory.
    pub rejections: Option<gst::Structure>,
    /// The newest frame, for the encoder that takes over.
    pub last: Option<gst::Buffer>,
    /// Whether the source goes on whatever becomes of its frames.
    pub is_live: bool,
    /// Whether it captures only when its last frame has been taken.
    pub is_on_demand: bool,
    /// The first codec that whoever comes after the bin takes.
    pub codec: Option<Codec>,
    /// Thins the frames that come in.
    pub pacer: Pacer,
    /// The last fail-over or return.
    pub last_switch: Option<gst::Structure>,
    /// Set in PAUSED and above.
    pub run: Option<Arc<Run>>,
}

pub struct AdaptiveEncBin {
    pub sink_pad: gst::GhostPad,
    pub src_pad: gst::GhostPad,
    pub settings: Mutex<Settings>,
    pub state: Mutex<State>,
    /// The colours that all consumers take; they say so at any time, and once.
    pub taken: Mutex<ChromaFormat>,
    /// The rate that the encoder runs at. Held while rates are told to it, so that they are told in order.
    pub written: Mutex<Option<Writer>>,
    /// Held while encoders are chosen, put in or taken out.
    pub turn: Mutex<()>,
    /// Encoders started so far.
    pub generation: AtomicU64,
    /// Fail-overs and returns so far.
    pub switches: AtomicU32,
    pub cancel: Cancel,
}

impl AdaptiveEncBin {
    pub fn set_table(&self, table: &'static [Row]) {
        lock(&self.settings).table = table;
    }

    /// A CAPS event: keeps the encoder, or chooses one. False only for caps that are no video.
    fn caps_arrived(&self, caps: &gst::Caps) -> bool {
        let Ok(info) = VideoInfo::from_caps(caps) else {
            gst::error!(CAT, imp = self, "not raw video: {caps}");
            return false;
        };
        let _turn = lock(&self.turn);
        let (run, chain, must_prove) = {
            let state = lock(&self.state);
            let Some(run) = state.run.clone() else { return true };
            match &state.phase {
                Phase::Failed => return true,
                Phase::Waiting | Phase::Switching => (run, None, true),
                Phase::Working(work) => {
                    let chain = work.worker.chain.clone();
                    let must_prove = work.proven.must_prove(chain.row, &info);
                    (run, Some(chain), must_prove)
                }
            }
        };
        if let Some(chain) = chain {
            let proven = !must_prove || self.prove(chain.row, caps) == Outcome::Proven;
            if proven && let Phase::Working(work) = &mut lock(&self.state).phase {
                work.caps = caps.clone();
                work.info = info.clone();
                work.proven.extend(&info);
                work.renewals += 1;
            }
            if proven {
                self.source_arrived(&run, &info);
                return true;
            }
        }
        self.source_arrived(&run, &info);
        self.choose(&run, caps, &info);
        true
    }

    fn sink_event(&self, pad: &gst::GhostPad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Caps(caps) => {
                if !self.caps_arrived(&caps.caps_owned()) {
                    return false;
                }
                if self.is_failed() {
                    return true;
                }
            }
            // Without an encoder there is no way through; the end must be told nevertheless.
            gst::EventView::Eos(_) if self.has_no_way() => {
                if let Some(start) = pad.sticky_event::<gst::event::StreamStart>(0) {
                    self.src_pad.push_event(start);
                }
                return self.src_pad.push_event(event);
            }
            gst::EventView::FlushStop(_) => {
                if let Some(run) = &lock(&self.state).run {
                    run.flow.flush();
                }
            }
            _ => {}
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    /// Whether those who come after the bin must hear of this event of an encoder: each begins with the same ones.
    pub fn is_news(&self, event: &gst::Event) -> bool {
        let run = lock(&self.state).run.clone();
        run.is_none_or(|run| lock(&run.flow.said).is_news(event))
    }

    fn has_no_way(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Failed | Phase::Waiting)
    }

    /// The running time of a frame that came in.
    pub fn running_time(&self, buffer: &gst::Buffer) -> Option<gst::ClockTime> {
        let segment = self.sink_pad.sticky_event::<gst::event::Segment>(0)?;
        segment.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts())
    }

    /// A frame comes in.
    fn frame_arrived(
        &self,
        pad: &gst::GhostPad,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let running_time = self.running_time(&buffer);
        let mut waits_for = None;
        let generation = loop {
            let mut state = lock(&self.state);
            let generation = self.gate(&state)?;
            if generation.is_none() && !state.is_live {
                // No frame of a source that can wait is lost: it waits for whoever has the turn.
                drop(state);
                drop(lock(&self.turn));
                continue;
            }
            if let (Some(run), Some(running_time)) = (state.run.clone(), running_time) {
                run.flow.frames_in.fetch_add(1, Relaxed);
                if !state.pacer.admits(running_time) {
                    return Ok(gst::FlowSuccess::Ok);
                }
                lock(&run.flow.journal).came_in(running_time, run.flow.now());
                let is_software =
                    matches!(&state.phase, Phase::Working(work) if !work.worker.chain.row.hardware);
                waits_for = (state.is_on_demand && is_software).then_some(run);
            }
            state.last = Some(buffer.clone());
            break generation;
        };
        let Some(generation) = generation else { return Ok(gst::FlowSuccess::Ok) };
        let result = gst::ProxyPad::chain_default(pad, Some(&*self.obj()), buffer);
        if let Some(run) = waits_for {
            // What is captured while this frame is encoded would be old before its turn came.
            run.flow.wait_until_out();
        }
        match (result, &lock(&self.state).phase) {
            (Ok(success), _) => Ok(success),
            // The encoder was taken away from under the frame.
            (Err(_), Phase::Switching) => Ok(gst::FlowSuccess::Ok),
            (Err(_), Phase::Working(work)) if work.generation != generation => Ok(gst::FlowSuccess::Ok),
            (Err(error), _) => {
                gst::debug!(CAT, imp = self, "upstream is told: {error}");
                Err(error)
            }
        }
    }

    fn is_failed(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Failed)
    }

    /// What to answer to data right now: the encoder that takes it, or none, and then it is dropped. After our error
    /// everything upstream stands still as in a flush: any other answer would make the source add an error of its own
    /// that says nothing.
    fn gate(&self, state: &State) -> Result<Option<u64>, gst::FlowError> {
        match &state.phase {
            Phase::Working(work) => Ok(Some(work.generation)),
            Phase::Failed => Err(gst::FlowError::Flushing),
            Phase::Waiting | Phase::Switching if self.cancel.is_cancelled() => Err(gst::FlowError::Flushing),
            Phase::Switching => Ok(None),
            Phase::Waiting => Err(gst::FlowError::NotNegotiated),
        }
    }

    /// Whether every pixel keeps its colour, or will as far as is known.
    fn encodes_full_chroma(&self) -> bool {
        match &lock(&self.state).phase {
            Phase::Working(work) => return work.worker.chain.row.chroma_format == ChromaFormat::Full,
            Phase::Waiting => {}
            Phase::Switching | Phase::Failed => return false,
        }
        lock(&self.settings).chroma_format == ChromaFormat::Full
    }

    /// Every kind of raw video; of a source that has all colours only these, where they are encoded: whoever asks lists
    /// what is cheapest first, and that would be taken.
    fn wanted_input(&self, pad: &gst::GhostPad, offered: Option<&gst::CapsRef>) -> gst::Caps {
        let full = gst_video::VideoCapsBuilder::new().format(VideoFormat::Y444).build();
        match offered {
            Some(offered) if self.encodes_full_chroma() && full.can_intersect(offered) => full,
            _ => pad.pad_template_caps(),
        }
    }

    fn sink_query(&self, pad: &gst::GhostPad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            // Any raw video is welcome at any time: which encoder works for it is found out when it comes.
            gst::QueryViewMut::Caps(query) => {
                let caps = self.wanted_input(pad, query.filter());
                let caps = match query.filter() {
                    Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
                    None => caps,
                };
                query.set_result(&caps);
                true
            }
            gst::QueryViewMut::AcceptCaps(query) => {
                let accepted = query.caps().is_subset(&pad.pad_template_caps());
                query.set_result(accepted);
                true
            }
            // These would wait in the queue for an encoder that may hang.
            gst::QueryViewMut::Allocation(query) => {
                query.add_allocation_meta::<gst_video::VideoMeta>(None);
                true
            }
            gst::QueryViewMut::Drain(_) => true,
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for AdaptiveEncBin {
    const NAME: &'static str = "GstVdiAdaptiveEncBin";
    type Type = super::AdaptiveEncBin;
    type ParentType = gst::Bin;

    fn with_class(klass: &Self::Class) -> Self {
        let [sink, src] = ["sink", "src"].map(|name| {
            #[expect(clippy::expect_used, reason = "pad_templates() below makes both")]
            klass.pad_template(name).expect("the class has this template")
        });
        let sink_pad = gst::GhostPad::builder_from_template(&sink)
            .chain_function(|pad, parent, buffer| {
                let panicked = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, panicked, |imp| imp.frame_arrived(pad, buffer))
            })
            .chain_list_function(|pad, parent, list| {
                let panicked = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, panicked, |imp| {
                    let mut buffers = list.iter_owned();
                    buffers.try_for_each(|buffer| imp.frame_arrived(pad, buffer).map(drop))?;
                    Ok(gst::FlowSuccess::Ok)
                })
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.sink_event(pad, event))
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.sink_query(pad, query))
            })
            .build();
        Self {
            sink_pad,
            src_pad: quality::src_pad(&src),
            settings: Mutex::default(),
            state: Mutex::default(),
            taken: Mutex::new(ChromaFormat::Full),
            written: Mutex::default(),
            turn: Mutex::default(),
            generation: AtomicU64::new(0),
            switches: AtomicU32::new(0),
            cancel: Cancel::default(),
        }
    }
}

impl ObjectImpl for AdaptiveEncBin {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(settings::properties);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.settings).set(pspec.name(), value);
        if settings::is_limit(pspec.name()) {
            self.limits_changed();
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "active-encoder" => match &lock(&self.state).phase {
                Phase::Working(work) => work.worker.chain.row.factory.to_value(),
                _ => None::<String>.to_value(),
            },
            "rejections" => lock(&self.state).rejections.to_value(),
            "stats" => self.stats().to_value(),
            name => lock(&self.settings).get(name),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        for pad in [&self.sink_pad, &self.src_pad] {
            if obj.add_pad(pad).is_err() {
                gst::error!(CAT, imp = self, "a new element has pads already");
            }
        }
    }
}

impl GstObjectImpl for AdaptiveEncBin {}

impl ElementImpl for AdaptiveEncBin {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Adaptive video encoder",
                "Codec/Encoder/Video",
                "Encodes raw video for browsers with the best encoder that proves that it works on this machine",
                "The gst-vdi authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            // What encoders take without conversion comes first, in a structure of its own: a source that can choose
            // takes the first format of the first structure.
            let first = [VideoFormat::I420, VideoFormat::Nv12];
            let rest = VideoFormat::iter_raw().filter(|format| !first.contains(format));
            let mut raw = gst_video::VideoCapsBuilder::new().format_list(first).build();
            raw.merge(gst_video::VideoCapsBuilder::new().format_list(rest).build());
            let encoded = Codec::any_caps();
            [("sink", gst::PadDirection::Sink, raw), ("src", gst::PadDirection::Src, encoded)]
                .into_iter()
                .filter_map(|(name, direction, caps)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                })
                .collect()
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::NullToReady => {
                if let Err(error) = self.new_selection() {
                    self.post_failure(FailureReason::ConfigInvalid, &error.to_string());
                    return Err(gst::StateChangeError);
                }
            }
            gst::StateChange::ReadyToPaused => {
                self.cancel.reset();
                let cool_down = lock(&self.settings).cool_down;
                let run = Run::begin(&self.obj(), cool_down).map_err(|error| {
                    gst::error!(CAT, imp = self, "no thread for the supervisor: {error}");
                    gst::StateChangeError
                })?;
                lock(&self.state).run = Some(run);
            }
            gst::StateChange::PausedToReady => self.end_run(),
            _ => {}
        }
        self.parent_change_state(transition)
    }
}

impl AdaptiveEncBin {
    /// Takes the encoder out, whatever it does: a driver that hangs would keep the state change for ever.
    fn end_run(&self) {
        // The streaming thread may be waiting for a proof.
        self.cancel.cancel();
        let run = lock(&self.state).run.take();
        if let Some(run) = run {
            run.end();
        }
        let _turn = lock(&self.turn);
        self.take_out(true);
        *lock(&self.state) = State::default();
        self.obj().notify("active-encoder");
    }
}

impl BinImpl for AdaptiveEncBin {
    fn handle_message(&self, message: gst::Message) {
        let gst::MessageView::Error(error) = message.view() else {
            return self.parent_handle_message(message);
        };
        // An encoder's error is a reason for the next one to take over, and not the pipeline's end.
        gst::info!(CAT, imp = self, "the encoder says {:?}", error.error());
        if let (Some(source), Phase::Working(work)) = (message.src(), &lock(&self.state).phase)
            && work.worker.contains(source)
        {
            work.worker.fail(verdict::of_error(error));
        }
    }
}
