//! Setup: the sink's properties, as one value.

use super::{
    consumer::negotiation::Servers,
    direct::DirectPaths,
    ice_servers,
    policy::{BitratePolicy, CongestionControl},
};
use gst_webrtc::WebRTCICETransportPolicy;
use std::time::Duration;
use vdi_protocol::signalling::IceTransportPolicy;

/// Where a bare launch line serves its page: this machine only, since there is no password.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// Enough for a class watching one desktop; each consumer costs a few threads and descriptors.
pub const DEFAULT_MAX_CONSUMERS: u32 = 16;
/// From hello to connected; a relayed path over a slow link takes a few seconds.
pub const DEFAULT_NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(15);
/// Least time between two requested key frames.
pub const DEFAULT_KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);
/// What the pictures want at most, in kbit/s; `adaptiveencbin` has the same default.
pub const DEFAULT_MAX_BITRATE_KBPS: u32 = 20_000;
/// Largest playout delay that the header extension can say (12 bits of 10 ms).
pub const MAX_PLAYOUT_DELAY: Duration = Duration::from_millis(40_950);

/// The sink's properties.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address to host on; empty hosts nothing.
    pub listen: String,
    /// Broker to dial.
    pub uri: Option<String>,
    /// PEM file with certificates to trust beside the system's when dialling.
    pub ca_file: Option<String>,
    /// `stun://host:port`.
    pub stun_server: Option<String>,
    /// `turn(s)://user:password@host:port`.
    pub turn_servers: Vec<String>,
    /// Any candidate, or relayed ones only.
    pub ice_transport_policy: WebRTCICETransportPolicy,
    /// Which direct paths are offered.
    pub direct: DirectPaths,
    /// Bounds of the playout delay.
    pub playout_delay: (Duration, Duration),
    /// Consumers served at once.
    pub max_consumers: u32,
    /// Largest message in bytes.
    pub max_message_size: usize,
    /// From hello to connected.
    pub negotiation_timeout: Duration,
    /// Least time between two requested key frames.
    pub key_frame_interval: Duration,
    /// What estimates consumers' networks.
    pub congestion_control: CongestionControl,
    /// Whose network moves the encoder.
    pub bitrate_policy: BitratePolicy,
    /// The consumer that it names.
    pub controller: Option<String>,
    /// What the pictures want at most, in kbit/s.
    pub max_bitrate_kbps: u32,
    /// Whether consumers may send sound.
    pub receive_audio: bool,
    /// Whether consumers may send pictures.
    pub receive_video: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN.into(),
            uri: None,
            ca_file: None,
            stun_server: None,
            turn_servers: Vec::new(),
            ice_transport_policy: WebRTCICETransportPolicy::All,
            direct: DirectPaths::default(),
            playout_delay: (Duration::ZERO, Duration::ZERO),
            max_consumers: DEFAULT_MAX_CONSUMERS,
            max_message_size: vdi_protocol::limits::MAX_DATA_BYTES,
            negotiation_timeout: DEFAULT_NEGOTIATION_TIMEOUT,
            key_frame_interval: DEFAULT_KEY_FRAME_INTERVAL,
            congestion_control: CongestionControl::default(),
            bitrate_policy: BitratePolicy::default(),
            controller: None,
            max_bitrate_kbps: DEFAULT_MAX_BITRATE_KBPS,
            receive_audio: false,
            receive_video: false,
        }
    }
}

impl Settings {
    /// The servers for consumers, as the properties name them.
    pub fn servers(&self) -> Servers {
        // Both kinds were checked when the properties were set.
        let stun = self.stun_server.iter().filter_map(|uri| ice_servers::stun(uri).ok());
        let turn = self.turn_servers.iter().filter_map(|uri| ice_servers::turn(uri).ok());
        Servers {
            ice_servers: stun.chain(turn).collect(),
            ice_transport_policy: match self.ice_transport_policy {
                WebRTCICETransportPolicy::Relay => IceTransportPolicy::Relay,
                _ => IceTransportPolicy::All,
            },
        }
    }
}
