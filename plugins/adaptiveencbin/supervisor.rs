//! Shell: the thread that looks after the running encoder: it takes failures, looks for stalls, lets better encoders
//! come back, and hands the figures to the adaptation. It lives as long as the bin is in PAUSED or above, and holds no
//! reference to it between two looks.

use gst::{glib, prelude::*, subclass::prelude::*};
use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use super::{
    AdaptiveEncBin, CAT,
    failover::Failover,
    guard::{Flow, lock},
    imp::Phase,
    proof::{self, Cancel, Outcome},
    select::{Reason, Rejection},
    table::Row,
    watchdog::{LOOK_EVERY, Look, Watchdog},
};

/// How often to look when no frame is on its way.
const IDLE_LOOK_EVERY: Duration = Duration::from_millis(100);

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
    /// The bin stops.
    Stop,
}

/// One life of the bin in PAUSED and above.
pub struct Run {
    pub flow: Arc<Flow>,
    pub failover: Mutex<Failover>,
    pub news: mpsc::Sender<News>,
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
            background: Cancel::default(),
        });
        let supervisor = Supervisor { bin: bin.downgrade(), run: run.clone(), watched: None, proving: false };
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
                Ok(News::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            wait = match self.look(&bin) {
                Some(look) if look.is_taking || look.in_flight > 0 => LOOK_EVERY,
                _ => IDLE_LOOK_EVERY,
            };
            self.consider_comeback(&bin);
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
                let limit = proof::limit(row, settings.stall_timeout);
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

    /// Proves a better encoder again, if one has cooled down.
    fn consider_comeback(&mut self, bin: &AdaptiveEncBin) {
        let imp = bin.imp();
        if self.proving {
            return;
        }
        let (running, caps) = match &lock(&imp.state).phase {
            Phase::Working(work) => (work.worker.chain.row, work.caps.clone()),
            _ => return,
        };
        let Ok(selection) = imp.new_selection() else { return };
        let now = self.run.flow.now();
        let Some(row) = lock(&self.run.failover).comeback(selection.candidates(), running, now) else {
            return;
        };
        gst::debug!(CAT, imp = imp, "{} is proven again in the background", row.factory);
        let (run, rate) = (self.run.clone(), imp.rate());
        let (timeout, cache) = {
            let settings = lock(&imp.settings);
            (settings.proof_timeout, settings.proof_cache.clone())
        };
        let spawned = thread::Builder::new().name("vdi-prove-again".into()).spawn(move || {
            proof::forget(row);
            let outcome = proof::prove(row, &caps, rate, timeout, &run.background, cache.as_deref());
            let _ = run.news.send(News::ProvenAgain { row, outcome });
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
