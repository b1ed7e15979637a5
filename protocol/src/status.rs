//! The wire: `GET /status`, what a process says of its session. The operator reads it, and so do people.

use crate::{
    connection::ConnectionFailure, control::Role, latency::Leg, phase::Phase, reason::FailureReason,
    recording::RecordingFailure, screen::Screen, signalling::IceTransportPolicy,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod devices;

pub use devices::{MicrophoneStatus, WebcamStatus};

/// The body of `/status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Version of the launcher.
    pub version: String,
    /// Where the session stands.
    pub phase: Phase,
    /// Why it failed.
    pub reason: Option<FailureReason>,
    /// A sentence about the phase or the failure.
    pub message: Option<String>,
    /// Seconds since the process started.
    pub uptime_seconds: f64,
    /// Seconds since the last key, button, wheel or motion; `null` before the first.
    pub last_input_seconds_ago: Option<f64>,
    /// Seconds since no page is connected; `null` while one is.
    pub seconds_without_page: Option<f64>,
    /// How long the session may live.
    pub limits: LimitsStatus,
    /// The X display that is streamed.
    pub display: Option<String>,
    /// What the screen is, and whether its size follows the controller's window.
    pub screen: Screen,
    /// The encoder at work; `null` before the first frame.
    pub encoder: Option<EncoderStatus>,
    /// How long frames take to the screen; `null` while none are shown.
    pub latency: Option<LatencyStatus>,
    /// The sound.
    pub audio: AudioStatus,
    /// The microphone.
    pub microphone: MicrophoneStatus,
    /// The webcam.
    pub webcam: WebcamStatus,
    /// The recording; `null` where the operator has named no folder for one.
    pub recording: Option<RecordingStatus>,
    /// NVIDIA devices seen by NVML.
    pub gpu: GpuStatus,
    /// The certificate of the port; `null` where something in front speaks TLS.
    pub tls: Option<TlsStatus>,
    /// Connected pages.
    pub consumers: Vec<ConsumerStatus>,
    /// STUN and TURN servers that are configured.
    pub ice_servers: IceServersStatus,
    /// How connecting went.
    pub connection: ConnectionStatus,
    /// The built-in TURN server; `null` where it is switched off.
    pub turn: Option<TurnStatus>,
}

/// How long the session may live, as it was told, and by how much it was extended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitsStatus {
    /// When its longest time is over (RFC 3339), extensions included; `null` without such a limit.
    pub expires_at: Option<String>,
    /// How long it may be without input, in seconds.
    pub idle_timeout_seconds: Option<u64>,
    /// How long it may be without a connected page, in seconds.
    pub disconnected_timeout_seconds: Option<u64>,
    /// By how much whoever was in control has extended the longest time so far.
    pub extended_seconds: u64,
    /// By how much one extension does.
    pub extension_seconds: u64,
    /// How many are left.
    pub extensions_left: u32,
}

/// STUN and TURN servers that are configured, without user names and passwords.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IceServersStatus {
    /// Their addresses, as browsers take them. The built-in server is not among them: it is wherever a page found us.
    pub urls: Vec<String>,
    /// Where they come from.
    pub source: IceSource,
    /// Whether only relayed paths may be used.
    pub transport_policy: IceTransportPolicy,
    /// Seconds until the credentials expire; `null` if they do not, or nobody has said when.
    pub expires_in_seconds: Option<f64>,
    /// Seconds until they are renewed, or until that is tried again; `null` if they are not.
    pub renewed_in_seconds: Option<f64>,
    /// Renewals that failed since the start.
    pub renewal_failures: u64,
    /// What is wrong with the file or the service that they come from; `null` when all is well.
    pub error: Option<String>,
}

/// Where STUN and TURN servers come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IceSource {
    /// None are configured.
    #[default]
    None,
    /// The file of `--rtc-config-json`.
    File,
    /// The service of `--turn-rest-uri`.
    Rest,
    /// `--turn-username` and `--turn-password`.
    Static,
    /// `--turn-shared-secret`.
    SharedSecret,
    /// `--stun-host` alone.
    Stun,
}

/// How connecting went since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionStatus {
    /// Connections that did not come up or were lost, by reason; those that never happened are absent.
    pub failures: BTreeMap<ConnectionFailure, u64>,
}

/// The certificate that the port shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsStatus {
    /// Where it comes from.
    pub source: TlsSource,
    /// SHA-256 in the form that browsers show: pairs of hexadecimal digits with colons.
    pub fingerprint: String,
    /// When it expires (RFC 3339).
    pub not_after: String,
    /// A sentence about what is wrong with it, or with its replacement.
    pub message: Option<String>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsSource {
    /// From the operator's files.
    Given,
    /// Made by the process itself; browsers warn of it.
    #[default]
    SelfSigned,
}

impl TlsSource {
    /// Name on the wire and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::SelfSigned => "selfSigned",
        }
    }
}

