//! Decision: the secrets of one desktop: the page's password, and TURN credentials that are good for a while.
//!
//! A password is kept for as long as its Secret lives; TURN credentials are made anew at half their life. Time and
//! randomness are arguments. Nothing here ends up in a pod's spec, in arguments or in a log: `Debug` hides it.

use crate::{names, settings::Turn};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use ring::hmac;
use serde_json::json;
use std::time::Duration;

/// User of the page. It is the same for all, since a desktop that waits does not know yet whose it will be.
pub const USERNAME: &str = "user";
/// Key of the Secret with the page's user.
pub const KEY_USERNAME: &str = "username";
/// Key of the Secret with the page's password.
pub const KEY_PASSWORD: &str = "password";
/// Key of the Secret with the STUN and TURN servers, in the form of the launcher's `GET /turn`.
pub const KEY_RTC: &str = "rtc.json";

/// Characters of a password: 64 of them, so that six random bits are one without a bias.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The secrets of one desktop.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User of the page.
    pub username: String,
    /// Password of the page.
    pub password: String,
    /// Credentials of the TURN servers, where there are any.
    pub turn: Option<TurnCredentials>,
}

/// Credentials of the TURN servers.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnCredentials {
    /// The servers with the credentials, in the form of the launcher's `GET /turn`.
    pub rtc: String,
    /// When they end.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TurnCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnCredentials").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Credentials {
    /// What a desktop's Secret is to hold at `now`: what `existing` holds where that is still good, and what is new
    /// where it is not. `name` is the desktop's in the TURN servers' logs and quotas.
    pub fn current(
        existing: Option<&Secret>,
        name: &str,
        turn: Option<&Turn>,
        now: Timestamp,
        random: &[u8; 32],
    ) -> Self {
        let text = |key| existing.and_then(|secret| text(secret, key));
        let kept = |turn: &Turn| {
            let kept = TurnCredentials { rtc: text(KEY_RTC)?, expires_at: turn_expires_at(existing?)? };
            (kept.is_about(turn) && now < renew_at(kept.expires_at, turn.lifetime)).then_some(kept)
        };
        Self {
            username: text(KEY_USERNAME).unwrap_or_else(|| USERNAME.to_owned()),
            password: text(KEY_PASSWORD).unwrap_or_else(|| password(random)),
            turn: turn.map(|turn| kept(turn).unwrap_or_else(|| TurnCredentials::new(turn, name, now))),
        }
    }

    /// When they have to be looked at again; `None` if they do not end.
    pub fn renew_at(&self, turn: Option<&Turn>) -> Option<Timestamp> {
        Some(renew_at(self.turn.as_ref()?.expires_at, turn?.lifetime))
    }
}

impl TurnCredentials {
    fn new(turn: &Turn, name: &str, now: Timestamp) -> Self {
        let expires_at = later(now, turn.lifetime);
        // draft-uberti-behave-turn-rest, 2.2; coturn's use-auth-secret.
        let username = format!("{}:{name}", expires_at.as_second());
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, turn.shared_secret.as_bytes());
        let credential = BASE64_STANDARD.encode(hmac::sign(&key, username.as_bytes()));
        let rtc = json!({
            "lifetimeDuration": format!("{}s", turn.lifetime.as_secs()),
            "iceServers": [
                { "urls": stun_urls(turn) },
                { "urls": turn_urls(turn), "username": username, "credential": credential },
            ],
            "blockStatus": "NOT_BLOCKED",
            "iceTransportPolicy": "all",
        });
        Self { rtc: rtc.to_string(), expires_at }
    }

    /// Whether they are for the servers that are configured now.
    fn is_about(&self, turn: &Turn) -> bool {
        let Ok(rtc) = serde_json::from_str::<serde_json::Value>(&self.rtc) else { return false };
        rtc["iceServers"][1]["urls"] == json!(turn_urls(turn))
    }
}

/// When the TURN credentials of a Secret end, by its annotation.
pub fn turn_expires_at(secret: &Secret) -> Option<Timestamp> {
    secret.metadata.annotations.as_ref()?.get(names::ANNOTATION_TURN_EXPIRES_AT)?.parse().ok()
}

/// The text under a key of a Secret; `None` if it is absent, empty or no text.
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = &secret.data.as_ref()?.get(key)?.0;
    String::from_utf8(bytes.clone()).ok().filter(|text| !text.is_empty())
}

/// At half of their life, so that an operator that is down for the other half does no harm.
fn renew_at(expires_at: Timestamp, lifetime: Duration) -> Timestamp {
    let half = jiff::SignedDuration::try_from(lifetime / 2).unwrap_or_default();
    expires_at.checked_sub(half).unwrap_or(expires_at)
}

