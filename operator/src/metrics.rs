//! Shell: what the operator counts, in the words of Prometheus.

use crate::{
    api::{Phase, VDISession},
    error::Error,
};
use kube::runtime::reflector::Store;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Write {
    verb: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    template: String,
    state: &'static str,
}

/// What the operator counts.
pub struct Metrics {
    registry: Mutex<Registry>,
    sessions: Counted,
    leader: Gauge,
    reconciles: Histogram,
    failures: Family<Reason, Counter>,
    writes: Family<Write, Counter>,
    probes: Family<Outcome, Counter>,
    ended: Family<Reason, Counter>,
    started: Histogram,
    replaced: Counter,
    pools: Family<Pool, Gauge>,
    claims: Family<Outcome, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("vdi_operator");
        let this = Self {
            leader: Gauge::default(),
            reconciles: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
            failures: Family::default(),
            writes: Family::default(),
            probes: Family::default(),
            ended: Family::default(),
            started: Histogram::new(exponential_buckets(0.25, 2.0, 13)),
            replaced: Counter::default(),
            pools: Family::default(),
            claims: Family::default(),
            registry: Mutex::default(),
            sessions: Counted::default(),
        };
        registry.register("leader", "1 while this operator holds the lease.", this.leader.clone());
        registry.register_with_unit(
            "reconcile_duration",
            "Time to look at a session, requests to the API server included.",
            Unit::Seconds,
            this.reconciles.clone(),
        );
        registry.register(
            "reconcile_failures",
            "Looks at a session or a template that have to be repeated, by reason.",
            this.failures.clone(),
        );
        registry.register("api_writes", "Writes to the API server, by verb and kind.", this.writes.clone());
        registry.register(
            "probes",
            "Questions to launchers: answered, refused, or without an answer.",
            this.probes.clone(),
        );
        registry.register(
            "sessions_ended",
            "Sessions that this operator has ended, by reason.",
            this.ended.clone(),
        );
        registry.register_with_unit(
            "session_start",
            "Time from a session's creation to its first Running.",
            Unit::Seconds,
            this.started.clone(),
        );
        registry.register("pods_replaced", "Pods replaced after a failure.", this.replaced.clone());
        registry.register(
            "pool_desktops",
            "Desktops of warm pools, by template and state.",
            this.pools.clone(),
        );
        registry.register("pool_claims", "Claims of desktops that wait: won or lost.", this.claims.clone());
        registry.register_collector(Box::new(Sessions(this.sessions.clone())));
        *this.registry.lock().unwrap_or_else(PoisonError::into_inner) = registry;
        this
    }
}

impl Metrics {
    /// Counts the sessions of this cache whenever somebody asks, and no longer those of the one before.
    pub fn count_sessions(&self, sessions: Option<Store<VDISession>>) {
        *self.sessions.lock().unwrap_or_else(PoisonError::into_inner) = sessions;
    }

    /// Whether this operator leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// A session was looked at.
    pub fn looked(&self, took: Duration) {
        self.reconciles.observe(took.as_secs_f64());
    }

    /// A look has to be repeated.
    pub fn failed(&self, error: &Error) {
        self.failures.get_or_create(&Reason { reason: error.label().to_owned() }).inc();
    }

    /// A write is tried.
    pub fn wrote(&self, verb: &'static str, kind: &'static str) {
        self.writes.get_or_create(&Write { verb, kind }).inc();
    }

    /// A launcher was asked.
    pub fn probed(&self, outcome: &'static str) {
        self.probes.get_or_create(&Outcome { outcome }).inc();
    }

    /// A session was ended.
    pub fn ended(&self, reason: &str) {
        self.ended.get_or_create(&Reason { reason: reason.to_owned() }).inc();
    }

    /// A session runs for the first time.
    pub fn started(&self, took: Duration) {
        self.started.observe(took.as_secs_f64());
    }

    /// A pod is replaced after a failure.
    pub fn replaced(&self) {
        self.replaced.inc();
    }

    /// How a template's pool stands.
    pub fn pool(&self, template: &str, waiting: usize, starting: usize) {
        for (state, count) in [("waiting", waiting), ("starting", starting)] {
            let pool = self.pools.get_or_create_owned(&Pool { template: template.to_owned(), state });
            pool.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A template has no pool any more.
    pub fn no_pool(&self, template: &str) {
        for state in ["waiting", "starting"] {
            self.pools.remove(&Pool { template: template.to_owned(), state });
        }
    }

    /// A desktop that waits was claimed, or somebody else was first.
    pub fn claimed(&self, won: bool) {
        self.claims.get_or_create(&Outcome { outcome: if won { "won" } else { "lost" } }).inc();
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

/// The cache whose sessions are counted, while this operator leads.
type Counted = Arc<Mutex<Option<Store<VDISession>>>>;

/// Sessions by phase and by encoder, counted when somebody asks.
struct Sessions(Counted);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Collector for Sessions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        use Phase::{Creating, Failed, Pending, Running, Terminating};
        let name = |phase| match phase {
            Pending => "Pending",
            Creating => "Creating",
            Running => "Running",
            Terminating => "Terminating",
            Failed => "Failed",
        };
        let mut phases: BTreeMap<&str, i64> =
            [Pending, Creating, Running, Terminating, Failed].map(|phase| (name(phase), 0)).into();
        let mut encoders: BTreeMap<String, i64> = BTreeMap::new();
        let Some(store) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone() else {
            return Ok(());
        };
        for session in store.state() {
            let status = session.status.as_ref();
            *phases.entry(name(status.map(|status| status.phase).unwrap_or_default())).or_default() += 1;
            if let Some(encoder) = status.and_then(|status| status.encoder.clone()) {
                *encoders.entry(encoder).or_default() += 1;
            }
        }
        let mut sessions = encoder.encode_descriptor(
            "sessions",
            "Sessions, by phase.",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (phase, count) in phases {
            ConstGauge::new(count).encode(sessions.encode_family(&[("phase", phase)])?)?;
        }
        let mut sessions = encoder.encode_descriptor(
            "session_encoders",
            "Sessions that run, by encoder.",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (encoder, count) in encoders {
            ConstGauge::new(count).encode(sessions.encode_family(&[("encoder", encoder)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{VDISessionSpec, VDISessionStatus};
    use kube::runtime::{reflector, watcher::Event};

    fn running(name: &str) -> VDISession {
        let spec: VDISessionSpec =
            serde_json::from_value(serde_json::json!({ "user": "alice@example.com", "template": "works" }))
                .unwrap();
        let mut session = VDISession::new(name, spec);
        session.status = Some(VDISessionStatus {
            phase: Phase::Running,
            encoder: Some("x264enc".to_owned()),
            ..VDISessionStatus::default()
        });
        session
    }

    #[test]
    fn sessions_are_counted_once_however_often_the_lease_was_lost() {
        let metrics = Metrics::default();
        for names in [&["a", "b"][..], &["a", "b", "c"]] {
            let (store, mut writer) = reflector::store();
            for name in names {
                writer.apply_watcher_event(&Event::Apply(running(name)));
            }
            metrics.count_sessions(Some(store));
            let text = metrics.text().unwrap();
            let lines: Vec<&str> = text.lines().filter(|line| line.contains("\"Running\"")).collect();
            assert_eq!(lines, [format!("vdi_operator_sessions{{phase=\"Running\"}} {}", names.len())]);
            assert!(text.contains(&format!("session_encoders{{encoder=\"x264enc\"}} {}", names.len())));
        }
        metrics.count_sessions(None);
        assert!(!metrics.text().unwrap().contains("\"Running\""));
    }
}
