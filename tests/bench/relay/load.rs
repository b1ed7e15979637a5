//! Shell: the load: packets with their number and time on them, sent at a pace or as fast as they come back, by one thread, and
//! taken back by another.

use super::servers::Running;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use turn_client_proto::{
    api::{Transmit, TurnClientApi, TurnConfig, TurnEvent, TurnPollRet},
    udp::TurnClientUdp,
};
use turn_types::{TransportType, TurnCredentials, prelude::DelayedTransmitBuild};

/// A packet as video has them.
const PACKET_BYTES: usize = 1200;
/// The rate at which the round trip is measured: an ordinary desktop's.
const PACED_BPS: u64 = 8_000_000;
/// Packets on their way when it is about the rate: fewer than any socket on it holds.
const IN_FLIGHT: u64 = 48;
/// How long a packet that does not come back counts as being on its way.
const LOST_AFTER: Duration = Duration::from_millis(100);

/// What a server does with the load.
pub struct Measured {
    /// Round trips at the pace, median and 95th percentile.
    pub round_trip_us: [f64; 2],
    /// Packets that did not come back at the pace.
    pub lost: u64,
    /// Most that went each way.
    pub max_bps: f64,
    /// All packets that came back.
    pub packets: u64,
}

/// The peer: sends everything back. It lives as long as the program.
pub fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], from);
        }
    });
    address
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Socket {
    fn clone(&self) -> Self {
        match self {
            Self::Udp(socket) => Self::Udp(socket.try_clone().unwrap()),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().unwrap()),
        }
    }

    fn send(&mut self, message: &[u8]) {
        match self {
            // A socket that is full loses the packet, as a network does.
            Self::Udp(socket) => drop(socket.send(message)),
            Self::Tcp(stream) => {
                let mut padded = message.to_vec();
                padded.resize(message.len().next_multiple_of(4), 0);
                stream.write_all(&padded).unwrap();
            }
        }
    }

    /// The next message; none if none comes within the time limit of the socket.
    fn receive(&mut self, buffer: &mut [u8; 4096], stored: &mut Vec<u8>) -> Option<usize> {
        match self {
            Self::Udp(socket) => socket.recv(buffer).ok(),
            Self::Tcp(stream) => loop {
                if let Some(&[first, _, high, low]) = stored.get(..4) {
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    let head = if (0x40..0x80).contains(&first) { 4 } else { 20 };
                    let total = head + length.next_multiple_of(4);
                    if stored.len() >= total {
                        buffer[..head + length].copy_from_slice(&stored[..head + length]);
                        stored.drain(..total);
                        return Some(head + length);
                    }
                }
                let read = stream.read(&mut buffer[..]).ok().filter(|read| *read > 0)?;
                stored.extend_from_slice(&buffer[..read]);
            },
        }
    }
}

/// A way to the echo and back.
pub struct Link {
    socket: Socket,
    /// What stands before a packet: the head of ChannelData, or nothing.
    head: Vec<u8>,
}

impl Link {
    /// Without a server.
    pub fn direct(echo: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(echo).unwrap();
        socket.set_read_timeout(Some(LOST_AFTER)).unwrap();
        Self { socket: Socket::Udp(socket), head: Vec::new() }
    }

    /// On a channel of an allocation.
    pub fn through(server: &Running, transport: &str, echo: SocketAddr) -> Self {
        let mut socket = if transport == "udp" {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(server.udp).unwrap();
            socket.set_read_timeout(Some(LOST_AFTER)).unwrap();
            Socket::Udp(socket)
        } else {
            let stream = TcpStream::connect(server.tcp).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(LOST_AFTER)).unwrap();
            Socket::Tcp(stream)
        };
        let head = bind_channel(&mut socket, server, echo);
        Self { socket, head }
    }
}

