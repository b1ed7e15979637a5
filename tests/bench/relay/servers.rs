//! Shell: the two servers, each as a process of its own: ours, which is this program again, and coturn.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};
use vdi_launcher::turn::{Limits, Peers, Relay, Secret, Transport};

/// A server that runs; it ends with this.
pub struct Running {
    child: Child,
    /// Where it listens, on UDP and on TCP.
    pub udp: SocketAddr,
    pub tcp: SocketAddr,
    pub username: String,
    pub password: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Processor time that it has used, in all its threads.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name of the program, in brackets, may have spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // User and system time, in ticks of 10 ms.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

/// Serves until its parent ends, for one consumer whose agent is at `peer`.
pub fn serve(peer: SocketAddr) {
    let peers = Peers::default();
    peers.add("c1", peer);
    let limits = Limits { bytes_per_second: 1 << 40, ..Limits::default() };
    let relay = Relay::new(Secret::new(b"bench"), peers, limits);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let credentials = relay.minter().mint("c1", now);
        let local = tcp.local_addr().unwrap();
        println!("{} {local} {} {}", udp.local_addr().unwrap(), credentials.username, credentials.password);
        let streams = relay.clone();
        tokio::spawn(async move {
            while let Ok((stream, from)) = tcp.accept().await {
                stream.set_nodelay(true).unwrap();
                let relay = streams.clone();
                tokio::spawn(async move { relay.serve_stream(stream, from, local, Transport::Tcp).await });
            }
        });
        tokio::spawn(async move { relay.serve_udp(udp).await });
        let mut parent = std::io::stdin();
        let _ = tokio::task::spawn_blocking(move || parent.read(&mut [0])).await;
    });
    // Its threads wait for nobody.
    std::process::exit(0);
}

/// Ours.
pub fn builtin(peer: SocketAddr) -> Running {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["serve", &peer.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    Running {
        udp: words[0].parse().unwrap(),
        tcp: words[1].parse().unwrap(),
        username: words[2].into(),
        password: words[3].into(),
        child,
    }
}

/// coturn as Debian has it, with as many threads as it likes.
pub fn coturn(_peer: SocketAddr) -> Running {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen: SocketAddr = ([127, 0, 0, 1], port).into();
    let child = Command::new("turnserver")
        .args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", "--lt-cred-mech"])
        .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--realm=bench", "--user=c1:bench"])
        .args([&format!("--listening-port={port}"), "--log-file=stdout", "--pidfile=/dev/null"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("coturn is installed");
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(listen).is_err() {
        assert!(Instant::now() < deadline, "coturn does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Running { child, udp: listen, tcp: listen, username: "c1".into(), password: "bench".into() }
}
