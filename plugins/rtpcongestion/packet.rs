//! Wire: as much of an RTP packet (RFC 3550, 5.1) and of a retransmission (RFC 4588, 4) as tells when it is to leave, and what
//! a packet weighs on the way. Refuses to touch it.

use vdi_congestion::DataSize;

/// Every packet begins with these.
const FIXED_HEADER: usize = 12;

/// Of the extensions of a packet so much is looked at; ours have a few bytes.
const MAX_EXTENSIONS: usize = 64;

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
    /// It has a transport-wide number, so that feedback will tell of it.
    pub is_numbered: bool,
}

/// The numbers of header extensions (RFC 8285) as bits, up to 15.
pub type Extensions = u16;

impl Header {
    /// Reads one; `copy` fills a slice from an offset on, or cannot. `numbering` are the extensions that a transport-wide number is
    /// in. `None` if this is no RTP.
    pub fn read(numbering: Extensions, copy: impl Fn(usize, &mut [u8]) -> bool) -> Option<Self> {
        let mut fixed = [0; FIXED_HEADER];
        if !copy(0, &mut fixed) || fixed[0] >> 6 != 2 {
            return None;
        }
        let mut found = 0;
        let mut bytes = FIXED_HEADER + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let mut extension = [0; 4];
            if !copy(bytes, &mut extension) {
                return None;
            }
            let (from, length) =
                (bytes + 4, 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]])));
            bytes = from + length;
            let mut elements = [0; MAX_EXTENSIONS];
            let read = elements.get_mut(..length.min(MAX_EXTENSIONS));
            if let Some(read) = read.filter(|read| !read.is_empty())
                && copy(from, read)
            {
                found = extensions([extension[0], extension[1]], read);
            }
        }
        Some(Self {
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            bytes,
            is_numbered: found & numbering != 0,
        })
    }

    /// The number of the packet that a retransmission repeats.
    pub fn original(&self, copy: impl Fn(usize, &mut [u8]) -> bool) -> Option<u16> {
        let mut number = [0; 2];
        copy(self.bytes, &mut number).then(|| u16::from_be_bytes(number))
    }
}

/// The extensions of a header, in their one-byte or two-byte form.
fn extensions(profile: [u8; 2], mut elements: &[u8]) -> Extensions {
    let is_short = profile == [0xbe, 0xde];
    let mut found = 0;
    while let [first, rest @ ..] = elements {
        let (id, length, rest) = match (is_short, rest) {
            // Padding.
            _ if *first == 0 => (0, 0, rest),
            (true, rest) => (first >> 4, usize::from(first & 0x0f) + 1, rest),
            (false, [length, rest @ ..]) => (*first, usize::from(*length), rest),
            (false, []) => break,
        };
        if (1..16).contains(&id) {
            found |= 1 << id;
        }
        elements = rest.get(length..).unwrap_or_default();
    }
    found
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
        let header = Header::read(1 << 1, copy_of(&PLAIN)).unwrap();
        assert_eq!(
            header,
            Header { payload_type: 96, sequence: 0x1234, ssrc: 0xdead_beef, bytes: 12, is_numbered: false }
        );
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
        let header = Header::read(1 << 1, copy_of(&packet)).unwrap();
        assert_eq!(header.bytes, 12 + 8 + 4 + 8);
        assert_eq!(header.original(copy_of(&packet)), Some(0xabcd));
    }

    #[test]
    fn a_packet_is_numbered_if_it_has_the_extension_that_numbers() {
        let with = |profile: [u8; 2], elements: [u8; 8]| {
            let mut packet = PLAIN[..12].to_vec();
            packet[0] |= 0x10;
            packet.extend(profile);
            packet.extend([0, 2]);
            packet.extend(elements);
            Header::read(1 << 4, copy_of(&packet)).unwrap().is_numbered
        };
        // One-byte form: number and length less one share a byte.
        assert!(with([0xbe, 0xde], [0x52, 1, 2, 3, 0x41, 0xaa, 0xbb, 0]));
        assert!(
            !with([0xbe, 0xde], [0x52, 0x41, 0x41, 0x41, 0x11, 0xaa, 0xbb, 0]),
            "what looks like it is the value of another"
        );
        assert!(!with([0xbe, 0xde], [0x5f, 1, 2, 3, 4, 5, 6, 7]), "a length beyond the end");
        // Two-byte form.
        assert!(with([0x10, 0], [5, 1, 9, 4, 2, 0xaa, 0xbb, 0]));
        assert!(!with([0x10, 0], [0, 0, 0, 0, 0, 0, 0, 4]), "a number without a length");
    }

    #[test]
    fn what_is_no_rtp_is_told_apart() {
        assert_eq!(Header::read(1 << 1, copy_of(&PLAIN[..11])), None);
        assert_eq!(Header::read(1 << 1, copy_of(&[0x40; 20])), None, "version 1");
        let mut cut = PLAIN;
        cut[0] |= 0x10;
        assert_eq!(Header::read(1 << 1, copy_of(&cut)), None, "it says that an extension follows");
        assert_eq!(Header { bytes: 13, ..Header::default() }.original(copy_of(&PLAIN)), None);
    }

    #[test]
    fn a_packet_weighs_more_on_the_wire() {
        assert_eq!(on_the_wire(1200).bytes(), 1238);
    }
}