/// Gets an allocation and a channel; what stands before each packet on it.
fn bind_channel(socket: &mut Socket, server: &Running, echo: SocketAddr) -> Vec<u8> {
    let began = Instant::now();
    let time = || stun_proto::Instant::from_nanos(i64::try_from(began.elapsed().as_nanos()).unwrap());
    // It only compares these addresses with what it is told.
    let (local, remote): (SocketAddr, SocketAddr) = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
    let config = TurnConfig::new(TurnCredentials::new(&server.username, &server.password));
    let mut client = TurnClientUdp::allocate(local, remote, config);
    let (mut buffer, mut stored) = ([0; 4096], Vec::new());
    while began.elapsed() < Duration::from_secs(20) {
        let _: TurnPollRet = client.poll(time());
        while let Some(transmit) = client.poll_transmit(time()) {
            socket.send(&transmit.data);
        }
        while let Some(event) = client.poll_event() {
            match event {
                TurnEvent::AllocationCreated(..) => {
                    client.bind_channel(TransportType::Udp, echo, time()).unwrap();
                }
                TurnEvent::ChannelCreated(..) => {
                    let packet = vec![0; PACKET_BYTES];
                    let transmit = client.send_to(TransportType::Udp, echo, packet, time()).unwrap().unwrap();
                    return transmit.data.build()[..4].to_vec();
                }
                TurnEvent::PermissionCreated(..) => {}
                other => panic!("{other:?}"),
            }
        }
        if let Some(length) = socket.receive(&mut buffer, &mut stored) {
            let message = buffer[..length].to_vec();
            let _ = client.recv(Transmit::new(message, TransportType::Udp, remote, local), time());
        }
    }
    panic!("the server gives no channel");
}

/// Measures the round trip and then the rate, each on a link of its own.
pub fn run(link: impl Fn() -> Link, window: Duration) -> Measured {
    let (mut round_trips, sent, _) = go(link(), window, true);
    let lost = sent - round_trips.len() as u64;
    round_trips.sort_unstable();
    let at = |share: f64| {
        let index = ((round_trips.len() as f64 * share) as usize).min(round_trips.len() - 1);
        round_trips[index] as f64 / 1000.0
    };
    let (fast, _, took) = go(link(), window, false);
    Measured {
        round_trip_us: [at(0.5), at(0.95)],
        lost,
        max_bps: (fast.len() * PACKET_BYTES * 8) as f64 / took.as_secs_f64(),
        packets: (round_trips.len() + fast.len()) as u64,
    }
}

/// Round trips in nanoseconds, packets sent, and how long it took.
fn go(link: Link, window: Duration, paced: bool) -> (Vec<u64>, u64, Duration) {
    let Link { mut socket, head } = link;
    let mut receiving = socket.clone();
    let (came, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let receiver = {
        let (came, done, skip) = (came.clone(), done.clone(), head.len());
        std::thread::spawn(move || {
            let (mut buffer, mut stored, mut round_trips) = ([0; 4096], Vec::new(), Vec::new());
            loop {
                match receiving.receive(&mut buffer, &mut stored) {
                    Some(length) if length == skip + PACKET_BYTES => {
                        let sent = u64::from_be_bytes(buffer[skip..skip + 8].try_into().unwrap());
                        round_trips.push(began.elapsed().as_nanos() as u64 - sent);
                        came.fetch_add(1, Relaxed);
                    }
                    Some(_) => {}
                    None if done.load(Relaxed) => return round_trips,
                    None => {}
                }
            }
        })
    };
    let interval = Duration::from_nanos(PACKET_BYTES as u64 * 8 * 1_000_000_000 / PACED_BPS);
    let mut message = head;
    let skip = message.len();
    message.resize(skip + PACKET_BYTES, 0);
    let (mut sent, mut given_up, mut progress) = (0u64, 0, (0, Instant::now()));
    while began.elapsed() < window {
        if paced {
            let due = interval * u32::try_from(sent).unwrap_or(u32::MAX);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        } else {
            let back = came.load(Relaxed);
            if back != progress.0 {
                progress = (back, Instant::now());
            }
            if sent - given_up - back >= IN_FLIGHT {
                if progress.1.elapsed() > LOST_AFTER {
                    given_up = sent - back;
                }
                std::thread::yield_now();
                continue;
            }
        }
        message[skip..skip + 8].copy_from_slice(&(began.elapsed().as_nanos() as u64).to_be_bytes());
        socket.send(&message);
        sent += 1;
    }
    let took = began.elapsed();
    done.store(true, Relaxed);
    (receiver.join().unwrap(), sent, took)
}
