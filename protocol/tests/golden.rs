//! One example of every message, as it stands on the wire. The TypeScript tests read the same files.
//!
//! `UPDATE_GOLDEN=1 cargo test -p vdi-protocol` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "golden/broker.rs"]
mod broker;
#[path = "golden/doctor.rs"]
mod doctor;
#[path = "golden/limits.rs"]
mod limits;
#[path = "golden/notice.rs"]
mod notice;
#[path = "golden/people.rs"]
mod people;
#[path = "golden/recording.rs"]
mod recording;
#[path = "golden/share.rs"]
mod share;
#[path = "golden/signalling.rs"]
mod signalling;

use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug, path::Path};
use vdi_protocol::{
    clipboard,
    connection::ConnectionFailure,
    control::{Cursor, FromPage, Media, PageStats, Quality, Role, SessionLimit, ToPage},
    files,
    gamepad::{Gamepad, Rumble},
    input::{Input, Pointing, Way},
    invitations::{Invitation, Invitations, Refusal},
    latency::{FrameReport, FrameReports, Latency, Leg, Percentiles, StageLatency},
    notice::{Notice, NoticeLevel, NoticeSubject},
    people::People,
    phase::Phase,
    reason::FailureReason,
    recording::{Recording, RecordingFailure},
    screen::{Monitor, Screen, Viewport},
    settings::{Choice, ContentHint, Settings, VideoCodec, Wish},
    signalling::IceTransportPolicy,
    status::{
        ConnectionStatus, ConsumerMedia, ConsumerNetwork, ConsumerStatus, EncoderStatus, EncoderSwitch,
        IceServersStatus, IceSource, LatencyFigures, LatencyStatus, QualityLimitationDurations,
        QualityLimitationReason, Rejection, StageLatencyStatus, Status, TlsSource, TlsStatus, TurnStatus,
        TurnTraffic,
    },
};

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, examples: &[T]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.json"));
    let written = serde_json::to_string_pretty(examples).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    assert_eq!(golden, written, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
    let read: Vec<T> = serde_json::from_str(&golden).unwrap();
    assert_eq!(read, examples);
}

fn screen() -> Screen {
    Screen {
        resizable: true,
        message: None,
        max_width: 3840,
        max_height: 2160,
        dpi: 144,
        monitors: vec![Monitor {
            name: "screen".into(),
            width: 2560,
            height: 1440,
            primary: true,
            ..Monitor::default()
        }],
    }
}

