//! Shell: what the operator needs for many sessions on the tests' control plane and played nodes, in numbers.
//! `cargo bench -p vdi-operator --bench operator -- [AT_ONCE STANDING SECONDS]` prints JSON. Judges nothing:
//! `tests/bench/operator.ts` does.
//!
//! So many sessions are created at once; then more, up to how many stand; then nobody does anything for so long, and
//! the operator is started again among them. Its writes are counted between it and the API server.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people, whose output is its result"
)]
#![allow(dead_code, reason = "the harness has more than this needs")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

#[path = "../address.rs"]
mod address;
#[path = "../children.rs"]
mod children;
#[path = "../control_plane.rs"]
mod control_plane;
#[path = "../dump.rs"]
mod dump;
#[path = "../launcher.rs"]
mod launcher;
#[path = "../nodes.rs"]
mod nodes;
mod operator;
#[path = "../place.rs"]
mod place;
#[path = "../pod.rs"]
mod pod;
#[path = "../proxy.rs"]
mod proxy;
#[path = "../storage.rs"]
mod storage;
#[path = "../wait.rs"]
mod wait;

use operator::{Load, applied, created, percentile, running, still};
use place::Place;
use proxy::Proxy;
use serde_json::json;
use std::time::{Duration, Instant};

/// Sessions have so long to run, all of them.
const LIMIT: Duration = Duration::from_secs(1800);

fn main() {
    // Cargo adds `--bench` itself.
    let words: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (at_once, standing, seconds) = match words[..] {
        [] => (1000, 5000, 60),
        [at_once, standing, seconds] => (at_once, standing, seconds),
        _ => {
            return println!(
                "say how many sessions at once, how many in all, and for how many seconds to look"
            );
        }
    };
    open_many_files();
    control_plane::with_cluster(async |cluster| {
        let place = Place::new(cluster, "bench").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let proxy = Proxy::start(cluster.client.clone(), &place.name, cluster.nodes.loopback().first()).await;
        // As it runs for users: without a line for each write.
        let start = || place.operator_through(&proxy, &["--poll-interval=30s"], &[("VDI_DEBUG", "false")]);
        let program = start();

        // So many at once.
        let before = Load::of(program.pid());
        let begun = Instant::now();
        let times = created(&place, 0..at_once).await;
        running(&place, at_once, LIMIT).await;
        let all_run = begun.elapsed();
        still(&proxy).await;
        let mut applied: Vec<f64> = applied(&proxy, &times);
        let cpu = Load::of(program.pid()).cpu_seconds - before.cpu_seconds;
        let writes = proxy.writes();
        let of_kind = operator::counts(&writes);

        // So many in all.
        created(&place, at_once..standing).await;
        running(&place, standing, LIMIT).await;
        still(&proxy).await;

        // Nobody does anything.
        let before = Load::of(program.pid());
        let written = proxy.writes().len();
        tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
        let steady = Load::of(program.pid());
        let steady_writes = proxy.writes().len() - written;
        let steady_cpu = (steady.cpu_seconds - before.cpu_seconds) / seconds as f64;

        // Another one comes.
        assert!(program.stop(LIMIT).await.success());
        let written = proxy.writes().len();
        let next = start();
        wait::until("the next operator to lead", LIMIT, async || {
            if next.log().contains("looking after") { Ok(()) } else { Err(next.last_words(3)) }
        })
        .await;
        tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
        let restarted = Load::of(next.pid());
        let restart_writes = proxy.writes().len() - written;

        applied.sort_by(f64::total_cmp);
        let result = json!({
            "atOnce": at_once, "standing": standing, "seconds": seconds,
            "applied": applied.len(),
            "appliedP50Seconds": percentile(&applied, 0.5),
            "appliedP95Seconds": percentile(&applied, 0.95),
            "appliedMaxSeconds": percentile(&applied, 1.0),
            "allRunSeconds": all_run.as_secs_f64(),
            "cpuSecondsPerSession": cpu / at_once as f64,
            "writesPerSession": writes.len() as f64 / at_once as f64,
            "writesByKind": of_kind,
            "residentBytes": steady.resident_bytes, "peakBytes": steady.peak_bytes,
            "steadyWrites": steady_writes, "steadyCpu": steady_cpu,
            "restartWrites": restart_writes,
            "restartResidentBytes": restarted.resident_bytes, "restartPeakBytes": restarted.peak_bytes,
        });
        println!("{result}");
    });
}

/// Each played desktop has a socket, and each of its connections one more.
fn open_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}
