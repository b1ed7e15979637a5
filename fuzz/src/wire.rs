//! Decision: the first bytes of connections, multicast DNS, and headers of RTP.

use gstvdi::{
    rtpcongestion::packet::Header,
    rtphdrextplayoutdelay::delay::{MAX_MS, PlayoutDelay},
    wswebrtcsink::{frames::packet, mdns::wire},
};
use vdi_launcher::port::first_bytes::{ENOUGH, Verdict, decide};

/// What a connection speaks: it is decided as soon as so many bytes are there, and not otherwise when more have come.
pub fn first_bytes(data: &[u8]) {
    for inside_tls in [false, true] {
        let whole = decide(data, inside_tls);
        assert!(data.len() < ENOUGH || whole != Verdict::More, "enough is enough");
        for length in 0..data.len().min(ENOUGH) {
            let part = decide(&data[..length], inside_tls);
            assert!(part == Verdict::More || part == whole, "{part:?} has become {whole:?}");
        }
        assert!(!inside_tls || whole != Verdict::Tls, "there is no second one");
    }
}

/// A packet of multicast DNS, for the name that was asked for and for the packet as a name.
pub fn mdns(data: &[u8]) {
    const NAME: &str = "2f1a5a2c-3b0e-4a8b-9c1d-0123456789ab.local";
    assert!(wire::is_browsers_name(NAME));
    wire::answer(data, NAME);
    let name = crate::text(data);
    if wire::is_browsers_name(name) {
        assert_eq!(wire::question(name).len(), wire::question(NAME).len());
    }
}

/// A packet of RTP.
pub fn rtp(data: &[u8]) {
    let copy = |from: usize, into: &mut [u8]| {
        let bytes = data.get(from..from + into.len());
        bytes.map(|bytes| into.copy_from_slice(bytes)).is_some()
    };
    for numbering in [0, 1 << 3, u16::MAX] {
        if let Some(header) = Header::read(numbering, copy) {
            assert!(header.bytes >= 12 && header.payload_type < 128);
            assert!(numbering != 0 || !header.is_numbered);
            assert!(header.original(copy).is_none() || header.bytes + 2 <= data.len());
        }
    }
    if let Some(fixed) = data.first_chunk() {
        let ssrc = data[8..12].iter().fold(0, |ssrc, byte| ssrc << 8 | u32::from(*byte));
        packet::last_of_frame(fixed, ssrc);
    }
    if let Some(delay) = PlayoutDelay::from_bytes(data) {
        assert!(delay.min_ms <= MAX_MS && delay.max_ms <= MAX_MS);
        assert!(delay.min_ms > delay.max_ms || delay.to_bytes() == data);
    }
}
