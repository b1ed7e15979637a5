//! Shell: many sessions, and what the operator did about them.

use crate::{
    place::{Place, phase},
    proxy::{Proxy, Write},
    wait,
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    ops::Range,
    time::{Duration, Instant},
};
use vdi_operator::api::{Phase, VDISession};

/// Sessions that are created side by side.
const CREATORS: usize = 100;
/// What a session consists of: once the last of them is there, all are.
const OBJECTS: [&str; 6] =
    ["persistentvolumeclaims", "services", "ingressroutes", "networkpolicies", "secrets", "pods"];
/// Nothing is written for so long once all is as it should be.
const STILL: Duration = Duration::from_secs(5);

/// What the kernel says of a process.
pub struct Load {
    /// Processor time since its start.
    pub cpu_seconds: f64,
    /// Memory now.
    pub resident_bytes: u64,
    /// Most memory since its start.
    pub peak_bytes: u64,
}

impl Load {
    /// Of a process that runs.
    pub fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // Behind the name, which may have anything in it: state is field 3, user and system time are 14 and 15.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
        };
        Self { cpu_seconds: ticks / 100.0, resident_bytes: bytes("VmRSS:"), peak_bytes: bytes("VmHWM:") }
    }
}

/// Creates sessions, and tells by name when the API server had each.
pub async fn created(place: &Place<'_>, numbers: Range<usize>) -> HashMap<String, Instant> {
    stream::iter(numbers)
        .map(|number| async move {
            let name = format!("u{number}");
            place.session(&name, "office", json!({ "user": format!("{name}@example.com") })).await;
            (name, Instant::now())
        })
        .buffer_unordered(CREATORS)
        .collect()
        .await
}

/// Waits until so many sessions run.
pub async fn running(place: &Place<'_>, count: usize, limit: Duration) {
    wait::until(&format!("{count} running sessions"), limit, async || {
        // Looking costs the API server something too.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let sessions: Vec<VDISession> = place.all().await;
        let running = sessions.iter().filter(|session| phase(session) == Phase::Running).count();
        if running == count { Ok(()) } else { Err(running) }
    })
    .await;
}

/// Waits until the operator writes nothing any more.
pub async fn still(proxy: &Proxy) {
    wait::until("the writes to end", Duration::from_secs(600), async || {
        let before = proxy.writes().len();
        tokio::time::sleep(STILL).await;
        let more = proxy.writes().len() - before;
        if more == 0 { Ok(()) } else { Err(format!("{more} more")) }
    })
    .await;
}

/// Seconds from a session's creation until its last object was there, for each session that has all of them.
pub fn applied(proxy: &Proxy, created: &HashMap<String, Instant>) -> Vec<f64> {
    let mut last: HashMap<String, BTreeMap<&str, Instant>> = HashMap::new();
    for write in proxy.writes() {
        let Some(kind) = OBJECTS.into_iter().find(|kind| *kind == write.resource) else { continue };
        let Some(answered) = write.answered else { continue };
        // `desktop-u7`, or the home `home-u7-…`.
        let Some(session) = write.name.split('-').nth(1) else { continue };
        last.entry(session.to_owned()).or_default().entry(kind).or_insert(answered);
    }
    let complete = last.iter().filter(|(_, kinds)| kinds.len() == OBJECTS.len());
    let since = |(session, kinds): (&String, &BTreeMap<&str, Instant>)| {
        let last = kinds.values().max()?;
        Some(last.saturating_duration_since(*created.get(session)?).as_secs_f64())
    };
    complete.filter_map(since).collect()
}

/// How many writes there were of each kind.
pub fn counts(writes: &[Write]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for write in writes {
        *counts.entry(format!("{} {}", write.method, write.resource)).or_default() += 1;
    }
    counts
}

/// The least value that this share of all does not exceed; `values` are sorted.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
