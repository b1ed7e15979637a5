//! The doctor against the real thing: coturn on loopback with right and wrong credentials, stopped, and with a certificate
//! that nobody trusts; a port on which something else listens; and a launcher that runs.

use crate::program::{Folder, Program, eventually};
use std::{
    io::Write,
    net::{TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::Duration,
};
use vdi_launcher::doctor::{
    exchange::{Met, exchange},
    servers::{Server, servers},
};
use vdi_protocol::{
    doctor::{Check, CheckName, Outcome, Report},
    signalling::IceServer,
};

const USER: &str = "alice";
const PASSWORD: &str = "open sesame";

/// A coturn of the test's own; it ends with it.
struct Coturn {
    child: Child,
    port: u16,
    tls_port: u16,
    _folder: Folder,
}

/// A port that is free for both transports, below those that the system gives to whoever asks for any: the ICE agents of
/// other tests do, by the dozen.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    (0..2_000)
        .map(|_| first + NEXT.fetch_add(1, Relaxed))
        .find(|port| {
            TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
        })
        .expect("a free port among two thousand")
}

/// Whether it answers a STUN binding request (RFC 8489, 5).
fn answers(port: u16) -> Option<()> {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    let mut request = [0; 20];
    request[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
    socket.send(&request).ok()?;
    socket.recv(&mut [0; 512]).ok().map(|_| ())
}

impl Coturn {
    fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let (port, tls_port) = (free_port(), free_port());
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        // Each call empties its file.
        let [cert, key, pid, db, conf] =
            ["cert.pem", "key.pem", "pid", "turndb", "conf"].map(|name| folder.file(name));
        std::fs::write(&cert, signed.cert.pem()).unwrap();
        std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
        let settings = format!(
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port={port}\ntls-listening-port={tls_port}\n\
             realm=vdi.test\nlt-cred-mech\nuser={USER}:{PASSWORD}\ncert={cert}\npkey={key}\nno-cli\n\
             allow-loopback-peers\ncli-password=unused\nno-multicast-peers\nlog-file=stdout\n\
             pidfile={pid}\nuserdb={db}\n"
        );
        std::fs::write(&conf, settings).unwrap();
        let child = Command::new("/usr/bin/turnserver")
            .args(["-c", &conf])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the Debian package coturn has it");
        let coturn = Self { child, port, tls_port, _folder: folder };
        for port in [port, tls_port] {
            eventually("coturn to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
        }
        eventually("coturn to answer on UDP", || answers(port));
        coturn
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server(url: &str, password: &str) -> Server {
    let ice_server = IceServer {
        urls: vec![url.to_owned()],
        username: Some(USER.into()),
        credential: Some(password.into()),
    };
    servers(&[ice_server]).0.remove(0)
}

fn meet(url: &str, password: &str) -> Met {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(exchange(&server(url, password))).0
}

#[test]
fn coturn_gives_an_address_by_each_transport_and_the_right_credentials_only() {
    let mut coturn = Coturn::start("coturn-exchange");
    let (port, tls_port) = (coturn.port, coturn.tls_port);
    let udp = format!("turn:127.0.0.1:{port}");
    let tcp = format!("turn:127.0.0.1:{port}?transport=tcp");
    for url in [&udp, &tcp] {
        let met = meet(url, PASSWORD);
        let Met::Allocated { relayed } = met else { panic!("{url}: {met:?}") };
        assert!(relayed.ip().is_loopback() && relayed.port() != port, "{relayed}");
        let met = meet(url, "wrong");
        assert!(matches!(met, Met::Rejected { code: 401, authenticated: true, .. }), "{url}: {met:?}");
    }
    let stun = meet(&format!("stun:127.0.0.1:{port}"), "");
    let Met::Bound { seen, own } = stun else { panic!("{stun:?}") };
    assert_eq!(seen, own, "there is no router in between");
    let untrusted = meet(&format!("turns:localhost:{tls_port}"), PASSWORD);
    assert!(matches!(untrusted, Met::Untrusted(_)), "{untrusted:?}");
    let plain = meet(&format!("turns:localhost:{port}"), PASSWORD);
    // coturn tells TLS apart on its plain port as well; either way nothing is trusted.
    assert!(matches!(plain, Met::Untrusted(_) | Met::NoTls(_)), "{plain:?}");
    coturn.stop();
    for url in [&udp, &tcp] {
        assert_eq!(meet(url, PASSWORD), Met::Refused, "{url}");
    }
}

#[test]
fn what_is_given_back_is_free_again() {
    let coturn = Coturn::start("coturn-quota");
    let url = format!("turn:127.0.0.1:{}?transport=tcp", coturn.port);
    let relayed: std::collections::HashSet<_> = (0..3)
        .map(|_| match meet(&url, PASSWORD) {
            Met::Allocated { relayed } => relayed,
            met => panic!("{met:?}"),
        })
        .collect();
    for address in relayed {
        eventually("the relay's port to be free", || UdpSocket::bind(address).ok());
    }
}

#[test]
fn strangers_and_names_that_do_not_exist_are_told_apart() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = stranger.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        // Whoever asked has hung up when this returns.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    assert_eq!(meet(&format!("turn:127.0.0.1:{port}?transport=tcp"), PASSWORD), Met::Stranger);
    answering.join().unwrap();
    // No name server is asked for a label that is too long for any.
    let nowhere = meet(&format!("turn:{}.invalid", "a".repeat(64)), PASSWORD);
    assert!(matches!(nowhere, Met::NoAddress(_)), "{nowhere:?}");
}

fn report(arguments: &[&str], environment: &[(&str, &str)]) -> (Report, Option<i32>) {
    let mut program = Program::start_as(&["doctor", "--json"], arguments, environment);
    let code = program.wait().code();
    let text = program.rest_of_stdout().join("\n");
    let report = serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err}: {text}\n{}", program.log()));
    (report, code)
}

fn check(report: &Report, name: CheckName) -> &Check {
    report.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name:?}: {report:?}"))
}