/// The built-in TURN server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TurnStatus {
    /// Port of its UDP listener; `null` while that is not up.
    pub udp_port: Option<u16>,
    /// Allocations now.
    pub allocations: u64,
    /// Allocations since the start.
    pub allocations_total: u64,
    /// What was refused, by reason: `expired`, `forged` and `ended` credentials, a `peer` that is not ours, `quota`,
    /// `malformed`, `rate`.
    pub refused: BTreeMap<String, u64>,
    /// What was relayed, by the transport of the client: `udp`, `tcp`, `tls`.
    pub traffic: BTreeMap<String, TurnTraffic>,
}

/// What the built-in TURN server has relayed for clients of one transport.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TurnTraffic {
    /// Bytes from pages to this process.
    pub bytes_from_clients: u64,
    /// Bytes from this process to pages.
    pub bytes_to_clients: u64,
    /// Packets that were too many, too late, or more than a socket took.
    pub packets_dropped: u64,
}

/// The encoder at work, in W3C webrtc-stats words where it has some.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EncoderStatus {
    /// GStreamer factory name.
    pub name: String,
    /// Whether it runs on a GPU.
    pub hardware: bool,
    /// `H264`, `VP8`, … as in SDP.
    pub codec: String,
    /// `4:2:0` or `4:4:4`: how many pixels share a colour.
    pub chroma_format: String,
    /// Columns of the desktop as it comes in; 0 while unknown.
    pub source_width: u32,
    /// Rows of the desktop as it comes in; 0 while unknown.
    pub source_height: u32,
    /// Columns of the encoded frame; 0 while unknown.
    pub frame_width: u32,
    /// Rows of the encoded frame; 0 while unknown.
    pub frame_height: u32,
    /// Frames encoded in the last second.
    pub frames_per_second: f64,
    /// Most frames per second for now; `null` while only the source sets the pace.
    pub max_framerate: Option<f64>,
    /// Bit rate asked of it now.
    pub target_bitrate_bps: u64,
    /// Frames encoded since the start.
    pub frames_encoded: u64,
    /// Key frames among them.
    pub key_frames_encoded: u64,
    /// Frames that came in and were not encoded.
    pub frames_dropped: u64,
    /// Time spent encoding since the start, in seconds.
    pub total_encode_time_seconds: f64,
    /// 95th percentile of one frame's time in the encoder over the last seconds, in seconds.
    pub encode_time_seconds: f64,
    /// Processor time in use, 0 to 1 of what this process may have; `null` while unknown.
    pub cpu_usage: Option<f64>,
    /// Time from capture to presentation that the adaptation acts on, in seconds; `null` while unknown.
    pub latency_seconds: Option<f64>,
    /// What holds quality back now.
    pub quality_limitation_reason: QualityLimitationReason,
    /// For how long each reason has held since the start.
    pub quality_limitation_durations: QualityLimitationDurations,
    /// How often the size of the encoded frame was changed on account of them.
    pub quality_limitation_resolution_changes: u32,
    /// How often another encoder took over, fail-overs and returns.
    pub switches: u32,
    /// The last of them.
    pub last_switch: Option<EncoderSwitch>,
    /// Encoders that were tried before it and why each was rejected.
    pub rejections: Vec<Rejection>,
}

/// How long frames took over the last seconds, from the damage in the X server to the screen of the page that is worst off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LatencyStatus {
    /// The server's name for the page.
    pub consumer: String,
    /// Put together from what the server knows, because the page tells of no frames.
    pub estimated: bool,
    /// Frames that are counted.
    pub frames: u64,
    /// How wrong the figures that cross the network may be, in seconds; 0 if estimated.
    pub uncertainty_seconds: f64,
    /// The whole way.
    pub glass_to_glass: LatencyFigures,
    /// Its legs, in order; those that are not known are absent, and their time is in the next.
    pub stages: Vec<StageLatencyStatus>,
}

/// Percentiles of a time, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LatencyFigures {
    /// What half of the frames did not exceed.
    pub p50_seconds: f64,
    /// What 95 of 100 frames did not exceed.
    pub p95_seconds: f64,
    /// What 99 of 100 frames did not exceed.
    pub p99_seconds: f64,
}

/// How long one leg of the way took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageLatencyStatus {
    /// The leg.
    pub stage: Leg,
    /// Its figures.
    #[serde(flatten)]
    pub figures: LatencyFigures,
}

/// What holds quality back: the words of W3C webrtc-stats (RTCQualityLimitationReason), and `latency`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityLimitationReason {
    /// Nothing.
    #[default]
    None,
    /// The processor of the server.
    Cpu,
    /// What the network carries, or what the operator allows.
    Bandwidth,
    /// The time from capture to presentation.
    Latency,
}

