//! Hours of renewals, in plain numbers.

use super::*;
use crate::config::{Secret, TurnRest};

/// Some day in 2023.
const START: Duration = Duration::from_secs(1_700_000_000);

fn at(seconds: u64) -> Duration {
    START + Duration::from_secs(seconds)
}

fn settings() -> Ice {
    Ice {
        turn_urls: vec!["turn:t:3478?transport=udp".into()],
        stun_urls: vec!["stun:s:3478".into()],
        ..Ice::default()
    }
}

fn secret() -> Ice {
    Ice { turn_login: Some(TurnLogin::SharedSecret(Secret("north".into()))), ..settings() }
}

fn rest() -> Ice {
    let uri = Secret("http://127.0.0.1/".into());
    let turn_rest = Some(TurnRest { uri, headers: Vec::new() });
    Ice { turn_rest, ..secret() }
}

fn keeper(settings: Ice) -> Keeper {
    Keeper::new(Arc::new(settings), "pod-1")
}

fn answer(password: &str, ttl: u64) -> Result<Vec<u8>, String> {
    Ok(format!(r#"{{"username":"u","password":"{password}","ttl":{ttl},"uris":["turn:r:3478"]}}"#)
        .into_bytes())
}

fn credential(keeper: &Keeper) -> String {
    let current = keeper.current();
    current.servers.iter().find_map(|server| server.credential.clone()).unwrap_or_default()
}

#[test]
fn shared_secret_credentials_are_those_of_coturn_and_new_ones_come_at_two_thirds_of_their_life() {
    let mut keeper = keeper(secret());
    keeper.tick(at(0));
    let first = keeper.current();
    assert_eq!(first.source, IceSource::SharedSecret);
    assert_eq!(first.servers[0].urls, ["stun:s:3478"]);
    let turn = &first.servers[1];
    assert_eq!(turn.username.as_deref(), Some("1700000600:vdi-pod-1"));
    // printf %s 1700000600:vdi-pod-1 | openssl dgst -sha1 -hmac north -binary | base64
    assert_eq!(turn.credential.as_deref(), Some("OOqw/hDRjla28XeyVK1s2MBUsGs="));
    assert_eq!((first.expires, first.renewal), (Some(at(600)), Some(at(400))));
    keeper.tick(at(399));
    assert_eq!(keeper.current(), first);
    keeper.tick(at(400));
    assert_eq!(keeper.current().servers[1].username.as_deref(), Some("1700001000:vdi-pod-1"));
}

#[test]
fn in_ten_hours_no_page_ever_gets_credentials_with_less_than_a_third_of_their_life_left() {
    let mut keeper = keeper(secret());
    let mut seen = std::collections::BTreeSet::new();
    for second in 0..36_000 {
        keeper.tick(at(second));
        let expires = keeper.current().expires.unwrap();
        assert!(expires > at(second + 199), "{second}");
        seen.insert(expires);
    }
    assert_eq!(seen.len(), 90);
}

#[test]
fn clock_that_is_set_back_makes_credentials_anew() {
    let mut keeper = keeper(secret());
    keeper.tick(at(7200));
    keeper.tick(at(0));
    assert_eq!(keeper.current().expires, Some(at(600)));
}

#[test]
fn rest_service_is_asked_at_two_thirds_and_its_credentials_are_used_until_they_end_when_it_fails() {
    let mut keeper = keeper(rest());
    assert!(keeper.tick(at(0)), "it is asked at once");
    assert_eq!(keeper.current().source, IceSource::SharedSecret, "what else is configured stands in");
    assert!(!keeper.tick(at(1)), "one question at a time");
    assert_eq!(keeper.fetched(answer("one", 300), at(1)), None);
    assert_eq!((keeper.current().source, credential(&keeper)), (IceSource::Rest, "one".into()));
    assert_eq!((keeper.current().expires, keeper.current().renewal), (Some(at(301)), Some(at(201))));
    assert!(!keeper.tick(at(200)));

    // From 201 s on it fails: 5 s, 10 s, 20 s … later it is asked again.
    let mut asked = Vec::new();
    for second in 201..301 {
        if keeper.tick(at(second)) {
            asked.push(second);
            let words = keeper.fetched(Err("connection refused".into()), at(second)).unwrap();
            assert!(words.contains("connection refused") && words.contains("used until they end"), "{words}");
        }
        assert_eq!(credential(&keeper), "one", "{second}");
    }
    assert_eq!(asked, [201, 206, 216, 236, 276]);
    assert_eq!(keeper.current().failures, 5);
    assert!(keeper.current().error.unwrap().contains("connection refused"));

    keeper.tick(at(301));
    assert_eq!(keeper.current().source, IceSource::SharedSecret, "ended credentials are given to nobody");
    let again = (301..).find(|second| keeper.tick(at(*second))).unwrap();
    assert_eq!(again, 356);
    assert_eq!(keeper.fetched(answer("two", 300), at(again)), None);
    assert_eq!((credential(&keeper), keeper.current().error), ("two".into(), None));
}

#[test]
fn tries_at_a_dead_rest_service_are_never_more_than_five_minutes_apart() {
    let mut keeper = keeper(Ice { turn_login: None, turn_urls: Vec::new(), ..rest() });
    let mut last = 0;
    for second in 0..7200 {
        if keeper.tick(at(second)) {
            assert!(second - last <= 300, "{last} to {second}");
            last = second;
            keeper.fetched(Err("no route to host".into()), at(second));
        }
    }
    assert!(last > 6800);
    assert_eq!(keeper.current().source, IceSource::Stun);
}

#[test]
fn rest_answer_without_servers_or_with_expired_ones_is_a_failure() {
    let mut keeper = keeper(rest());
    for (body, wanted) in [
        (r#"{"iceServers":[]}"#, "empty"),
        ("<html>", "no JSON"),
        (r#"{"username":"1600000000:u","password":"p","ttl":60,"uris":["turn:r"]}"#, "expired already"),
    ] {
        let words = keeper.fetched(Ok(body.into()), at(0)).unwrap();
        assert!(words.contains(wanted), "{words}");
    }
    assert_eq!(keeper.current().failures, 3);
}

#[test]
fn file_overrides_all_and_bad_content_leaves_what_was_good() {
    let mut keeper = keeper(rest());
    keeper.tick(at(0));
    keeper.fetched(answer("one", 300), at(0));
    let good = br#"{"iceServers":[{"urls":["turn:f"],"username":"u","credential":"file"}],"iceTransportPolicy":"relay"}"#;
    assert_eq!(keeper.file(File::Content(good)), None);
    let current = keeper.current();
    assert_eq!((current.source, credential(&keeper)), (IceSource::File, "file".into()));
    assert_eq!((current.policy, current.renewal), (IceTransportPolicy::Relay, None));

    let words = keeper.file(File::Content(b"half of")).unwrap();
    assert!(words.contains("/tmp/rtc.json") && words.contains("no JSON"), "{words}");
    assert_eq!(keeper.file(File::Content(b"half of")), None, "the same is said once");
    assert_eq!((credential(&keeper), keeper.current().error), ("file".into(), Some(words)));
    assert!(keeper.file(File::Unreadable("permission denied")).is_some());
    assert_eq!(credential(&keeper), "file");

    assert_eq!(keeper.file(File::Absent), None);
    assert_eq!((credential(&keeper), keeper.current().error), ("one".into(), None));
}

#[test]
fn a_user_with_a_password_comes_before_the_secret_and_stun_alone_is_something() {
    let login = TurnLogin::Static { user: "u:1".into(), password: Secret("p".into()) };
    let mut keeper = keeper(Ice { turn_login: Some(login), policy: IceTransportPolicy::Relay, ..settings() });
    keeper.tick(at(0));
    let current = keeper.current();
    assert_eq!((current.source, current.expires), (IceSource::Static, None));
    assert_eq!(current.policy, IceTransportPolicy::Relay);
    assert_eq!(current.servers[1].username.as_deref(), Some("u:1"));
    assert_eq!(super::tests::keeper(settings()).current().source, IceSource::Stun);
    assert_eq!(super::tests::keeper(Ice::default()).current(), Current::default());
}

#[test]
fn no_password_stands_in_what_can_be_printed() {
    let mut keeper = keeper(rest());
    keeper.tick(at(0));
    let minted = credential(&keeper);
    keeper.fetched(answer("hunter2", 300), at(0));
    let shown = format!("{keeper:?} {:?}", keeper.current());
    assert!(!shown.contains("hunter2") && !shown.contains("north") && !shown.contains(&minted), "{shown}");
}
