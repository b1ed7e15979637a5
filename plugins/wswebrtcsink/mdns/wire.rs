//! Decision: the few bytes of multicast DNS (RFC 6762) that it takes to find the address behind a browser's candidate
//! (draft-ietf-mmusic-mdns-ice-candidates): one question, and the answers to it. Whatever else is in a packet is skipped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Types and the class of records (RFC 1035, 3.2; RFC 3596, 2.1).
const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;
/// The bit in front of the class says "unicast, please" in questions and "forget older ones" in answers.
const CLASS_MASK: u16 = 0x7fff;

/// Records of one packet that are looked at. A browser answers with one or two.
const MAX_RECORDS: usize = 64;

/// Whether this is a name that browsers make: a UUID under `local`. Nothing else is asked for, whatever a page names.
pub fn is_browsers_name(name: &str) -> bool {
    let Some(uuid) = name.to_ascii_lowercase().strip_suffix(".local").map(str::to_owned) else {
        return false;
    };
    let groups: Vec<_> = uuid.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && uuid.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// The question for the addresses of a name.
pub fn question(name: &str) -> Vec<u8> {
    // Identifier and flags are zero; two questions, nothing else (RFC 6762, 18).
    let mut packet = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    for kind in [A, AAAA] {
        for label in name.split('.') {
            packet.push(u8::try_from(label.len()).unwrap_or_default());
            packet.extend(label.as_bytes());
        }
        packet.push(0);
        packet.extend(kind.to_be_bytes());
        packet.extend(INTERNET.to_be_bytes());
    }
    packet
}

/// The address that this packet tells of the name, IPv4 first.
pub fn answer(packet: &[u8], name: &str) -> Option<IpAddr> {
    let mut reader = Reader { packet, at: 2 };
    let flags = reader.u16()?;
    // Only responses without an error.
    if flags & 0x800f != 0x8000 {
        return None;
    }
    let questions = usize::from(reader.u16()?);
    let records = (0..3).try_fold(0, |sum, _| Some(sum + usize::from(reader.u16()?)))?;
    for _ in 0..questions.min(MAX_RECORDS) {
        reader.name()?;
        reader.skip(4)?;
    }
    let mut found = None;
    for _ in 0..records.min(MAX_RECORDS) {
        // What follows a broken record is lost, what came before it is not.
        let Some((owner, kind, data)) = reader.record() else { break };
        if !owner.eq_ignore_ascii_case(name) {
            continue;
        }
        match kind {
            A => return <[u8; 4]>::try_from(data).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
            AAAA => {
                let address = <[u8; 16]>::try_from(data).ok().map(Ipv6Addr::from);
                found =
                    found.or(address.filter(|address| !address.is_unicast_link_local()).map(IpAddr::from));
            }
            _ => {}
        }
    }
    found
}

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.packet.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn record(&mut self) -> Option<(String, u16, &'a [u8])> {
        let owner = self.name()?;
        let kind = self.u16()?;
        let class = self.u16()?;
        self.skip(4)?;
        let length = usize::from(self.u16()?);
        let data = self.take(length)?;
        Some((owner, if class & CLASS_MASK == INTERNET { kind } else { 0 }, data))
    }

    /// A name, perhaps compressed (RFC 1035, 4.1.4). Each jump must go back, so there is an end.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let (mut at, mut end, mut limit) = (self.at, None, self.at);
        loop {
            let length = usize::from(*self.packet.get(at)?);
            match length {
                0 => break,
                1..=63 => {
                    let label = self.packet.get(at + 1..at + 1 + length)?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name += &String::from_utf8_lossy(label);
                    at += 1 + length;
                    if name.len() > 255 {
                        return None;
                    }
                }
                192.. => {
                    let target = (length & 0x3f) << 8 | usize::from(*self.packet.get(at + 1)?);
                    end = end.or(Some(at + 2));
                    if target >= limit {
                        return None;
                    }
                    (at, limit) = (target, target);
                }
                _ => return None,
            }
        }
        self.at = end.unwrap_or(at + 1);
        Some(name)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    pub const NAME: &str = "2f1a5a2c-3b0e-4a8b-9c1d-0123456789ab.local";

    /// A response with this record behind the question that it answers, its name compressed.
    pub fn response(name: &str, kind: u16, data: &[u8]) -> Vec<u8> {
        let mut packet = question(name);
        packet[2] = 0x84;
        packet[7] = 1;
        packet.extend([0xc0, 12]);
        packet.extend(kind.to_be_bytes());
        packet.extend((INTERNET | 0x8000).to_be_bytes());
        packet.extend([0, 0, 0, 120]);
        packet.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        packet.extend(data);
        packet
    }

    #[test]
    fn address_is_read_out_of_an_answer() {
        let v4 = response(NAME, A, &[192, 0, 2, 7]);
        assert_eq!(answer(&v4, NAME), Some([192, 0, 2, 7].into()));
        assert_eq!(answer(&v4, &NAME.to_uppercase().replace("LOCAL", "local")), Some([192, 0, 2, 7].into()));
        let v6: Ipv6Addr = "fd00::7".parse().unwrap();
        assert_eq!(answer(&response(NAME, AAAA, &v6.octets()), NAME), Some(v6.into()));
    }

    #[test]
    fn answers_to_others_questions_errors_and_link_local_addresses_are_skipped() {
        let other = "00000000-3b0e-4a8b-9c1d-0123456789ab.local";
        assert_eq!(answer(&response(other, A, &[192, 0, 2, 7]), NAME), None);
        assert_eq!(answer(&question(NAME), NAME), None, "a question is no answer");
        let mut error = response(NAME, A, &[192, 0, 2, 7]);
        error[3] = 3;
        assert_eq!(answer(&error, NAME), None);
        let link_local: Ipv6Addr = "fe80::7".parse().unwrap();
        assert_eq!(answer(&response(NAME, AAAA, &link_local.octets()), NAME), None);
        assert_eq!(answer(&response(NAME, A, &[1, 2, 3]), NAME), None);
    }

    #[test]
    fn only_names_that_browsers_make_are_asked_for() {
        assert!(is_browsers_name(NAME) && is_browsers_name(&NAME.to_uppercase()));
        for name in
            ["printer.local", "local", NAME.trim_end_matches(".local"), "x-1-1-1-1.local", "", "é.local"]
        {
            assert!(!is_browsers_name(name), "{name}");
        }
    }

    #[test]
    fn names_that_point_at_themselves_end() {
        let mut packet = response(NAME, A, &[192, 0, 2, 7]);
        let pointer = question(NAME).len();
        packet[pointer..pointer + 2].copy_from_slice(&[0xc0, u8::try_from(pointer).unwrap()]);
        assert_eq!(answer(&packet, NAME), None);
    }

    proptest! {
        #[test]
        fn no_packet_breaks_the_reader(mut packet in proptest::collection::vec(any::<u8>(), 0..300)) {
            answer(&packet, NAME);
            if packet.len() > 4 {
                packet[2] = 0x84;
                packet[3] = 0;
                answer(&packet, NAME);
            }
        }
    }
}