impl QualityLimitationReason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Cpu, Self::Bandwidth, Self::Latency];

    /// Name on the wire, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cpu => "cpu",
            Self::Bandwidth => "bandwidth",
            Self::Latency => "latency",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// For how long each reason has held, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QualityLimitationDurations {
    /// Nothing held it back.
    pub none: f64,
    /// The processor did.
    pub cpu: f64,
    /// The bit rate did.
    pub bandwidth: f64,
    /// The latency did.
    pub latency: f64,
}

impl QualityLimitationDurations {
    /// That of one reason.
    pub fn of(&self, reason: QualityLimitationReason) -> f64 {
        match reason {
            QualityLimitationReason::None => self.none,
            QualityLimitationReason::Cpu => self.cpu,
            QualityLimitationReason::Bandwidth => self.bandwidth,
            QualityLimitationReason::Latency => self.latency,
        }
    }
}

/// Another encoder has taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EncoderSwitch {
    /// GStreamer factory name of the one before.
    pub from: String,
    /// GStreamer factory name of the one after.
    pub to: String,
    /// Stable name of the cause: `recovered`, `renegotiation`, or why the one before was given up, such as `encode-error`.
    pub cause: String,
    /// A sentence, for people.
    pub message: String,
}

/// A candidate that was not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rejection {
    /// GStreamer factory name.
    pub encoder: String,
    /// Stable name of the reason, such as `no-factory`.
    pub reason: String,
    /// A sentence, for people.
    pub message: String,
}

/// The sound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AudioStatus {
    /// Whether sound is being captured now.
    pub running: bool,
    /// Why not, if not.
    pub message: Option<String>,
}

/// The recording of the session to files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RecordingStatus {
    /// Whether the session is being recorded now.
    pub running: bool,
    /// When that began (RFC 3339); `null` if it does not run.
    pub started_at: Option<String>,
    /// The file that is being written; `null` while there is none.
    pub file: Option<String>,
    /// Files that were begun since the start of the process.
    pub files: u32,
    /// Bytes that were written to them.
    pub bytes_written: u64,
    /// Encoded frames, of picture or sound, that are missing in them because the disk was too slow.
    pub frames_dropped: u64,
    /// Recordings that have ended, or have not begun, although nobody wanted that.
    pub failures: u64,
    /// Why the last one did; `null` from when another one is started.
    pub failure: Option<RecordingFailure>,
    /// A sentence about it.
    pub message: Option<String>,
}

/// NVIDIA devices seen by NVML.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GpuStatus {
    /// Devices, in NVML's order.
    pub devices: Vec<GpuDevice>,
    /// Why there are none, if there are none.
    pub message: Option<String>,
}

/// One NVIDIA device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GpuDevice {
    /// Marketing name.
    pub name: String,
    /// Load of the compute and graphics engines, 0 to 1.
    pub utilization: f64,
    /// Load of the encoder engine, 0 to 1; `null` where the device has none.
    pub encoder_utilization: Option<f64>,
    /// Memory in bytes.
    pub memory_total_bytes: u64,
    /// Memory in use in bytes.
    pub memory_used_bytes: u64,
}

/// One connected page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStatus {
    /// The server's name for it.
    pub id: String,
    /// What it may do.
    pub role: Role,
    /// Whether its media path is up.
    pub connected: bool,
    /// What it says of the media that reach it; `null` before its first report.
    #[serde(default)]
    pub media: Option<ConsumerMedia>,
    /// What is known of the way to it; `null` without congestion control.
    #[serde(default)]
    pub network: Option<ConsumerNetwork>,
}

/// What the congestion control knows of the way to a page, in W3C webrtc-stats words where it has some.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerNetwork {
    /// What the network is believed to carry, all streams together.
    pub available_outgoing_bitrate_bps: u64,
    /// What of it the encoder may use now.
    pub video_bitrate_bps: u64,
    /// Time that packets stand in a queue of the network, in seconds; `null` while unknown.
    pub queue_delay_seconds: Option<f64>,
    /// Shortest time from a packet to the page's word of it, in seconds; `null` while unknown.
    pub round_trip_seconds: Option<f64>,
    /// Share of packets that were lost lately.
    pub packet_loss: f64,
    /// How long a packet waits in this process before it may leave, in seconds.
    pub pacer_delay_seconds: f64,
    /// What holds the estimate: `increase`, `hold`, `drain`, `compete`, `silent`; empty if that is not told.
    pub state: String,
}

/// What reaches a page, in W3C webrtc-stats words. Counts are since it connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerMedia {
    /// Frames decoded.
    pub frames_decoded: u64,
    /// Frames decoded in the last second.
    pub frames_per_second: f64,
    /// How unevenly packets come (RFC 3550, 6.4.1), in seconds.
    pub jitter_seconds: f64,
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets lost; negative when duplicates outnumber losses.
    pub packets_lost: i64,
    /// To the page and back, in seconds; 0 before the first answer.
    pub round_trip_seconds: f64,
}
