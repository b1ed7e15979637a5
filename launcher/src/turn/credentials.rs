//! Decision: who may have an allocation. Mints credentials that live for minutes, `expiry:consumer` and its HMAC as coturn
//! checks them too, and refuses what is forged, what has expired, and what belongs to a session that is over.
//!
//! Nothing is stored for a credential: whoever knows the secret can tell a good one. Only who is there now is kept.

use super::Refusal;
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use stun_proto::types::message::{IntegrityAlgorithm, IntegrityKey, LongTermCredentials};

/// How long credentials may be used to begin an allocation. A page gathers candidates within seconds of its welcome;
/// the rest is for a clock that is a little wrong and for a laptop that slept in between. An allocation that runs lives as
/// long as its session, so nothing has to be renewed in time.
pub const CREDENTIAL_LIFE: Duration = Duration::from_secs(600);

/// Consumers that are remembered as being there. A launcher serves 256 pages at most; beyond four times that the oldest
/// is forgotten, and its running allocations with it.
const MAX_OPEN: usize = 1024;

/// Realm of the long-term credential mechanism (RFC 8489, 9.2). Short, since it is part of every answer to a stranger.
pub const REALM: &str = "vdi";

/// The key behind all credentials of one process.
#[derive(Clone)]
pub struct Secret(Arc<hmac::Key>);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, bytes)))
    }

    /// The authentication code of a text.
    pub(super) fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What a page needs to use the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `expiry:consumer`, the expiry in seconds since 1970.
    pub username: String,
    /// Base64 of the HMAC-SHA1 of the user name.
    pub password: String,
    /// When they expire, in seconds since 1970.
    pub expires_unix_seconds: u64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, (secret))", self.username)
    }
}

/// Mints and judges credentials, and knows which consumers are there. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Minter {
    secret: Secret,
    open: Arc<Mutex<VecDeque<String>>>,
}

impl Minter {
    /// A minter with this secret; nobody is there yet.
    pub fn new(secret: Secret) -> Self {
        Self { secret, open: Arc::default() }
    }

    /// Credentials for a consumer, who counts as being there from now on. `now` is the time since 1970.
    pub fn mint(&self, consumer: &str, now: Duration) -> Credentials {
        self.open(consumer);
        let expires_unix_seconds = now.saturating_add(CREDENTIAL_LIFE).as_secs();
        let username = format!("{expires_unix_seconds}:{consumer}");
        Credentials { password: self.password(&username), username, expires_unix_seconds }
    }

    /// This consumer is there: its credentials are worth something.
    pub fn open(&self, consumer: &str) {
        let mut open = self.opened();
        if open.iter().any(|known| known == consumer) {
            return;
        }
        if open.len() >= MAX_OPEN {
            open.pop_front();
        }
        open.push_back(consumer.to_owned());
    }

    /// This consumer's session is over: its credentials are worth nothing any more, and its allocations end.
    pub fn close(&self, consumer: &str) {
        self.opened().retain(|known| known != consumer);
    }

    /// Whether this consumer is there.
    pub fn is_open(&self, consumer: &str) -> bool {
        self.opened().iter().any(|known| known == consumer)
    }

    /// The key that messages of this user are signed with, whether its name is worth anything or not: so an answer takes
    /// as long for one that is not.
    pub fn key(&self, username: &str) -> IntegrityKey {
        LongTermCredentials::new(username.to_owned(), self.password(username))
            .to_key(REALM.to_owned())
            .make_key(IntegrityAlgorithm::Sha1)
    }

    /// The consumer that may begin an allocation with this user name, whose message has proven to know the password.
    pub(super) fn admit(&self, username: &str, now: Duration) -> Result<String, Refusal> {
        let (expires, consumer) = username.split_once(':').ok_or(Refusal::Forged)?;
        let expires: u64 = expires.parse().map_err(|_| Refusal::Forged)?;
        if now.as_secs() >= expires {
            return Err(Refusal::Expired);
        }
        if !self.is_open(consumer) {
            return Err(Refusal::Ended);
        }
        Ok(consumer.to_owned())
    }

    fn password(&self, username: &str) -> String {
        BASE64_STANDARD.encode(self.secret.sign(username.as_bytes()))
    }

    fn opened(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn minter() -> Minter {
        Minter::new(Secret::new(b"north"))
    }

    #[test]
    fn credentials_are_those_that_coturn_expects_of_the_same_secret() {
        let credentials = minter().mint("c1", NOW);
        assert_eq!(credentials.username, "1700000600:c1");
        assert_eq!(credentials.expires_unix_seconds, 1_700_000_600);
        // printf %s 1700000600:c1 | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(credentials.password, "rlH08aPEeLGwgIQl8HqpRgrq4dw=");
        assert!(!format!("{credentials:?}").contains(&credentials.password));
    }

    #[test]
    fn credentials_are_worth_something_until_they_expire_or_their_session_ends() {
        let minter = minter();
        let credentials = minter.mint("c1", NOW);
        let admit = |after: u64| minter.admit(&credentials.username, NOW + Duration::from_secs(after));
        assert_eq!(admit(0), Ok("c1".into()));
        assert_eq!(admit(599), Ok("c1".into()));
        assert_eq!(admit(600), Err(Refusal::Expired));
        minter.close("c1");
        assert_eq!(admit(1), Err(Refusal::Ended));
        assert_eq!(admit(600), Err(Refusal::Expired));
    }

    #[test]
    fn names_without_an_expiry_are_forged() {
        for name in ["", "c1", ":c1", "soon:c1", "-5:c1", "99999999999999999999:c1"] {
            assert_eq!(minter().admit(name, NOW), Err(Refusal::Forged), "{name}");
        }
    }

    #[test]
    fn a_consumer_may_have_any_name() {
        let minter = minter();
        let credentials = minter.mint("a:b c", NOW);
        assert_eq!(minter.admit(&credentials.username, NOW), Ok("a:b c".into()));
    }

    #[test]
    fn who_is_there_is_bounded() {
        let minter = minter();
        for number in 0..=MAX_OPEN {
            minter.open(&number.to_string());
        }
        assert!(!minter.is_open("0") && minter.is_open("1") && minter.is_open(&MAX_OPEN.to_string()));
        assert_eq!(minter.opened().len(), MAX_OPEN);
    }
}
