//! Shell: puts encoders in and takes them out, while the stream runs, as [`Selection`] and [`Failover`] decide, and
//! tells the application each time. One thread at a time has the turn.

use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;
use std::sync::{Arc, atomic::Ordering::Relaxed};
use vdi_protocol::reason::FailureReason;

use super::{
    CAT,
    codec::{ChromaFormat, Codec, CodecChoice},
    failover::FAILURES_IN_A_ROW,
    guard::lock,
    imp::{AdaptiveEncBin, Phase, Work},
    input::ProvenSizes,
    proof::{self, Outcome},
    rate::Writer,
    select::{AUTO, EncoderPolicy, Reason, Rejection, Selection, SettingsError},
    supervisor::{News, Run},
    table::Row,
    worker::{Shape, Start, Worker},
};
use crate::on_demand;

/// Why an encoder was put in.
pub enum Cause<'a> {
    /// It is the first.
    Start,
    /// The one before does not take what comes in now.
    Renegotiation(&'static Row),
    /// The one before has failed.
    Failure(&'static Row, &'a Rejection),
    /// It had failed, was proven again and is better than the one before.
    Recovered(&'static Row),
    /// Other colours are wanted of the same encoder.
    ChromaFormat(&'static Row),
}

impl Cause<'_> {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Renegotiation(_) => "renegotiation",
            Self::Failure(_, rejection) => rejection.reason.as_str(),
            Self::Recovered(_) => "recovered",
            Self::ChromaFormat(_) => "chroma-format",
        }
    }

    fn previous(&self) -> Option<&'static Row> {
        match self {
            Self::Start => None,
            Self::Renegotiation(row)
            | Self::Failure(row, _)
            | Self::Recovered(row)
            | Self::ChromaFormat(row) => Some(row),
        }
    }

    fn sentence(&self, row: &Row) -> Option<String> {
        Some(match self {
            Self::Start => return None,
            Self::Renegotiation(before) => {
                format!("{} does not take the new size; {} takes over.", before.name(), row.name())
            }
            Self::Failure(before, rejection) => format!(
                "{} failed ({}: {}); {} takes over.",
                before.name(),
                rejection.reason.as_str(),
                rejection.message,
                row.name()
            ),
            Self::Recovered(before) => {
                format!("{} works again and takes over from {}.", row.name(), before.name())
            }
            Self::ChromaFormat(_) => match row.chroma_format {
                ChromaFormat::Full => format!("{} makes 4:4:4, which all consumers take.", row.factory),
                ChromaFormat::Half => format!("{} makes 4:2:0, since not all take 4:4:4.", row.factory),
            },
        })
    }
}

/// How looking for an encoder ended without one.
enum Without {
    /// None works.
    AnyThatWorks,
    /// Nobody wants one any more.
    NeedOfOne,
}

fn structure_of(rejection: &Rejection) -> gst::Structure {
    gst::Structure::builder("rejection")
        .field("reason", rejection.reason.as_str())
        .field("message", &rejection.message)
        .field("age", rejection.age.as_nanos() as u64)
        .build()
}

impl AdaptiveEncBin {
    pub fn new_selection(&self) -> Result<Selection, SettingsError> {
        let taken = lock(&self.state).codec;
        let settings = lock(&self.settings);
        let is_free = settings.codec == CodecChoice::Auto && settings.encoder == AUTO;
        let codec = taken.filter(|_| is_free).map_or(settings.codec, CodecChoice::from);
        let chroma_format = settings.chroma_format.least(*lock(&self.taken));
        Selection::new(settings.table, &settings.encoder, codec, settings.policy, chroma_format)
    }

    pub fn prove(&self, row: &'static Row, caps: &gst::Caps) -> Outcome {
        let (timeout, cache) = {
            let settings = lock(&self.settings);
            (settings.proof_timeout, settings.proof_cache.clone())
        };
        proof::prove(row, caps, self.rate(), timeout, &self.cancel, cache.as_deref())
    }

