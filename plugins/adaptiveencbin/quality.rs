//! Shell: carries out what the adaptation decides (bit rate, frame rate, size), hands it what consumers say and what the
//! bin sees of itself, and tells the application.

use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::{
    adapt::{self, Adaptation, Durations, Limits, Observation, Source, Target},
    feedback::Feedback,
    guard::lock,
    imp::{AdaptiveEncBin, Phase},
    input::{self, Size},
    rate::Bitrate,
    supervisor::Run,
    taken,
    worker::Shape,
};

fn source(info: &VideoInfo) -> Source {
    let Size { width, height } = input::full_size(info);
    Source { width, height, frame_rate: input::frame_rate(info) }
}

/// What the application was told last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    source: Size,
    shape: adapt::Shape,
    limitation: adapt::Limitation,
}

/// A size that the running encoder must be proven at before it may be used.
pub struct Unproven {
    pub generation: u64,
    pub caps: gst::Caps,
}

impl AdaptiveEncBin {
    fn limits(&self) -> Limits {
        lock(&self.settings).limits
    }

    /// The bit rate to ask an encoder for now.
    pub fn rate(&self) -> Bitrate {
        let run = lock(&self.state).run.clone();
        let asked = run.and_then(|run| Some(lock(&run.adaptation).as_ref()?.asked()));
        asked.unwrap_or_else(|| self.limits().rate.granted())
    }

    /// What is to be made of this input now.
    pub fn shape(&self, run: &Run, info: &VideoInfo) -> Shape {
        let target = lock(&run.adaptation).as_ref().map(|adaptation| adaptation.target().shape);
        let full = Shape::full(info);
        target.map_or(full, |target| Shape {
            of: full.of,
            size: Size { width: target.width, height: target.height },
            max_fps: target.max_fps,
        })
    }

    /// Frames of this kind come in from now on.
    pub fn source_arrived(&self, run: &Run, info: &VideoInfo) {
        let now = run.flow.now();
        let limits = self.limits();
        match &mut *lock(&run.adaptation) {
            Some(adaptation) => adaptation.set_source(source(info), now),
            adaptation => *adaptation = Some(Adaptation::new(source(info), limits, now)),
        }
    }

    /// The application has changed a limit.
    pub fn limits_changed(&self) {
        let run = lock(&self.state).run.clone();
        let limits = self.limits();
        if let Some(run) = run {
            if let Some(adaptation) = &mut *lock(&run.adaptation) {
                adaptation.set_limits(limits, run.flow.now());
            }
            self.follow_rate(&run);
        }
    }

    /// An event from downstream; true if it was for us alone.
    pub fn hear(&self, event: &gst::Event) -> bool {
        let gst::EventView::CustomUpstream(custom) = event.view() else { return false };
        if let Some(taken) = custom.structure().and_then(taken::from_structure) {
            *lock(&self.taken) = taken;
            return true;
        }
        let Some(feedback) = custom.structure().and_then(Feedback::from_structure) else { return false };
        let Some(run) = lock(&self.state).run.clone() else { return true };
        let now = run.flow.now();
        let is_prompt =
            lock(&run.adaptation).as_mut().is_some_and(|adaptation| adaptation.feedback(&feedback, now));
        // A source that can wait is encoded without regard to consumers.
        if is_prompt && lock(&self.state).is_live {
            self.follow_rate(&run);
        }
        true
    }

    /// Looks at everything, and follows. Some encoders must be proven at a new size first.
    pub fn adapt(&self, run: &Arc<Run>, cpu: Option<f64>) -> Option<Unproven> {
        // A source that can wait is encoded as fast as the machine can, and every frame of it.
        if !lock(&self.state).is_live {
            return None;
        }
        let now = run.flow.now();
        *lock(&run.cpu) = cpu;
        let encode_time = lock(&run.flow.journal).p95(now);
        let target = {
            let mut adaptation = lock(&run.adaptation);
            let adaptation = adaptation.as_mut()?;
            let observation = Observation {
                frames_in: run.flow.frames_in.load(Relaxed),
                frames_out: run.flow.frames_encoded.load(Relaxed),
                bytes_out: run.flow.bytes_encoded.load(Relaxed),
                encode_time,
                cpu,
            };
            adaptation.observe(&observation, now);
            adaptation.target()
        };
        self.follow_rate(run);
        let unproven = self.follow_shape(run);
        // What is made may lag behind what is wanted, while a size is proven.
        let (source, made) = match &lock(&self.state).phase {
            Phase::Working(work) => (input::full_size(&work.info), work.shape.fit(&work.info)),
            _ => return unproven,
        };
        let Size { width, height } = made.size;
        let shape = adapt::Shape { width, height, max_fps: made.max_fps };
        self.tell(run, source, &Target { shape, ..target });
        unproven
    }