#[test]
fn data_channel_messages_stand_on_the_wire_as_in_the_golden_files() {
    check(
        "input",
        &[
            Input::Key { keysym: 0x61, down: true },
            Input::Button { button: 0, down: true, x: 640, y: 360 },
            Input::LockedButton { button: 2, down: false, seq: 8, way: Way { lock: 1, x: -40, y: 1200 } },
            Input::Wheel { dx: 0, dy: 120 },
            Input::Text { text: "日本語 é".into() },
            Input::ReleaseAll,
            Input::Held { keysyms: vec![0xffe1, 0x41] },
            Input::GamepadConnected { index: 0, name: "Xbox 360 Controller".into() },
            Input::GamepadState {
                index: 3,
                gamepad: Gamepad { axes: vec![-32_767, 0, 32_767, 1], buttons: vec![255, 0, 0, 128] },
            },
            Input::GamepadDisconnected { index: 0 },
        ],
    );
    check(
        "pointer",
        &[
            Pointing::Motion { seq: 7, x: 1919, y: 1079 },
            Pointing::Travel { seq: 8, way: Way { lock: 1, x: -40, y: 1200 } },
            Pointing::Shown { seq: 1, x: 640, y: 0 },
            Pointing::Hidden { seq: 2 },
        ],
    );
    check("pointer.toPage", &[people::pointers()]);
    check(
        "control.fromPage",
        &[
            FromPage::Ping { id: 3 },
            FromPage::Stats(PageStats {
                frames_decoded: 600,
                frames_dropped: 1,
                frames_presented: 598,
                frames_per_second: 59.5,
                bitrate_bps: 7_900_000.0,
                jitter_ms: 1.5,
                jitter_buffer_delay_ms: 6.25,
                decode_ms: 2.5,
                packets_received: 9_800,
                packets_lost: 0,
                round_trip_ms: 1.25,
                freeze_count: 0,
            }),
            FromPage::Frames(FrameReports {
                uncertainty_us: 900,
                frames: vec![
                    FrameReport {
                        rtp_timestamp: 90_000,
                        received_us: Some(123_456_789),
                        decoded_us: Some(123_459_000),
                        presented_us: 123_461_500,
                    },
                    FrameReport {
                        rtp_timestamp: 91_500,
                        presented_us: 123_478_000,
                        ..FrameReport::default()
                    },
                ],
            }),
            FromPage::RequestKeyFrame,
            FromPage::TakeControl,
            FromPage::Name { name: "Anna".into() },
            FromPage::GiveControl { consumer: "c2".into() },
            FromPage::KeepControl,
            FromPage::Extend,
            FromPage::Invite { role: Role::Viewer, seconds: 900 },
            FromPage::Revoke { id: 3 },
            FromPage::Record { on: true },
            FromPage::Viewport(Viewport { width: 2560, height: 1440, scale: 1.5 }),
            FromPage::Settings(Wish { bitrate_bps: Some(4_000_000), ..Wish::default() }),
            FromPage::Settings(Wish { codec: Some(VideoCodec::Av1), ..Wish::default() }),
            FromPage::Settings(Wish {
                bitrate_bps: None,
                framerate: Some(30),
                content_hint: Some(ContentHint::Text),
                codec: None,
            }),
        ],
    );
    check(
        "control.toPage",
        &[
            ToPage::Pong { id: 3, received_us: Some(123_456_789), sent_us: Some(123_456_790) },
            ToPage::Pong { id: 4, received_us: None, sent_us: None },
            ToPage::Media(Media {
                codec: "H264".into(),
                chroma_format: "4:4:4".into(),
                encoder: "x264enc".into(),
                width: 1920,
                height: 1080,
                framerate: 60,
                audio: true,
            }),
            ToPage::Session {
                phase: Phase::Streaming,
                reason: None,
                message: None,
                role: Role::Controller,
                consumers: 1,
            },
            ToPage::Session {
                phase: Phase::Failed,
                reason: Some(FailureReason::DisplayUnavailable),
                message: Some("the X display :99 has died".into()),
                role: Role::Viewer,
                consumers: 2,
            },
            ToPage::ControlTaken { same_user: true },
            ToPage::Notice(Notice {
                level: NoticeLevel::Warning,
                text: "No GPU encoder works; x264enc is used.".into(),
                subject: Some(NoticeSubject::NoGpuEncoder { encoder: "x264enc".into() }),
                once: Some("no-gpu-1".into()),
            }),
            ToPage::Notice(Notice {
                level: NoticeLevel::Info,
                text: "Something that has no name yet.".into(),
                subject: None,
                once: None,
            }),
            ToPage::Quality(Quality {
                reason: QualityLimitationReason::Bandwidth,
                seconds: 12.5,
                encoder: "x264enc".into(),
                hardware: false,
                codec: "H264".into(),
                source_width: 1920,
                source_height: 1080,
                width: 1280,
                height: 720,
                max_framerate: 30.0,
                bitrate_bps: 1_500_000,
            }),
            ToPage::Display { width: 1920, height: 1080 },
            ToPage::Latency(Latency {
                codec: "H264".into(),
                estimated: false,
                frames: 60,
                uncertainty_us: 900,
                glass_to_glass: Percentiles { p50_us: 21_000, p95_us: 33_500 },
                stages: Leg::ALL
                    .into_iter()
                    .zip([2_000, 1_500, 6_000, 150, 100, 1_250, 4_000, 6_000])
                    .map(|(stage, p50_us)| StageLatency { stage, p50_us, p95_us: 2 * p50_us })
                    .collect(),
            }),
            ToPage::Latency(Latency {
                codec: "VP8".into(),
                estimated: true,
                frames: 58,
                uncertainty_us: 0,
                glass_to_glass: Percentiles { p50_us: 24_000, p95_us: 36_000 },
                stages: vec![
                    StageLatency { stage: Leg::Encode, p50_us: 9_000, p95_us: 12_000 },
                    StageLatency { stage: Leg::Network, p50_us: 5_000, p95_us: 5_000 },
                ],
            }),
            ToPage::Cursor(Cursor {
                width: 24,
                height: 24,
                hotspot_x: 3,
                hotspot_y: 2,
                png: "iVBORw0KGgo=".into(),
            }),
            ToPage::Cursor(Cursor::default()),
            ToPage::People(people::people()),
            ToPage::People(People::default()),
            ToPage::ControlRefused,
            ToPage::Invitations(Invitations {
                allowed: true,
                invitations: vec![Invitation { id: 3, role: Role::Controller, seconds: 3599.5 }],
            }),
            ToPage::Invitations(Invitations::default()),
            ToPage::Invited { id: 3, token: "p7xRk0c2m9Zb1yQvN4tWf8sLh3uJd6gE5aXoI2eTnKw".into() },
            ToPage::NotInvited { reason: Refusal::NotAllowed },
            ToPage::NotInvited { reason: Refusal::TooMany },
            ToPage::NotInvited { reason: Refusal::BadDuration },
            ToPage::Files(files::Policy {
                token: "4f1d0a9c8b7e6d5f3a2b1c0d9e8f7a6b".into(),
                read: true,
                write: true,
                max_bytes: 4_294_967_296,
            }),
            ToPage::Clipboard(clipboard::Policy { read: true, write: false, max_bytes: 16_777_216 }),
            ToPage::Settings(Settings {
                now: Choice {
                    bitrate_bps: 4_000_000,
                    framerate: 30,
                    content_hint: ContentHint::Motion,
                    codec: VideoCodec::Vp9,
                },
                defaults: Choice {
                    bitrate_bps: 8_000_000,
                    framerate: 60,
                    content_hint: ContentHint::Auto,
                    codec: VideoCodec::H264,
                },
                min_bitrate_bps: 500_000,
                max_bitrate_bps: 20_000_000,
                max_framerate: 60,
                codecs: vec![VideoCodec::H264, VideoCodec::Vp9, VideoCodec::Av1],
                trying: Some(VideoCodec::Av1),
            }),
            ToPage::Ending { limit: Some(SessionLimit::Idle), seconds: 59.5, extension_seconds: None },
            limits::ending(),
            ToPage::Ending { limit: None, seconds: 0.0, extension_seconds: None },
            ToPage::Screen(screen()),
            ToPage::Screen(Screen {
                message: Some("The X server has no RANDR extension.".into()),
                ..Screen::default()
            }),
            ToPage::Rumble(Rumble { index: 1, strong: 65_535, weak: 16_384, duration_ms: 250 }),
            ToPage::Rumble(Rumble { index: 1, ..Rumble::default() }),
            ToPage::Recording(Recording { on_request: true, running: true }),
            ToPage::RecordingFailed { reason: RecordingFailure::DiskFull },
            ToPage::RecordingFailed { reason: RecordingFailure::TooLarge },
            ToPage::RecordingFailed { reason: RecordingFailure::NotWritable },
            ToPage::RecordingFailed { reason: RecordingFailure::Failed },
        ],
    );
}

