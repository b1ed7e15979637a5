//! Shell: the GstPushSrc around [`Capture`]: properties, caps, state changes, messages, and the pipeline's clock. Refuses to know X.

use super::{
    capture::{Capture, Failed, Made, Step},
    cursor::CursorImage,
    error::Error,
    requests::Requests,
    settings::{PROPERTIES, Settings},
    stats::Stats,
    x11::Doorbell,
};
use crate::{
    on_demand,
    stage::{Stage, stamp},
};
use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{base_src::CreateSuccess, prelude::*},
};
use gst_video::VideoInfo;
use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use vdi_protocol::reason::FailureReason;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "xdamagesrc",
        gst::DebugColorFlags::empty(),
        Some("X11 capture that wakes on damage"),
    )
});

/// Most frames a second where caps leave it open.
const DEFAULT_FRAMERATE: gst::Fraction = gst::Fraction::new_raw(60, 1);
const DEFAULT_INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// Beyond that each frame costs more than what it shows is worth, on any machine.
const MAX_FRAMERATE: gst::Fraction = gst::Fraction::new_raw(1000, 1);
/// Longest time between two frames that a consumer may ask for, in seconds.
const MAX_INTERVAL_S: f64 = 3600.0;
/// Lines from which on video is taken for high definition, and so for BT.709.
const HD_LINES: u32 = 720;
/// Largest picture that X knows.
const MAX_SIZE: i32 = 32_767;

/// What other threads may ask while the streaming thread waits.
#[derive(Default)]
struct Facts {
    /// Columns and lines; none until the display is open.
    size: Option<(u32, u32)>,
    stats: Stats,
    interval: Option<Duration>,
    last_pts: Option<gst::ClockTime>,
}

pub struct XDamageSrc {
    settings: Mutex<Settings>,
    facts: Mutex<Facts>,
    /// The streaming thread's; it keeps it locked while it waits.
    capture: Mutex<Option<Capture>>,
    /// None if the system has no descriptor left for the bell.
    requests: Option<Requests>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What can be made of a picture of this size.
fn caps_of(size: Option<(u32, u32)>) -> gst::Caps {
    let mut caps = gst::Caps::new_empty();
    let raw = |format: &str| {
        gst::Structure::builder("video/x-raw")
            .field("format", format)
            .field("framerate", gst::FractionRange::new(gst::Fraction::new(0, 1), MAX_FRAMERATE))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
    };
    let px = |px: u32| i32::try_from(px).unwrap_or(MAX_SIZE);
    // Writable, since it was made here.
    let Some(writable) = caps.get_mut() else { return caps };
    for format in ["I420", "NV12", "Y444", "BGRx"] {
        let is_yuv = format != "BGRx";
        let structure = match size {
            None => raw(format)
                .field("width", gst::IntRange::new(1, MAX_SIZE))
                .field("height", gst::IntRange::new(1, MAX_SIZE)),
            // 4:2:0 needs a colour for two by two pixels; 4:4:4 keeps to the same sizes, so that one can take over from the other.
            Some((width, height)) if is_yuv && (width < 2 || height < 2) => continue,
            Some((width, height)) if is_yuv => raw(format)
                .field("width", px(width & !1))
                .field("height", px(height & !1))
                .field("colorimetry", if height & !1 >= HD_LINES { "bt709" } else { "bt601" }),
            Some((width, height)) => raw(format).field("width", px(width)).field("height", px(height)),
        };
        writable.append_structure(structure.build());
    }
    caps
}

impl XDamageSrc {
    fn post_failure(&self, reason: FailureReason, text: &str) {
        gst::error!(CAT, imp = self, "{reason}: {text}");
        let obj = self.obj();
        let details = gst::Structure::builder("vdi-failure").field("reason", reason.as_str()).build();
        let error = match reason {
            FailureReason::ConfigInvalid => gst::message::Error::builder(gst::LibraryError::Settings, text),
            FailureReason::DisplayUnavailable => gst::message::Error::builder(gst::ResourceError::Read, text),
            _ => gst::message::Error::builder(gst::StreamError::Failed, text),
        };
        let _ = obj.post_message(error.details(details).src(&*obj).build());
    }

    fn post_display_failure(&self, display: Option<&str>, error: &Error) {
        let name = display.filter(|name| !name.is_empty()).unwrap_or("$DISPLAY");
        self.post_failure(error.reason(), &format!("the X display {name} {error}"));
    }

