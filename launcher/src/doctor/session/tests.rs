//! What is known of a session, and what the doctor says of it.

use super::*;
use vdi_protocol::{
    control::Role,
    latency::Leg,
    status::{ConsumerMedia, ConsumerStatus, GpuDevice, LatencyFigures, StageLatencyStatus},
};

fn found(check: &Check) -> (Outcome, Option<&str>) {
    (check.outcome, check.reason.as_deref())
}

fn software() -> EncoderFacts {
    EncoderFacts {
        chosen: Some(("x264enc".into(), false)),
        rejections: ["nvh264enc", "nvcudah264enc"]
            .map(|encoder| Rejection {
                encoder: encoder.into(),
                reason: "no-factory".into(),
                message: "GStreamer has no such element".into(),
            })
            .into(),
        failure: None,
        took: Some(Duration::from_millis(400)),
    }
}

#[test]
fn a_missing_gpu_is_as_bad_as_the_policy_says() {
    let none = GpuStatus { devices: Vec::new(), message: Some("no NVIDIA driver".into()) };
    let facts = software();
    let reason = Some("GPU_INIT_ERROR");
    assert_eq!(found(&gpu(&none, EncoderPolicy::PreferHardware, &facts)), (Outcome::Warning, reason));
    assert_eq!(found(&gpu(&none, EncoderPolicy::RequireHardware, &facts)), (Outcome::Failed, reason));
    assert_eq!(found(&gpu(&none, EncoderPolicy::Software, &facts)), (Outcome::Skipped, None));
    let vaapi = EncoderFacts { chosen: Some(("vah264enc".into(), true)), ..EncoderFacts::default() };
    assert_eq!(found(&gpu(&none, EncoderPolicy::RequireHardware, &vaapi)), (Outcome::Passed, None));
    let there =
        GpuStatus { devices: vec![GpuDevice { name: "L4".into(), ..GpuDevice::default() }], message: None };
    assert_eq!(gpu(&there, EncoderPolicy::PreferHardware, &facts).message, "NVML sees L4.");
}

#[test]
fn software_is_a_warning_only_where_hardware_was_preferred_and_failed() {
    let facts = software();
    let preferred = encoder(EncoderPolicy::PreferHardware, &facts);
    assert_eq!(found(&preferred), (Outcome::Warning, Some("SOFTWARE")));
    assert_eq!(preferred.message.matches("no-factory").count(), 1, "{}", preferred.message);
    assert_eq!(found(&encoder(EncoderPolicy::Software, &facts)), (Outcome::Passed, None));
    let none = EncoderFacts {
        failure: Some((FailureReason::GpuInitError, "no hardware encoder works".into())),
        ..EncoderFacts::default()
    };
    assert_eq!(
        found(&encoder(EncoderPolicy::RequireHardware, &none)),
        (Outcome::Failed, Some("GPU_INIT_ERROR"))
    );
    assert_eq!(
        found(&encoder(EncoderPolicy::PreferHardware, &EncoderFacts::default())),
        (Outcome::Failed, Some("ENCODER_UNAVAILABLE"))
    );
}

fn watched(pages: &[(u64, f64)]) -> Result<Status, String> {
    watched_at(30.0, pages)
}

fn watched_at(frames_per_second: f64, pages: &[(u64, f64)]) -> Result<Status, String> {
    let page = |(index, (frames_decoded, jitter_seconds)): (usize, &(u64, f64))| ConsumerStatus {
        id: format!("c{index}"),
        role: Role::Viewer,
        connected: true,
        media: Some(ConsumerMedia {
            frames_decoded: *frames_decoded,
            jitter_seconds: *jitter_seconds,
            frames_per_second,
            ..ConsumerMedia::default()
        }),
        network: None,
    };
    Ok(Status { consumers: pages.iter().enumerate().map(page).collect(), ..Status::default() })
}

