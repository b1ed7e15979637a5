//! Decision: nonces that need no memory. One says when it expires and carries a code over that and over the address that it
//! was given to, so a stranger costs nothing to answer and nobody can use another's.

use super::credentials::Secret;
use std::{fmt::Write, net::SocketAddr, time::Duration};
use subtle::ConstantTimeEq;

/// How long one can be used; after that the client gets another and asks again (RFC 8489, 9.2.5).
const LIFE: Duration = Duration::from_secs(600);
/// Bytes of the code; guessing one of 96 bits within ten minutes is out of the question.
const CODE: usize = 12;

/// A nonce for this address, to be used until [`LIFE`] after `now`, which is the time since 1970.
pub fn make(secret: &Secret, from: SocketAddr, now: Duration) -> String {
    let expires = (now + LIFE).as_secs();
    let mut nonce = format!("{expires:x}-");
    for byte in code(secret, from, expires) {
        // Writing to a String cannot fail.
        let _ = write!(nonce, "{byte:02x}");
    }
    nonce
}

/// Whether this nonce was given to this address and has not expired.
pub fn is_good(secret: &Secret, nonce: &str, from: SocketAddr, now: Duration) -> bool {
    let Some((expires, _)) = nonce.split_once('-') else { return false };
    let Ok(expires) = u64::from_str_radix(expires, 16) else { return false };
    if now.as_secs() >= expires {
        return false;
    }
    let Some(given) = expires.checked_sub(LIFE.as_secs()).map(Duration::from_secs) else { return false };
    make(secret, from, given).as_bytes().ct_eq(nonce.as_bytes()).into()
}

fn code(secret: &Secret, from: SocketAddr, expires: u64) -> [u8; CODE] {
    let tag = secret.sign(format!("nonce {expires} {from}").as_bytes());
    let mut code = [0; CODE];
    for (byte, signed) in code.iter_mut().zip(tag.as_ref()) {
        *byte = *signed;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn a_nonce_is_good_for_its_address_and_its_time() {
        let (secret, from) = (Secret::new(b"s"), "192.0.2.1:1000".parse().unwrap());
        let nonce = make(&secret, from, NOW);
        let good = |nonce: &str, after| is_good(&secret, nonce, from, NOW + Duration::from_secs(after));
        assert!(good(&nonce, 0) && good(&nonce, 599) && !good(&nonce, 600));
        assert!(!is_good(&secret, &nonce, "192.0.2.1:1001".parse().unwrap(), NOW));
        assert!(!is_good(&Secret::new(b"t"), &nonce, from, NOW));
        let later = format!("{:x}{}", (NOW + LIFE * 2).as_secs(), &nonce[nonce.find('-').unwrap()..]);
        for bad in ["", "-", "zz-00", "0-00", "ffffffffffffffff-00", &nonce[1..], &later] {
            assert!(!good(bad, 0), "{bad}");
        }
        assert!(!nonce.starts_with("obMatJos2"), "no security features are promised (RFC 8489, 9.2)");
    }
}
