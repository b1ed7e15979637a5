//! Shell: the thread that looks after the running encoder: it takes failures, looks for stalls, lets better encoders
//! come back, and hands the figures to the adaptation. It lives as long as the bin is in PAUSED or above, and holds no
//! reference to it between two looks.

use gst::{glib, prelude::*, subclass::prelude::*};
use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed, mpsc},
    thread,
    time::Duration,
};

use super::{
    AdaptiveEncBin, CAT,
    adapt::Adaptation,
    cpu::CpuMeter,
    failover::Failover,
    guard::{Flow, lock},
    imp::Phase,
    proof::{self, Cancel, Outcome},
    quality::{Told, Unproven},
    select::{Reason, Rejection},
    table::Row,
    watchdog::{LOOK_EVERY, Look, Watchdog, stall_limit},
};

/// How often to look when no frame is on its way.
const IDLE_LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often the adaptation looks.
const ADAPT_EVERY: Duration = Duration::from_millis(250);

/// When the next encoder is proven, after the running one has begun.
const STANDBY_AFTER: Duration = Duration::from_secs(1);

/// What the supervisor is told.
pub enum News {
    /// An encoder has failed.
    Failed {
        /// Which.
        generation: u64,
        /// How.
        rejection: Rejection,
    },
    /// A proof in the background has ended.
    ProvenAgain {
        /// Whose.
        row: &'static Row,
        /// How.
        outcome: Outcome,
    },
    /// A proof of the running encoder at another size has ended.
    ProvenSize {
        /// Which size.
        size: Unproven,
        /// Whether it works there.
        works: bool,
    },
    /// The proof of the next encoder has ended, whatever came out.
    ProvenStandby,
    /// The bin stops.
    Stop,
}

/// One life of the bin in PAUSED and above.
pub struct Run {
    pub flow: Arc<Flow>,
    pub failover: Mutex<Failover>,
    pub news: mpsc::Sender<News>,
    /// Set with the first caps.
    pub adaptation: Mutex<Option<Adaptation>>,
    /// The load as last seen.
    pub cpu: Mutex<Option<f64>>,
    /// What the application knows of the quality.
    pub told: Mutex<Option<Told>>,
    /// Ends the proof in the background.
    background: Cancel,
}

impl Run {
    /// Begins, with its thread.
    pub fn begin(bin: &AdaptiveEncBin, cool_down: Duration) -> std::io::Result<Arc<Self>> {
        let (news, inbox) = mpsc::channel();
        let run = Arc::new(Self {
            flow: Arc::default(),
            failover: Mutex::new(Failover::new(cool_down)),
            news,
            adaptation: Mutex::default(),
            cpu: Mutex::default(),
            told: Mutex::default(),
            background: Cancel::default(),
        });
        let supervisor = Supervisor {
            bin: bin.downgrade(),
            run: run.clone(),
            watched: None,
            frames_in: 0,
            cpu: CpuMeter::new(),
            adapted: Duration::ZERO,
            proving: false,
            standby: None,
        };
        thread::Builder::new().name("vdi-supervisor".into()).spawn(move || supervisor.live(&inbox))?;
        Ok(run)
    }

    /// Ends; the thread follows when it can.
    pub fn end(&self) {
        self.background.cancel();
        // A supervisor that is gone needs no telling.
        let _ = self.news.send(News::Stop);
    }
}

/// The encoder that is watched.
struct Watched {
    generation: u64,
    renewals: u32,
    watchdog: Watchdog,
}

struct Supervisor {
    bin: glib::WeakRef<AdaptiveEncBin>,
    run: Arc<Run>,
    watched: Option<Watched>,
    /// Frames that had come in at the last look.
    frames_in: u64,
    cpu: CpuMeter,
    /// When the adaptation looked last.
    adapted: Duration,
    /// The encoder whose successor has been proven.
    standby: Option<u64>,
    /// A proof is under way in the background.
    proving: bool,
}

