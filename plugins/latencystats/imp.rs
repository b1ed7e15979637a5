//! Shell: the GstBaseTransform around [`Window`]; reads the pipeline's clock, owns the properties, posts the figures.
//! It refuses to touch a buffer.

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::{prelude::BaseTransformExtManual, subclass::prelude::*};
use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{cadence::Cadence, legs::Legs};
use crate::{
    latency::{
        figures::Figures,
        window::{Precision, Window},
    },
    stage::Stamps,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "latencystats",
        gst::DebugColorFlags::empty(),
        Some("Age of buffers since capture"),
    )
});

const DEFAULT_WINDOW_MS: u32 = 5000;
const DEFAULT_INTERVAL_MS: u32 = 1000;

/// A window of ten minutes or more is a session's summary, not a measurement of now.
const MAX_WINDOW_MS: u32 = 600_000;

struct Settings {
    window: Duration,
    interval: Duration,
    silent: bool,
    /// What the application calls the element's place.
    stage: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_millis(DEFAULT_WINDOW_MS.into()),
            interval: Duration::from_millis(DEFAULT_INTERVAL_MS.into()),
            silent: true,
            stage: None,
        }
    }
}

struct State {
    window: Window,
    /// The ways behind the buffers.
    legs: Legs,
    /// When the next report is due.
    cadence: Cadence,
    /// Running time of the last counted buffer: `stats` answers for this moment when the clock is gone.
    last_seen: Duration,
    /// Whether a buffer was counted since the last report.
    unreported: bool,
    /// The last report in words.
    last_message: Option<String>,
}

impl State {
    fn new(window: Duration) -> Self {
        Self {
            window: Window::new(window, Precision::PerMille),
            legs: Legs::new(window),
            cadence: Cadence::default(),
            last_seen: Duration::ZERO,
            unreported: false,
            last_message: None,
        }
    }
}

pub struct LatencyStats {
    settings: Mutex<Settings>,
    state: Mutex<State>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is told of the window at one moment.
struct Report {
    /// The element's place.
    stage: Option<String>,
    /// Ages of the buffers.
    age: Figures,
    /// Legs of the ways behind them.
    legs: Vec<(&'static str, Figures)>,
    window: Duration,
}

impl Report {
    fn structure(&self, name: &str) -> gst::Structure {
        let mut stages = gst::Structure::builder("application/x-vdi-latency-stages");
        for (name, figures) in &self.legs {
            stages = stages.field(*name, figures.structure("figures"));
        }
        self.age
            .fields(gst::Structure::builder(name))
            .field("window", u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX))
            .field_if_some("stage", self.stage.as_ref())
            .field("stages", stages.build())
            .build()
    }

    fn words(&self) -> String {
        let ms = |ns: u64| ns as f64 / 1e6;
        let (age, place) = (&self.age, self.stage.as_ref().map(|stage| format!(" at \"{stage}\"")));
        let mut words = format!(
            "latency{} of {} buffers in {:.1} s: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, max {:.1} ms, mean {:.1} ms",
            place.unwrap_or_default(),
            age.count,
            self.window.as_secs_f64(),
            ms(age.p50_ns),
            ms(age.p95_ns),
            ms(age.p99_ns),
            ms(age.max_ns),
            ms(age.mean_ns),
        );
        for (n, (leg, figures)) in self.legs.iter().enumerate() {
            let before = if n == 0 { "; p50/p95 of the legs: " } else { ", " };
            words += &format!("{before}{leg} {:.1}/{:.1} ms", ms(figures.p50_ns), ms(figures.p95_ns));
        }
        words
    }
}

impl LatencyStats {
    /// The pipeline's running time; none without a clock.
    fn running_time(&self) -> Option<Duration> {
        self.obj().current_running_time().map(Into::into)
    }

    /// What the window holds at `now`.
    fn look(&self, state: &mut State, stage: Option<String>, now: Duration) -> Report {
        Report {
            stage,
            age: state.window.figures(now),
            legs: state.legs.figures(now),
            window: state.window.length(),
        }
    }

    fn look_now(&self) -> Report {
        let (now, stage) = (self.running_time(), lock(&self.settings).stage.clone());
        let mut state = lock(&self.state);
        let now = now.unwrap_or(state.last_seen).max(state.last_seen);
        self.look(&mut state, stage, now)
    }

    /// Tells the application what the window holds at `now`.
    fn report(&self, now: Duration, silent: bool) {
        let stage = lock(&self.settings).stage.clone();
        let report = {
            let mut state = lock(&self.state);
            state.unreported = false;
            let report = self.look(&mut state, stage, now);
            state.last_message = Some(report.words());
            report
        };
        gst::debug!(CAT, imp = self, "{}", report.words());
        if !silent {
            self.obj().notify("last-message");
        }
        let message = report.structure("vdi-latency-stats");
        let _ = self.obj().post_message(gst::message::Element::builder(message).src(&*self.obj()).build());
    }

