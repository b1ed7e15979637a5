//! Shell: the GstBin. It owns pads, properties and the running encoder, carries out what [`Selection`] decides, and
//! tells the application. It refuses to know any encoder by name.
//!
//! ```text
//!            CAPS                     proven, built
//! Waiting ─────────▶ (proofs run) ─────────────────▶ Working ──┐ CAPS outside the proven sizes:
//!    ▲                    │ none works                  ▲      │ proofs again
//!    │                    ▼                             └──────┘
//!    └─── READY ◀────── Failed: swallows data, so that nobody adds a second error to ours
//! ```
//!
//! Proofs run in the streaming thread without any lock. Going back to READY cancels them.

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_video::{VideoFormat, VideoInfo};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use vdi_protocol::reason::FailureReason;

use super::{
    CAT,
    chain::{self, Chain},
    codec::Codec,
    input::{self, ProvenSizes},
    proof::{self, Cancel, Outcome},
    rate::{self, Bitrate},
    select::{Reason, Rejection, Selection, SettingsError, Step},
    settings::{self, Settings},
    table::Row,
};

/// A running encoder.
struct Work {
    chain: Chain,
    info: VideoInfo,
    proven: ProvenSizes,
}

#[derive(Default)]
enum Phase {
    /// No caps yet.
    #[default]
    Waiting,
    /// An encoder is built in.
    Working(Box<Work>),
    /// None works, and the application has been told.
    Failed,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// One field per rejected factory.
    rejections: Option<gst::Structure>,
    /// While an encoder is started, its error is a rejection and not the pipeline's end: it is kept here.
    starting: bool,
}

