//! STUN and TURN servers: the file that is replaced, the REST service that answers or does not, and what `/turn`,
//! `/status` and `/metrics` say of it.

use crate::program::{Access, Folder, PATIENCE, Program, eventually};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};
use vdi_protocol::{
    signalling::IceTransportPolicy,
    status::{IceServersStatus, IceSource, Status},
};

fn turn(access: &Access) -> Value {
    let response = access.get_authorized("/turn");
    assert_eq!(response.status, 200);
    assert!(response.headers["content-type"].starts_with("application/json"));
    serde_json::from_str(&response.body).unwrap()
}

fn ice_servers(access: &Access) -> IceServersStatus {
    serde_json::from_str::<Status>(&access.get_authorized("/status").body).unwrap().ice_servers
}

/// Waits until the status is so.
fn ice_servers_where(
    access: &Access,
    what: &str,
    fits: impl Fn(&IceServersStatus) -> bool,
) -> IceServersStatus {
    eventually(what, || Some(ice_servers(access)).filter(&fits))
}

/// An HTTP server that answers each request with the answer that stands, and keeps the request's head.
struct RestService {
    uri: String,
    answer: Arc<Mutex<(u16, String)>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl RestService {
    fn start(status: u16, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}/turn?key=hunter2", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new((status, body.to_owned())));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let service = Self { uri, answer: answer.clone(), heads: heads.clone() };
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                heads.lock().unwrap().push(head.join("\n").to_lowercase());
                let (status, body) = answer.lock().unwrap().clone();
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        service
    }

    fn answers(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }
}

