//! Decision: whether a request may pass: HTTP Basic authentication (RFC 7617), in constant time, with limited attempts.

use super::limiter::Limiter;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{fmt, net::IpAddr, time::Duration};
use subtle::ConstantTimeEq;
use vdi_protocol::environment::WHEP;

/// Paths that probes read without a password; they tell nothing but health.
pub const OPEN_PATHS: [&str; 3] =
    [vdi_protocol::environment::HEALTHZ, vdi_protocol::environment::READYZ, "/health"];

/// Whether a path is what standard players open, or one of their sessions below it.
pub fn is_whep(path: &str) -> bool {
    path.strip_prefix(WHEP).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Longest `user:password` that is compared.
const MAX_CREDENTIALS_BYTES: usize = 512;

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// Credentials are missing or wrong.
    Ask,
    /// Too many wrong ones from this address.
    Wait(Duration),
}

/// Who may in.
pub struct Guard {
    /// `user:password`; everyone may in if none.
    expected: Option<Vec<u8>>,
    /// The token of viewers, for [`WHEP`] alone. A page of any site may open that, so it is asked for even where no
    /// password is.
    viewer_token: Vec<u8>,
    limiter: Limiter,
    failures: u64,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("failures", &self.failures).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that lets this user in, or everybody.
    pub fn new(credentials: Option<(&str, &str)>, viewer_token: &str) -> Self {
        let expected = credentials.map(|(user, password)| format!("{user}:{password}").into_bytes());
        let viewer_token = viewer_token.as_bytes().to_vec();
        Self { expected, viewer_token, limiter: Limiter::default(), failures: 0 }
    }

    /// Wrong passwords so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Judges a request. One without credentials counts as no attempt: that is how browsers ask what is needed.
    pub fn judge(&mut self, path: &str, authorization: Option<&str>, from: IpAddr, now: Duration) -> Verdict {
        let whep = is_whep(path);
        if OPEN_PATHS.contains(&path) || self.expected.is_none() && !whep {
            return Verdict::Pass;
        }
        // Also the right password has to wait: otherwise it could still be found by trying.
        if let Some(wait) = self.limiter.wait(from, now) {
            return Verdict::Wait(wait);
        }
        let Some(authorization) = authorization else { return Verdict::Ask };
        let by_password = match (&self.expected, credentials(authorization)) {
            (Some(expected), Some(given)) => equal(&given, expected),
            _ => false,
        };
        let by_token = whep && bearer(authorization).is_some_and(|given| equal(given, &self.viewer_token));
        if by_password || by_token {
            self.limiter.succeeded(from);
            return Verdict::Pass;
        }
        self.failures += 1;
        self.limiter.failed(from, now);
        self.limiter.wait(from, now).map_or(Verdict::Ask, Verdict::Wait)
    }
}

fn credentials(authorization: &str) -> Option<Vec<u8>> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    BASE64_STANDARD.decode(encoded.trim()).ok()
}

fn bearer(authorization: &str) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().as_bytes())
}

/// Compares in a time that depends neither on where they differ nor on how long they are.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let padded = |text: &[u8]| {
        let mut padded = [0; MAX_CREDENTIALS_BYTES];
        let length = text.len().min(MAX_CREDENTIALS_BYTES);
        padded[..length].copy_from_slice(&text[..length]);
        padded
    };
    let same_length = (a.len() as u64).ct_eq(&(b.len() as u64));
    let fits = a.len() <= MAX_CREDENTIALS_BYTES;
    bool::from(padded(a).ct_eq(&padded(b)) & same_length) && fits
}

/// Characters of a generated password: no two that look alike, and 32 of them, so that each is five random bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Twenty characters are 100 bits.
pub const PASSWORD_CHARS: usize = 20;

