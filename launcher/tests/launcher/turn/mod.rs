//! The built-in TURN server from outside: a client that is not ours gets through it over UDP, TCP and TLS, to the session's own
//! ICE agent and to nobody else.

mod client;

use crate::program::{PATIENCE, Program};
use client::{Client, Way};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use stun_proto::types::{
    attribute::ErrorCode,
    message::{Message, MessageWriteVec},
    prelude::MessageWrite,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};
use turn_types::message::ALLOCATE;
use vdi_launcher::turn::{CREDENTIAL_LIFE, Credentials, Limits, Peers, Relay, Secret, Transport};
use vdi_protocol::status::Status;

/// More than any test sends.
const PLENTY: Limits = Limits { per_consumer: 32, in_all: 512, bytes_per_second: 1 << 40 };

/// A server on three ports of loopback.
struct Server {
    relay: Relay,
    udp: SocketAddr,
    tcp: SocketAddr,
    tls: SocketAddr,
    trust: TlsConnector,
}

impl Server {
    async fn start() -> Self {
        Self::with(PLENTY).await
    }

    async fn with(limits: Limits) -> Self {
        let relay = Relay::new(Secret::new(b"a secret of the test"), Peers::default(), limits);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let udp = socket.local_addr().unwrap();
        let serving = relay.clone();
        tokio::spawn(async move { serving.serve_udp(socket).await });
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tcp: Self::listen(&relay, None).await,
            tls: Self::listen(&relay, Some(TlsAcceptor::from(Arc::new(config)))).await,
            relay,
            udp,
            trust: TlsConnector::from(Arc::new(client)),
        }
    }

    async fn listen(relay: &Relay, tls: Option<TlsAcceptor>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let relay = relay.clone();
        tokio::spawn(async move {
            loop {
                let (stream, from) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (relay, tls) = (relay.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => relay.serve_stream(stream, from, local, Transport::Tcp).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            relay.serve_stream(stream, from, local, Transport::Tls).await;
                        }
                    }
                });
            }
        });
        local
    }

    async fn way(&self, transport: Transport) -> Way {
        match transport {
            Transport::Udp => Way::udp(self.udp).await,
            Transport::Tcp => Way::stream(self.connect(self.tcp).await),
            Transport::Tls => {
                let stream = self.connect(self.tls).await;
                Way::stream(self.trust.connect("localhost".try_into().unwrap(), stream).await.unwrap())
            }
        }
    }

    async fn connect(&self, to: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// An ICE agent of this consumer.
    async fn agent(&self, consumer: &str) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let line = format!("candidate:1 1 UDP 2015363327 {} {} typ host", address.ip(), address.port());
        self.relay.peers().add_candidate(consumer, &line);
        (socket, address)
    }

    async fn client(&self, transport: Transport, consumer: &str) -> Client {
        Client::new(self.way(transport).await, &self.relay.minter().mint(consumer, wall()))
    }

    fn refused(&self, reason: &str) -> u64 {
        self.relay.status().refused[reason]
    }

    /// Waits for the numbers to be as they must become.
    async fn settle(&self, what: &str, mut look: impl FnMut(&vdi_protocol::status::TurnStatus) -> bool) {
        let wait = async {
            while !look(&self.relay.status()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, wait).await;
        assert!(done.is_ok(), "{what}: {:?}", self.relay.status());
    }
}

#[expect(clippy::disallowed_methods, reason = "credentials of a test have a real life")]
fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

async fn take(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65536];
    let received = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer)).await;
    let (length, from) = received.expect("a datagram in time").unwrap();
    buffer.truncate(length);
    (buffer, from)
}