    fn open(&self) -> Result<(), gst::StateChangeError> {
        let Some(requests) = &self.requests else {
            self.post_failure(FailureReason::PipelineError, "the system has no file descriptor left");
            return Err(gst::StateChangeError);
        };
        requests.take();
        requests.bell.set_stopping(false);
        let settings = lock(&self.settings).clone();
        let name = settings.display_name.as_deref();
        let options = settings.options(DEFAULT_INTERVAL);
        match Capture::start(name, settings.wanted, settings.selection, options, requests) {
            Ok(capture) => {
                let (width, height) = capture.size();
                gst::info!(CAT, imp = self, "captures {width}x{height} of display {}", capture.name());
                for shortcoming in capture.shortcomings() {
                    let text = format!("the X display {} {shortcoming}", capture.name());
                    gst::warning!(CAT, imp = self, "{text}");
                    let warning = gst::message::Warning::builder(gst::ResourceError::Settings, &text);
                    let _ = self.obj().post_message(warning.src(&*self.obj()).build());
                }
                *lock(&self.facts) =
                    Facts { size: Some((width, height)), stats: capture.stats(), ..Facts::default() };
                *lock(&self.capture) = Some(capture);
                Ok(())
            }
            Err(error) => {
                let display = settings.display_name.or_else(|| std::env::var("DISPLAY").ok());
                self.post_display_failure(display.as_deref(), &error);
                Err(gst::StateChangeError)
            }
        }
    }

    fn close(&self) {
        *lock(&self.capture) = None;
        lock(&self.facts).size = None;
    }

    /// Tells the streaming thread what the properties are now.
    fn tell_options(&self) {
        let interval = lock(&self.facts).interval.unwrap_or(DEFAULT_INTERVAL);
        let options = lock(&self.settings).options(interval);
        if let Some(requests) = &self.requests {
            requests.ask(|pending| pending.options = Some(options));
        }
    }

    fn post_cursor(&self, cursor: &CursorImage) {
        let (width, height) = if cursor.is_invisible() { (0, 0) } else { (cursor.width, cursor.height) };
        let pixels = if width == 0 { Vec::new() } else { cursor.rgba() };
        let message = gst::Structure::builder("vdi-cursor")
            .field("serial", u64::from(cursor.serial))
            .field("width", width)
            .field("height", height)
            .field("hotspot-x", cursor.hotspot.0)
            .field("hotspot-y", cursor.hotspot.1)
            .field("pixels", gst::Buffer::from_mut_slice(pixels))
            .build();
        let _ = self.obj().post_message(gst::message::Element::builder(message).src(&*self.obj()).build());
    }

    /// Times of the streaming thread become those of the pipeline's clock.
    fn finish(&self, made: Made, now: Duration, clock_now: Option<gst::ClockTime>) -> gst::Buffer {
        let Made { mut buffer, damaged, captured, converted } = made;
        let (Some(clock_now), Some(base_time)) = (clock_now, self.obj().base_time()) else { return buffer };
        let at = |then: Duration| {
            let age = now.saturating_sub(then);
            clock_now.saturating_sub(gst::ClockTime::try_from(age).unwrap_or(gst::ClockTime::ZERO))
        };
        let mut pts = at(captured).saturating_sub(base_time);
        {
            let mut facts = lock(&self.facts);
            if let Some(last) = facts.last_pts {
                pts = pts.max(last + gst::ClockTime::from_nseconds(1));
            }
            facts.last_pts = Some(pts);
        }
        // It is a copy that nobody else has seen; its pixels are shared, its fields are not.
        let writable = buffer.make_mut();
        writable.set_pts(pts);
        if let Some(damaged) = damaged {
            stamp(writable, Stage::Damage, at(damaged));
        }
        stamp(writable, Stage::Captured, at(captured));
        stamp(writable, Stage::Converted, at(converted));
        buffer
    }

    fn fail(&self, failed: &Failed, display: &str) -> gst::FlowError {
        match failed {
            Failed::Display(error) => self.post_display_failure(Some(display), error),
            Failed::Convert(_) => self.post_failure(FailureReason::PipelineError, &failed.to_string()),
        }
        gst::FlowError::Error
    }
}

#[glib::object_subclass]
impl ObjectSubclass for XDamageSrc {
    const NAME: &'static str = "GstVdiXDamageSrc";
    type Type = super::XDamageSrc;
    type ParentType = gst_base::PushSrc;

    fn new() -> Self {
        Self {
            settings: Mutex::default(),
            facts: Mutex::default(),
            capture: Mutex::default(),
            requests: Doorbell::new().ok().map(Requests::new),
        }
    }
}

impl ObjectImpl for XDamageSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        &PROPERTIES
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.set_live(true);
        obj.set_format(gst::Format::Time);
        obj.set_do_timestamp(false);
        obj.set_automatic_eos(false);
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.settings).set(pspec.name(), value);
        self.tell_options();
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => lock(&self.facts).stats.structure().to_value(),
            name => lock(&self.settings).get(name),
        }
    }
}

impl GstObjectImpl for XDamageSrc {}

impl ElementImpl for XDamageSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "X11 damage source",
                "Source/Video",
                "Captures an X display when it changes, and only what has changed",
                "The gst-vdi authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let (direction, presence) = (gst::PadDirection::Src, gst::PadPresence::Always);
            gst::PadTemplate::new("src", direction, presence, &caps_of(None)).into_iter().collect()
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.open()?;
        }
        let result = self.parent_change_state(transition);
        let has_failed = transition == gst::StateChange::ReadyToPaused && result.is_err();
        if has_failed || transition == gst::StateChange::PausedToReady {
            self.close();
        }
        result
    }
}

