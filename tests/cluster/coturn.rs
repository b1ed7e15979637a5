//! Shell: coturn as `deploy/coturn` configures it, started by its script, in a network namespace of its own in which the
//! addresses of nodes, pods and others are all there: whom it lets in, and to whom it relays.
//!
//! Debian's 4.6 is what runs here; what only newer ones know (`prometheus`) it tells in its log and passes over.

use crate::{
    children::Program,
    stack::DEPLOY,
    wait::{SOON, until},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};
use vdi_operator::{credentials::Credentials, settings::Turn};

/// coturn's own address, of a network for documentation (RFC 5737).
const TURN: &str = "192.0.2.1";
/// A desktop's.
const POD: &str = "10.244.3.5";
/// Everybody else: nodes, other private networks, the metadata service, the internet.
const OTHERS: [&str; 6] =
    ["192.0.2.1", "10.0.0.7", "172.16.0.7", "192.168.7.7", "169.254.169.254", "198.51.100.7"];
/// Where coturn listens for TLS.
const TLS_PORT: u16 = 5349;
/// Where each of them echoes what it is sent.
const ECHO: &str = "3480";
const SECRET: &str = "a-secret-of-the-length-that-the-script-makes";

/// A running coturn, and the network that it is in.
struct Coturn {
    program: Program,
    _peers: Vec<Program>,
    folder: tempfile::TempDir,
}

