//! Wire: as much of an RTP packet (RFC 3550, 5.1) and of a retransmission (RFC 4588, 4) as tells when it is to leave, and what
//! a packet weighs on the way. Refuses to touch it.

use vdi_congestion::DataSize;

/// Every packet begins with these.
const FIXED_HEADER: usize = 12;

/// Authentication tag of SRTP (RFC 3711, 5.2), UDP and IPv4: what comes to a packet before it is on the wire.
const WRAPPING: usize = 10 + 8 + 20;

/// Where a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// Its format.
    pub payload_type: u8,
    /// Its number within its stream; wraps.
    pub sequence: u16,
    /// Its stream.
    pub ssrc: u32,
    /// Length of everything before the payload.
    pub bytes: usize,
}

impl Header {
    /// Reads one; `copy` fills a slice from an offset on, or cannot. `None` if this is no RTP.
    pub fn read(copy: impl Fn(usize, &mut [u8]) -> bool) -> Option<Self> {
        let mut fixed = [0; FIXED_HEADER];
        if !copy(0, &mut fixed) || fixed[0] >> 6 != 2 {
            return None;
        }
        let mut bytes = FIXED_HEADER + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let mut extension = [0; 4];
            if !copy(bytes, &mut extension) {
                return None;
            }
            bytes += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        Some(Self {
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            bytes,
        })
    }

    /// The number of the packet that a retransmission repeats.
    pub fn original(&self, copy: impl Fn(usize, &mut [u8]) -> bool) -> Option<u16> {
        let mut number = [0; 2];
        copy(self.bytes, &mut number).then(|| u16::from_be_bytes(number))
    }
}

/// What an RTP packet of so many bytes weighs on the wire.
pub fn on_the_wire(rtp_bytes: usize) -> DataSize {
    DataSize::from_bytes(rtp_bytes.saturating_add(WRAPPING) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy_of(packet: &[u8]) -> impl Fn(usize, &mut [u8]) -> bool + '_ {
        |offset, slice| {
            let from = packet.get(offset..offset + slice.len());
            from.is_some_and(|from| {
                slice.copy_from_slice(from);
                true
            })
        }
    }

    const PLAIN: [u8; 14] = [0x80, 0x80 | 96, 0x12, 0x34, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0x56, 0x78];

    #[test]
    fn a_packet_tells_its_stream_its_number_and_where_its_payload_begins() {
        let header = Header::read(copy_of(&PLAIN)).unwrap();
        assert_eq!(header, Header { payload_type: 96, sequence: 0x1234, ssrc: 0xdead_beef, bytes: 12 });
        assert_eq!(header.original(copy_of(&PLAIN)), Some(0x5678));
    }

    #[test]
    fn contributing_sources_and_extensions_come_before_the_payload() {
        let mut packet = PLAIN[..12].to_vec();
        packet[0] = 0x80 | 0x10 | 2;
        packet.extend([0; 8]);
        packet.extend([0xbe, 0xde, 0, 2]);
        packet.extend([0; 8]);
        packet.extend([0xab, 0xcd]);
        let header = Header::read(copy_of(&packet)).unwrap();
        assert_eq!(header.bytes, 12 + 8 + 4 + 8);
        assert_eq!(header.original(copy_of(&packet)), Some(0xabcd));
    }

    #[test]
    fn what_is_no_rtp_is_told_apart() {
        assert_eq!(Header::read(copy_of(&PLAIN[..11])), None);
        assert_eq!(Header::read(copy_of(&[0x40; 20])), None, "version 1");
        let mut cut = PLAIN;
        cut[0] |= 0x10;
        assert_eq!(Header::read(copy_of(&cut)), None, "it says that an extension follows");
        assert_eq!(Header { bytes: 13, ..Header::default() }.original(copy_of(&PLAIN)), None);
    }

    #[test]
    fn a_packet_weighs_more_on_the_wire() {
        assert_eq!(on_the_wire(1200).bytes(), 1238);
    }
}
