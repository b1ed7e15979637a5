//! Decision: whether a request may pass, and with what: HTTP Basic authentication (RFC 7617) in constant time, or an invitation,
//! with limited attempts.

use super::{
    invitations::{Ending, Found, Invitations},
    limiter::Limiter,
};
use crate::pass::Pass;
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
    /// It passes, with this.
    Pass(Pass),
    /// It has what lets it in, but not to this path.
    Forbid,
    /// Its invitation holds no more.
    Ended(Ending),
    /// Credentials are missing or wrong.
    Ask,
    /// Too many wrong ones from this address.
    Wait(Duration),
}

/// What is asked of the guard.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The path.
    pub path: &'a str,
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The token of an invitation that the browser has kept.
    pub invitation: Option<&'a str>,
    /// Who asks.
    pub from: IpAddr,
}

/// Who may in.
pub struct Guard {
    /// `user:password`; everyone may in if none.
    expected: Option<Vec<u8>>,
    /// The password of those who only watch, whatever user they name.
    view_password: Option<Vec<u8>>,
    /// The token of viewers, for [`WHEP`] alone. A page of any site may open that, so it is asked for even where no
    /// password is.
    viewer_token: Vec<u8>,
    /// The invitations, where there may be any.
    invitations: Option<Invitations>,
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
        Self {
            expected,
            view_password: None,
            viewer_token,
            invitations: None,
            limiter: Limiter::default(),
            failures: 0,
        }
    }

    /// Lets those with this password watch.
    pub fn with_view_password(self, password: Option<&str>) -> Self {
        Self { view_password: password.map(|password| password.as_bytes().to_vec()), ..self }
    }

    /// Lets people in who are invited.
    pub fn with_invitations(self, wanted: bool) -> Self {
        Self { invitations: wanted.then(Invitations::default), ..self }
    }

    /// The invitations, where there may be any.
    pub fn invitations(&mut self) -> Option<&mut Invitations> {
        self.invitations.as_mut()
    }

    /// Whether a password is asked for.
    pub fn asks(&self) -> bool {
        self.expected.is_some()
    }

    /// Wrong passwords and tokens so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Judges a request. One without credentials counts as no attempt: that is how browsers ask what is needed.
    pub fn judge(&mut self, asked: Asked<'_>, now: Duration) -> Verdict {
        let Asked { path, authorization, invitation, from } = asked;
        let whep = is_whep(path);
        if OPEN_PATHS.contains(&path) {
            return Verdict::Pass(Pass::Full);
        }
        let invitations = self.invitations.as_ref();
        let found = invitations.zip(invitation).map(|(invitations, token)| invitations.find(token, now));
        if self.expected.is_none() && !whep {
            return match found {
                Some(Found::Holds { pass, .. }) => open(pass, path),
                Some(Found::Ended(how)) => Verdict::Ended(how),
                Some(Found::Unknown) | None => Verdict::Pass(Pass::Full),
            };
        }
        // Also the right password has to wait: otherwise it could still be found by trying.
        if let Some(wait) = self.limiter.wait(from, now) {
            return Verdict::Wait(wait);
        }
        let known = authorization.and_then(|authorization| self.known(authorization, whep));
        let invited = match found {
            Some(Found::Holds { pass, .. }) => Some(pass),
            _ => None,
        };
        if let Some(pass) = known.into_iter().chain(invited).reduce(Pass::better) {
            // Whoever knows less could otherwise try for more without an end.
            if pass == Pass::Full {
                self.limiter.succeeded(from);
            }
            return open(pass, path);
        }
        match (authorization, found) {
            (None, None) => Verdict::Ask,
            (None, Some(Found::Ended(how))) => Verdict::Ended(how),
            _ => self.failed(from, now),
        }
    }

    /// What the token of a link is, where people may be invited; a wrong one counts as a wrong password.
    pub fn redeem(&mut self, token: &str, from: IpAddr, now: Duration) -> Option<Result<Found, Duration>> {
        let found = self.invitations.as_ref()?.find(token, now);
        if let Some(wait) = self.limiter.wait(from, now) {
            return Some(Err(wait));
        }
        if found == Found::Unknown {
            self.failed(from, now);
        }
        Some(Ok(found))
    }

    /// What these credentials are good for, if they are right. All are compared, whichever they are.
    fn known(&self, authorization: &str, whep: bool) -> Option<Pass> {
        let given = credentials(authorization);
        let is = |given: Option<&[u8]>, expected: Option<&Vec<u8>>| match (given, expected) {
            (Some(given), Some(expected)) => equal(given, expected),
            _ => false,
        };
        let password = given.as_deref().and_then(|given| {
            let colon = given.iter().position(|byte| *byte == b':')?;
            given.get(colon + 1..)
        });
        let full = is(given.as_deref(), self.expected.as_ref());
        let view = is(password, self.view_password.as_ref());
        let by_token = whep && bearer(authorization).is_some_and(|given| equal(given, &self.viewer_token));
        if full {
            Some(Pass::Full)
        } else if view || by_token {
            Some(Pass::View)
        } else {
            None
        }
    }

    fn failed(&mut self, from: IpAddr, now: Duration) -> Verdict {
        self.failures += 1;
        self.limiter.failed(from, now);
        self.limiter.wait(from, now).map_or(Verdict::Ask, Verdict::Wait)
    }
}

