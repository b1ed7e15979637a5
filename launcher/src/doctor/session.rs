//! Decision: what is known of GPU, encoder, candidates and a running session, as checks in plain words: the requirement's
//! four, and the addresses that pages are offered. Refuses to look at anything itself.

use super::rules::{With, check};
use crate::config::EncoderPolicy;
use std::{collections::BTreeSet, time::Duration};
use vdi_protocol::{
    doctor::{Check, CheckName, Outcome},
    reason::FailureReason,
    status::{GpuStatus, LatencyStatus, Rejection, Status},
};

/// Unevenness above which a picture stutters (requirement).
const MAX_JITTER_SECONDS: f64 = 0.020;
/// Frames per second from which jitter says something of the network: of a desktop that hardly changes it tells when it did.
const MIN_FRAMES_PER_SECOND: f64 = 10.0;
/// What latency should stay below (requirement: goal).
const GOAL_SECONDS: f64 = 0.050;
/// What latency must stay below (requirement: limit).
const LIMIT_SECONDS: f64 = 0.100;
/// Longest list of rejected encoders in a sentence; all are in the log and at `/status`.
const MAX_REJECTIONS: usize = 4;

/// What came of proving an encoder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncoderFacts {
    /// The one that encoded: its factory name, and whether it runs on a GPU.
    pub chosen: Option<(String, bool)>,
    /// Who was tried before it.
    pub rejections: Vec<Rejection>,
    /// Why none was found.
    pub failure: Option<(FailureReason, String)>,
    /// How long it took; `None` where it is at work already.
    pub took: Option<Duration>,
}

/// What came of gathering the server's own candidates: the lines of the ICE agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CandidateFacts {
    /// Those that came.
    Gathered(Vec<String>),
    /// There was no agent to gather any.
    Failed(String),
}

/// GPU by NVML.
pub fn gpu(gpu: &GpuStatus, policy: EncoderPolicy, encoder: &EncoderFacts) -> Check {
    let done = |outcome, message: String| check(CheckName::Gpu, outcome, message);
    if !gpu.devices.is_empty() {
        let names: Vec<_> = gpu.devices.iter().map(|device| device.name.as_str()).collect();
        return done(Outcome::Passed, format!("NVML sees {}.", names.join(", ")));
    }
    let why = gpu.message.clone().unwrap_or_else(|| "NVML knows no device".into());
    if policy == EncoderPolicy::Software {
        return done(Outcome::Skipped, "Software encodes by choice (--encoder-policy=software).".into());
    }
    if let Some((name, true)) = &encoder.chosen {
        return done(Outcome::Passed, format!("No NVIDIA GPU ({why}); {name} encodes on another one."));
    }
    let outcome = match policy {
        EncoderPolicy::RequireHardware => Outcome::Failed,
        _ => Outcome::Warning,
    };
    let advice = "Install the driver and give the container the GPU (runtime nvidia, NVIDIA_DRIVER_CAPABILITIES with video and \
                  utility); or accept software with --encoder-policy=software.";
    done(outcome, format!("No GPU: {why}.")).because(FailureReason::GpuInitError.as_str()).advise(advice)
}

/// An encoder, proven by encoding.
pub fn encoder(policy: EncoderPolicy, facts: &EncoderFacts) -> Check {
    let done = |outcome, message: String| check(CheckName::Encoder, outcome, message);
    let rejected = rejections(&facts.rejections);
    if let Some((reason, message)) = &facts.failure {
        return done(Outcome::Failed, format!("No encoder works. {}.", message.trim_end_matches('.')))
            .because(reason.as_str())
            .advise(match reason {
                FailureReason::GpuInitError => {
                    "Repair the GPU's driver, or allow software with --encoder-policy=prefer-hardware."
                }
                _ => "Install the packages of GStreamer's encoders (gstreamer1.0-plugins-ugly has x264enc).",
            });
    }
    let Some((name, hardware)) = &facts.chosen else {
        return done(Outcome::Failed, "No encoder came to a result in time.".into())
            .because(FailureReason::EncoderUnavailable.as_str())
            .advise("A driver may hang: look at the kernel's log, and try --encoder-policy=software.");
    };
    let proof = facts.took.map_or("is at work".to_owned(), |took| {
        format!("has encoded real frames within {} ms", took.as_millis())
    });
    let kind = if *hardware { "on a GPU" } else { "in software" };
    if *hardware || policy == EncoderPolicy::Software || facts.rejections.is_empty() {
        return done(Outcome::Passed, format!("{name} {proof}, {kind}."));
    }
    done(Outcome::Warning, format!("{name} {proof}, {kind}, since no hardware encoder works: {rejected}."))
        .because("SOFTWARE")
        .advise("It works, at the cost of processor time. Repair what the GPU lacks, or set --encoder-policy=software.")
}

