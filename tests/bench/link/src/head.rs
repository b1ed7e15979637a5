//! Decision: what a datagram of a WebRTC session is, as far as it can be seen from outside (RFC 7983; the headers of RTP
//! are not encrypted).

/// What stands in front of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Connectivity checks.
    Stun,
    /// Keys, and data channels.
    Dtls,
    /// Feedback.
    Rtcp,
    /// Media.
    Rtp {
        /// Which encoding.
        payload_type: u8,
        /// Whether a frame ends with it.
        marker: bool,
        /// Number of the packet.
        sequence: u16,
        /// Which frame.
        timestamp: u32,
        /// Which stream.
        ssrc: u32,
    },
    /// Nothing of these.
    Other,
}

impl Head {
    /// Of this datagram.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            // RFC 5761, 4.
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3, ..] => Self::Rtp {
                payload_type: second & 0x7f,
                marker: second & 0x80 != 0,
                sequence: u16::from_be_bytes([*s0, *s1]),
                timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
                ssrc: u32::from_be_bytes([*i0, *i1, *i2, *i3]),
            },
            _ => Self::Other,
        }
    }

    /// A word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Dtls => "dtls",
            Self::Rtcp => "rtcp",
            Self::Rtp { .. } => "rtp",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_a_datagram_is() {
        let rtp = [0x90, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xbe];
        let expected = Head::Rtp {
            payload_type: 96,
            marker: true,
            sequence: 0x0102,
            timestamp: 0x0304_0506,
            ssrc: 0x0708_090a,
        };
        assert_eq!(Head::of(&rtp), expected);
        let names =
            [&[0, 1][..], &[22, 254], &[0x81, 205], &[0x80, 96], &[]].map(|bytes| Head::of(bytes).name());
        assert_eq!(names, ["stun", "dtls", "rtcp", "other", "other"]);
    }
}