#[test]
fn the_command_tells_a_wrong_password_in_words_and_by_its_exit_code() {
    let coturn = Coturn::start("coturn-command");
    let port = format!("--turn-port={}", coturn.port);
    let stun = format!("--stun-port={}", coturn.port);
    let options = [
        "--turn-host=127.0.0.1",
        &port,
        "--stun-host=127.0.0.1",
        &stun,
        "--turn-username=alice",
        "--encoder-policy=software",
        "--port=0",
    ];
    let (right, code) = report(&options, &[("SELKIES_TURN_PASSWORD", PASSWORD)]);
    assert_eq!((right.healthy, code), (true, Some(0)), "{right:?}");
    for name in [CheckName::TurnUdp, CheckName::Stun, CheckName::Encoder, CheckName::Servers] {
        assert_eq!(check(&right, name).outcome, Outcome::Passed, "{right:?}");
    }
    let candidates = check(&right, CheckName::Candidates);
    assert!(candidates.message.contains("relayed 127.0.0.1"), "{candidates:?}");
    assert_eq!(check(&right, CheckName::Gpu).outcome, Outcome::Skipped);
    assert_eq!(check(&right, CheckName::Media).outcome, Outcome::Skipped);
    for name in [CheckName::Sound, CheckName::Microphone] {
        let found = check(&right, name);
        assert_eq!((found.outcome, found.reason.as_deref()), (Outcome::Warning, Some("NO_SOUND_SERVER")));
    }
    assert!(check(&right, CheckName::Sound).message.contains("unix:/nonexistent/pulse"), "{right:?}");
    for name in [CheckName::Webcam, CheckName::Gamepads] {
        assert!(!check(&right, name).message.contains("in time"), "{right:?}");
    }

    let (wrong, code) = report(&options, &[("SELKIES_TURN_PASSWORD", "hunter2")]);
    let turn = check(&wrong, CheckName::TurnUdp);
    assert_eq!((turn.outcome, turn.reason.as_deref()), (Outcome::Failed, Some("WRONG_CREDENTIALS")));
    assert!(turn.message.contains("401") && turn.advice.is_some(), "{turn:?}");
    assert_eq!((wrong.healthy, code), (false, Some(1)));
    assert!(!serde_json::to_string(&wrong).unwrap().contains("hunter2"));
}

