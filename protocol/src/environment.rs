//! The wire: names, ports and probe paths that the launcher reads and that the operator writes into a pod.

/// Address to listen on.
pub const ADDR: &str = "SELKIES_ADDR";
/// TCP port of page, signalling and API.
pub const PORT: &str = "SELKIES_PORT";
/// Encoder to use.
pub const ENCODER: &str = "SELKIES_ENCODER";
/// Frames per second.
pub const FRAMERATE: &str = "SELKIES_FRAMERATE";
/// Video bit rate in kbit/s.
pub const VIDEO_BITRATE: &str = "SELKIES_VIDEO_BITRATE";
/// Whether HTTP Basic authentication is on.
pub const ENABLE_BASIC_AUTH: &str = "SELKIES_ENABLE_BASIC_AUTH";
/// User of HTTP Basic authentication.
pub const BASIC_AUTH_USER: &str = "SELKIES_BASIC_AUTH_USER";
/// Whether the metrics have a port of their own.
pub const ENABLE_METRICS_HTTP: &str = "SELKIES_ENABLE_METRICS_HTTP";
/// That port.
pub const METRICS_HTTP_PORT: &str = "SELKIES_METRICS_HTTP_PORT";
/// Password of HTTP Basic authentication.
pub const BASIC_AUTH_PASSWORD: &str = "SELKIES_BASIC_AUTH_PASSWORD";
/// Whether the page may resize the display.
pub const ENABLE_RESIZE: &str = "SELKIES_ENABLE_RESIZE";
/// X display.
pub const DISPLAY: &str = "DISPLAY";
/// PulseAudio server.
pub const PULSE_SERVER: &str = "PULSE_SERVER";

/// The port that a session listens on if nothing else is said.
pub const DEFAULT_PORT: u16 = 8080;

/// The metrics' own port, where they have one and nothing else is said.
pub const DEFAULT_METRICS_PORT: u16 = 8000;

/// Liveness: the process answers.
pub const HEALTHZ: &str = "/healthz";
/// Readiness: display, pipeline and encoder are up.
pub const READYZ: &str = "/readyz";
/// The state of the session as JSON ([`crate::status::Status`]).
pub const STATUS: &str = "/status";
/// Prometheus metrics.
pub const METRICS: &str = "/metrics";
/// STUN and TURN servers as `RTCPeerConnection` takes them, in the form of Selkies.
pub const TURN: &str = "/turn";
/// What works and what does not, looked at when it is asked ([`crate::doctor::Report`]).
pub const DOCTOR: &str = "/doctor";
/// The signalling WebSocket.
pub const WS: &str = "/ws";
/// Where standard players watch (WHEP).
pub const WHEP: &str = "/whep";
/// Names of consumers that are such players begin so.
pub const WHEP_PREFIX: &str = "whep-";
/// Names of consumers that are a page's second connection, for its sound alone, begin so.
pub const SOUND_PREFIX: &str = "sound-";

/// Where Kubernetes reads why a container ended.
pub const TERMINATION_LOG: &str = "/dev/termination-log";