    /// Chooses among all encoders for new input, in place of the one before. The caller has the turn.
    pub fn choose(&self, run: &Arc<Run>, caps: &gst::Caps, info: &VideoInfo) {
        let before = self.take_out(false);
        let mut latency = gst::query::Latency::new();
        let is_live = self.sink_pad.peer_query(&mut latency) && latency.result().0;
        let is_on_demand = self.sink_pad.peer_query(&mut on_demand::question());
        let taken = self.src_pad.peer_query_caps(None);
        let codec = Codec::first_in(&taken);
        {
            let mut state = lock(&self.state);
            state.is_live = is_live;
            state.is_on_demand = is_on_demand;
            state.codec = codec;
        }
        let mut selection = match self.new_selection() {
            Ok(selection) => selection,
            Err(error) => return self.fail(FailureReason::ConfigInvalid, &error.to_string()),
        };
        if !taken.can_intersect(&selection.codec().caps(&[])) {
            let text = format!("The encoder is to make {}, and downstream takes {taken}.", selection.codec());
            return self.fail(FailureReason::PipelineError, &text);
        }
        lock(&self.state).rejections = None;
        let candidates = selection.candidates().to_vec();
        match self
            .put_in_first(run, &candidates, caps, info, |row, rejection| selection.reject(row, rejection))
        {
            Ok(row) => {
                self.announce(row, &before.map_or(Cause::Start, Cause::Renegotiation));
                if let Some(text) = selection.warning(row) {
                    self.warn(&text, "vdi-software-taken");
                }
                self.ask_for_format(row, info);
            }
            Err(Without::NeedOfOne) => {}
            Err(Without::AnyThatWorks) => {
                let policy = lock(&self.settings).policy;
                let hardware = if policy == EncoderPolicy::RequireHardware { "hardware " } else { "" };
                let text = format!(
                    "No {hardware}{} encoder works ({}).",
                    selection.codec(),
                    selection.summary(false)
                );
                self.fail(policy.failure(), &text);
            }
        }
    }

    /// The encoder of this generation has failed: the next one takes over.
    pub fn fail_over(&self, run: &Arc<Run>, generation: u64, rejection: &Rejection) {
        let _turn = lock(&self.turn);
        if self.cancel.is_cancelled() {
            return;
        }
        let (caps, info) = match &lock(&self.state).phase {
            Phase::Working(work) if work.generation == generation => (work.caps.clone(), work.info.clone()),
            // It was replaced already: encoders repeat their errors.
            _ => return,
        };
        let Some(before) = self.take_out(false) else { return };
        let now = run.flow.now();
        self.keep_rejection(before, rejection);
        let goes_on = lock(&run.failover).failed(before, rejection.reason == Reason::TimeOut, now);
        let policy = lock(&self.settings).policy;
        let selection = self.new_selection();
        let why = format!("{}: {}, {}", before.name(), rejection.reason.as_str(), rejection.message);
        if !goes_on {
            let text = format!(
                "{FAILURES_IN_A_ROW} encoders in a row failed while encoding, the last of them {why}."
            );
            return self.fail(policy.failure(), &text);
        }
        let candidates = selection.map(|selection| selection.candidates().to_vec()).unwrap_or_default();
        let order = lock(&run.failover).order(&candidates, now);
        let mut rejected = vec![why];
        let put_in = self.put_in_first(run, &order, &caps, &info, |row, rejection| {
            rejected.push(format!("{}: {}", row.name(), rejection.reason.as_str()));
        });
        match put_in {
            Ok(row) => {
                self.switches.fetch_add(1, Relaxed);
                let cause = Cause::Failure(before, rejection);
                self.announce(row, &cause);
                self.warn(&cause.sentence(row).unwrap_or_default(), "vdi-fail-over");
                // What was on its way when the encoder failed is lost, but not the newest picture.
                self.push_last(run);
                self.ask_for_format(row, &info);
            }
            Err(Without::NeedOfOne) => {}
            Err(Without::AnyThatWorks) => {
                let text = format!("The encoder failed, and no other works ({}).", rejected.join("; "));
                self.fail(policy.failure(), &text);
            }
        }
    }

    /// A better encoder works again, or another kind of the same one is wanted and works.
    pub fn come_back(&self, run: &Arc<Run>, row: &'static Row) {
        let _turn = lock(&self.turn);
        if self.cancel.is_cancelled() {
            return;
        }
        let (before, caps, info) = match &lock(&self.state).phase {
            Phase::Working(work) => (work.worker.chain.row, work.caps.clone(), work.info.clone()),
            _ => return,
        };
        // The running one goes on until the other is ready.
        match self.start(run, row, &info) {
            Ok(worker) => {
                self.take_out(false);
                if let Err(rejection) = self.put_in(run, worker, &caps, &info) {
                    // Both are out now: back to the one that worked.
                    gst::warning!(CAT, imp = self, "{}: {}", row.factory, rejection.message);
                    lock(&run.failover).rest(row, false, run.flow.now());
                    if self.put_in_first(run, &[before], &caps, &info, |_, _| {}).is_err() {
                        let policy = lock(&self.settings).policy;
                        let text = format!(
                            "{} did not come back, and {} does not start again.",
                            row.factory, before.factory
                        );
                        self.fail(policy.failure(), &text);
                    }
                    return;
                }
                if let Some(rejections) = &mut lock(&self.state).rejections {
                    rejections.remove_field(row.name().as_ref());
                }
                lock(&run.failover).returned(row, run.flow.now());
                let is_kind = row.factory == before.factory;
                self.switches.fetch_add(u32::from(!is_kind), Relaxed);
                let cause = if is_kind { Cause::ChromaFormat } else { Cause::Recovered };
                self.announce(row, &cause(before));
                self.push_last(run);
                self.ask_for_format(row, &info);
            }
            Err(rejection) => {
                let hung = rejection.reason == Reason::TimeOut;
                gst::info!(CAT, imp = self, "{} stays away: {}", row.factory, rejection.message);
                lock(&run.failover).rest(row, hung, run.flow.now());
            }
        }
    }