impl Coturn {
    /// Starts the script with such a secret, and waits until it answers.
    async fn start(secret: (&str, &str), variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("run")).unwrap();
        fs::create_dir(at("secrets")).unwrap();
        fs::write(at("secrets").join(secret.0), secret.1).unwrap();
        let mut addresses = String::new();
        for address in OTHERS.iter().chain([&POD]) {
            addresses += &format!("ip address add {address}/32 dev lo && ");
        }
        let script = format!("{addresses}ip link set lo up && exec sh {DEPLOY}/coturn/start.sh");
        // The namespace has no name: it is gone with the last process in it.
        let program = Program::start("coturn", &at("log"), Path::new("unshare"), |command| {
            command.args(["--net", "sh", "-c", &script]);
            command.env("VDI_DOMAIN", "vdi.test").env("TURN_ADDRESS", TURN);
            command.env("TURN_ALLOWED_PEERS", "10.244.0.0-10.244.255.255");
            command.env("TURN_CONFIG", format!("{DEPLOY}/coturn/turnserver.conf"));
            command
                .env("TURN_SECRETS", at("secrets"))
                .env("TURN_RUN", at("run"))
                .env("TURN_CERTIFICATE", at("none"));
            command.envs(variables.iter().copied());
        });
        let mut this = Self { program, _peers: Vec::new(), folder };
        // Its sockets, as the kernel tells them of its network: 192.0.2.1:3478.
        let pid = this.program.pid().to_string();
        let sockets = format!("/proc/{pid}/net/udp");
        until("coturn's socket", SOON, async || {
            if this.program.ended().is_some() {
                panic!("coturn ended:\n{}", this.program.last_words(20));
            }
            let listens = fs::read_to_string(&sockets).unwrap_or_default().contains(" 010200C0:0D96 ");
            if listens { Ok(()) } else { Err(this.program.last_words(5)) }
        })
        .await;
        for address in OTHERS.iter().chain([&POD]) {
            let log = this.folder.path().join(format!("peer-{address}.log"));
            this._peers.push(Program::start("a peer", &log, Path::new("nsenter"), |command| {
                command.arg(format!("--net=/proc/{pid}/ns/net")).args([
                    "turnutils_peer",
                    "-L",
                    address,
                    "-p",
                    ECHO,
                ]);
            }));
        }
        // Each of them listens: what is sent before that is waited for in vain, for a minute.
        let port = format!(":{:04X} ", ECHO.parse::<u16>().unwrap());
        until("the peers", SOON, async || {
            let listening =
                fs::read_to_string(&sockets).unwrap().lines().filter(|line| line.contains(&port)).count();
            if listening == OTHERS.len() + 1 { Ok(()) } else { Err(format!("{listening} listen")) }
        })
        .await;
        this
    }

    /// Runs a program in coturn's network to its end.
    async fn inside(&self, program: &str, words: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command
            .args(["60", "nsenter", &format!("--net=/proc/{}/ns/net", self.program.pid()), program])
            .args(words);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// What becomes of packets to a peer, sent with such credentials.
    async fn relay(&self, user: &str, password: &str, peer: &str) -> String {
        let words = ["-c", "-n", "2", "-u", user, "-w", password, "-e", peer, "-r", ECHO, TURN];
        let output = self.inside("turnutils_uclient", &words).await;
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn config(&self) -> String {
        fs::read_to_string(self.folder.path().join("run/turnserver.conf")).unwrap()
    }
}

/// What the operator tells a session at a time of this server: the Secret's `rtc.json`.
fn rtc(secret: &str, tls_port: Option<u16>, now: Timestamp) -> String {
    let turn = Turn {
        hosts: vec![TURN.to_owned()],
        port: 3478,
        tls_port,
        shared_secret: secret.to_owned(),
        lifetime: Duration::from_secs(3600),
        peer: None,
        networks: vec![],
    };
    Credentials::current(None, "desktop-work", Some(&turn), now, &[0; 32]).turn.unwrap().rtc
}

/// The credentials in it.
fn credentials(secret: &str, now: Timestamp) -> (String, String) {
    let rtc: Value = serde_json::from_str(&rtc(secret, None, now)).unwrap();
    let of = |key: &str| rtc["iceServers"][1][key].as_str().unwrap().to_owned();
    (of("username"), of("credential"))
}

fn now() -> Timestamp {
    Timestamp::now()
}

const RELAYED: &str = "tot_recv_msgs=2";

#[tokio::test]
async fn coturn_relays_to_pods_and_to_nobody_else_with_the_operators_credentials() {
    let coturn = Coturn::start(("static-auth-secret", &format!("{SECRET}\n")), &[]).await;
    let (user, password) = credentials(SECRET, now());
    let told = coturn.relay(&user, &password, POD).await;
    assert!(told.contains(RELAYED), "{told}");
    for peer in OTHERS {
        let told = coturn.relay(&user, &password, peer).await;
        assert!(told.contains("403 (Forbidden IP)") && !told.contains(RELAYED), "{peer}: {told}");
    }
    let log = coturn.program.log();
    assert!(!log.contains(SECRET), "the secret is in the log");
    let line = fs::read(format!("/proc/{}/cmdline", coturn.program.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&line).contains(SECRET), "the secret is in the arguments");
    let unknown: Vec<_> = log.lines().filter(|line| line.contains("Bad configuration format")).collect();
    assert!(unknown.iter().all(|line| line.contains("prometheus")), "{unknown:?}");
    for line in ["fingerprint", "realm=vdi.test", "min-port=49152", "max-port=65535", "use-auth-secret"] {
        assert!(coturn.config().lines().any(|found| found == line), "{line}");
    }
}

#[tokio::test]
async fn a_session_reaches_coturn_in_each_way_that_the_operator_tells_it_of() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec![TURN.to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(at("tls.crt"), certificate.pem()).unwrap();
    fs::write(at("tls.key"), key.serialize_pem()).unwrap();
    let variables = [("TURN_CERTIFICATE", folder.path().to_str().unwrap())];
    let coturn = Coturn::start(("static-auth-secret", SECRET), &variables).await;
    let (file, trusted) = (at("rtc.json"), format!("SSL_CERT_FILE={}", at("tls.crt")));
    let launcher = Path::new(env!("CARGO_BIN_EXE_vdi-operator")).with_file_name("vdi-launcher");
    for (secret, outcome) in [(SECRET, "passed"), ("the-secret-of-another-cluster-than-this-one", "failed")] {
        fs::write(&file, rtc(secret, Some(TLS_PORT), now())).unwrap();
        let words = [&trusted, launcher.to_str().unwrap(), "doctor", "--json", "--rtc-config-json", &file];
        let output = coturn.inside("env", &words).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        for (check, target) in [
            ("turnUdp", "turn:192.0.2.1:3478?transport=udp"),
            ("turnTcp", "turn:192.0.2.1:3478?transport=tcp"),
            ("turnTls", "turns:192.0.2.1:5349?transport=tcp"),
        ] {
            let mut checks = report["checks"].as_array().unwrap().iter();
            let found = checks.find(|found| found["name"] == check && found["target"] == target);
            assert_eq!(found.map(|found| &found["outcome"]), Some(&outcome.into()), "{check}: {report:#}");
        }
    }
}

#[tokio::test]
async fn coturn_lets_nobody_in_with_expired_altered_or_foreign_credentials() {
    let coturn = Coturn::start(("static-auth-secret", SECRET), &[]).await;
    let (user, password) = credentials(SECRET, now());
    let expired = credentials(SECRET, now() - SignedDuration::from_hours(2));
    let foreign = credentials("the-secret-of-another-cluster-than-this-one", now());
    let longer = user
        .split_once(':')
        .map(|(expiry, name)| format!("{}:{name}", expiry.parse::<i64>().unwrap() + 9999));
    for (what, user, password) in [
        ("expired", &expired.0, &expired.1),
        ("foreign", &foreign.0, &foreign.1),
        ("prolonged", longer.as_ref().unwrap(), &password),
        ("without", &String::new(), &String::new()),
    ] {
        let told = coturn.relay(user, password, POD).await;
        assert!(!told.contains(RELAYED) && told.contains("annot complete Allocation"), "{what}: {told}");
    }
}

#[tokio::test]
async fn coturn_takes_one_lasting_user_where_that_is_chosen() {
    let variables = [("TURN_CREDENTIALS", "lt-cred-mech")];
    let coturn = Coturn::start(("user", "desktops:a-password-that-lasts"), &variables).await;
    let told = coturn.relay("desktops", "a-password-that-lasts", POD).await;
    assert!(told.contains(RELAYED), "{told}");
    let told = coturn.relay("desktops", "another-password", POD).await;
    assert!(told.contains("annot complete Allocation"), "{told}");
    let (user, password) = credentials(SECRET, now());
    let told = coturn.relay(&user, &password, POD).await;
    assert!(told.contains("annot complete Allocation"), "{told}");
}

#[test]
fn coturn_does_not_start_with_a_setting_that_would_make_it_open_or_useless() {
    let folder = tempfile::tempdir().unwrap();
    let run = |secret: (&str, &str), variables: &[(&str, &str)]| {
        fs::write(folder.path().join(secret.0), secret.1).unwrap();
        let mut command = Command::new("sh");
        command.arg(format!("{DEPLOY}/coturn/start.sh")).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("TURN_CONFIG", format!("{DEPLOY}/coturn/turnserver.conf"));
        command
            .env("TURN_SECRETS", folder.path())
            .env("TURN_RUN", folder.path())
            .env("TURN_ADDRESS", "127.0.0.1");
        let all = [("VDI_DOMAIN", "vdi.test"), ("TURN_ALLOWED_PEERS", "10.244.0.0-10.244.255.255")];
        let output = command.envs(all).envs(variables.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let good = ("static-auth-secret", SECRET);
    for (secret, variables, complaint) in [
        (("static-auth-secret", "changeme"), &[][..], "fewer than 32 characters"),
        (good, &[("VDI_DOMAIN", "")], "VDI_DOMAIN is not set"),
        (good, &[("TURN_ALLOWED_PEERS", "")], "TURN_ALLOWED_PEERS is not set"),
        (good, &[("TURN_ALLOWED_PEERS", "10.244.0.0/16")], "first-last"),
        (good, &[("TURN_CREDENTIALS", "no-auth")], "use-auth-secret or lt-cred-mech"),
        (("user", "admin:admin"), &[("TURN_CREDENTIALS", "lt-cred-mech")], "name:password"),
    ] {
        let told = run(secret, variables);
        assert!(told.contains(complaint), "{told}");
    }
}
