//! Shell: one running encoder with everything around it: a queue, so that it works on a thread of its own, and its
//! elements between two guarded ends. It can be taken away at any moment, even while its driver hangs: whatever hangs is
//! left behind with its thread.
//!
//! ```text
//! queue (newest frame wins) ─▶ ┌ guard ─▶ elements of the chain ─▶ guard ┐ ─▶
//! ```

use gst::{glib, prelude::*};
use gst_video::VideoInfo;
use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed, mpsc},
    thread,
    time::Duration,
};

use super::{
    CAT,
    chain::{self, Chain},
    guard::{Flow, Guard, Prepare, Report, lock},
    input::{self, Size},
    rate::{Bitrate, FrameRate},
    select::{Reason, Rejection},
    table::Row,
    throttle::Throttle,
    verdict,
    watchdog::Look,
};

/// An encoder that may not be stopped in so long is left behind.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// What is to be encoded of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The input's size, for which this is meant.
    pub of: Size,
    /// The size to encode.
    pub size: Size,
    /// The most frames per second to encode; `None` for all.
    pub max_fps: Option<u32>,
}

impl Shape {
    /// Everything.
    pub fn full(info: &VideoInfo) -> Self {
        let size = input::full_size(info);
        Self { of: size, size, max_fps: None }
    }

    /// What this means for an input, which may have changed meanwhile.
    pub fn fit(self, info: &VideoInfo) -> Self {
        let full = Self::full(info);
        if self.of == full.of { self } else { Self { max_fps: self.max_fps, ..full } }
    }
}

/// What is started.
pub struct Start {
    pub row: &'static Row,
    pub info: VideoInfo,
    pub shape: Shape,
    pub rate: Bitrate,
    /// Frames may be dropped for newer ones.
    pub is_live: bool,
    pub generation: u64,
}

/// One running encoder.
pub struct Worker {
    pub generation: u64,
    pub chain: Chain,
    queue: gst::Element,
    bin: gst::Bin,
    guard: Arc<Guard>,
    flow: Arc<Flow>,
    wanted: Arc<Mutex<Wanted>>,
    throttle: Throttle,
}

/// What the encoder is to make.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Its size and how many frames.
    pub shape: Shape,
    /// Its bit rate.
    pub rate: Bitrate,
    /// How many frames there are in a second, for the buffer that follows the rate.
    pub frame_rate: FrameRate,
}

fn not_started(error: &dyn std::fmt::Display) -> Rejection {
    Rejection::new(Reason::InitError, format!("it was proven and does not start: {error}"))
}

impl Worker {
    /// Makes and starts an encoder outside of any pipeline, and waits for it no longer than `limit`.
    pub fn start(start: Start, limit: Duration, flow: &Arc<Flow>, report: Report) -> Result<Self, Rejection> {
        let (sender, receiver) = mpsc::channel();
        let flow = flow.clone();
        let name = format!("start-{}", start.row.factory);
        let spawned = thread::Builder::new().name(name).spawn(move || {
            let worker = Self::build(&start, flow, report).and_then(Self::pause);
            // Nobody waits any longer for one that took too long; it is stopped here.
            if let Err(mpsc::SendError(Ok(late))) = sender.send(worker) {
                late.stop();
            }
        });
        spawned.map_err(|error| not_started(&error))?;
        receiver.recv_timeout(limit).unwrap_or_else(|_| {
            let text = format!("it was proven and does not start within {} ms", limit.as_millis());
            Err(Rejection::new(Reason::TimeOut, text))
        })
    }

    fn build(start: &Start, flow: Arc<Flow>, report: Report) -> Result<Self, Rejection> {
        let shape = start.shape.fit(&start.info);
        let chain = Chain::new(start.row, &start.info, shape.size, start.rate)?;
        let queue = chain::make("queue")?;
        queue.set_properties(&[
            ("max-size-buffers", &1u32),
            ("max-size-bytes", &0u32),
            ("max-size-time", &0u64),
            ("silent", &true),
        ]);
        queue.set_property_from_str("leaky", if start.is_live { "downstream" } else { "no" });
        let bin = gst::Bin::new();
        let guard = Guard::new(start.row, flow.clone(), report);
        let frame_rate = input::frame_rate(&start.info).at_most(shape.max_fps);
        let wanted = Arc::new(Mutex::new(Wanted { shape, rate: start.rate, frame_rate }));
        let throttle = Throttle::start(chain.clone(), wanted.clone()).map_err(|error| not_started(&error))?;
        let worker = Self { generation: start.generation, chain, queue, bin, guard, flow, wanted, throttle };
        worker.assemble().map_err(|error| not_started(&error))?;
        Ok(worker)
    }

    fn assemble(&self) -> Result<(), glib::BoolError> {
        self.chain.add_to(&self.bin)?;
        let (Some(first), Some(last)) = (self.chain.sink_pad(), self.chain.src_pad()) else {
            return Err(glib::bool_error!("an element without pads"));
        };
        chain::name_the_encoder(&last, self.chain.row.factory);
        self.bin.add_pad(&self.guard.sink_pad(&first, self.prepare())?)?;
        self.bin.add_pad(&self.guard.src_pad(&last)?)
    }