fn rejections(all: &[Rejection]) -> String {
    // Most are for the same reason: one example of each says it.
    let mut seen = BTreeSet::new();
    let told: Vec<_> = all
        .iter()
        .filter(|rejection| seen.insert(rejection.reason.as_str()))
        .take(MAX_REJECTIONS)
        .map(|one| format!("{} ({}: {})", one.encoder, one.reason, one.message.trim_end_matches('.')))
        .collect();
    told.join("; ")
}

/// Media that reach the pages of a running session; `Err` says why there is none to look at.
pub fn media(status: &Result<Status, String>) -> Check {
    let done = |outcome, message: String| check(CheckName::Media, outcome, message);
    let status = match status {
        Ok(status) => status,
        Err(why) => return done(Outcome::Skipped, why.clone()),
    };
    let connected: Vec<_> = status.consumers.iter().filter(|page| page.connected).collect();
    if connected.is_empty() {
        return done(Outcome::Skipped, "Nobody watches: open the page to have this checked.".into());
    }
    let mut told =
        connected.iter().filter_map(|page| Some((page.id.as_str(), page.media?))).collect::<Vec<_>>();
    // The page that is worst off is the one to hear of.
    told.sort_by(|(_, a), (_, b)| {
        (a.frames_decoded > 0)
            .cmp(&(b.frames_decoded > 0))
            .then(b.jitter_seconds.total_cmp(&a.jitter_seconds))
    });
    let Some((page, media)) = told.first() else {
        return done(Outcome::Skipped, "The page has not reported yet: ask again in a second.".into());
    };
    if media.frames_decoded == 0 {
        return done(Outcome::Failed, format!("Page {page} is connected and has decoded no frame."))
            .of(page)
            .because("NO_FRAMES")
            .advise("Its browser may lack the codec: try another one, or --codec=vp8.");
    }
    let jitter_ms = media.jitter_seconds * 1000.0;
    let words = format!(
        "Page {page} has decoded {} frames; jitter {jitter_ms:.1} ms, {} packets lost, {:.1} ms there and back.",
        media.frames_decoded,
        media.packets_lost.max(0),
        media.round_trip_seconds * 1000.0
    );
    if media.jitter_seconds >= MAX_JITTER_SECONDS && media.frames_per_second >= MIN_FRAMES_PER_SECOND {
        return done(Outcome::Failed, words)
            .of(page)
            .because("JITTER")
            .advise("Packets reach the page unevenly, 20 ms or more: use a cable instead of Wi-Fi, or a lower bit rate.");
    }
    done(Outcome::Passed, words).of(page)
}

/// How long frames take to the screen.
pub fn latency(status: &Result<Status, String>) -> Check {
    let done = |outcome, message: String| check(CheckName::Latency, outcome, message);
    let status = match status {
        Ok(status) => status,
        Err(why) => return done(Outcome::Skipped, why.clone()),
    };
    let Some(latency) = &status.latency else {
        return done(
            Outcome::Skipped,
            "No frame was shown in the last seconds: move something on the desktop.".into(),
        );
    };
    let p50 = latency.glass_to_glass.p50_seconds;
    let about = if latency.estimated { "about " } else { "" };
    let words = format!(
        "Half of the frames take no more than {about}{:.0} ms from the desktop to the screen, 95 % no more than {:.0} ms{}.",
        p50 * 1000.0,
        latency.glass_to_glass.p95_seconds * 1000.0,
        slowest(latency)
    );
    let done = |outcome| done(outcome, words.clone()).of(&latency.consumer);
    if p50 > LIMIT_SECONDS {
        done(Outcome::Failed)
            .because("LATENCY_LIMIT")
            .advise("That is above the limit of 100 ms: the panel's waterfall shows each stage; begin with the slowest.")
    } else if p50 > GOAL_SECONDS {
        done(Outcome::Warning)
            .because("LATENCY_GOAL")
            .advise("That is above the goal of 50 ms: the panel's waterfall shows each stage; begin with the slowest.")
    } else {
        done(Outcome::Passed)
    }
}

