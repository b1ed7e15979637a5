//! Behaviour: the relay as a process: datagrams find their way there and back, at the link's pace, and everything is told.
//! No test asserts that this machine is fast: what is late is late, but nothing may be early.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "every wait has an end")]

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(20);
/// With its headers 1,200 bytes on the wire.
const PAYLOAD_BYTES: usize = 1172;

struct Relay {
    child: Child,
    input: ChildStdin,
    lines: Receiver<Value>,
    packets: PathBuf,
}

impl Relay {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let packets = std::env::temp_dir().join(format!("vdi-link-{name}-{}.csv", std::process::id()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_vdi-bench-link"))
            .args(arguments)
            .args(["--packets".as_ref(), packets.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = told.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { input: child.stdin.take().unwrap(), child, lines, packets }
    }

    /// The next line of this type.
    fn next(&self, kind: &str) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap();
            if line["type"] == kind {
                return line;
            }
        }
    }

    fn ask(&mut self, command: &str, kind: &str) -> Value {
        writeln!(self.input, "{command}").unwrap();
        self.next(kind)
    }

    fn path(&mut self, target: SocketAddr) -> SocketAddr {
        self.ask(&format!("path {target}"), "path")["address"].as_str().unwrap().parse().unwrap()
    }

    /// Ends it; the lines of its list of packets, as fields.
    fn stop(mut self) -> Vec<Vec<String>> {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
        let text = fs::read_to_string(&self.packets).unwrap();
        fs::remove_file(&self.packets).unwrap();
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }
}

fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), from)
}

#[test]
fn each_page_gets_the_answers_to_what_it_has_sent() {
    let mut relay = Relay::start("pages", &[]);
    let (server, address) = socket();
    let begins = relay.path(address);
    let ((one, _), (other, _)) = (socket(), socket());
    one.send_to(b"from one", begins).unwrap();
    let (first, one_as_seen) = receive(&server);
    other.send_to(b"from the other", begins).unwrap();
    let (second, other_as_seen) = receive(&server);
    assert_eq!((first.as_slice(), second.as_slice()), (&b"from one"[..], &b"from the other"[..]));
    assert_ne!(one_as_seen, other_as_seen);

    server.send_to(b"to the other", other_as_seen).unwrap();
    server.send_to(b"to one", one_as_seen).unwrap();
    assert_eq!(receive(&one), (b"to one".to_vec(), begins));
    assert_eq!(receive(&other), (b"to the other".to_vec(), begins));
    let directions: Vec<String> = relay.stop().into_iter().map(|mut fields| fields.swap_remove(0)).collect();
    assert_eq!(directions.iter().filter(|direction| *direction == "up").count(), 2);
    assert_eq!(directions.iter().filter(|direction| *direction == "down").count(), 2);
}

#[test]
fn nothing_is_faster_than_the_link_and_what_does_not_fit_is_dropped() {
    // A packet each 24 ms, and 20 in the queue.
    let mut relay = Relay::start("pace", &["--up", "rate=400k queue=24kB delay=30ms"]);
    let (server, address) = socket();
    let begins = relay.path(address);
    let (page, _) = socket();
    for number in 0..60u8 {
        page.send_to(&[number; PAYLOAD_BYTES], begins).unwrap();
    }
    let packets = {
        // At least the queue and the one that is on the link; more if this test was slow to send.
        for _ in 0..21 {
            assert_eq!(receive(&server).0.len(), PAYLOAD_BYTES);
        }
        // All is known after the second in which it ended.
        relay.next("second");
        relay.next("second");
        relay.stop()
    };
    assert_eq!(packets.len(), 60);
    let us = |fields: &[String], field: usize| fields[field].parse::<u64>().unwrap();
    let delivered: Vec<_> = packets.iter().filter(|fields| fields[1] == "delivered").collect();
    assert!(delivered.len() >= 21 && packets.iter().any(|fields| fields[1] == "full"));
    for pair in delivered.windows(2) {
        assert!(us(pair[1], 4) - us(pair[0], 4) >= 23_999, "{pair:?}");
    }
    // The way and its own length at least, and never more than the queue's length before it.
    for fields in &delivered {
        let took = us(fields, 4) - us(fields, 2);
        assert!((53_999..=54_000 + 21 * 24_000).contains(&took), "{fields:?}");
    }
}

#[test]
fn a_link_changes_while_it_runs_and_tells_of_each_second() {
    let mut relay = Relay::start("live", &["--up", "rate=none"]);
    let refused = relay.ask("up rate=fast", "refused");
    assert!(refused["message"].as_str().unwrap().contains("fast"), "{refused}");
    assert_eq!(relay.ask("sideways rate=1M", "refused")["type"], "refused");
    assert!(relay.ask("up loss=99.9%", "changed")["atMs"].as_f64().unwrap() > 0.0);

    let (server, address) = socket();
    let begins = relay.path(address);
    let (page, _) = socket();
    for _ in 0..200 {
        page.send_to(&[0; PAYLOAD_BYTES], begins).unwrap();
    }
    let mut told = [0, 0, 0];
    while told[1] + told[2] < 200 {
        let second = relay.next("second");
        if second["direction"] == "up" {
            let of = |what: &str| second[what]["packets"].as_u64().unwrap();
            told = [told[0] + of("offered"), told[1] + of("delivered"), told[2] + of("lost")];
        }
    }
    assert_eq!(told[0], 200);
    assert!(told[2] > 180, "{told:?}");

    relay.ask("up loss=0", "changed");
    page.send_to(b"last", begins).unwrap();
    while receive(&server).0 != b"last" {}
    relay.stop();
}

#[test]
fn a_rival_takes_the_link_and_others_wait_behind_it() {
    let mut relay = Relay::start("rival", &["--down", "rate=4M queue=100ms delay=5ms"]);
    let (server, address) = socket();
    let begins = relay.path(address);
    let (page, _) = socket();
    page.send_to(b"here I am", begins).unwrap();
    let (_, seen) = receive(&server);
    relay.ask("rival on", "changed");
    // Long enough for its window to fill the queue.
    relay.next("second");
    relay.next("second");
    relay.next("second");
    relay.next("second");
    server.send_to(&[0; PAYLOAD_BYTES], seen).unwrap();
    receive(&page);
    relay.ask("rival off", "changed");
    let packets = relay.stop();
    let rivals = packets.iter().filter(|fields| fields[7] == "rival" && fields[1] == "delivered").count();
    assert!(rivals > 50, "{rivals}");
    let ours = packets.iter().find(|fields| fields[0] == "down" && fields[7] != "rival").unwrap();
    let [arrived, started] = [2, 3].map(|field| ours[field].parse::<u64>().unwrap());
    assert!(started > arrived, "{ours:?}");
}
