//! Decision: what operators and their services say: options, lists of servers, limits of a session, certificates.

use crate::text;
use gstvdi::wswebrtcsink::ice_servers as uris;
use rustls_pki_types::CertificateDer;
use std::{ffi::OsString, sync::Arc, time::Duration};
use vdi_launcher::{
    config::Config,
    ice::{
        keeper::{File, Keeper},
        list::{self, List},
    },
    limits::{Activity, Extensions, Limits},
    options as launcher_options,
    port::tls::pair,
};

/// As many bytes of a command line are enough to be tried.
const MAX_WORDS: usize = 64;

/// Words of a command line, a line each. Every bad value is named, and no password.
pub fn options(data: &[u8]) {
    let words = text(data).lines().filter(|line| !names_a_file(line)).take(MAX_WORDS);
    let words = ["vdi-launcher", "--basic-auth-password=7fK0p2-secret"].into_iter().chain(words);
    let Ok(parsed) = launcher_options::parse(words.map(OsString::from)) else { return };
    if let Err(error) = Config::resolve(parsed, &["nvh264enc", "x264enc"]) {
        assert!(!error.message.is_empty());
        assert!(!error.message.contains("7fK0p2-secret"), "{error}");
    }
}

/// Values that are read from are another matter, and any file of this machine might be one.
fn names_a_file(word: &str) -> bool {
    word.contains('/') && !word.contains("://")
}

/// The document of a service, and an address of an operator's.
pub fn ice_servers(data: &[u8]) {
    if let Ok(list) = List::parse(data) {
        assert!(list.servers.iter().all(|server| !server.urls.is_empty()));
        list.expires();
    }
    let mut keeper = Keeper::new(Arc::default(), "host");
    let mut now = Duration::from_secs(1_700_000_000);
    keeper.file(File::Content(data));
    keeper.fetched(Ok(data.to_vec()), now);
    for _ in 0..3 {
        keeper.tick(now);
        keeper.current();
        now += Duration::from_secs(3600);
    }
    let text = text(data);
    list::authority(text);
    for server in [uris::stun(text), uris::turn(text)].into_iter().flatten() {
        let place = uris::place(text).expect("a server is somewhere");
        assert!(place.port > 0 && !place.host.is_empty());
        assert_eq!(&text[place.start..place.start + place.host.len()], place.host);
        assert!(server.urls[0].contains(&text[place.start..place.end]));
    }
    uris::place(text);
    let shown = uris::without_password(&format!("turn://user:7fK0p2-secret@{text}"));
    assert!(text.contains("7fK0p2-secret") || !shown.contains("7fK0p2-secret"), "{shown}");
}

/// What the operator says of a session's life.
pub fn limits(data: &[u8]) {
    let mut limits = Limits::new(Extensions { by: Duration::from_secs(600), count: 3 });
    let wall = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let now = Duration::from_secs(100);
    let told: Vec<_> = data.split(|byte| *byte == b'\n').map(|line| limits.tell(line, now)).collect();
    let activity = Activity { last_input: Some(now), alone_since: Some(now) };
    limits.coming(activity, now, wall);
    let extended = limits.status().extended_seconds;
    if limits.extend(now, wall) {
        assert!(limits.status().extended_seconds > extended);
    }
    limits.struck(activity, now, wall);
    limits.welcome_back(Duration::from_secs(3600));
    let status = limits.status();
    assert!(status.extensions_left <= 3 && (told.iter().any(Result::is_ok) || status.expires_at.is_none()));
}

/// A certificate, in a file with its key and by itself.
pub fn certificate(data: &[u8]) {
    if let Ok(pair) = pair::assemble(data, data) {
        assert_eq!(pair.fingerprint.len(), 32 * 3 - 1);
    }
    if let Ok((_, not_after, words)) = pair::validity(&CertificateDer::from(data)) {
        let time: jiff::Timestamp = words.parse().expect("a time that people can read");
        assert_eq!(time.as_second(), not_after);
    }
}