impl BaseSrcImpl for XDamageSrc {
    fn is_seekable(&self) -> bool {
        false
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(requests) = &self.requests {
            requests.bell.set_stopping(true);
        }
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(requests) = &self.requests {
            requests.bell.set_stopping(false);
        }
        Ok(())
    }

    fn caps(&self, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        let caps = caps_of(lock(&self.facts).size);
        Some(match filter {
            Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
            None => caps,
        })
    }

    fn negotiate(&self) -> Result<(), gst::LoggableError> {
        let negotiated = self.parent_negotiate();
        let is_stopping = self.requests.as_ref().is_some_and(|requests| requests.bell.is_stopping());
        let size = lock(&self.facts).size;
        if let (Err(_), false, Some((width, height))) = (&negotiated, is_stopping, size) {
            let pad = self.obj().src_pad().clone();
            let taken = pad.peer_query_caps(None);
            let text = format!(
                "There are frames of {width}x{height} pixels in I420, NV12, Y444 (of an even size) and BGRx, and whoever comes next takes \
                 {taken}. Other sizes and formats are the business of videoconvertscale."
            );
            self.post_failure(FailureReason::PipelineError, &text);
        }
        negotiated
    }

    fn fixate(&self, mut caps: gst::Caps) -> gst::Caps {
        caps.truncate();
        if let Some(structure) = caps.make_mut().structure_mut(0) {
            structure.fixate_field_nearest_fraction("framerate", DEFAULT_FRAMERATE);
        }
        self.parent_fixate(caps)
    }

    fn set_caps(&self, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(caps)
            .map_err(|_| gst::loggable_error!(CAT, "these are no caps of raw video: {caps}"))?;
        let fps = info.fps();
        let most = caps.structure(0).and_then(|structure| structure.get("max-framerate").ok());
        // 0/1 is a variable rate.
        let fps = if fps.numer() > 0 { fps } else { most.unwrap_or(DEFAULT_FRAMERATE) };
        let seconds = f64::from(fps.denom()) / f64::from(fps.numer().max(1));
        lock(&self.facts).interval = Some(Duration::from_secs_f64(seconds.clamp(0.001, MAX_INTERVAL_S)));
        gst::debug!(CAT, imp = self, "negotiated {caps}");
        self.tell_options();
        if let Some(requests) = &self.requests {
            requests.ask(|pending| pending.output = Some(info));
        }
        Ok(())
    }

    fn decide_allocation(&self, query: &mut gst::query::Allocation) -> Result<(), gst::LoggableError> {
        // Buffers come from our own pool, whose pixels know what of them is out of date.
        while query.allocation_pools().len() > 0 {
            query.remove_nth_allocation_pool(0);
        }
        Ok(())
    }

    fn event(&self, event: &gst::Event) -> bool {
        let Some(requests) = &self.requests else { return self.parent_event(event) };
        if gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok() {
            requests.ask(|pending| pending.demand = true);
            return true;
        }
        if let gst::EventView::Qos(qos) = event.view() {
            let (kind, _, diff, _) = qos.get();
            if kind == gst::QOSType::Throttle {
                let diff = u64::try_from(diff).unwrap_or(0);
                let diff = Duration::from_nanos(diff).min(Duration::from_secs_f64(MAX_INTERVAL_S));
                requests.ask(|pending| pending.throttle = Some(diff));
            }
            return true;
        }
        self.parent_event(event)
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Latency(latency) = query.view_mut() {
            // A frame leaves when it is captured; how late it is shows in its timestamps.
            latency.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
            return true;
        }
        on_demand::is_question(query) || BaseSrcImplExt::parent_query(self, query)
    }
}

impl PushSrcImpl for XDamageSrc {
    fn create(&self, _buffer: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        let Some(requests) = &self.requests else { return Err(gst::FlowError::Error) };
        loop {
            let mut guard = lock(&self.capture);
            let Some(capture) = guard.as_mut() else { return Err(gst::FlowError::Error) };
            let step = capture.step(requests);
            // Side by side: what lies between them makes every stamp of the frame late.
            let (now, clock_now) = (capture.now(), self.obj().current_clock_time());
            {
                let mut facts = lock(&self.facts);
                facts.stats = capture.stats();
                facts.size = Some(capture.size());
            }
            let name = if step.is_err() { capture.name().to_owned() } else { String::new() };
            drop(guard);
            match step {
                Ok(Step::Frame(made)) => {
                    let buffer = self.finish(made, now, clock_now);
                    gst::trace!(CAT, imp = self, "a frame: {buffer:?}");
                    return Ok(CreateSuccess::NewBuffer(buffer));
                }
                Ok(Step::Resized) => {
                    if !self.obj().negotiate() {
                        return Err(if requests.bell.is_stopping() {
                            gst::FlowError::Flushing
                        } else {
                            gst::FlowError::NotNegotiated
                        });
                    }
                }
                Ok(Step::Cursor(cursor)) => self.post_cursor(&cursor),
                Ok(Step::Stopped) => return Err(gst::FlowError::Flushing),
                Err(failed) => return Err(self.fail(&failed, &name)),
            }
        }
    }
}