    /// What is done when a CAPS event reaches the encoder, behind the queue: from then on its frames are meant.
    fn prepare(&self) -> Prepare {
        let (chain, wanted) = (self.chain.clone(), self.wanted.clone());
        Box::new(move |caps| {
            let info = VideoInfo::from_caps(caps).ok()?;
            let (shape, rate, frame_rate) = {
                let mut wanted = lock(&wanted);
                let shape = wanted.shape.fit(&info);
                wanted.frame_rate = input::frame_rate(&info).at_most(shape.max_fps);
                (shape, wanted.rate, wanted.frame_rate)
            };
            chain.reconfigure(&info, shape.size);
            chain.follow_vbv(rate, frame_rate);
            let mut caps = caps.to_owned();
            caps.make_mut().set("framerate", input::fraction(frame_rate));
            Some(caps)
        })
    }

    /// Changes size or frame rate while frames flow. `caps` are the input's.
    pub fn reshape(&self, shape: Shape, caps: &gst::Caps) {
        lock(&self.wanted).shape = shape;
        // Told again, so that it comes through the queue in its turn.
        if let Some(pad) = self.sink_pad() {
            pad.send_event(gst::event::Caps::new(caps));
        }
    }

    /// What it makes of its input.
    pub fn shape(&self) -> Shape {
        lock(&self.wanted).shape
    }

    /// What changes the bit rate while frames flow.
    pub fn throttle(&self) -> Throttle {
        self.throttle.clone()
    }

    /// Opens the device, with a bus of its own, since a failure now is no failure of the stream.
    fn pause(self) -> Result<Self, Rejection> {
        let bus = gst::Bus::new();
        self.bin.set_bus(Some(&bus));
        let paused = self.bin.set_state(gst::State::Paused);
        self.bin.set_bus(None);
        if paused.is_ok() {
            return Ok(self);
        }
        let rejection =
            match bus.pop_filtered(&[gst::MessageType::Error]).as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => verdict::of_error(error),
                _ => not_started(&"it does not say why"),
            };
        self.stop();
        Err(rejection)
    }

    /// Puts it into `parent`, where it follows the state. Frames may come once the sink pad is linked.
    pub fn add_to(&self, parent: &gst::Bin) -> Result<(), glib::BoolError> {
        parent.add_many([&self.queue, self.bin.upcast_ref()])?;
        self.queue.link(&self.bin)
    }

    /// Lets it follow the state of its parent.
    pub fn follow_state(&self) -> Result<(), glib::BoolError> {
        // From the far end, so that nothing flows into an element that is not ready for it.
        self.bin.sync_state_with_parent()?;
        self.queue.sync_state_with_parent()
    }

    /// Where raw video goes in.
    pub fn sink_pad(&self) -> Option<gst::Pad> {
        self.queue.static_pad("sink")
    }

    /// Where encoded video comes out.
    pub fn src_pad(&self) -> Option<gst::Pad> {
        self.bin.static_pad("src")
    }

    /// Whether `object` is one of its elements.
    pub fn contains(&self, object: &gst::Object) -> bool {
        object == self.queue.upcast_ref::<gst::Object>() || object.has_as_ancestor(&self.bin)
    }

    /// What the watchdog must know.
    pub fn look(&self) -> Look {
        let (in_flight, usual) = {
            let journal = lock(&self.flow.journal);
            (journal.in_flight(), journal.p95(self.flow.now()))
        };
        Look {
            outputs: self.guard.outputs.load(Relaxed),
            in_flight,
            usual,
            is_taking: self.guard.is_taking.load(Relaxed),
            is_formatting: self.guard.is_formatting.load(Relaxed),
            is_giving: self.guard.is_giving.load(Relaxed),
        }
    }

    /// One of its elements has posted an error.
    pub fn fail(&self, rejection: Rejection) {
        self.guard.fail(rejection);
    }

    /// Nothing of it counts from now on, and whoever waits for it waits no more.
    pub fn retire(&self) {
        self.guard.retire();
        if let Some(pad) = self.sink_pad() {
            let _ = pad.set_active(false);
        }
    }

    /// Takes it out of `parent` and stops it on a thread of its own. With `wait`, for a while and no longer: an encoder
    /// whose driver hangs never stops.
    pub fn remove_from(self, parent: &gst::Bin, wait: bool) {
        self.retire();
        self.queue.unlink(&self.bin);
        for element in [&self.queue, self.bin.upcast_ref()] {
            element.set_locked_state(true);
            // What was never added cannot be removed.
            let _ = parent.remove(element);
        }
        let (done, stopped) = mpsc::channel::<()>();
        let factory = self.chain.row.factory;
        let spawned = thread::Builder::new().name(format!("stop-{factory}")).spawn(move || {
            self.stop();
            drop(done);
        });
        if spawned.is_ok() && wait && stopped.recv_timeout(STOP_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout)
        {
            gst::error!(
                CAT,
                "{factory} does not stop within {STOP_LIMIT:?}; it is left behind with its threads"
            );
        }
    }

    fn stop(&self) {
        for element in [&self.queue, self.bin.upcast_ref()] {
            let _ = element.set_state(gst::State::Null);
        }
    }
}