fn slowest(latency: &LatencyStatus) -> String {
    let p50 = |stage: &vdi_protocol::status::StageLatencyStatus| stage.figures.p50_seconds;
    let slowest = latency.stages.iter().max_by(|a, b| p50(a).total_cmp(&p50(b)));
    slowest.map_or(String::new(), |stage| {
        format!("; slowest stage: {}, {:.0} ms", stage.stage.as_str(), p50(stage) * 1000.0)
    })
}

/// The addresses that are offered to pages.
pub fn candidates(facts: &CandidateFacts, stun: bool, turn: bool) -> Check {
    let done = |outcome, message: String| check(CheckName::Candidates, outcome, message);
    let lines = match facts {
        CandidateFacts::Gathered(lines) => lines,
        CandidateFacts::Failed(why) => {
            return done(Outcome::Failed, format!("No address can be gathered: {}.", why.trim_end_matches('.')))
                .because("NO_ICE")
                .advise(
                    "Name interfaces that this machine has in --ice-interfaces; if none are named, GStreamer's WebRTC and \
                     libnice plugins may be missing (gstreamer1.0-plugins-bad, gstreamer1.0-nice).",
                );
        }
    };
    let of = |kind: &str| -> BTreeSet<String> {
        lines
            .iter()
            .filter_map(|line| Candidate::read(line))
            .filter(|one| one.kind == kind)
            .map(|one| one.address)
            .collect()
    };
    let (host, reflexive, relay) = (of("host"), of("srflx"), of("relay"));
    let list = |addresses: &BTreeSet<String>| addresses.iter().cloned().collect::<Vec<_>>().join(", ");
    if host.is_empty() && relay.is_empty() && reflexive.is_empty() {
        return done(Outcome::Failed, "This machine offers no address to browsers.".into())
            .because("NO_CANDIDATES")
            .advise("It needs a network interface with an address: look at `ip address`, and at filters of interfaces.");
    }
    let mut parts =
        vec![format!("own addresses {}", if host.is_empty() { "none".into() } else { list(&host) })];
    if !reflexive.is_empty() {
        parts.push(format!("as seen from outside {}", list(&reflexive)));
    }
    if !relay.is_empty() {
        parts.push(format!("relayed {}", list(&relay)));
    }
    let words = format!("Browsers are offered: {}.", parts.join("; "));
    let outside = host.iter().any(|address| address.parse().is_ok_and(|ip| !is_inside(ip)));
    if turn && relay.is_empty() {
        return done(Outcome::Warning, words).because("NO_RELAY").advise(
            "No TURN server relays for the server's side; pages may still use it from theirs. The checks of TURN tell why.",
        );
    }
    if !outside && reflexive.is_empty() && relay.is_empty() {
        let advice = if stun {
            "The STUN server gave none: only browsers in the same network can connect directly. A TURN server helps."
        } else {
            "Only browsers in the same network can connect directly: configure a TURN server, or announce the public address."
        };
        return done(Outcome::Warning, words).because("ONLY_INSIDE").advise(advice);
    }
    done(Outcome::Passed, words)
}

/// Whether an address is of use only in its own network.
fn is_inside(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        std::net::IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// What is needed of a `candidate:` line.
struct Candidate {
    address: String,
    kind: String,
}

impl Candidate {
    fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let kind = words.iter().position(|word| *word == "typ").and_then(|at| words.get(at + 1))?;
        Some(Self { address: (*words.get(4)?).to_owned(), kind: (*kind).to_owned() })
    }
}

#[cfg(test)]
mod tests;