/// A whole second, as user names of TURN have it.
fn later(now: Timestamp, lifetime: Duration) -> Timestamp {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or_default();
    Timestamp::from_second(now.as_second().saturating_add(seconds)).unwrap_or(now)
}

fn password(random: &[u8; 32]) -> String {
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

fn stun_urls(turn: &Turn) -> Vec<String> {
    turn.hosts.iter().map(|host| format!("stun:{}:{}", bracketed(host), turn.port)).collect()
}

fn turn_urls(turn: &Turn) -> Vec<String> {
    let address = |host: &String| {
        let host = bracketed(host);
        let plain =
            ["udp", "tcp"].map(|transport| format!("turn:{host}:{}?transport={transport}", turn.port));
        let tls = turn.tls_port.map(|port| format!("turns:{host}:{port}?transport=tcp"));
        plain.into_iter().chain(tls)
    };
    turn.hosts.iter().flat_map(address).collect()
}

/// A host as it stands before a port.
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data;
    use k8s_openapi::ByteString;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn stored(credentials: &Credentials) -> Secret {
        let desktop = test_data::desktop("{}", "{}");
        crate::build::running(&desktop, "desktop-work", credentials, &Default::default()).secret
    }

    fn current(existing: Option<&Secret>, turn: Option<&Turn>, now: &str, random: u8) -> Credentials {
        Credentials::current(existing, "team-a.work", turn, at(now), &[random; 32])
    }

    #[test]
    fn password_is_kept_while_its_secret_lives_and_new_with_a_new_one() {
        let first = current(None, None, "2026-11-21T09:00:00Z", 1);
        let kept = current(Some(&stored(&first)), None, "2026-11-22T09:00:00Z", 2);
        assert_eq!(kept.password, first.password);
        assert_ne!(current(None, None, "2026-11-21T09:00:00Z", 2).password, first.password);
        let mut emptied = stored(&first);
        emptied.data.get_or_insert_default().insert(KEY_PASSWORD.to_owned(), ByteString(vec![]));
        assert!(!current(Some(&emptied), None, "2026-11-21T09:00:00Z", 2).password.is_empty());
    }

    #[test]
    fn turn_credentials_are_those_that_coturn_computes() {
        let turn = Turn { lifetime: Duration::from_secs(600), ..test_data::turn() };
        let credentials =
            TurnCredentials::new(&turn, "vdi-pod-1", Timestamp::from_second(1_700_000_000).unwrap());
        let rtc: serde_json::Value = serde_json::from_str(&credentials.rtc).unwrap();
        let server = &rtc["iceServers"][1];
        assert_eq!(server["username"], "1700000600:vdi-pod-1");
        // printf %s 1700000600:vdi-pod-1 | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(server["credential"], "OOqw/hDRjla28XeyVK1s2MBUsGs=");
        assert_eq!(
            server["urls"],
            json!(["turn:turn.example.com:3478?transport=udp", "turn:turn.example.com:3478?transport=tcp"])
        );
        assert_eq!(rtc["lifetimeDuration"], "600s");
    }

    #[test]
    fn turn_credentials_are_renewed_at_half_their_life() {
        let turn = test_data::turn();
        let first = current(None, Some(&turn), "2026-11-21T09:00:00Z", 1);
        assert_eq!(first.renew_at(Some(&turn)), Some(at("2026-11-21T09:30:00Z")));
        let secret = stored(&first);
        let at_time = |now| current(Some(&secret), Some(&turn), now, 2);
        assert_eq!(at_time("2026-11-21T09:29:59Z"), first);
        let renewed = at_time("2026-11-21T09:30:00Z");
        assert_eq!(renewed.password, first.password);
        assert_eq!(renewed.turn.unwrap().expires_at, at("2026-11-21T10:30:00Z"));
    }

    #[test]
    fn turn_credentials_follow_the_servers() {
        let turn = test_data::turn();
        let secret = stored(&current(None, Some(&turn), "2026-11-21T09:00:00Z", 1));
        let secured = Turn { tls_port: Some(5349), ..turn.clone() };
        let rtc = current(Some(&secret), Some(&secured), "2026-11-21T09:01:00Z", 1).turn.unwrap().rtc;
        assert!(rtc.contains("\"turns:turn.example.com:5349?transport=tcp\""), "{rtc}");
        let moved = Turn { hosts: vec!["2001:db8::7".to_owned()], ..turn };
        let rtc = current(Some(&secret), Some(&moved), "2026-11-21T09:01:00Z", 1).turn.unwrap().rtc;
        assert!(rtc.contains("turn:[2001:db8::7]:3478") && !rtc.contains("turn.example.com"), "{rtc}");
        assert_eq!(current(Some(&secret), None, "2026-11-21T09:01:00Z", 1).turn, None);
    }
}