pub struct AdaptiveEncBin {
    sink_pad: gst::GhostPad,
    src_pad: gst::GhostPad,
    settings: Mutex<Settings>,
    state: Mutex<State>,
    /// The rate that the encoder runs at. Held while rates are written and encoders built, so that writes come in order.
    written: Mutex<Option<Bitrate>>,
    /// Held while elements are put in or taken out.
    building: Mutex<()>,
    cancel: Cancel,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn rejections_structure(rejections: &[(&'static Row, Rejection)]) -> gst::Structure {
    let mut structure = gst::Structure::new_empty("application/x-vdi-rejections");
    for (row, rejection) in rejections {
        let one = gst::Structure::builder("rejection")
            .field("reason", rejection.reason.as_str())
            .field("message", &rejection.message)
            .field("age", rejection.age.as_nanos() as u64)
            .build();
        structure.set(row.factory, one);
    }
    structure
}

impl AdaptiveEncBin {
    pub fn set_table(&self, table: &'static [Row]) {
        lock(&self.settings).table = table;
    }

    fn new_selection(&self) -> Result<Selection, SettingsError> {
        let settings = lock(&self.settings);
        Selection::new(settings.table, &settings.encoder, settings.codec, settings.policy)
    }

    fn rate(&self) -> Bitrate {
        lock(&self.settings).rate.granted()
    }

    /// Writes the granted rate to the encoder, if there is one and it is worth it.
    fn follow_rate(&self) {
        let mut written = lock(&self.written);
        let chain = match &lock(&self.state).phase {
            Phase::Working(work) => Some((work.chain.clone(), input::frame_rate(&work.info))),
            _ => None,
        };
        let wanted = self.rate();
        if let (Some((chain, frame_rate)), Some(before)) = (chain, *written)
            && rate::worth_writing(chain.row.rate.cost, before, wanted)
        {
            chain.write_rate(wanted);
            chain.follow_vbv(wanted, frame_rate);
            *written = Some(wanted);
        }
    }

    /// A CAPS event: keeps the encoder, or chooses one. False only for caps that are no video.
    fn caps_arrived(&self, caps: &gst::Caps) -> bool {
        let Ok(info) = VideoInfo::from_caps(caps) else {
            gst::error!(CAT, imp = self, "not raw video: {caps}");
            return false;
        };
        let (chain, must_prove) = match &lock(&self.state).phase {
            Phase::Failed => return true,
            Phase::Waiting => (None, true),
            Phase::Working(work) => (Some(work.chain.clone()), work.proven.must_prove(work.chain.row, &info)),
        };
        if let Some(chain) = chain {
            let proven = !must_prove || self.prove(chain.row, caps) == Outcome::Proven;
            if proven && let Phase::Working(work) = &mut lock(&self.state).phase {
                work.info = info.clone();
                work.proven.extend(&info);
            }
            if proven {
                chain.reconfigure(&info, self.rate());
                return true;
            }
        }
        self.choose(caps, &info);
        true
    }

    fn prove(&self, row: &'static Row, caps: &gst::Caps) -> Outcome {
        let (timeout, cache) = {
            let settings = lock(&self.settings);
            (settings.proof_timeout, settings.proof_cache.clone())
        };
        proof::prove(row, caps, self.rate(), timeout, &self.cancel, cache.as_deref())
    }

    /// Proves candidates until one works, and builds it in.
    fn choose(&self, caps: &gst::Caps, info: &VideoInfo) {
        let mut selection = match self.new_selection() {
            Ok(selection) => selection,
            Err(error) => return self.fail(FailureReason::ConfigInvalid, &error.to_string()),
        };
        loop {
            let row = match selection.next() {
                Step::Prove(row) => row,
                Step::Fail(reason) => {
                    self.keep_rejections(&selection);
                    let hardware = if reason == FailureReason::GpuInitError { "hardware " } else { "" };
                    let kind = format!("{hardware}{}", selection.codec());
                    return self
                        .fail(reason, &format!("No {kind} encoder works ({}).", selection.summary(false)));
                }
            };
            let rejection = match self.prove(row, caps) {
                Outcome::Proven => match self.install(row, info) {
                    Ok(()) => return self.announce(&selection, row),
                    Err(rejection) => rejection,
                },
                Outcome::Rejected(rejection) => rejection,
                Outcome::Cancelled => return,
            };
            selection.reject(rejection);
        }
    }

    fn keep_rejections(&self, selection: &Selection) -> gst::Structure {
        let structure = rejections_structure(selection.rejections());
        lock(&self.state).rejections = Some(structure.clone());
        self.obj().notify("rejections");
        structure
    }

    /// Tells everyone who encodes from now on.
    fn announce(&self, selection: &Selection, row: &Row) {
        let rejections = self.keep_rejections(selection);
        gst::info!(CAT, imp = self, "{} encodes", row.factory);
        let obj = self.obj();
        obj.notify("active-encoder");
        let message = gst::Structure::builder("vdi-encoder-selected")
            .field("encoder", row.factory)
            .field("hardware", row.hardware)
            .field("rejections", rejections)
            .build();
        let _ = obj.post_message(gst::message::Element::builder(message).src(&*obj).build());
        if let Some(text) = selection.warning(row) {
            gst::warning!(CAT, imp = self, "{text}");
            let warning = gst::message::Warning::builder(gst::ResourceError::NotFound, &text);
            let _ = obj.post_message(warning.src(&*obj).build());
        }
    }

    /// The one error.
    fn fail(&self, reason: FailureReason, text: &str) {
        self.remove_chain();
        lock(&self.state).phase = Phase::Failed;
        self.obj().notify("active-encoder");
        self.post_failure(reason, text);
    }

    fn post_failure(&self, reason: FailureReason, text: &str) {
        gst::error!(CAT, imp = self, "{reason}: {text}");
        let obj = self.obj();
        let details = gst::Structure::builder("vdi-failure").field("reason", reason.as_str()).build();
        let error = if reason == FailureReason::ConfigInvalid {
            gst::message::Error::builder(gst::LibraryError::Settings, text)
        } else {
            gst::message::Error::builder(gst::StreamError::CodecNotFound, text)
        };
        let _ = obj.post_message(error.details(details).src(&*obj).build());
    }

    /// Builds the encoder in, in place of the one before.
    fn install(&self, row: &'static Row, info: &VideoInfo) -> Result<(), Rejection> {
        self.remove_chain();
        let mut written = lock(&self.written);
        let rate = self.rate();
        let chain = Chain::new(row, info, rate)?;

        lock(&self.state).starting = true;
        let built = self.build_in(&chain);
        lock(&self.state).starting = false;
        if let Err(error) = built {
            drop(written);
            self.take_out(&chain);
            return Err(Rejection::new(
                Reason::InitError,
                format!("it was proven and does not start: {error}"),
            ));
        }
        let work = Work { chain, info: info.clone(), proven: ProvenSizes::new(info) };
        lock(&self.state).phase = Phase::Working(Box::new(work));
        *written = Some(rate);
        Ok(())
    }

    fn build_in(&self, chain: &Chain) -> Result<(), glib::BoolError> {
        let _building = lock(&self.building);
        let obj = self.obj();
        chain.add_to(obj.upcast_ref())?;
        let (Some(first), Some(last)) = (chain.sink_pad(), chain.src_pad()) else {
            return Err(glib::bool_error!("an element without pads"));
        };
        chain::name_the_encoder(&last, chain.row.factory);
        self.src_pad.set_target(Some(&last))?;
        // From the far end, so that nothing flows into an element that is not ready for it.
        for element in chain.elements().iter().rev() {
            element.sync_state_with_parent()?;
        }
        self.sink_pad.set_target(Some(&first))
    }

    /// Takes the running encoder out.
    fn remove_chain(&self) {
        let phase = std::mem::take(&mut lock(&self.state).phase);
        if let Phase::Working(work) = phase {
            self.take_out(&work.chain);
        }
    }

    fn take_out(&self, chain: &Chain) {
        let _building = lock(&self.building);
        // Without a target both pads stand still, whatever the old encoder does.
        for pad in [&self.sink_pad, &self.src_pad] {
            if let Err(error) = pad.set_target(None::<&gst::Pad>) {
                gst::warning!(CAT, imp = self, "{error}");
            }
        }
        for element in chain.elements() {
            element.set_locked_state(true);
            // What was never added cannot be removed.
            let _ = self.obj().remove(element);
            // An encoder whose driver hangs never stops, and nobody waits for it.
            element.call_async(|element| {
                let _ = element.set_state(gst::State::Null);
            });
        }
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
            gst::EventView::Eos(_) if pad.target().is_none() => {
                if let Some(start) = pad.sticky_event::<gst::event::StreamStart>(0) {
                    self.src_pad.push_event(start);
                }
                return self.src_pad.push_event(event);
            }
            _ => {}
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    fn is_failed(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Failed)
    }

    /// What to answer to data right now. After our error everything upstream stands still as in a flush: any other
    /// answer would make the source add an error of its own that says nothing.
    fn gate(&self) -> Result<(), gst::FlowError> {
        match lock(&self.state).phase {
            Phase::Working(_) => Ok(()),
            Phase::Failed => Err(gst::FlowError::Flushing),
            Phase::Waiting if self.cancel.is_cancelled() => Err(gst::FlowError::Flushing),
            Phase::Waiting => Err(gst::FlowError::NotNegotiated),
        }
    }

    fn sink_query(&self, pad: &gst::GhostPad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            // Any raw video is welcome at any time: which encoder works for it is found out when it comes.
            gst::QueryViewMut::Caps(query) => {
                let caps = pad.pad_template_caps();
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
                Self::catch_panic_pad_function(parent, panicked, |imp| imp.gate())?;
                gst::ProxyPad::chain_default(pad, parent, buffer)
            })
            .chain_list_function(|pad, parent, list| {
                let panicked = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, panicked, |imp| imp.gate())?;
                gst::ProxyPad::chain_list_default(pad, parent, list)
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
            src_pad: gst::GhostPad::from_template(&src),
            settings: Mutex::default(),
            state: Mutex::default(),
            written: Mutex::default(),
            building: Mutex::default(),
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
        if pspec.name().ends_with("bitrate") {
            self.follow_rate();
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "active-encoder" => match &lock(&self.state).phase {
                Phase::Working(work) => work.chain.row.factory.to_value(),
                _ => None::<String>.to_value(),
            },
            "rejections" => lock(&self.state).rejections.to_value(),
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
            gst::StateChange::ReadyToPaused => self.cancel.reset(),
            // The streaming thread may be waiting for a proof, and the pads wait for the streaming thread.
            gst::StateChange::PausedToReady => self.cancel.cancel(),
            _ => {}
        }
        let result = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady {
            self.remove_chain();
            let mut state = lock(&self.state);
            state.phase = Phase::Waiting;
            state.rejections = None;
            drop(state);
            self.obj().notify("active-encoder");
        }
        result
    }
}

impl BinImpl for AdaptiveEncBin {
    fn handle_message(&self, message: gst::Message) {
        if lock(&self.state).starting && message.type_() == gst::MessageType::Error {
            gst::info!(CAT, imp = self, "a candidate does not start: {message:?}");
            return;
        }
        self.parent_handle_message(message);
    }
}