/// A password from random bytes.
pub fn password(random: [u8; PASSWORD_CHARS]) -> String {
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    fn judge(guard: &mut Guard, authorization: Option<&str>) -> Verdict {
        guard.judge("/", authorization, HERE, Duration::ZERO)
    }

    #[test]
    fn only_the_right_user_with_the_right_password_passes() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer");
        assert_eq!(judge(&mut guard, Some(&basic("me:secret"))), Verdict::Pass);
        assert_eq!(judge(&mut guard, Some(&basic("me:secret").replace("Basic", "bASIC"))), Verdict::Pass);
        for wrong in ["me:secre", "me:secret\0", "me:secrets", "you:secret", "me:", ":", ""] {
            assert_eq!(judge(&mut guard, Some(&basic(wrong))), Verdict::Ask, "{wrong:?}");
        }
    }

    #[test]
    fn nonsense_in_the_header_is_a_wrong_password() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer");
        for header in ["", "Basic", "Basic !!!", "Bearer abc", "Basic  "] {
            assert_eq!(judge(&mut guard, Some(header)), Verdict::Ask, "{header:?}");
        }
        assert_eq!(guard.failures(), 5);
    }

    #[test]
    fn asking_without_credentials_is_no_attempt_but_ten_wrong_ones_have_to_wait() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer");
        for _ in 0..100 {
            assert_eq!(judge(&mut guard, None), Verdict::Ask);
        }
        for _ in 0..9 {
            assert_eq!(judge(&mut guard, Some(&basic("me:wrong"))), Verdict::Ask);
        }
        assert_eq!(judge(&mut guard, Some(&basic("me:wrong"))), Verdict::Wait(Duration::from_secs(60)));
        assert_eq!(judge(&mut guard, Some(&basic("me:secret"))), Verdict::Wait(Duration::from_secs(60)));
    }

    #[test]
    fn probes_need_no_password_and_status_does() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer");
        for (path, verdict) in [
            ("/healthz", Verdict::Pass),
            ("/readyz", Verdict::Pass),
            ("/health", Verdict::Pass),
            ("/status", Verdict::Ask),
            ("/metrics", Verdict::Ask),
            ("/ws", Verdict::Ask),
            ("/healthz/../status", Verdict::Ask),
        ] {
            assert_eq!(guard.judge(path, None, HERE, Duration::ZERO), verdict, "{path}");
        }
    }

    #[test]
    fn without_credentials_everybody_passes() {
        assert_eq!(judge(&mut Guard::new(None, "viewer"), None), Verdict::Pass);
    }

    #[test]
    fn generated_passwords_use_the_whole_alphabet() {
        let all: Vec<String> = (0..=255).map(|byte| password([byte; PASSWORD_CHARS])).collect();
        assert!(ALPHABET.iter().all(|c| all.contains(&String::from(char::from(*c)).repeat(PASSWORD_CHARS))));
    }

    #[test]
    fn token_opens_whep_and_nothing_else() {
        let now = Duration::ZERO;
        for mut guard in [Guard::new(Some(("me", "secret")), "viewer"), Guard::new(None, "viewer")] {
            for path in ["/whep", "/whep/whep-1.abc"] {
                assert_eq!(guard.judge(path, Some("Bearer viewer"), HERE, now), Verdict::Pass, "{path}");
                assert_eq!(guard.judge(path, Some("Bearer viewers"), HERE, now), Verdict::Ask, "{path}");
                assert_eq!(guard.judge(path, Some("Bearer "), HERE, now), Verdict::Ask, "{path}");
                assert_eq!(guard.judge(path, None, HERE, now), Verdict::Ask, "{path}");
            }
        }
        let mut guard = Guard::new(Some(("me", "secret")), "viewer");
        for path in ["/", "/ws", "/status", "/whepper"] {
            assert_eq!(guard.judge(path, Some("Bearer viewer"), HERE, now), Verdict::Ask, "{path}");
        }
        assert_eq!(guard.judge("/whep", Some(&basic("me:secret")), HERE, now), Verdict::Pass);
    }
}
