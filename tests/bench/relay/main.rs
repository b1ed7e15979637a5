//! Shell: what the built-in TURN server carries and what it adds to the way, beside coturn: the same load, in turn, on loopback.
//! `cargo bench -p vdi-launcher --bench relay -- [SECONDS]` prints JSON. Judges nothing: `tests/bench/relay.ts` does.
//!
//! A packet goes from a client through the server to an echo and back. The server is a process of its own in both cases:
//! this program itself, called with `serve`, or coturn. "direct" is the echo without a server.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people, whose output is its result"
)]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

mod load;
mod servers;

use load::{Link, Measured};
use servers::Running;
use std::{net::SocketAddr, time::Duration};

fn main() {
    // Cargo adds `--bench` itself.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", peer] => servers::serve(peer.parse().unwrap()),
        [] => bench(Duration::from_secs(10)),
        [seconds] => bench(Duration::from_secs(seconds.parse().unwrap())),
        _ => println!("say for how many seconds"),
    }
}

/// Starts a server for the agent at this address.
type Start = fn(SocketAddr) -> Running;

fn bench(window: Duration) {
    let echo = load::echo();
    let mut results = vec![result("direct", "udp", None, &load::run(|| Link::direct(echo), window), 0.0)];
    let servers = [("built-in", servers::builtin as Start), ("coturn", servers::coturn as Start)];
    for transport in ["udp", "tcp"] {
        for (name, start) in servers {
            let running = start(echo);
            let before = running.cpu_seconds();
            let measured = load::run(|| Link::through(&running, transport, echo), window);
            let cpu = running.cpu_seconds() - before;
            results.push(result(name, transport, Some(&running), &measured, cpu));
        }
    }
    println!("[{}]", results.join(","));
}

fn result(
    server: &str,
    transport: &str,
    running: Option<&Running>,
    measured: &Measured,
    cpu_seconds: f64,
) -> String {
    let [p50, p95] = measured.round_trip_us;
    let per_packet = running.map_or(0.0, |_| cpu_seconds * 1e6 / measured.packets.max(1) as f64);
    format!(
        "{{\"server\":\"{server}\",\"transport\":\"{transport}\",\"p50Us\":{p50:.1},\"p95Us\":{p95:.1},\
         \"lost\":{},\"maxBps\":{:.0},\"cpuUsPerRoundTrip\":{per_packet:.2}}}",
        measured.lost, measured.max_bps
    )
}