    /// Tells the encoder the rate, if there is one and it is worth it.
    pub fn follow_rate(&self, run: &Run) {
        let mut written = lock(&self.written);
        let wanted = self.rate();
        let running = match &lock(&self.state).phase {
            Phase::Working(work) => Some((work.worker.throttle(), work.info.clone())),
            _ => None,
        };
        if let (Some((throttle, info)), Some(writer)) = (running, written.as_mut())
            && writer.due(wanted, run.flow.now())
        {
            throttle.write(wanted, &info);
        }
    }

    /// Changes size and frame rate of what is encoded, if that is due.
    fn follow_shape(&self, run: &Arc<Run>) -> Option<Unproven> {
        // Whoever has the turn puts in an encoder that has the right shape from the start.
        let _turn = self.turn.try_lock().ok()?;
        let info = match &lock(&self.state).phase {
            Phase::Working(work) => work.info.clone(),
            _ => return None,
        };
        let mut shape = self.shape(run, &info);
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let Phase::Working(work) = &mut state.phase else { return None };
        let mut unproven = None;
        let scaled = input::scaled(&work.info, shape.size);
        if scaled.as_ref().is_some_and(|scaled| work.proven.must_prove(work.worker.chain.row, scaled)) {
            let caps = scaled.and_then(|scaled| scaled.to_caps().ok());
            unproven = caps
                .filter(|_| !work.refused.contains(&shape.size))
                .map(|caps| Unproven { generation: work.generation, caps });
            shape.size = work.shape.size;
        }
        let is_paced_anew = state.pacer.limit(shape.max_fps);
        let is_resized = work.shape.size != shape.size;
        if work.shape != shape {
            work.shape = shape;
            work.renewals += 1;
            work.worker.reshape(shape, &work.caps);
        }
        drop(guard);
        if is_paced_anew {
            self.throttle_source(shape.max_fps);
        }
        if is_resized {
            self.wake_source();
        }
        unproven
    }

    /// Tells the source how many frames are wanted, so that it captures no more. One that does not listen is thinned out
    /// by the pacer.
    pub fn throttle_source(&self, max_fps: Option<u32>) {
        let interval = max_fps
            .filter(|&fps| fps > 0)
            .map_or(0, |fps| gst::ClockTime::SECOND.nseconds() / u64::from(fps));
        let interval = i64::try_from(interval).unwrap_or(0);
        let now = self.obj().current_running_time().unwrap_or_default();
        self.sink_pad.push_event(gst::event::Qos::new(gst::QOSType::Throttle, 1.0, interval, now));
    }

    /// Asks the source for its present frame, which a source that only wakes on damage would not give by itself.
    pub fn wake_source(&self) {
        self.sink_pad.push_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
    }

    /// The running encoder was proven at another size, or not.
    pub fn size_proven(&self, size: &Unproven, works: bool) {
        let Ok(info) = VideoInfo::from_caps(&size.caps) else { return };
        if let Phase::Working(work) = &mut lock(&self.state).phase
            && work.generation == size.generation
        {
            if works {
                work.proven.extend(&info);
            } else {
                work.refused.push(input::full_size(&info));
            }
        }
    }

    fn tell(&self, run: &Run, source: Size, target: &Target) {
        let now = Told { source, shape: target.shape, limitation: target.limitation };
        if lock(&run.told).replace(now) == Some(now) {
            return;
        }
        let message = gst::Structure::builder("vdi-quality")
            .field("reason", target.limitation.as_str())
            .field("source-width", source.width)
            .field("source-height", source.height)
            .field("width", target.shape.width)
            .field("height", target.shape.height)
            .field("max-framerate", f64::from(target.shape.max_fps.unwrap_or(0)))
            .field("bitrate", u64::from(target.bitrate.bps()))
            .build();
        let obj = self.obj();
        let _ = obj.post_message(gst::message::Element::builder(message).src(&*obj).build());
    }