#[test]
fn status_stands_on_the_wire_as_in_the_golden_file() {
    check(
        "status",
        &[Status {
            version: "0.1.0".into(),
            phase: Phase::Streaming,
            uptime_seconds: 12.5,
            last_input_seconds_ago: Some(0.25),
            seconds_without_page: None,
            limits: limits::limits(),
            display: Some(":99".into()),
            screen: screen(),
            encoder: Some(EncoderStatus {
                name: "x264enc".into(),
                hardware: false,
                codec: "H264".into(),
                chroma_format: "4:2:0".into(),
                source_width: 1920,
                source_height: 1080,
                frame_width: 1280,
                frame_height: 720,
                frames_per_second: 29.5,
                max_framerate: Some(30.0),
                target_bitrate_bps: 1_500_000,
                frames_encoded: 600,
                key_frames_encoded: 3,
                frames_dropped: 12,
                total_encode_time_seconds: 2.5,
                encode_time_seconds: 0.006,
                cpu_usage: Some(0.5),
                latency_seconds: Some(0.042),
                quality_limitation_reason: QualityLimitationReason::Bandwidth,
                quality_limitation_durations: QualityLimitationDurations {
                    none: 8.0,
                    bandwidth: 4.5,
                    ..Default::default()
                },
                quality_limitation_resolution_changes: 1,
                switches: 1,
                last_switch: Some(EncoderSwitch {
                    from: "nvh264enc".into(),
                    to: "x264enc".into(),
                    cause: "encode-error".into(),
                    message: "nvh264enc failed: the device is lost".into(),
                }),
                rejections: vec![Rejection {
                    encoder: "nvcudah264enc".into(),
                    reason: "no-factory".into(),
                    message: "GStreamer has no element nvcudah264enc".into(),
                }],
            }),
            latency: Some(LatencyStatus {
                consumer: "c1".into(),
                estimated: false,
                frames: 300,
                uncertainty_seconds: 0.0009,
                glass_to_glass: LatencyFigures { p50_seconds: 0.021, p95_seconds: 0.0335, p99_seconds: 0.04 },
                stages: vec![StageLatencyStatus {
                    stage: Leg::Encode,
                    figures: LatencyFigures { p50_seconds: 0.006, p95_seconds: 0.009, p99_seconds: 0.012 },
                }],
            }),
            ice_servers: IceServersStatus {
                urls: vec!["turn:turn.example.com:3478?transport=udp".into()],
                source: IceSource::Rest,
                transport_policy: IceTransportPolicy::Relay,
                expires_in_seconds: Some(400.0),
                renewed_in_seconds: Some(5.0),
                renewal_failures: 1,
                error: Some("the TURN REST service gave no servers: it answers with 503".into()),
            },
            tls: Some(TlsStatus {
                source: TlsSource::Given,
                fingerprint: "AB:CD:EF".into(),
                not_after: "2027-11-21T12:00:00Z".into(),
                message: None,
            }),
            consumers: vec![ConsumerStatus {
                id: "c1".into(),
                role: Role::Controller,
                connected: true,
                media: Some(ConsumerMedia {
                    frames_decoded: 300,
                    frames_per_second: 29.5,
                    jitter_seconds: 0.003,
                    packets_received: 4_000,
                    packets_lost: 2,
                    round_trip_seconds: 0.0015,
                }),
                network: Some(ConsumerNetwork {
                    available_outgoing_bitrate_bps: 9_500_000,
                    video_bitrate_bps: 8_600_000,
                    queue_delay_seconds: Some(0.004),
                    round_trip_seconds: None,
                    packet_loss: 0.01,
                    pacer_delay_seconds: 0.002,
                    state: "hold".into(),
                }),
            }],
            connection: ConnectionStatus {
                failures: BTreeMap::from([
                    (ConnectionFailure::PathBlocked, 2),
                    (ConnectionFailure::SignallingLost, 1),
                ]),
            },
            recording: Some(recording::status()),
            turn: Some(TurnStatus {
                udp_port: Some(3478),
                allocations: 1,
                allocations_total: 2,
                refused: [("expired".into(), 1), ("peer".into(), 3)].into(),
                traffic: [(
                    "tcp".into(),
                    TurnTraffic { bytes_from_clients: 1200, bytes_to_clients: 48_000, packets_dropped: 2 },
                )]
                .into(),
            }),
            ..Status::default()
        }],
    );
}
