//! Decision: which of the configured servers hold now, when their credentials are made or fetched anew, and what becomes of
//! failures. Times are since 1970, since credentials expire by that clock; a clock that is set back makes everything due.
//!
//! Precedence is that of Selkies 1.6: the file, the REST service (what is configured otherwise stands in while it gives
//! nothing), a user with a password, the shared secret, and STUN alone.

use super::list::List;
use crate::config::{Ice, TurnLogin};
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use std::{sync::Arc, time::Duration};
use vdi_protocol::{
    signalling::{IceServer, IceTransportPolicy},
    status::IceSource,
};

/// Between two tries at a REST service: at first, and at most. Doubled by each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A REST service that says nothing of its credentials' life is asked this often.
const UNKNOWN_LIFE: Duration = Duration::from_secs(600);

/// What lives for days is looked at daily, and what lives for seconds no more often than this.
const RENEWAL_BOUNDS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(86_400));

/// Steps back of the clock up to this are its ordinary corrections.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File<'a> {
    /// There is none.
    Absent,
    /// It cannot be read, and why.
    Unreadable(&'a str),
    /// Its content.
    Content(&'a [u8]),
}

/// What holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    /// The servers, for browsers.
    pub servers: Vec<IceServer>,
    /// Whether only relayed paths may be used.
    pub policy: IceTransportPolicy,
    /// Where they come from.
    pub source: IceSource,
    /// When their credentials expire.
    pub expires: Option<Duration>,
    /// When they are renewed, or that is tried again.
    pub renewal: Option<Duration>,
    /// Renewals that failed so far.
    pub failures: u64,
    /// What is wrong, until it is right again.
    pub error: Option<String>,
}

/// Credentials with an end.
#[derive(Debug, Clone)]
struct Limited {
    list: List,
    expires: Option<Duration>,
}

/// Keeps the list.
#[derive(Debug)]
pub struct Keeper {
    settings: Arc<Ice>,
    /// Who the TURN server is told that we are.
    user: String,
    /// The last good content of the file, while there is a file.
    file: Option<List>,
    file_error: Option<String>,
    fetched: Option<Limited>,
    fetch_error: Option<String>,
    /// When the REST service is to be asked; `None` while it is being asked.
    fetch_at: Option<Duration>,
    /// Failures in a row.
    failed: u32,
    failures: u64,
    minted: Option<Limited>,
    mint_at: Duration,
    seen: Duration,
}

impl Keeper {
    /// Nothing is known yet; the first [`Keeper::tick`] begins.
    pub fn new(settings: Arc<Ice>, host_name: &str) -> Self {
        // A colon ends the expiry in `expiry:user`.
        let user = settings.turn_user.clone().unwrap_or_else(|| format!("vdi-{host_name}")).replace(':', "-");
        Self {
            settings,
            user,
            file: None,
            file_error: None,
            fetched: None,
            fetch_error: None,
            fetch_at: Some(Duration::ZERO),
            failed: 0,
            failures: 0,
            minted: None,
            mint_at: Duration::ZERO,
            seen: Duration::ZERO,
        }
    }

    /// Who the TURN server, or its REST service, is told that we are.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The file was read. Bad content leaves what was good before, and the words are returned if they are new.
    pub fn file(&mut self, file: File<'_>) -> Option<String> {
        let path = self.settings.rtc_config_json.display();
        let (list, error) = match file {
            File::Absent => (None, None),
            File::Unreadable(why) => (self.file.take(), Some(why.to_owned())),
            File::Content(bytes) => match List::parse(bytes) {
                Ok(list) => (Some(list), None),
                Err(why) => (self.file.take(), Some(format!("{path} is not used: {why}"))),
            },
        };
        self.file = list;
        let news = error.clone().filter(|_| error != self.file_error);
        self.file_error = error;
        news
    }

    /// Time has passed. Returns whether the REST service is to be asked now, whose answer is awaited then.
    pub fn tick(&mut self, now: Duration) -> bool {
        if now + CLOCK_SLACK < self.seen {
            self.mint_at = Duration::ZERO;
            self.fetch_at = self.fetch_at.map(|_| Duration::ZERO);
        }
        self.seen = now;
        if self.fetched.as_ref().and_then(|fetched| fetched.expires).is_some_and(|expires| expires <= now) {
            self.fetched = None;
        }
        self.mint(now);
        let due = self.settings.turn_rest.is_some() && self.fetch_at.is_some_and(|at| at <= now);
        if due {
            self.fetch_at = None;
        }
        due
    }