fn nothing_has_come(socket: &UdpSocket) -> bool {
    socket.try_recv_from(&mut [0; 2000]).is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_goes_both_ways_over_every_transport_by_indication_and_by_channel() {
    for transport in Transport::ALL {
        let server = Server::start().await;
        let (agent, peer) = server.agent("c1").await;
        let mut client = server.client(transport, "c1").await;
        let relayed = client.allocate().await.expect("an allocation");
        assert!(relayed.ip().is_loopback(), "nobody outside sees the relay's sockets");
        assert!(client.permit(peer.ip()).await);
        for channel in [false, true] {
            if channel {
                assert!(client.bind(peer).await);
            }
            // Odd lengths: on a stream they are padded.
            for length in [1, 2, 3, 4, 5, 1200, 1201, 1203] {
                let data = vec![length as u8; length];
                client.send(peer, &data).await;
                assert_eq!(take(&agent).await, (data.clone(), relayed), "{transport:?} {channel} {length}");
                agent.send_to(&data, relayed).await.unwrap();
                assert_eq!(client.receive().await, (peer, data), "{transport:?} {channel} {length}");
            }
        }
        let traffic = &server.relay.status().traffic[transport.as_str()];
        assert_eq!((traffic.bytes_from_clients, traffic.bytes_to_clients), (2 * 3619, 2 * 3619));
        assert_eq!((server.relay.status().allocations, server.relay.status().allocations_total), (1, 1));
        client.delete();
        tokio::spawn(client.run());
        server.settle("the allocation is given back", |status| status.allocations == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_forged_and_reused_credentials_get_nothing() {
    for transport in Transport::ALL {
        let server = Server::start().await;
        let minter = server.relay.minter();
        let expired = minter.mint("c1", wall() - CREDENTIAL_LIFE - Duration::from_secs(1));
        assert_eq!(Client::new(server.way(transport).await, &expired).allocate().await, Err(401));
        assert!(server.refused("expired") >= 1);

        let good = minter.mint("c1", wall());
        let another = format!("{}:c2", good.expires_unix_seconds);
        minter.open("c2");
        let longer = format!("{}:c1", good.expires_unix_seconds + 3600);
        let wrong = [
            Credentials { username: another, ..good.clone() },
            Credentials { username: longer, ..good.clone() },
            Credentials { password: "guessed".into(), ..good.clone() },
        ];
        for (index, forged) in wrong.iter().enumerate() {
            assert_eq!(Client::new(server.way(transport).await, forged).allocate().await, Err(401));
            assert!(server.refused("forged") > index as u64);
        }

        let mut first = Client::new(server.way(transport).await, &good);
        assert!(first.allocate().await.is_ok());
        minter.close("c1");
        assert_eq!(
            Client::new(server.way(transport).await, &good).allocate().await,
            Err(401),
            "after the session"
        );
        assert!(server.refused("ended") >= 1);
        server.settle("the running allocation ends, too", |status| status.allocations == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allocation_lives_on_when_its_credentials_have_expired() {
    let server = Server::start().await;
    let (agent, peer) = server.agent("c1").await;
    let life = Duration::from_secs(10);
    let credentials = server.relay.minter().mint("c1", wall() - CREDENTIAL_LIFE + life);
    let mut client = Client::new(server.way(Transport::Udp).await, &credentials);
    let relayed = client.allocate().await.expect("an allocation, in time");
    while wall().as_secs() <= credentials.expires_unix_seconds {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(Client::new(server.way(Transport::Udp).await, &credentials).allocate().await, Err(401));
    assert!(client.permit(peer.ip()).await, "a request of the running one is served");
    client.send(peer, b"still there").await;
    assert_eq!(take(&agent).await, (b"still there".to_vec(), relayed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_the_sessions_own_agent_is_ever_reached() {
    for transport in Transport::ALL {
        let server = Server::start().await;
        let (agent, peer) = server.agent("c1").await;
        let (other_agent, other_peer) = server.agent("c2").await;
        let service = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let service_address = service.local_addr().unwrap();
        let mut client = server.client(transport, "c1").await;
        let relayed = client.allocate().await.unwrap();

        // Addresses of IPv6, which this client does not ask for on an allocation of IPv4, are in the server's own tests.
        for ip in ["169.254.169.254", "10.0.0.1", "127.0.0.2", "0.0.0.0"] {
            let refused = server.refused("peer");
            assert!(!client.permit(ip.parse().unwrap()).await, "{ip}");
            assert!(server.refused("peer") > refused, "{ip} is counted");
        }
        // The permission is for 127.0.0.1, on which there is more than the agent.
        assert!(client.permit(peer.ip()).await);
        for address in [service_address, other_peer, "169.254.169.254:80".parse().unwrap()] {
            assert!(!client.bind(address).await, "{address}");
        }
        let refused = server.refused("peer");
        for address in [service_address, other_peer] {
            client.send(address, b"get me something").await;
        }
        // From outside of the session nothing gets in, either.
        service.send_to(b"listen to me", relayed).await.unwrap();
        other_agent.send_to(b"listen to me", relayed).await.unwrap();
        server.settle("four datagrams are refused", |status| status.refused["peer"] >= refused + 4).await;
        client.send(peer, b"to the agent").await;
        assert_eq!(take(&agent).await.0, b"to the agent");
        agent.send_to(b"from the agent", relayed).await.unwrap();
        assert_eq!(client.receive().await, (peer, b"from the agent".to_vec()), "and nothing before it");
        assert!(nothing_has_come(&service) && nothing_has_come(&other_agent));

        // And when the session is over, not even the agent is.
        server.relay.peers().forget("c1");
        client.send(peer, b"too late").await;
        server.settle("it is refused", |status| status.refused["peer"] >= refused + 5).await;
        assert!(nothing_has_come(&agent));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_does_no_harm_to_those_who_speak_turn() {
    let server = Server::start().await;
    let (agent, peer) = server.agent("c1").await;
    let mut client = server.client(Transport::Udp, "c1").await;
    client.allocate().await.unwrap();
    assert!(client.permit(peer.ip()).await);
    let mut byte = 1u8;
    for length in 0..600 {
        let garbage: Vec<u8> = std::iter::repeat_with(|| {
            byte = byte.wrapping_mul(167).wrapping_add(13);
            byte
        })
        .take(length)
        .collect();
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        stranger.send_to(&garbage, server.udp).await.unwrap();
        client.way().send(&garbage).await;
        if length % 20 == 0 {
            let mut stream = server.connect(server.tcp).await;
            stream.write_all(&garbage).await.unwrap();
            if garbage.first().is_some_and(|first| *first >= 0x80) {
                let read =
                    tokio::time::timeout(PATIENCE, stream.read(&mut [0; 10])).await.expect("an end in time");
                assert!(matches!(read, Ok(0) | Err(_)), "the connection is closed without an answer");
            }
            // What the server's socket holds has been read when this comes; more than it holds would be lost.
            client.send(peer, &[byte]).await;
            assert_eq!(take(&agent).await.0, [byte]);
        }
    }
    server.settle("garbage is counted", |status| status.refused["malformed"] > 500).await;
    client.send(peer, b"x").await;
    assert_eq!(take(&agent).await.0, b"x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_gets_no_allocation_is_closed() {
    let server = Server::start().await;
    let mut asking = server.connect(server.tcp).await;
    let bare = Message::builder_request(ALLOCATE, MessageWriteVec::new()).finish();
    for _ in 0..50 {
        // It is closed while it still asks.
        let _ = asking.write_all(&bare).await;
    }
    let mut answers = Vec::new();
    let read = tokio::time::timeout(PATIENCE, asking.read_to_end(&mut answers)).await;
    read.expect("an end in time").unwrap_or_default();
    assert!(answers.len() < 20 * 120, "{} bytes for one who only asks", answers.len());
    let mut silent = server.connect(server.tcp).await;
    silent.write_all(&bare[..4]).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, silent.read(&mut [0; 10])).await.expect("an end in time");
    assert!(matches!(read, Ok(0) | Err(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_allocations_meet_the_quota_and_leave_room_for_others() {
    let server = Server::with(Limits { per_consumer: 8, in_all: 20, ..PLENTY }).await;
    let greedy = server.relay.minter().mint("greedy", wall());
    let mut kept = Vec::new();
    let mut got = 0;
    for _ in 0..1000 {
        let mut client = Client::new(server.way(Transport::Tcp).await, &greedy);
        got += usize::from(client.allocate().await.is_ok());
        kept.push(client);
        kept.truncate(8);
    }
    assert_eq!(got, 8);
    assert!(server.refused("quota") >= 992);
    assert!(server.client(Transport::Tcp, "modest").await.allocate().await.is_ok());
    drop(kept);
    server.settle("the places are free again", |status| status.allocations == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_costs_old_packets_and_no_memory() {
    let server = Server::start().await;
    let (agent, peer) = server.agent("c1").await;
    let mut client = server.client(Transport::Tcp, "c1").await;
    let relayed = client.allocate().await.unwrap();
    assert!(client.bind(peer).await);
    let before = resident_bytes();
    let mut number = 0u64;
    let mut send = async |count: u64| {
        for _ in 0..count {
            let mut data = number.to_be_bytes().to_vec();
            data.resize(1200, 0);
            agent.send_to(&data, relayed).await.unwrap();
            number += 1;
            if number.is_multiple_of(50) {
                tokio::task::yield_now().await;
            }
        }
    };
    // 120 MB, of which sockets and queue hold some megabytes.
    send(100_000).await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 60 << 20, "{grown} bytes");
    server.settle("packets are dropped", |status| status.traffic["tcp"].packets_dropped > 1000).await;
    // The protocol goes on: the answer is not among what was dropped.
    let (_second_agent, second) = server.agent("c1").await;
    let reading = async {
        assert!(client.bind(second).await);
        // What comes last is there at last, and nothing comes twice or out of order.
        let mut last = None;
        loop {
            agent.send_to(&u64::MAX.to_be_bytes(), relayed).await.unwrap();
            let (_, data) = client.receive().await;
            let got = u64::from_be_bytes(data[..8].try_into().unwrap());
            if got == u64::MAX {
                return;
            }
            assert!(last.is_none_or(|last| last < got), "{last:?} before {got}");
            last = Some(got);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the newest packet comes through");
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn the_launcher_serves_turn_on_its_one_port_and_on_udp() {
    let (program, access) =
        Program::ready(&["--port=0", "--builtin-turn-port=0", "--", "sleep", "1000"], &[]);
    let status = || serde_json::from_str::<Status>(&access.get_authorized("/status").body).unwrap();
    let udp_port = status().turn.expect("it is on by default").udp_port.expect("UDP is up");
    let bare = Message::builder_request(ALLOCATE, MessageWriteVec::new()).finish();
    let tcp: SocketAddr = access.address.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ways = [
            Way::stream(TcpStream::connect(tcp).await.unwrap()),
            Way::udp(SocketAddr::new(tcp.ip(), udp_port)).await,
        ];
        for mut way in ways {
            way.send(&bare).await;
            let answer =
                tokio::time::timeout(PATIENCE, way.receive()).await.expect("an answer in time").unwrap();
            let answer = Message::from_bytes(&answer).unwrap();
            assert_eq!(answer.attribute::<ErrorCode>().unwrap().code(), 401);
        }
    });
    let metrics = access.get_authorized("/metrics").body;
    assert!(metrics.lines().any(|line| line == "vdi_turn_allocations 0"), "{metrics}");
    drop(program);

    let (_program, access) =
        Program::ready(&["--port=0", "--builtin-turn=false", "--", "sleep", "1000"], &[]);
    let status: Status = serde_json::from_str(&access.get_authorized("/status").body).unwrap();
    assert_eq!(status.turn, None);
}

#[test]
fn a_udp_port_that_is_taken_is_a_warning_and_not_the_end() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = format!("--builtin-turn-port={}", taken.local_addr().unwrap().port());
    let (program, access) =
        Program::ready(&["--addr=127.0.0.1", "--port=0", &port, "--", "sleep", "1000"], &[]);
    let status: Status = serde_json::from_str(&access.get_authorized("/status").body).unwrap();
    assert_eq!(status.turn.unwrap().udp_port, None);
    program.logged("TURN is served on the TCP port only");
}