    /// The `stats` property.
    pub fn stats(&self) -> gst::Structure {
        let (run, is_live, last_switch) = {
            let state = lock(&self.state);
            (state.run.clone(), state.is_live, state.last_switch.clone())
        };
        let mut stats = gst::Structure::builder("application/x-vdi-encoder-stats")
            .field("encoder-switches", self.switches.load(Relaxed))
            .field_if_some("last-switch", last_switch);
        let working = match &lock(&self.state).phase {
            Phase::Working(work) => {
                Some((work.worker.chain.row, input::full_size(&work.info), work.shape.fit(&work.info)))
            }
            _ => None,
        };
        if let Some((row, source, shape)) = working {
            stats = stats
                .field("encoder", row.factory)
                .field("hardware", row.hardware)
                .field("codec", row.codec.name())
                .field("chroma-format", row.chroma_format.as_str())
                .field("source-width", source.width)
                .field("source-height", source.height)
                .field("frame-width", shape.size.width)
                .field("frame-height", shape.size.height)
                .field("max-framerate", f64::from(shape.max_fps.unwrap_or(0)));
        }
        let Some(run) = run else { return stats.build() };
        let now = run.flow.now();
        let (frames_per_second, total, p95, inside) = {
            let journal = lock(&run.flow.journal);
            (journal.frames_per_second(now), journal.total(), journal.p95(now), journal.inside())
        };
        let (frames_in, encoded) = (run.flow.frames_in.load(Relaxed), run.flow.frames_encoded.load(Relaxed));
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        stats = stats
            .field("frames-per-second", frames_per_second as f64)
            .field("frames-encoded", encoded)
            .field("key-frames-encoded", run.flow.key_frames_encoded.load(Relaxed))
            .field("frames-dropped", frames_in.saturating_sub(encoded + inside as u64))
            .field("total-encode-time", ns(total))
            .field("encode-time", ns(p95.unwrap_or_default()))
            .field("cpu-usage", lock(&run.cpu).filter(|_| is_live).unwrap_or(-1.0));
        if let Some(adaptation) = &*lock(&run.adaptation) {
            let target = adaptation.target();
            stats = stats
                .field("target-bitrate", u64::from(target.bitrate.bps()))
                .field("latency", ns(adaptation.latency().unwrap_or_default()))
                .field("quality-limitation-reason", target.limitation.as_str())
                .field("quality-limitation-durations", durations(&adaptation.durations(now)))
                .field("quality-limitation-resolution-changes", adaptation.resolution_changes());
        }
        stats.build()
    }
}

fn durations(durations: &Durations) -> gst::Structure {
    gst::Structure::builder("durations")
        .field("none", durations.none)
        .field("cpu", durations.cpu)
        .field("bandwidth", durations.bandwidth)
        .field("latency", durations.latency)
        .build()
}

/// The pad behind the encoders: it hears what is meant for the bin, and keeps from those who come after it what every
/// encoder says at its beginning.
pub fn src_pad(template: &gst::PadTemplate) -> gst::GhostPad {
    fn bin(parent: Option<&gst::Object>) -> Option<super::AdaptiveEncBin> {
        parent?.downcast_ref::<super::AdaptiveEncBin>().cloned()
    }
    gst::GhostPad::builder_from_template(template)
        .event_function(|pad, parent, event| {
            let bin = bin(parent);
            if bin.as_ref().is_some_and(|bin| bin.imp().hear(&event)) {
                return true;
            }
            let wants_frame = gst_video::UpstreamForceKeyUnitEvent::parse(&event).is_ok();
            let is_taken = gst::Pad::event_default(pad, parent, event);
            // Encoders keep this event to themselves, and without a frame there is nothing to make a key frame of.
            if let Some(bin) = bin.filter(|_| wants_frame) {
                bin.imp().wake_source();
            }
            is_taken
        })
        .proxy_pad_event_function(|pad, parent, event| {
            let ghost = parent.and_then(|ghost| ghost.parent());
            let is_news = bin(ghost.as_ref()).is_none_or(|bin| bin.imp().is_news(&event));
            !is_news || gst::Pad::event_default(pad, parent, event)
        })
        .build()
}
