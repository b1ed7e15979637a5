//! Decision: requests: who may, from where, to which file, and which part of it.

use crate::text;
use gstvdi::wswebrtcsink::host::origin as from;
use std::{net::IpAddr, time::Duration};
use vdi_launcher::{
    doctor::clock,
    files::{
        headers::{self as file_headers, Part},
        name,
        note::{self, Note},
    },
    http::{
        auth::{Asked, Guard, OPEN_PATHS, Verdict, is_whep},
        invited,
    },
    pass::Pass,
};
use vdi_protocol::control::Role;
use warp::http::{HeaderMap, HeaderValue, Request, header};

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The names in the path of a file: none leads out of its folder, and each comes back from how we write it.
pub fn paths(data: &[u8]) {
    let text = text(data);
    if let Some(note) = Note::read(data) {
        assert!(note.folder.iter().chain([&note.name]).all(|name| name::is_name(name)));
        let written = note.write();
        assert_eq!(Note::read(&written).as_ref(), Some(&note));
        assert!(data.len() > 4096 || (written.len() as u64) < note::MAX_BYTES);
    }
    assert!(!note::is_id(text) || text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let Some(names) = name::path(text) else { return };
    for one in &names {
        assert!(name::is_name(one) && ![".", ".."].contains(&one.as_str()));
        assert!(!one.contains(['/', '\0']) && one.len() <= name::MAX_NAME_BYTES);
        for number in [0, 1, name::MAX_COPIES] {
            let copy = name::copy(one, number);
            assert!(
                copy.len() <= name::MAX_NAME_BYTES && !copy.contains(['/', '\0']) && !copy.is_empty(),
                "{copy:?}"
            );
            assert!(name::is_name(&copy), "{one:?} has a copy {copy:?} that nobody may have");
        }
    }
    let written: Vec<_> = names.iter().map(|name| file_headers::encoded(name)).collect();
    assert_eq!(name::path(&written.join("/")).as_ref(), Some(&names));
}

/// Headers of downloads and uploads, for a file of 1,000 bytes.
pub fn headers(data: &[u8]) {
    const SIZE: u64 = 1000;
    let text = text(data);
    for header in [text, &format!("bytes={text}")] {
        if let Part::Bytes { from, length } = file_headers::range(Some(header), SIZE) {
            assert!(length > 0 && from.checked_add(length).is_some_and(|end| end <= SIZE));
        }
    }
    if let Some(number) = file_headers::number(Some(text)) {
        assert_eq!(file_headers::number(Some(&number.to_string())), Some(number));
    }
    file_headers::names(text, "\"x\"");
    file_headers::file_name(text);
    let written = file_headers::attachment(text);
    assert!(HeaderValue::from_str(&written).is_ok() && written.is_ascii());
    clock::unix_seconds(text);
}

/// A path, `Authorization` and `Cookie`, a line each. Who knows no password passes nowhere but to the probes.
pub fn guard(data: &[u8]) {
    let mut lines = text(data).splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, authorization, cookie) = (line(), line(), line());
    let mut headers = HeaderMap::new();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        headers.insert(header::COOKIE, cookie);
    }
    let now = Duration::from_secs(1);
    let mut guard = Guard::new(Some(("user", "7fK0p2-secret")), "5c1d-token")
        .with_view_password(Some("9aQz-guest"))
        .with_invitations(true);
    let invitation = invited::kept(&headers, "vdi-invitation");
    if let Some(token) = Request::get(path).body(()).ok().as_ref().and_then(|request| invited::token(request))
    {
        assert!(path.contains(token));
        guard.redeem(token, FROM, now);
    }
    let asked = Asked { path, authorization: Some(authorization), invitation, from: FROM };
    match guard.judge(asked, now) {
        Verdict::Pass(Pass::Full) => {
            assert!(OPEN_PATHS.contains(&path) || is_ours(authorization), "{authorization}")
        }
        Verdict::Pass(_) => assert!(
            is_guests(authorization) || is_whep(path) && authorization.contains("5c1d-token"),
            "{authorization}"
        ),
        _ => {}
    }
    // The name of a consumer, with the mark of its pass.
    let pass = Pass::of(text(data));
    if let Some(mark) = pass.mark() {
        assert_eq!(Pass::of(&format!("c1{mark}")), pass);
    }
    assert!(!pass.may_decide() || pass == Pass::Full);
    assert!(pass.may_control() || !pass.may_open("/files/x"));
    assert!(matches!(
        pass,
        Pass::Full | Pass::View | Pass::Invitation { role: Role::Viewer | Role::Controller, .. }
    ));
}

/// `user:7fK0p2-secret` in base64.
fn is_ours(authorization: &str) -> bool {
    authorization.contains("dXNlcjo3ZkswcDItc2VjcmV0")
}

/// Whatever the name, the password's end is the same in one of three alignments.
fn is_guests(authorization: &str) -> bool {
    ["OWFRei1ndWVzd", "lhUXotZ3Vlc3", "5YVF6LWd1ZXN0"].iter().any(|part| authorization.contains(part))
}

/// `Origin`, `Host` and `X-Forwarded-Host`, a line each.
pub fn origin(data: &[u8]) {
    let mut lines = text(data).splitn(3, '\n');
    let mut line = || lines.next();
    let (origin, host, forwarded) = (line(), line(), line());
    if from::is_allowed_behind(origin, host, None)
        && let Some((scheme, site)) = origin.and_then(|origin| origin.split_once("://"))
    {
        assert!(["http", "https"].contains(&scheme));
        let host = host.expect("a host that the origin is the same as").to_ascii_lowercase();
        let site = site.to_ascii_lowercase();
        let (shorter, longer) = if host.len() < site.len() { (&host, &site) } else { (&site, &host) };
        assert!(longer.starts_with(shorter.as_str()), "{site:?} is not {host:?}");
        let rest = &longer[shorter.len()..];
        assert!(["", ":80", ":443"].contains(&rest), "{site:?} is not {host:?}");
    }
    from::is_allowed_behind(origin, host, forwarded);
    from::names_this_machine(host);
}
