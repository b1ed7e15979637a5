//! The wire: the way of a frame from the X server to the screen: what the page tells of single frames, and what the
//! server makes of it.
//!
//! Times are the server's: microseconds of the clock that `pong` tells. A page maps its own clock to it with the exchange
//! of `ping` and `pong`: the server's two times lie between the page's two, so half of the round trip, less the time at
//! the server, is how wrong the mapping can be. Frames are told apart by their RTP timestamps.

use serde::{Deserialize, Serialize};

/// What became of some frames, about four times a second while there are any. A page tells of none before its clock is
/// aligned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FrameReports {
    /// How wrong all times may be.
    pub uncertainty_us: u64,
    /// At most [`crate::limits::MAX_FRAME_REPORTS`].
    pub frames: Vec<FrameReport>,
}

/// A frame that is on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrameReport {
    /// The frame's, as on its packets.
    pub rtp_timestamp: u32,
    /// When its last packet had come; absent where the browser does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_us: Option<u64>,
    /// When it was decoded; absent where the browser does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded_us: Option<u64>,
    /// When it was put on the screen.
    pub presented_us: u64,
}

/// One leg of a frame's way, named after what happens on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// From the first damage until the pixels are fetched.
    Capture,
    /// Until they have the encoder's format.
    Convert,
    /// Until the encoder has given the access unit.
    Encode,
    /// Until the last RTP packet is made.
    Packetise,
    /// Until it is given to the network.
    Send,
    /// Until the browser has it.
    Network,
    /// Until the browser has decoded the frame, its wait in the jitter buffer included.
    Decode,
    /// Until it is on the screen.
    Present,
}

impl Leg {
    /// All, in the order of the way.
    pub const ALL: [Self; 8] = [
        Self::Capture,
        Self::Convert,
        Self::Encode,
        Self::Packetise,
        Self::Send,
        Self::Network,
        Self::Decode,
        Self::Present,
    ];

    /// Name on the wire, in statistics and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Convert => "convert",
            Self::Encode => "encode",
            Self::Packetise => "packetise",
            Self::Send => "send",
            Self::Network => "network",
            Self::Decode => "decode",
            Self::Present => "present",
        }
    }

    /// The leg of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|leg| leg.as_str() == name)
    }
}

/// What the way of the page's frames took over the last second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Latency {
    /// `H264`, `VP8`, … as in SDP.
    pub codec: String,
    /// Put together from what the server knows, half of the round trip, jitter buffer and decoding, because the page
    /// tells of no frames.
    pub estimated: bool,
    /// Frames that are counted.
    pub frames: u64,
    /// How wrong the figures that cross the network may be; 0 if estimated.
    pub uncertainty_us: u64,
    /// The whole way, from the damage to the screen.
    pub glass_to_glass: Percentiles,
    /// Its legs, in order; those that are not known are absent, and their time is in the next.
    pub stages: Vec<StageLatency>,
}

/// How long something took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Percentiles {
    /// What half of the frames did not exceed.
    pub p50_us: u64,
    /// What 95 of 100 frames did not exceed.
    pub p95_us: u64,
}

/// How long one leg took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageLatency {
    /// The leg.
    pub stage: Leg,
    /// What half of the frames did not exceed.
    pub p50_us: u64,
    /// What 95 of 100 frames did not exceed.
    pub p95_us: u64,
}
