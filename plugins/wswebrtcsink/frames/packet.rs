//! Decision: which packets end a frame. The RTP header stands in clear in SRTP too (RFC 3711, 3.1).

/// The fixed part of an RTP header (RFC 3550, 5.1).
pub const HEADER_BYTES: usize = 12;

/// Payload types that RTCP's packet types look like once the marker bit is taken off (RFC 5761, 4).
const RTCP_LOOKALIKES: std::ops::RangeInclusive<u8> = 64..=95;

/// The RTP timestamp of a packet that is the last of a frame of the stream with this SSRC.
pub fn last_of_frame(header: &[u8; HEADER_BYTES], ssrc: u32) -> Option<u32> {
    let [first, second, _, _, t0, t1, t2, t3, s0, s1, s2, s3] = *header;
    let (version, marker, payload_type) = (first >> 6, second & 0x80 != 0, second & 0x7f);
    (version == 2
        && marker
        && !RTCP_LOOKALIKES.contains(&payload_type)
        && u32::from_be_bytes([s0, s1, s2, s3]) == ssrc)
        .then(|| u32::from_be_bytes([t0, t1, t2, t3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSRC: u32 = 0x0102_0304;

    fn header(first: u8, second: u8, ssrc: u32) -> [u8; 12] {
        let [a, b, c, d] = ssrc.to_be_bytes();
        [first, second, 0, 9, 0xff, 0xff, 0xff, 0xfe, a, b, c, d]
    }

    #[test]
    fn the_marker_bit_of_the_streams_own_packets_ends_a_frame() {
        assert_eq!(last_of_frame(&header(0x80, 96 | 0x80, SSRC), SSRC), Some(u32::MAX - 1));
        assert_eq!(
            last_of_frame(&header(0x90, 96 | 0x80, SSRC), SSRC),
            Some(u32::MAX - 1),
            "with extensions"
        );
        assert_eq!(last_of_frame(&header(0x80, 96, SSRC), SSRC), None, "not the last");
        assert_eq!(last_of_frame(&header(0x80, 96 | 0x80, 7), SSRC), None, "audio, or a retransmission");
        assert_eq!(last_of_frame(&header(0x81, 201, SSRC), SSRC), None, "a receiver report");
        assert_eq!(last_of_frame(&header(20, 96 | 0x80, SSRC), SSRC), None, "DTLS");
    }
}