/// The simulated NVIDIA driver, as GStreamer and NVML find it.
fn simulated_driver(folder: &Folder) -> [(&'static str, String); 5] {
    let library = PathBuf::from(env!("CARGO_BIN_EXE_vdi-launcher")).with_file_name("libnvenc_driver_sim.so");
    assert!(library.exists(), "`cargo build --workspace` makes {}", library.display());
    for name in ["libcuda.so.1", "libnvidia-encode.so.1", "libnvidia-ml.so.1"] {
        let place = folder.file(name);
        std::fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink(&library, place).unwrap();
    }
    let faults = folder.file("faults");
    let path = faults.trim_end_matches("/faults").to_owned();
    [
        ("LD_LIBRARY_PATH", path.clone()),
        ("NVENC_SIM_CONTROL", faults),
        ("GST_REGISTRY", format!("{path}/registry.bin")),
        ("GST_GL_PLATFORM", "egl".into()),
        ("GST_GL_WINDOW", "surfaceless".into()),
    ]
}

#[test]
fn a_gpu_that_is_required_is_looked_for_by_nvml_and_proven_by_encoding() {
    let folder = Folder::new("doctor-gpu");
    let driver = simulated_driver(&folder);
    let environment: Vec<_> = driver.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let options = ["--encoder-policy=require-hardware", "--port=0"];
    // By name, since a busy machine takes its time to prove one after the other.
    let named = [options[0], options[1], "--encoder=nvcudah264enc"];
    let (there, _) = report(&named, &environment);
    let gpu = check(&there, CheckName::Gpu);
    assert_eq!(gpu.outcome, Outcome::Passed, "{there:?}");
    let encoder = check(&there, CheckName::Encoder);
    assert_eq!(encoder.outcome, Outcome::Passed, "{there:?}");
    assert!(encoder.message.contains("on a GPU"), "{encoder:?}");
    if std::path::Path::new("/dev/nvidia0").exists() || std::path::Path::new("/dev/dri/renderD128").exists() {
        eprintln!("this machine has a GPU: what is said of one that is missing cannot be seen here");
        return;
    }
    let (missing, code) = report(&options, &[]);
    for name in [CheckName::Gpu, CheckName::Encoder] {
        let found = check(&missing, name);
        assert_eq!((found.outcome, found.reason.as_deref()), (Outcome::Failed, Some("GPU_INIT_ERROR")));
    }
    assert_eq!(code, Some(1));
}

#[test]
fn a_bad_option_and_the_help_end_as_they_should() {
    let mut wrong = Program::start_as(&["doctor"], &["--port=70000"], &[]);
    assert_eq!(wrong.wait().code(), Some(2), "{}", wrong.log());
    assert!(wrong.log().contains("CONFIG_INVALID"), "{}", wrong.log());
    let mut help = Program::start_as(&["doctor", "--help"], &[], &[]);
    assert_eq!(help.wait().code(), Some(0));
    assert!(help.rest_of_stdout().iter().any(|line| line.contains("Exit code: 0 when no check failed")));
}

#[test]
fn a_running_launcher_is_asked_and_tests_its_own_turn_server() {
    let login = [("SELKIES_BASIC_AUTH_USER", "me"), ("SELKIES_BASIC_AUTH_PASSWORD", "right")];
    let (_program, mut access) =
        Program::ready(&["--port=0", "--builtin-turn-port=0", "--", "sleep", "1000"], &login);
    access.password = "right".into();
    assert_eq!(access.get("/doctor", &[]).status, 401, "it is behind the password");
    let response = access.get_authorized("/doctor");
    assert_eq!(response.status, 200);
    let own: Report = serde_json::from_str(&response.body).unwrap();
    for name in [CheckName::TurnTcp, CheckName::TurnUdp, CheckName::Encoder] {
        assert_ne!(check(&own, name).outcome, Outcome::Failed, "{own:?}");
    }
    let turn = check(&own, CheckName::TurnTcp);
    assert_eq!(turn.outcome, Outcome::Passed, "{own:?}");
    assert!(turn.target.as_ref().unwrap().contains(&access.address), "{turn:?}");
    assert_eq!(check(&own, CheckName::Media).message, "Nobody watches: open the page to have this checked.");
    assert_eq!(check(&own, CheckName::Sound).reason.as_deref(), Some("NO_SOUND_SERVER"), "{own:?}");

    let port = format!("--port={}", access.address.rsplit(':').next().unwrap());
    let (other, _) = report(&[&port, "--encoder-policy=software"], &login);
    assert_eq!(
        check(&other, CheckName::Media).message,
        "Nobody watches: open the page to have this checked."
    );
    let (stranger, _) = report(&[&port, "--encoder-policy=software"], &[]);
    let message = &check(&stranger, CheckName::Media).message;
    assert!(message.contains("SELKIES_BASIC_AUTH_PASSWORD"), "{message}");
    let wrong = [("SELKIES_BASIC_AUTH_USER", "me"), ("SELKIES_BASIC_AUTH_PASSWORD", "wrong")];
    let (refused, _) = report(&[&port, "--encoder-policy=software"], &wrong);
    assert!(check(&refused, CheckName::Media).message.contains("another user or password"), "{refused:?}");
}