    /// Lets the source negotiate again if it could save a conversion: its frames have more colours than are encoded, or
    /// fewer.
    fn ask_for_format(&self, row: &Row, info: &VideoInfo) {
        let is_full = info.format() == gst_video::VideoFormat::Y444;
        if info.is_yuv() && is_full != (row.chroma_format == ChromaFormat::Full) {
            self.sink_pad.push_event(gst::event::Reconfigure::new());
            self.wake_source();
        }
    }

    /// The kind of the running encoder that is wanted now, if that is another one and may be tried.
    pub fn wanted_kind(&self, run: &Run, running: &'static Row) -> Option<&'static Row> {
        let selection = self.new_selection().ok()?;
        let mut kinds = selection.candidates().iter().filter(|row| row.factory == running.factory);
        let wanted = kinds.next()?;
        let may_try = lock(&run.failover).may_try(wanted, run.flow.now());
        (!wanted.is(running) && may_try).then_some(wanted)
    }

    /// Proves the rows one after the other, and puts the first one in that works.
    fn put_in_first(
        &self,
        run: &Arc<Run>,
        rows: &[&'static Row],
        caps: &gst::Caps,
        info: &VideoInfo,
        mut rejected: impl FnMut(&'static Row, Rejection),
    ) -> Result<&'static Row, Without> {
        proof::load_software(rows, info, self.rate());
        for row in rows {
            let ended = match self.prove(row, caps) {
                Outcome::Proven => {
                    self.start(run, row, info).and_then(|worker| self.put_in(run, worker, caps, info))
                }
                Outcome::Rejected(rejection) => Err(rejection),
                Outcome::Cancelled => return Err(Without::NeedOfOne),
            };
            let Err(rejection) = ended else { return Ok(row) };
            // A machine without a device gets none while the stream runs.
            if rejection.reason.is_transient() && rejection.reason != Reason::NoDevice {
                let hung = rejection.reason == Reason::TimeOut;
                lock(&run.failover).rest(row, hung, run.flow.now());
            } else if row.chroma_format == ChromaFormat::Full {
                lock(&run.failover).dismiss(row);
            }
            self.keep_rejection(row, &rejection);
            rejected(row, rejection);
        }
        Err(Without::AnyThatWorks)
    }

    fn start(&self, run: &Arc<Run>, row: &'static Row, info: &VideoInfo) -> Result<Worker, Rejection> {
        let generation = self.generation.fetch_add(1, Relaxed) + 1;
        let news = run.news.clone();
        let report = Box::new(move |rejection| {
            // Without a supervisor nobody cares.
            let _ = news.send(News::Failed { generation, rejection });
        });
        let limit = proof::limit(row, lock(&self.settings).proof_timeout);
        let is_live = lock(&self.state).is_live;
        // Hardware was proven at full size only; it is given another when it has been proven there.
        let wanted = self.shape(run, info);
        let size = if row.hardware { Shape::full(info).size } else { wanted.size };
        let shape = Shape { size, ..wanted };
        if lock(&self.state).pacer.limit(shape.max_fps) {
            self.throttle_source(shape.max_fps);
        }
        let start = Start { row, info: info.clone(), shape, rate: self.rate(), is_live, generation };
        Worker::start(start, limit, &run.flow, report)
    }

    /// Puts a started encoder in; the one before is out.
    fn put_in(
        &self,
        run: &Arc<Run>,
        worker: Worker,
        caps: &gst::Caps,
        info: &VideoInfo,
    ) -> Result<(), Rejection> {
        let mut written = lock(&self.written);
        let rate = self.rate();
        worker.throttle().write(rate, info);
        if let Err(error) = self.link(&worker) {
            drop(written);
            self.unlink();
            worker.remove_from(self.obj().upcast_ref(), false);
            return Err(Rejection::new(
                Reason::InitError,
                format!("it was proven and does not start: {error}"),
            ));
        }
        let mut writer = Writer::new(worker.chain.row.rate.cost);
        writer.wrote(rate, run.flow.now());
        *written = Some(writer);
        drop(written);
        lock(&run.failover).started(run.flow.now());
        let generation = worker.generation;
        let proven = ProvenSizes::new(info);
        let shape = worker.shape();
        let work = Work {
            worker,
            generation,
            caps: caps.clone(),
            info: info.clone(),
            proven,
            shape,
            refused: Vec::new(),
            renewals: 0,
        };
        lock(&self.state).phase = Phase::Working(Box::new(work));
        Ok(())
    }

    fn link(&self, worker: &Worker) -> Result<(), gst::glib::BoolError> {
        let (Some(sink), Some(src)) = (worker.sink_pad(), worker.src_pad()) else {
            return Err(gst::glib::bool_error!("an element without pads"));
        };
        worker.add_to(self.obj().upcast_ref())?;
        self.src_pad.set_target(Some(&src))?;
        worker.follow_state()?;
        self.sink_pad.set_target(Some(&sink))
    }

    fn unlink(&self) {
        // Without a target both pads stand still, whatever the old encoder does.
        for pad in [&self.sink_pad, &self.src_pad] {
            if let Err(error) = pad.set_target(None::<&gst::Pad>) {
                gst::warning!(CAT, imp = self, "{error}");
            }
        }
    }

    /// Takes the running encoder out; frames are dropped until there is another. With `wait`, waits a while for it to
    /// stop.
    pub fn take_out(&self, wait: bool) -> Option<&'static Row> {
        let work = {
            let mut state = lock(&self.state);
            match std::mem::replace(&mut state.phase, Phase::Switching) {
                Phase::Working(work) => work,
                other => {
                    state.phase = other;
                    return None;
                }
            }
        };
        let row = work.worker.chain.row;
        work.worker.retire();
        self.unlink();
        work.worker.remove_from(self.obj().upcast_ref(), wait);
        Some(row)
    }

    /// Gives the new encoder the newest picture, if the one before has not sent it, and the end, if it was there.
    fn push_last(&self, run: &Arc<Run>) {
        let last = lock(&self.state).last.clone();
        let running_time = last.as_ref().and_then(|last| self.running_time(last));
        let unsent = running_time.is_some_and(|time| lock(&run.flow.journal).is_inside(time));
        run.flow.forget_inside();
        if let (Some(last), Some(running_time), true) = (last, running_time, unsent) {
            lock(&run.flow.journal).came_in(running_time, run.flow.now());
            let _ = gst::ProxyPad::chain_default(&self.sink_pad, Some(&*self.obj()), last);
        }
        // Whoever begins begins coarsely; a source that has fallen silent gives the frames that sharpen it.
        self.wake_source();
        if self.sink_pad.sticky_event::<gst::event::Eos>(0).is_some() {
            gst::Pad::event_default(&self.sink_pad, Some(&*self.obj()), gst::event::Eos::new());
        }
    }

    fn keep_rejection(&self, row: &Row, rejection: &Rejection) {
        let mut state = lock(&self.state);
        let rejections =
            state.rejections.get_or_insert_with(|| gst::Structure::new_empty("application/x-vdi-rejections"));
        rejections.set(row.name().as_ref(), structure_of(rejection));
    }

    /// Tells everyone who encodes from now on.
    fn announce(&self, row: &Row, cause: &Cause) {
        gst::info!(CAT, imp = self, "{} encodes ({})", row.factory, cause.as_str());
        let rejections = lock(&self.state)
            .rejections
            .get_or_insert_with(|| gst::Structure::new_empty("application/x-vdi-rejections"))
            .clone();
        let obj = self.obj();
        obj.notify("rejections");
        obj.notify("active-encoder");
        let mut message = gst::Structure::builder("vdi-encoder-selected")
            .field("encoder", row.factory)
            .field("hardware", row.hardware)
            .field("codec", row.codec.name())
            .field("chroma-format", row.chroma_format.as_str())
            .field("cause", cause.as_str())
            .field("rejections", rejections);
        if let (Some(previous), Some(sentence)) = (cause.previous(), cause.sentence(row)) {
            let switch = gst::Structure::builder("switch")
                .field("from", previous.factory)
                .field("to", row.factory)
                .field("cause", cause.as_str())
                .field("message", &sentence);
            // The same encoder with other colours is no switch.
            if previous.factory != row.factory {
                lock(&self.state).last_switch = Some(switch.build());
            }
            message = message.field("previous", previous.factory).field("message", sentence);
        }
        let _ = obj.post_message(gst::message::Element::builder(message.build()).src(&*obj).build());
    }

    fn warn(&self, text: &str, about: &str) {
        gst::warning!(CAT, imp = self, "{text}");
        let obj = self.obj();
        let warning = gst::message::Warning::builder(gst::ResourceError::NotFound, text);
        let _ = obj.post_message(warning.details(gst::Structure::new_empty(about)).src(&*obj).build());
    }

    /// The one error.
    pub fn fail(&self, reason: FailureReason, text: &str) {
        self.take_out(false);
        lock(&self.state).phase = Phase::Failed;
        let obj = self.obj();
        obj.notify("rejections");
        obj.notify("active-encoder");
        self.post_failure(reason, text);
    }

    pub fn post_failure(&self, reason: FailureReason, text: &str) {
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
}
