//! Decision: what a connection speaks, told from its first bytes (RFC 7983 for the media's protocols, and what TLS and HTTP
//! begin with). It refuses whatever is none of them.

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too few to tell.
    More,
    /// A TLS handshake.
    Tls,
    /// STUN, and so TURN.
    Stun,
    /// A request of HTTP/1.
    Http1,
    /// HTTP/2 from its first byte on, as after ALPN `h2`, or with prior knowledge.
    Http2,
    /// None of them.
    Garbage,
}

/// As many bytes always suffice.
pub const ENOUGH: usize = PREFACE.len();

/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The content type `handshake` of a TLS record (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;
/// The major version that every TLS record names, and SSL 3 as well.
const TLS_MAJOR: u8 = 3;
/// At bytes 4 to 7 of each STUN message (RFC 8489, 5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// The longest method that is a registered one is UPDATEREDIRECTREF.
const MAX_METHOD: usize = 17;

/// Decides. `inside_tls` says that these bytes came out of TLS, in which there is no second one.
pub fn decide(bytes: &[u8], inside_tls: bool) -> Verdict {
    match bytes {
        [] => Verdict::More,
        [HANDSHAKE, ..] if inside_tls => Verdict::Garbage,
        [HANDSHAKE] => Verdict::More,
        [HANDSHAKE, TLS_MAJOR, ..] => Verdict::Tls,
        // ChannelData, 64 to 79, cannot come before a channel is bound.
        [0..=3, ..] => stun(bytes),
        [b'A'..=b'Z', ..] => http(bytes),
        _ => Verdict::Garbage,
    }
}

fn stun(bytes: &[u8]) -> Verdict {
    let cookie = bytes.get(4..).unwrap_or_default();
    let cookie = &cookie[..cookie.len().min(MAGIC_COOKIE.len())];
    // The length counts whole attributes, each padded to four bytes.
    let odd = bytes.get(3).is_some_and(|low| !low.is_multiple_of(4));
    if odd || !MAGIC_COOKIE.starts_with(cookie) {
        Verdict::Garbage
    } else if cookie.len() < MAGIC_COOKIE.len() {
        Verdict::More
    } else {
        Verdict::Stun
    }
}

fn http(bytes: &[u8]) -> Verdict {
    if bytes.starts_with(PREFACE) {
        return Verdict::Http2;
    }
    if PREFACE.starts_with(bytes) {
        return Verdict::More;
    }
    let method = bytes.iter().position(|byte| !byte.is_ascii_uppercase() && *byte != b'-');
    match method {
        Some(end) if bytes[end] == b' ' && end <= MAX_METHOD => Verdict::Http1,
        None if bytes.len() <= MAX_METHOD => Verdict::More,
        _ => Verdict::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(bytes: &[u8]) -> Verdict {
        decide(bytes, false)
    }

    /// Bytes that come one by one are told apart like those that come at once.
    fn piecemeal(bytes: &[u8], verdict: Verdict) {
        let told = (0..=bytes.len()).map(|end| outside(&bytes[..end])).find(|told| *told != Verdict::More);
        assert_eq!(told, Some(verdict), "{bytes:?}");
        assert_eq!(outside(bytes), verdict, "{bytes:?}");
    }

    #[test]
    fn tls_stun_and_both_kinds_of_http_are_told_apart() {
        piecemeal(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03], Verdict::Tls);
        let allocate =
            [0x00, 0x03, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        piecemeal(&allocate, Verdict::Stun);
        for request in
            ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /whep HTTP/1.1\r\n", "PATCH /whep HTTP/1.1\r\n"]
        {
            piecemeal(request.as_bytes(), Verdict::Http1);
        }
        piecemeal(b"VERSION-CONTROL / HTTP/1.1\r\n", Verdict::Http1);
        piecemeal(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", Verdict::Http2);
    }

    #[test]
    fn what_is_none_of_them_is_known_early() {
        for garbage in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"\r\n\r\n",
            b"get / HTTP/1.1\r\n",
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            &[0x16, 0x02, 0x01],
            &[0x00, 0x01, 0x00, 0x03],
            &[0x00, 0x01, 0x00, 0x04, 0x21, 0x13],
            &[0x40, 0x00, 0x00, 0x04],
            &[0x80, 0x2e, 0x01],
            &[0xff; 30],
        ] {
            piecemeal(garbage, Verdict::Garbage);
        }
    }

    #[test]
    fn there_is_no_tls_inside_tls() {
        assert_eq!(decide(&[0x16, 0x03, 0x01], true), Verdict::Garbage);
        assert_eq!(decide(b"GET / HTTP/1.1\r\n", true), Verdict::Http1);
    }

    #[test]
    fn enough_bytes_always_decide() {
        let mut bytes = PREFACE.to_vec();
        for first in 0..=u8::MAX {
            bytes[0] = first;
            assert_ne!(outside(&bytes), Verdict::More, "{first}");
        }
        assert_ne!(outside(&[b'A'; ENOUGH]), Verdict::More);
        assert_ne!(outside(&[0; ENOUGH]), Verdict::More);
    }
}
