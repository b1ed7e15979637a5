//! The one port: who may in, what probes see, what status and metrics say.

use crate::program::{Access, Program, basic, eventually};
use vdi_protocol::{phase::Phase, status::Status};

fn sleeping() -> (Program, Access) {
    Program::ready(&["--port=0", "--", "sleep", "1000"], &[])
}

fn upgrade(access: &Access, origin: &str, authorized: bool) -> u16 {
    let authorization = access.authorization();
    let mut headers = vec![
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", vdi_protocol::SUBPROTOCOL),
        ("Origin", origin),
    ];
    if authorized {
        headers.push(("Authorization", &authorization));
    }
    access.get("/ws", &headers).status
}

#[test]
fn probes_are_open_and_all_else_asks_for_the_password() {
    let (program, access) = sleeping();
    for (path, body) in [("/healthz", "ok\n"), ("/readyz", "Ready\n"), ("/health", "OK")] {
        let response = access.get(path, &[]);
        assert_eq!((response.status, response.body.as_str()), (200, body), "{path}");
    }
    for path in ["/", "/status", "/metrics", "/ws", "/index.html", "/no/such/path"] {
        let response = access.get(path, &[]);
        assert_eq!(response.status, 401, "{path}");
        assert!(response.headers["www-authenticate"].starts_with("Basic realm="), "{path}");
    }
    let page = access.get_authorized("/");
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].starts_with("text/html"));
    for name in ["content-security-policy", "x-content-type-options", "referrer-policy", "permissions-policy"]
    {
        assert!(page.headers.contains_key(name), "{name}");
    }
    assert!(!page.headers["content-security-policy"].contains("unsafe-inline"));
    let nothing = access.get_authorized("/no/such/path");
    assert_eq!((nothing.status, nothing.body.as_str()), (404, "There is nothing at this address.\n"));
    assert!(!program.log().contains(&access.password), "the password is not in the log");
}

#[test]
fn status_and_metrics_tell_the_truth() {
    let (program, access) = sleeping();
    let read = || {
        let response = access.get_authorized("/status");
        assert_eq!((response.status, response.headers["cache-control"].as_str()), (200, "no-store"));
        serde_json::from_str::<Status>(&response.body).unwrap()
    };
    assert!(read().encoder.is_some(), "a session that is ready has an encoder");
    let status = eventually("the encoder's figures", || {
        let status = read();
        status.encoder.as_ref().is_some_and(|encoder| encoder.source_width > 0).then_some(status)
    });
    assert_eq!((status.phase, status.reason), (Phase::Ready, None));
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    assert!(status.display.unwrap().starts_with(':'));
    assert!(status.consumers.is_empty() && status.last_input_seconds_ago.is_none());
    assert!(!status.audio.running && status.audio.message.is_some());
    let encoder = status.encoder.expect("the encoder has proven itself although nobody watches");
    assert_eq!((encoder.codec.as_str(), encoder.source_width, encoder.source_height), ("H264", 640, 480));
    program.logged(&format!("encoder=\"{}\"", encoder.name));

    let metrics = access.get_authorized("/metrics");
    assert!(metrics.headers["content-type"].starts_with("application/openmetrics-text"));
    let has = |line: &str| metrics.body.lines().any(|found| found == line);
    assert!(has(r#"vdi_phase{phase="Ready"} 1"#), "{}", metrics.body);
    assert!(has(&format!(
        "vdi_encoder_info{{encoder=\"{}\",codec=\"{}\",hardware=\"{}\"}} 1",
        encoder.name, encoder.codec, encoder.hardware
    )));
}

#[test]
fn metrics_have_a_port_without_a_password_where_that_is_asked_for_and_nothing_else_is_told_there() {
    let arguments = ["--port=0", "--enable-metrics-http", "--metrics-http-port=0", "--", "sleep", "1000"];
    let (program, page) = Program::ready(&arguments, &[]);
    let line = program.logged("the metrics have a port");
    let port = line.rsplit_once("address=").unwrap().1.rsplit(':').next().unwrap();
    let metrics = Access { address: format!("127.0.0.1:{port}"), ..page.clone() };
    let answer = metrics.get("/metrics", &[]);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains(r#"vdi_phase{phase="Ready"} 1"#), "{}", answer.body);
    for path in ["/", "/status", "/ws", "/turn"] {
        assert_eq!(metrics.get_authorized(path).status, 404, "{path}");
    }
    assert_eq!(page.get("/metrics", &[]).status, 401, "the page's own port asks for the password");
}

#[test]
fn nothing_is_encoded_while_nobody_watches() {
    let (_program, access) = sleeping();
    let frames = || {
        let metrics = access.get_authorized("/metrics").body;
        let line = metrics.lines().find(|line| line.starts_with("vdi_frames_encoded_total ")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    // The frames that were on their way when the gate closed still come out.
    let before = eventually("what was on its way to come out", || {
        let before = frames();
        std::thread::sleep(std::time::Duration::from_millis(500));
        (frames() == before).then_some(before)
    });
    assert!(before >= 1, "the proof is a real frame");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(frames(), before);
}

#[test]
fn websocket_opens_only_for_our_own_page_with_the_password() {
    let (_program, access) = sleeping();
    let ours = format!("http://{}", access.address);
    assert_eq!(upgrade(&access, &ours, true), 101);
    assert_eq!(upgrade(&access, &ours, false), 401);
    assert_eq!(upgrade(&access, "https://evil.example", true), 403);
}

#[test]
fn guessing_is_slowed_down_and_probes_go_on() {
    let (_program, access) = sleeping();
    let wrong = basic(&access.user, "wrong");
    let statuses: Vec<_> =
        (0..12).map(|_| access.get("/status", &[("Authorization", &wrong)]).status).collect();
    assert_eq!(statuses[..9], [401; 9]);
    assert_eq!(statuses[9..], [429; 3]);
    let right = access.get_authorized("/status");
    assert_eq!(right.status, 429, "the right password waits as well");
    let wait: u64 = right.headers["retry-after"].parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(access.get("/healthz", &[]).status, 200);
}

#[test]
fn authentication_can_be_switched_off_and_then_only_the_url_is_printed() {
    let mut program = Program::start(&["--port=0", "--enable-basic-auth=false", "--", "sleep", "3"], &[]);
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
    let printed = program.rest_of_stdout();
    assert_eq!(printed.len(), 3, "{printed:?}");
    assert!(printed[0].starts_with("URL: http://127.0.0.1:"));
    assert!(printed[1].starts_with("Certificate (SHA-256): "));
    assert!(printed[2].starts_with("Viewer token (WHEP): "));
    assert!(program.log().contains("nobody is asked for a password"));
}

#[test]
fn given_password_is_not_repeated() {
    let environment = [("SELKIES_BASIC_AUTH_USER", "me"), ("SELKIES_BASIC_AUTH_PASSWORD", "open sesame")];
    let (_program, access) = Program::ready(&["--port=0", "--", "sleep", "1000"], &environment);
    assert_eq!((access.user.as_str(), access.password.as_str()), ("me", "(as given)"));
    let authorization = basic("me", "open sesame");
    assert_eq!(access.get("/status", &[("Authorization", &authorization)]).status, 200);
}
