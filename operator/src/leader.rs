//! Shell: holds the Lease, and tells the rest of the process until when it may write.

use crate::{
    backoff,
    election::{self, Observed, Step},
    error::{Error, whole},
    names,
    watch::Complaints,
};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How long who does not lead waits for an answer at least: nothing hangs on it but the time of its next attempt.
const LEAST_PATIENCE: Duration = Duration::from_secs(5);

/// Which Lease, and who this is.
#[derive(Debug, Clone)]
pub struct Election {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What stands in it when this process holds it; no two processes have the same.
    pub identity: String,
    /// How long it holds without being renewed.
    pub duration: Duration,
}

/// Until when this process may write. Every write asks.
///
/// It is a time and not a yes or no: a process that was stopped for a minute goes on in the middle of anything, and has
/// to find out by itself that its time is over.
#[derive(Debug, Clone)]
pub struct Fence {
    start: Instant,
    /// Milliseconds since `start`.
    until: Arc<AtomicU64>,
}

impl Fence {
    #[expect(clippy::disallowed_methods, reason = "how long a lease holds is measured here")]
    fn new() -> Self {
        Self { start: Instant::now(), until: Arc::default() }
    }

    /// Whether this process may write now.
    #[expect(clippy::disallowed_methods, reason = "how long a lease holds is measured here")]
    pub fn is_open(&self) -> bool {
        Instant::now() < self.ends()
    }

    fn ends(&self) -> Instant {
        self.start + Duration::from_millis(self.until.load(Ordering::Acquire))
    }

    fn open_until(&self, until: Instant) {
        let millis = until.saturating_duration_since(self.start).as_millis();
        self.until.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn close(&self) {
        self.until.store(0, Ordering::Release);
    }
}

/// Runs for the Lease until `stop`, and lets go of it then. The channel says whether this process leads.
pub fn run(
    client: Client,
    election: Election,
    complaints: Arc<Complaints>,
    stop: watch::Receiver<bool>,
) -> (Fence, watch::Receiver<bool>, tokio::task::JoinHandle<()>) {
    let fence = Fence::new();
    let (leads, leading) = watch::channel(false);
    let candidate = Candidate {
        api: Api::namespaced(client, &election.namespace),
        election,
        fence: fence.clone(),
        leads,
        observed: Observed::default(),
        held: None,
        complaints,
    };
    let task = tokio::spawn(candidate.run(stop));
    (fence, leading, task)
}

struct Candidate {
    api: Api<Lease>,
    election: Election,
    fence: Fence,
    leads: watch::Sender<bool>,
    observed: Observed,
    /// The Lease as it was written last.
    held: Option<Lease>,
    complaints: Arc<Complaints>,
}

impl Candidate {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let every = election::renew_every(self.election.duration);
        let mut told = None;
        loop {
            let limit = self.limit();
            let attempt = tokio::time::timeout(limit, self.attempt()).await;
            let attempt =
                attempt.unwrap_or_else(|_| Err(Error::Late { what: "renew the lease".to_owned(), limit }));
            match &attempt {
                Err(error) if !error.is_stale() => self.complaints.set("the lease", Some(whole(error))),
                _ => self.complaints.set("the lease", None),
            }
            match attempt {
                Ok(None) => told = None,
                Ok(Some(holder)) => {
                    self.fence.close();
                    if told.as_ref() != Some(&holder) {
                        tracing::info!("{holder} leads; this operator waits");
                        told = Some(holder);
                    }
                }
                Err(error) if error.is_stale() => tracing::debug!("somebody else wrote the lease: {error}"),
                Err(_) => {}
            }
            self.tell();
            // While it fails it is tried more often than it has to be, and the end of the time is not slept through.
            let pause = backoff::about(every / if self.fence.is_open() { 1 } else { 2 }, backoff::random());
            let ends = tokio::time::Instant::from_std(self.fence.ends());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = tokio::time::sleep_until(ends), if self.fence.is_open() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            self.tell();
        }
        let held = self.fence.is_open();
        self.fence.close();
        self.tell();
        if held {
            self.release().await;
        }
    }

    /// How long an attempt may take: who leads has until its time is over, and who does not has time.
    #[expect(clippy::disallowed_methods, reason = "how long a lease holds is measured here")]
    fn limit(&self) -> Duration {
        let left = self.fence.ends().saturating_duration_since(Instant::now());
        if left.is_zero() { self.election.duration.max(LEAST_PATIENCE) } else { left }
    }

    /// Tells the rest of the process where it stands, if that has changed.
    fn tell(&self) {
        let leads = self.fence.is_open();
        self.leads.send_if_modified(|before| {
            if *before == leads {
                return false;
            }
            *before = leads;
            if leads {
                tracing::info!("this operator leads");
            } else {
                tracing::warn!("this operator no longer leads");
            }
            true
        });
    }

    /// Reads the Lease and writes it where that is right: `None` if it is ours, else who has it.
    #[expect(clippy::disallowed_methods, reason = "how long a lease holds is measured here")]
    async fn attempt(&mut self) -> Result<Option<String>, Error> {
        let Election { name, identity, duration, .. } = &self.election;
        let failed = |source: kube::Error| Error::Api {
            what: format!("hold the lease {}/{name}", self.election.namespace),
            source: Box::new(source),
        };
        let begun = Instant::now();
        // Who holds it renews what it wrote last; if that is not the latest any more, there is a conflict, and it is read.
        let lease = match self.held.take() {
            Some(lease) => lease,
            None => self.api.get_opt(name).await.map_err(failed)?.unwrap_or_else(|| Lease {
                metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
                spec: None,
            }),
        };
        match self.observed.step(&lease, identity, *duration, Timestamp::now(), Instant::now()) {
            Step::Follow { holder } => Ok(Some(holder)),
            Step::Write(spec) => {
                self.held = Some(self.write(lease, spec).await.map_err(failed)?);
                self.fence.open_until(election::leads_until(begun, *duration));
                Ok(None)
            }
        }
    }

    async fn write(&self, mut lease: Lease, spec: LeaseSpec) -> Result<Lease, kube::Error> {
        let params =
            PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        lease.spec = Some(spec);
        // The version that was read goes with it: of two who write, one is refused.
        match &lease.metadata.resource_version {
            Some(_) => self.api.replace(&self.election.name, &params, &lease).await,
            None => self.api.create(&params, &lease).await,
        }
    }

    /// Lets go of the Lease, so that the next need not wait for its end.
    async fn release(&self) {
        let release = async {
            let lease = self.api.get(&self.election.name).await?;
            let spec = lease.spec.clone().unwrap_or_default();
            if spec.holder_identity.as_deref() == Some(&self.election.identity) {
                self.write(lease, election::released(&spec, Timestamp::now())).await?;
            }
            Ok::<_, kube::Error>(())
        };
        match tokio::time::timeout(Duration::from_secs(2), release).await {
            Ok(Ok(())) => tracing::info!("let go of the lease"),
            Ok(Err(error)) => tracing::warn!("cannot let go of the lease: {error}"),
            Err(_) => tracing::warn!("cannot let go of the lease: no answer within 2 s"),
        }
    }
}