fn credentials(password: &str, ttl: u64) -> String {
    format!(r#"{{"username":"u","password":"{password}","ttl":{ttl},"uris":["turn:r.example.com:3478"]}}"#)
}

#[test]
fn file_that_is_replaced_overrides_the_secret_and_what_is_bad_in_it_is_told_without_passwords() {
    let folder = Folder::new("rtc-json");
    let path = folder.file("rtc.json");
    std::fs::remove_file(&path).unwrap();
    let replace = |text: &str| {
        std::fs::write(format!("{path}.new"), text).unwrap();
        std::fs::rename(format!("{path}.new"), &path).unwrap();
    };
    let (program, access) = Program::ready(
        &["--port=0", &format!("--rtc-config-json={path}"), "--stun-host=s", "--", "sleep", "1000"],
        &[
            ("SELKIES_TURN_HOST", "t1.example.com,t2.example.com:443"),
            ("SELKIES_TURN_PROTOCOL", "tcp"),
            ("SELKIES_TURN_SHARED_SECRET", "top-secret"),
            ("SELKIES_TURN_REST_USERNAME", "me:you"),
        ],
    );
    assert_eq!(access.get("/turn", &[]).status, 401, "credentials are not for everybody");
    let told = turn(&access);
    assert_eq!(told["blockStatus"], "NOT_BLOCKED");
    assert_eq!(told["iceTransportPolicy"], "all");
    let lifetime = told["lifetimeDuration"].as_str().unwrap().strip_suffix('s').unwrap();
    assert!((180..=600).contains(&lifetime.parse::<u64>().unwrap()), "{lifetime}");
    assert_eq!(told["iceServers"][0]["urls"], serde_json::json!(["stun:s:3478"]));
    let secret = &told["iceServers"][1];
    assert_eq!(
        secret["urls"],
        serde_json::json!([
            "turn:t1.example.com:3478?transport=tcp",
            "turn:t2.example.com:443?transport=tcp"
        ])
    );
    assert!(secret["username"].as_str().unwrap().ends_with(":me-you"), "{secret}");
    let status = ice_servers(&access);
    assert_eq!((status.source, status.urls.len()), (IceSource::SharedSecret, 3));
    let (renewed, expires) = (status.renewed_in_seconds.unwrap(), status.expires_in_seconds.unwrap());
    assert!(renewed < expires && expires <= 600.0, "{status:?}");

    replace(
        r#"{"iceServers":[{"urls":"turn:f:1","username":"u","credential":"hunter2"}],"iceTransportPolicy":"relay"}"#,
    );
    let status = ice_servers_where(&access, "the file's servers", |status| status.source == IceSource::File);
    assert_eq!((status.urls, status.transport_policy), (vec!["turn:f:1".into()], IceTransportPolicy::Relay));
    let told = turn(&access);
    assert_eq!(told["iceServers"][0]["credential"], "hunter2");
    assert_eq!(told["iceTransportPolicy"], "relay");

    replace(r#"{"iceServers":[{"urls":"turn:f:2","credential":"hunter3"}]}"#);
    let status = ice_servers_where(&access, "the file's error", |status| status.error.is_some());
    assert_eq!(
        (status.source, status.urls),
        (IceSource::File, vec!["turn:f:1".into()]),
        "the good ones stay"
    );
    let error = status.error.unwrap();
    assert!(error.contains("rtc.json") && error.contains("\"turn:f:2\" needs a username"), "{error}");

    std::fs::remove_file(&path).unwrap();
    let status = ice_servers_where(&access, "the others", |status| status.source == IceSource::SharedSecret);
    assert_eq!(status.error, None);

    program.logged("needs a username");
    let log = program.log();
    assert_eq!(log.matches("needs a username").count(), 1, "the same is said once:\n{log}");
    let everything = log + &access.get_authorized("/status").body;
    for secret in ["hunter", "top-secret", secret["credential"].as_str().unwrap()] {
        assert!(!everything.contains(secret), "{secret} stands in\n{everything}");
    }
}

#[test]
fn rest_service_is_told_who_asks_and_its_servers_are_renewed_before_they_end() {
    let service = RestService::start(200, &credentials("one", 3));
    let (program, access) = Program::ready(
        &["--port=0", "--rtc-config-json=/nonexistent/rtc.json", "--turn-tls=true", "--", "sleep", "1000"],
        &[
            ("SELKIES_TURN_REST_URI", &service.uri),
            ("SELKIES_TURN_REST_USERNAME", "desk-7"),
            ("SELKIES_TURN_REST_TLS_HEADER", "x-want-tls"),
        ],
    );
    let password = || turn(&access)["iceServers"][0]["credential"].clone();
    eventually("the first credentials", || (password() == "one").then_some(()));
    let head = service.heads.lock().unwrap()[0].clone();
    for line in
        ["get /turn?key=hunter2 http/1.1", "x-auth-user: desk-7", "x-turn-protocol: tcp", "x-want-tls: true"]
    {
        assert!(head.lines().any(|told| told == line), "{line} is missing in\n{head}");
    }
    service.answers(200, &credentials("two", 3600));
    eventually("the second credentials", || (password() == "two").then_some(()));
    let status = ice_servers(&access);
    assert_eq!((status.source, status.renewal_failures, status.error), (IceSource::Rest, 0, None));
    assert!((2390.0..=2400.0).contains(&status.renewed_in_seconds.unwrap()), "at two thirds");
    let everything = program.log() + &access.get_authorized("/status").body;
    assert!(!everything.contains("hunter2"), "the key stands in\n{everything}");
}

#[test]
fn servers_that_are_configured_stand_in_for_a_rest_service_that_fails_and_the_failure_is_told() {
    let service = RestService::start(503, "hunter2");
    let (program, access) = Program::ready(
        &["--port=0", "--rtc-config-json=/nonexistent/rtc.json", "--turn-host=t", "--", "sleep", "1000"],
        &[
            ("SELKIES_TURN_REST_URI", &service.uri),
            ("SELKIES_TURN_USERNAME", "u"),
            ("SELKIES_TURN_PASSWORD", "hunter2"),
            ("SELKIES_ICE_TRANSPORT_POLICY", "relay"),
        ],
    );
    let status = ice_servers_where(&access, "the failure", |status| status.error.is_some());
    assert_eq!((status.source, status.transport_policy), (IceSource::Static, IceTransportPolicy::Relay));
    assert!(status.error.unwrap().contains("it answers with 503"));
    assert_eq!(turn(&access)["lifetimeDuration"], "86400s");
    let metrics = access.get_authorized("/metrics").body;
    let failures =
        metrics.lines().find_map(|line| line.strip_prefix("vdi_ice_server_renewal_failures_total "));
    assert!(failures.unwrap().parse::<u64>().unwrap() >= 1, "{metrics}");

    service.answers(200, &credentials("one", 3600));
    ice_servers_where(&access, "the service's servers", |status| {
        status.source == IceSource::Rest && status.error.is_none()
    });
    program.logged("the TURN REST service gave no servers");
    program.logged("known again");
    let log = program.log();
    assert!(!log.contains("hunter2"), "{log}");
}