impl Supervisor {
    fn live(mut self, inbox: &mpsc::Receiver<News>) {
        let mut wait = IDLE_LOOK_EVERY;
        loop {
            let news = inbox.recv_timeout(wait);
            let Some(bin) = self.bin.upgrade() else { return };
            match news {
                Ok(News::Failed { generation, rejection }) => {
                    bin.imp().fail_over(&self.run, generation, &rejection);
                }
                Ok(News::ProvenAgain { row, outcome }) => self.proven_again(&bin, row, outcome),
                Ok(News::ProvenSize { size, works }) => {
                    self.proving = false;
                    bin.imp().size_proven(&size, works);
                }
                Ok(News::ProvenStandby) => self.proving = false,
                Ok(News::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            let frames_in = self.run.flow.frames_in.load(Relaxed);
            let is_busy = std::mem::replace(&mut self.frames_in, frames_in) != frames_in;
            wait = match self.look(&bin) {
                Some(look) if is_busy || look.is_taking || look.in_flight > 0 => LOOK_EVERY,
                _ => IDLE_LOOK_EVERY,
            };
            self.consider_kind(&bin);
            self.consider_comeback(&bin);
            self.consider_standby(&bin);
            self.adapt(&bin);
        }
    }

    /// Lets quality follow what can be had.
    fn adapt(&mut self, bin: &AdaptiveEncBin) {
        let now = self.run.flow.now();
        if now.saturating_sub(self.adapted) < ADAPT_EVERY {
            return;
        }
        self.adapted = now;
        let cpu = self.cpu.sample();
        if let Some(size) = bin.imp().adapt(&self.run, cpu)
            && let Phase::Working(work) = &lock(&bin.imp().state).phase
        {
            self.prove_size(bin, work.worker.chain.row, size);
        }
    }

    /// Looks for a stall.
    fn look(&mut self, bin: &AdaptiveEncBin) -> Option<Look> {
        let imp = bin.imp();
        let (generation, renewals, row, look) = match &lock(&imp.state).phase {
            Phase::Working(work) => {
                (work.generation, work.renewals, work.worker.chain.row, work.worker.look())
            }
            _ => return None,
        };
        let watched = match &mut self.watched {
            Some(watched) if watched.generation == generation => watched,
            slot => {
                let settings = lock(&imp.settings);
                let limit = stall_limit(row, settings.stall_timeout);
                let grace = proof::limit(row, settings.proof_timeout);
                slot.insert(Watched { generation, renewals, watchdog: Watchdog::new(limit, grace) })
            }
        };
        if watched.renewals != renewals {
            watched.renewals = renewals;
            watched.watchdog.renew();
        }
        if watched.watchdog.look(&look, self.run.flow.now()) {
            let text = format!("no frame came out of it for {} ms", watched.watchdog.limit().as_millis());
            imp.fail_over(&self.run, generation, &Rejection::new(Reason::TimeOut, text));
        }
        Some(look)
    }

    /// The running encoder and its input, if there is one and nothing else is being proven.
    fn may_prove(&self, bin: &AdaptiveEncBin) -> Option<(&'static Row, gst::Caps)> {
        match &lock(&bin.imp().state).phase {
            Phase::Working(work) if !self.proving => Some((work.worker.chain.row, work.caps.clone())),
            _ => None,
        }
    }

    /// Proves the running encoder with other colours, if these are wanted now.
    fn consider_kind(&mut self, bin: &AdaptiveEncBin) {
        let imp = bin.imp();
        let Some((running, caps)) = self.may_prove(bin) else { return };
        if let Some(row) = imp.wanted_kind(&self.run, running) {
            // One that has failed is proven anew, whatever it has shown before.
            if lock(&self.run.failover).has_failed(row) {
                proof::forget(row);
            }
            self.prove(bin, row, caps, move |outcome| News::ProvenAgain { row, outcome });
        }
    }

    /// Proves a better encoder again, if one has cooled down.
    fn consider_comeback(&mut self, bin: &AdaptiveEncBin) {
        let imp = bin.imp();
        let Some((running, caps)) = self.may_prove(bin) else { return };
        let Ok(selection) = imp.new_selection() else { return };
        let now = self.run.flow.now();
        let Some(row) = lock(&self.run.failover).comeback(selection.candidates(), running, now) else {
            return;
        };
        gst::debug!(CAT, imp = imp, "{} is proven again in the background", row.factory);
        proof::forget(row);
        self.prove(bin, row, caps, move |outcome| News::ProvenAgain { row, outcome });
    }

    /// Proves the encoder that would take over from hardware, before it is needed: a proof takes longer than a gap may
    /// last. Software hardly ever fails, and a second proof would cost every machine without a GPU.
    fn consider_standby(&mut self, bin: &AdaptiveEncBin) {
        let imp = bin.imp();
        let (generation, running, caps) = match &lock(&imp.state).phase {
            Phase::Working(work) => (work.generation, work.worker.chain.row, work.caps.clone()),
            _ => return,
        };
        // The first second belongs to the picture.
        let is_due = lock(&self.run.failover).running_for(self.run.flow.now()) >= STANDBY_AFTER;
        if self.proving || self.standby == Some(generation) || !is_due || !running.hardware {
            return;
        }
        self.standby = Some(generation);
        let Ok(selection) = imp.new_selection() else { return };
        let order = lock(&self.run.failover).order(selection.candidates(), self.run.flow.now());
        let next = order.into_iter().find(|row| row.factory != running.factory && !row.hardware);
        if let Some(row) = next {
            gst::debug!(CAT, imp = imp, "{} stands by", row.factory);
            self.prove(bin, row, caps, |_| News::ProvenStandby);
        }
    }

    fn prove_size(&mut self, bin: &AdaptiveEncBin, row: &'static Row, size: Unproven) {
        if !self.proving {
            let caps = size.caps.clone();
            self.prove(bin, row, caps, |outcome| News::ProvenSize {
                size,
                works: outcome == Outcome::Proven,
            });
        }
    }

    /// Proves in the background; one at a time.
    fn prove(
        &mut self,
        bin: &AdaptiveEncBin,
        row: &'static Row,
        caps: gst::Caps,
        news: impl FnOnce(Outcome) -> News + Send + 'static,
    ) {
        let imp = bin.imp();
        let (timeout, cache, rate) = {
            let settings = lock(&imp.settings);
            (settings.proof_timeout, settings.proof_cache.clone(), settings.limits.rate.granted())
        };
        let run = self.run.clone();
        let spawned = thread::Builder::new().name("vdi-background".into()).spawn(move || {
            let outcome = proof::prove(row, &caps, rate, timeout, &run.background, cache.as_deref());
            // Without a supervisor nobody cares.
            let _ = run.news.send(news(outcome));
        });
        self.proving = spawned.is_ok();
    }

    fn proven_again(&mut self, bin: &AdaptiveEncBin, row: &'static Row, outcome: Outcome) {
        self.proving = false;
        match outcome {
            Outcome::Proven => bin.imp().come_back(&self.run, row),
            Outcome::Rejected(rejection) => {
                gst::info!(CAT, imp = bin.imp(), "{} stays away: {}", row.factory, rejection.message);
                let hung = rejection.reason == Reason::TimeOut;
                lock(&self.run.failover).rest(row, hung, self.run.flow.now());
            }
            Outcome::Cancelled => {}
        }
    }
}