fn open(pass: Pass, path: &str) -> Verdict {
    if pass.may_open(path) { Verdict::Pass(pass) } else { Verdict::Forbid }
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
    use vdi_protocol::control::Role;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    const FULL: Verdict = Verdict::Pass(Pass::Full);
    const VIEW: Verdict = Verdict::Pass(Pass::View);

    fn judge_at(guard: &mut Guard, path: &str, authorization: Option<&str>) -> Verdict {
        let asked = Asked { path, authorization, invitation: None, from: HERE };
        guard.judge(asked, Duration::ZERO)
    }

    fn judge(guard: &mut Guard, authorization: Option<&str>) -> Verdict {
        judge_at(guard, "/", authorization)
    }

    #[test]
    fn only_the_right_user_with_the_right_password_passes() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer");
        assert_eq!(judge(&mut guard, Some(&basic("me:secret"))), FULL);
        assert_eq!(judge(&mut guard, Some(&basic("me:secret").replace("Basic", "bASIC"))), FULL);
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
            ("/healthz", FULL),
            ("/readyz", FULL),
            ("/health", FULL),
            ("/status", Verdict::Ask),
            ("/metrics", Verdict::Ask),
            ("/ws", Verdict::Ask),
            ("/healthz/../status", Verdict::Ask),
        ] {
            assert_eq!(judge_at(&mut guard, path, None), verdict, "{path}");
        }
    }

    #[test]
    fn without_credentials_everybody_passes() {
        assert_eq!(judge(&mut Guard::new(None, "viewer"), None), FULL);
    }

    #[test]
    fn generated_passwords_use_the_whole_alphabet() {
        let all: Vec<String> = (0..=255).map(|byte| password([byte; PASSWORD_CHARS])).collect();
        assert!(ALPHABET.iter().all(|c| all.contains(&String::from(char::from(*c)).repeat(PASSWORD_CHARS))));
    }

    #[test]
    fn token_opens_whep_and_nothing_else() {
        for mut guard in [Guard::new(Some(("me", "secret")), "viewer"), Guard::new(None, "viewer")] {
            for path in ["/whep", "/whep/whep-1.abc"] {
                assert_eq!(judge_at(&mut guard, path, Some("Bearer viewer")), VIEW, "{path}");
                assert_eq!(judge_at(&mut guard, path, Some("Bearer viewers")), Verdict::Ask, "{path}");
                assert_eq!(judge_at(&mut guard, path, Some("Bearer ")), Verdict::Ask, "{path}");
                assert_eq!(judge_at(&mut guard, path, None), Verdict::Ask, "{path}");
            }
        }
        let mut guard = Guard::new(Some(("me", "secret")), "viewer");
        for path in ["/", "/ws", "/status", "/whepper"] {
            assert_eq!(judge_at(&mut guard, path, Some("Bearer viewer")), Verdict::Ask, "{path}");
        }
        assert_eq!(judge_at(&mut guard, "/whep", Some(&basic("me:secret"))), FULL);
    }

    #[test]
    fn password_for_watching_lets_any_user_in_to_watch() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer").with_view_password(Some("look"));
        for user in ["me", "you", ""] {
            assert_eq!(judge(&mut guard, Some(&basic(&format!("{user}:look")))), VIEW, "{user:?}");
        }
        assert_eq!(judge(&mut guard, Some(&basic("me:secret"))), FULL);
        for wrong in ["look", "me:looks", "me:loo", "me:", "me:secret:look"] {
            assert_eq!(judge(&mut guard, Some(&basic(wrong))), Verdict::Ask, "{wrong:?}");
        }
        let look = basic("me:look");
        for (path, verdict) in [
            ("/ws", VIEW),
            ("/turn", VIEW),
            ("/whep", VIEW),
            ("/status", Verdict::Forbid),
            ("/metrics", Verdict::Forbid),
            ("/doctor", Verdict::Forbid),
            ("/files/0123/", Verdict::Forbid),
        ] {
            assert_eq!(judge_at(&mut guard, path, Some(&look)), verdict, "{path}");
        }
    }

    #[test]
    fn who_may_only_watch_cannot_try_for_the_other_password_without_an_end() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer").with_view_password(Some("look"));
        for _ in 0..9 {
            assert_eq!(judge(&mut guard, Some(&basic("me:guess"))), Verdict::Ask);
            assert_eq!(judge(&mut guard, Some(&basic("me:look"))), VIEW);
        }
        assert!(matches!(judge(&mut guard, Some(&basic("me:guess"))), Verdict::Wait(_)));
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn come(guard: &mut Guard, authorization: Option<&str>, token: &str, now: Duration) -> Verdict {
        guard.judge(Asked { path: "/ws", authorization, invitation: Some(token), from: HERE }, now)
    }

    #[test]
    fn invitation_lets_in_until_it_expires_and_the_password_lets_in_all_the_same() {
        let mut guard = Guard::new(Some(("me", "secret")), "viewer").with_invitations(true);
        let all = guard.invitations().unwrap();
        let (number, token) = all.invite(Role::Viewer, 60, [1; 32], s(0)).unwrap();
        let pass = Pass::Invitation { number, role: Role::Viewer };
        assert_eq!(come(&mut guard, None, &token, s(59)), Verdict::Pass(pass));
        assert_eq!(come(&mut guard, Some(&basic("me:secret")), &token, s(59)), FULL);
        let status = Asked { path: "/status", authorization: None, invitation: Some(&token), from: HERE };
        assert_eq!(guard.judge(status, s(59)), Verdict::Forbid);
        assert_eq!(come(&mut guard, None, &token, s(60)), Verdict::Ended(Ending::Expired));
        assert_eq!(guard.failures(), 0);
        assert_eq!(come(&mut guard, None, "guess", s(60)), Verdict::Ask);
        assert_eq!(guard.failures(), 1);
    }

    #[test]
    fn without_a_password_an_invitation_still_limits_and_holds_no_longer_than_it_should() {
        let mut guard = Guard::new(None, "viewer").with_invitations(true);
        let all = guard.invitations().unwrap();
        let (number, token) = all.invite(Role::Viewer, 60, [1; 32], s(0)).unwrap();
        let pass = Pass::Invitation { number, role: Role::Viewer };
        assert_eq!(come(&mut guard, None, &token, s(1)), Verdict::Pass(pass));
        guard.invitations().unwrap().revoke(number);
        assert_eq!(come(&mut guard, None, &token, s(1)), Verdict::Ended(Ending::Revoked));
        assert_eq!(come(&mut guard, None, "of another session", s(1)), FULL);
    }

    #[test]
    fn links_with_wrong_tokens_have_to_wait_like_wrong_passwords() {
        let mut guard = Guard::new(None, "viewer").with_invitations(true);
        let (_, token) = guard.invitations().unwrap().invite(Role::Viewer, 600, [1; 32], s(0)).unwrap();
        for _ in 0..10 {
            assert_eq!(guard.redeem("guess", HERE, s(0)), Some(Ok(Found::Unknown)));
        }
        assert_eq!(guard.redeem(&token, HERE, s(0)), Some(Err(s(60))));
        assert!(matches!(guard.redeem(&token, HERE, s(60)), Some(Ok(Found::Holds { .. }))));
        assert_eq!(Guard::new(None, "viewer").redeem(&token, HERE, s(0)), None, "nobody is invited here");
    }
}