    /// Running time now and the buffer's age, if both can be told.
    fn age(&self, buffer: &gst::BufferRef) -> Option<(Duration, Duration)> {
        let pts = buffer.pts()?;
        // The segment, never the raw PTS: encoders shift both by an arbitrary time.
        let segment = self.obj().segment().downcast::<gst::ClockTime>().ok()?;
        let captured = segment.to_running_time_full(pts)?;
        let now = self.obj().current_running_time()?;
        let age = match captured {
            gst::Signed::Positive(captured) => now.saturating_sub(captured),
            gst::Signed::Negative(before) => now.saturating_add(before),
        };
        Some((now.into(), age.into()))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for LatencyStats {
    const NAME: &'static str = "GstVdiLatencyStats";
    type Type = super::LatencyStats;
    type ParentType = gst_base::BaseTransform;

    fn new() -> Self {
        let settings = Settings::default();
        Self { state: Mutex::new(State::new(settings.window)), settings: Mutex::new(settings) }
    }
}

impl ObjectImpl for LatencyStats {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecUInt::builder("window")
                    .nick("Window")
                    .blurb("Length of the sliding window in ms; a new length starts an empty window")
                    .minimum(1)
                    .maximum(MAX_WINDOW_MS)
                    .default_value(DEFAULT_WINDOW_MS)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("interval")
                    .nick("Interval")
                    .blurb("Time between vdi-latency-stats messages in ms (0 = none)")
                    .default_value(DEFAULT_INTERVAL_MS)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("silent")
                    .nick("Silent")
                    .blurb("Do not notify last-message")
                    .default_value(true)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecString::builder("last-message")
                    .nick("Last message")
                    .blurb("The figures of the last interval in words")
                    .read_only()
                    .build(),
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("count, min, mean, p50, p95, p99, max and window now, in ns (count: buffers); stages: the same of each leg of the ways behind the buffers, as far as they are stamped")
                    .read_only()
                    .build(),
                glib::ParamSpecString::builder("stage")
                    .nick("Stage")
                    .blurb("Name of the element's place, for messages and last-message")
                    .mutable_playing()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let ms = || value.get().map(|ms: u32| Duration::from_millis(ms.into()));
        let mut settings = lock(&self.settings);
        match pspec.name() {
            "window" => {
                if let Ok(window) = ms() {
                    settings.window = window;
                    let mut state = lock(&self.state);
                    state.window = Window::new(window, Precision::PerMille);
                    state.legs = Legs::new(window);
                }
            }
            "interval" => settings.interval = ms().unwrap_or(settings.interval),
            "stage" => settings.stage = value.get().unwrap_or_default(),
            _ => settings.silent = value.get().unwrap_or(settings.silent),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let ms = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).to_value();
        match pspec.name() {
            "window" => ms(lock(&self.settings).window),
            "interval" => ms(lock(&self.settings).interval),
            "silent" => lock(&self.settings).silent.to_value(),
            "last-message" => lock(&self.state).last_message.to_value(),
            "stage" => lock(&self.settings).stage.to_value(),
            _ => self.look_now().structure("application/x-vdi-latency-stats").to_value(),
        }
    }
}

impl GstObjectImpl for LatencyStats {}

impl ElementImpl for LatencyStats {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Latency statistics",
                "Generic/Analyzer",
                "Passes buffers through and tells percentiles of their age since capture over a sliding window",
                "The gst-vdi authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(|(name, direction)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &gst::Caps::new_any())
                        .ok()
                })
                .collect()
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for LatencyStats {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = true;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = true;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let window = lock(&self.settings).window;
        *lock(&self.state) = State::new(window);
        Ok(())
    }

    fn transform_ip_passthrough(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let Some((now, age)) = self.age(buffer) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let (interval, silent) = {
            let settings = lock(&self.settings);
            (settings.interval, settings.silent)
        };
        let stamps = Stamps::of(buffer);
        let here = self.obj().current_clock_time();
        let due = {
            let mut state = lock(&self.state);
            state.window.record(now, age);
            if let Some(here) = here {
                state.legs.record(&stamps, here, now);
            }
            state.last_seen = now;
            state.unreported = true;
            state.cadence.is_due(now, interval)
        };
        gst::trace!(CAT, imp = self, "a buffer of age {age:?}");
        if due {
            self.report(now, silent);
        }
        Ok(gst::FlowSuccess::Ok)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Eos(_) => {
                let (wanted, silent) = {
                    let settings = lock(&self.settings);
                    (!settings.interval.is_zero(), settings.silent)
                };
                let (unreported, now) = {
                    let state = lock(&self.state);
                    (state.unreported, state.last_seen)
                };
                if wanted && unreported {
                    self.report(now, silent);
                }
            }
            gst::EventView::FlushStop(_) => {
                let mut state = lock(&self.state);
                state.window.clear();
                state.legs.clear();
                state.cadence = Cadence::default();
                state.last_seen = Duration::ZERO;
                state.unreported = false;
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }
}