#[test]
fn media_are_judged_by_the_page_that_is_worst_off() {
    assert_eq!(found(&media(&watched(&[(300, 0.003)]))), (Outcome::Passed, None));
    assert_eq!(found(&media(&watched(&[(300, 0.0199)]))), (Outcome::Passed, None));
    let uneven = media(&watched(&[(300, 0.003), (300, 0.020)]));
    assert_eq!((found(&uneven), uneven.target.as_deref()), ((Outcome::Failed, Some("JITTER")), Some("c1")));
    let still = media(&watched_at(1.0, &[(300, 0.030)]));
    assert_eq!(
        found(&still),
        (Outcome::Passed, None),
        "a desktop that hardly changes says nothing of the network"
    );
    let blank = media(&watched(&[(300, 0.030), (0, 0.0)]));
    assert_eq!((found(&blank), blank.target.as_deref()), ((Outcome::Failed, Some("NO_FRAMES")), Some("c1")));
    assert_eq!(found(&media(&watched(&[]))), (Outcome::Skipped, None));
    let alone = media(&Err("No launcher runs on port 8080.".into()));
    assert_eq!((alone.outcome, alone.message.as_str()), (Outcome::Skipped, "No launcher runs on port 8080."));
}

#[test]
fn latency_has_a_goal_and_a_limit() {
    let status = |p50_seconds| {
        let figures =
            |p50_seconds| LatencyFigures { p50_seconds, p95_seconds: 2.0 * p50_seconds, p99_seconds: 0.0 };
        Ok(Status {
            latency: Some(LatencyStatus {
                glass_to_glass: figures(p50_seconds),
                stages: vec![
                    StageLatencyStatus { stage: Leg::Encode, figures: figures(p50_seconds / 2.0) },
                    StageLatencyStatus { stage: Leg::Network, figures: figures(p50_seconds / 4.0) },
                ],
                ..LatencyStatus::default()
            }),
            ..Status::default()
        })
    };
    assert_eq!(found(&latency(&status(0.050))), (Outcome::Passed, None));
    assert_eq!(found(&latency(&status(0.051))), (Outcome::Warning, Some("LATENCY_GOAL")));
    assert_eq!(found(&latency(&status(0.100))), (Outcome::Warning, Some("LATENCY_GOAL")));
    assert_eq!(found(&latency(&status(0.101))), (Outcome::Failed, Some("LATENCY_LIMIT")));
    assert!(latency(&status(0.080)).message.contains("slowest stage: encode, 40 ms"));
    assert_eq!(found(&latency(&Ok(Status::default()))), (Outcome::Skipped, None));
}

#[test]
fn candidates_are_told_by_where_they_can_be_reached_from() {
    let gathered = |kinds: &[(&str, &str)]| {
        let line = |(address, kind): &(&str, &str)| {
            format!("candidate:1 1 UDP 2015363327 {address} 54321 typ {kind}")
        };
        CandidateFacts::Gathered(kinds.iter().map(line).collect())
    };
    let inside = gathered(&[("127.0.0.1", "host"), ("10.0.0.1", "host"), ("10.0.0.1", "host")]);
    let check = candidates(&inside, false, false);
    assert_eq!(found(&check), (Outcome::Warning, Some("ONLY_INSIDE")));
    assert_eq!(check.message, "Browsers are offered: own addresses 10.0.0.1, 127.0.0.1.");
    let public = gathered(&[("203.0.113.9", "host")]);
    assert_eq!(found(&candidates(&public, false, false)), (Outcome::Passed, None));
    assert_eq!(found(&candidates(&public, false, true)), (Outcome::Warning, Some("NO_RELAY")));
    let relayed = gathered(&[("10.0.0.1", "host"), ("203.0.113.9", "relay")]);
    assert_eq!(found(&candidates(&relayed, true, true)), (Outcome::Passed, None));
    assert_eq!(found(&candidates(&gathered(&[]), true, true)), (Outcome::Failed, Some("NO_CANDIDATES")));
    let none = CandidateFacts::Failed("there is no webrtcbin".into());
    assert_eq!(found(&candidates(&none, false, false)), (Outcome::Failed, Some("NO_ICE")));
}