    fn mint(&mut self, now: Duration) {
        let Some(TurnLogin::SharedSecret(secret)) = &self.settings.turn_login else { return };
        if now < self.mint_at {
            return;
        }
        let life = self.settings.credential_life;
        let expires = now + life;
        let username = format!("{}:{}", expires.as_secs(), self.user);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.0.as_bytes());
        let password = BASE64_STANDARD.encode(hmac::sign(&key, username.as_bytes()));
        let servers = self.with_login(&username, &password);
        let list = List { servers, ..List::default() };
        self.minted = Some(Limited { list, expires: Some(Duration::from_secs(expires.as_secs())) });
        self.mint_at = now + renewal_after(life);
    }

    /// The REST service has answered with this body, or has not, and why. A failure's words are returned.
    pub fn fetched(&mut self, answer: Result<Vec<u8>, String>, now: Duration) -> Option<String> {
        let error = match answer.and_then(|body| List::parse(&body)) {
            Ok(list) if list.servers.is_empty() => "its list is empty".to_owned(),
            Ok(list) => {
                // The earlier of what the answer says and what the names in it say.
                let stated = list.life.map(|life| now.saturating_add(life));
                let expires = stated.into_iter().chain(list.expires()).min();
                if expires.is_none_or(|expires| expires > now) {
                    let life = expires.map_or(UNKNOWN_LIFE * 3 / 2, |expires| expires - now);
                    self.fetch_at = Some(now + renewal_after(life));
                    self.fetched = Some(Limited { list, expires });
                    (self.failed, self.fetch_error) = (0, None);
                    return None;
                }
                "its credentials have expired already: do the clocks agree?".to_owned()
            }
            Err(why) => why,
        };
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failed)).min(LONGEST_PAUSE);
        self.fetch_at = Some(now + pause);
        self.failed += 1;
        self.failures += 1;
        let kept =
            if self.fetched.is_some() { "; the credentials from before are used until they end" } else { "" };
        let words = format!("the TURN REST service gave no servers: {error}{kept}");
        self.fetch_error = Some(words.clone());
        Some(words)
    }

    /// What holds now.
    pub fn current(&self) -> Current {
        let settings = &self.settings;
        let fetched = self.fetched.as_ref();
        let (source, list, expires) = match (&self.file, fetched, &settings.turn_login, &self.minted) {
            (Some(list), ..) => (IceSource::File, list.clone(), None),
            (None, Some(fetched), ..) => (IceSource::Rest, fetched.list.clone(), fetched.expires),
            (None, None, Some(TurnLogin::Static { user, password }), _) => {
                let list = List { servers: self.with_login(user, &password.0), ..List::default() };
                (IceSource::Static, list, None)
            }
            (None, None, Some(TurnLogin::SharedSecret(_)), Some(minted)) => {
                (IceSource::SharedSecret, minted.list.clone(), minted.expires)
            }
            _ if settings.stun_urls.is_empty() => (IceSource::None, List::default(), None),
            _ => (IceSource::Stun, List { servers: self.stun().collect(), ..List::default() }, None),
        };
        let policy = match (list.policy, settings.policy) {
            (IceTransportPolicy::All, IceTransportPolicy::All) => IceTransportPolicy::All,
            _ => IceTransportPolicy::Relay,
        };
        let fetches = settings.turn_rest.is_some().then_some(self.fetch_at).flatten();
        Current {
            servers: list.servers,
            policy,
            source,
            expires,
            renewal: match source {
                IceSource::File => None,
                IceSource::SharedSecret if fetches.is_none() => Some(self.mint_at),
                _ => fetches,
            },
            failures: self.failures,
            error: self.file_error.clone().or_else(|| self.fetch_error.clone()),
        }
    }

    fn stun(&self) -> impl Iterator<Item = IceServer> {
        let urls = self.settings.stun_urls.clone();
        (!urls.is_empty()).then_some(IceServer { urls, username: None, credential: None }).into_iter()
    }

    fn with_login(&self, username: &str, password: &str) -> Vec<IceServer> {
        let turn = IceServer {
            urls: self.settings.turn_urls.clone(),
            username: Some(username.to_owned()),
            credential: Some(password.to_owned()),
        };
        self.stun().chain([turn]).collect()
    }
}

/// Two thirds of a life, within bounds.
fn renewal_after(life: Duration) -> Duration {
    // No longer one matters, and none can overflow.
    (life.min(RENEWAL_BOUNDS.1 * 2) * 2 / 3).clamp(RENEWAL_BOUNDS.0, RENEWAL_BOUNDS.1)
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
