//! Shell: a TURN client that is not ours (turn-client-proto), over UDP, TCP and TLS; every wait is bounded.
//!
//! On streams it is its UDP client in our framing: its own forgets the padding of ChannelData (RFC 8656, 12.5).

use crate::program::{PATIENCE, now};
use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};
use stun_proto::types::{
    attribute::ErrorCode,
    message::{Message, TransactionId},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UdpSocket,
};
use turn_client_proto::{
    api::{Transmit, TransmitBuild, TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    udp::TurnClientUdp,
};
use turn_types::{TransportType, TurnCredentials, message::ALLOCATE, prelude::DelayedTransmitBuild};
use vdi_launcher::turn::Credentials;

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The way to the server.
pub enum Way {
    Udp(UdpSocket),
    Stream(Box<dyn Stream>, Vec<u8>),
}

impl Way {
    pub fn stream(stream: impl Stream + 'static) -> Self {
        Self::Stream(Box::new(stream), Vec::new())
    }

    pub async fn udp(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(server).await.unwrap();
        Self::Udp(socket)
    }

    /// Sends one message.
    pub async fn send(&mut self, message: &[u8]) {
        match self {
            Self::Udp(socket) => {
                socket.send(message).await.unwrap();
            }
            Self::Stream(stream, _) => {
                let mut padded = message.to_vec();
                padded.resize(message.len().next_multiple_of(4), 0);
                stream.write_all(&padded).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    }

    /// The next message; none if the connection has ended.
    pub async fn receive(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Udp(socket) => {
                let mut buffer = vec![0; 65536];
                let length = socket.recv(&mut buffer).await?;
                buffer.truncate(length);
                Ok(buffer)
            }
            Self::Stream(stream, received) => loop {
                if let Some(&[first, _, high, low]) = received.get(..4) {
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    let (message, total) = match first {
                        0x40..=0x7f => (4 + length, 4 + length.next_multiple_of(4)),
                        _ => (20 + length, 20 + length),
                    };
                    if received.len() >= total {
                        let mut frame: Vec<u8> = received.drain(..total).collect();
                        frame.truncate(message);
                        return Ok(frame);
                    }
                }
                if stream.read_buf(received).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            },
        }
    }
}

/// A client.
pub struct Client {
    proto: TurnClientUdp,
    way: Way,
    began: Instant,
    events: VecDeque<TurnEvent>,
    received: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Codes of the errors that Allocate was answered with.
    refusals: Vec<u16>,
    /// To which of its requests the last of them was the answer: one that was sent again is answered again.
    refused: Option<TransactionId>,
}

const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 1);
const SERVER: ([u8; 4], u16) = ([127, 0, 0, 1], 2);

impl Client {
    pub fn new(way: Way, credentials: &Credentials) -> Self {
        let credentials = TurnCredentials::new(&credentials.username, &credentials.password);
        let config = TurnConfig::new(credentials);
        // It only compares these addresses with what it is told; the way is ours.
        let proto = TurnClientUdp::allocate(LOCAL.into(), SERVER.into(), config);
        Self {
            proto,
            way,
            began: now(),
            events: VecDeque::new(),
            received: VecDeque::new(),
            refusals: Vec::new(),
            refused: None,
        }
    }

    fn time(&self) -> stun_proto::Instant {
        stun_proto::Instant::from_nanos(i64::try_from(self.began.elapsed().as_nanos()).unwrap())
    }

    /// Lets it do what it wants until there is a value; panics with `what` if there is none in time.
    pub async fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let work = async {
            loop {
                if let Some(value) = look(self) {
                    return value;
                }
                self.step().await;
            }
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what}: not in time"))
    }

    async fn step(&mut self) {
        let time = self.time();
        let wait = match self.proto.poll(time) {
            TurnPollRet::WaitUntil(until) => until.saturating_duration_since(time),
            _ => Duration::from_millis(10),
        };
        while let Some(transmit) = self.proto.poll_transmit(self.time()) {
            self.way.send(&transmit.data).await;
        }
        self.events.extend(std::iter::from_fn(|| self.proto.poll_event()));
        if !self.events.is_empty() {
            return;
        }
        let wait = wait.min(Duration::from_millis(200));
        let Ok(message) = tokio::time::timeout(wait, self.way.receive()).await else { return };
        let message = message.expect("the server keeps the connection");
        if let Ok(answer) = Message::from_bytes(&message)
            && answer.has_method(ALLOCATE)
            && let Ok(error) = answer.attribute::<ErrorCode>()
            && self.refused.replace(answer.transaction_id()) != Some(answer.transaction_id())
        {
            self.refusals.push(error.code());
        }
        let transmit = Transmit::new(message, TransportType::Udp, SERVER.into(), LOCAL.into());
        if let TurnRecvRet::PeerData(data) = self.proto.recv(transmit, self.time()) {
            self.received.push_back((data.peer, data.data().to_vec()));
        }
        self.events.extend(std::iter::from_fn(|| self.proto.poll_event()));
    }

    /// Gets an allocation: its relayed address, or the code of the error if it is refused. Every client is first told to sign.
    pub async fn allocate(&mut self) -> Result<SocketAddr, u16> {
        self.until("an answer to Allocate", |client| {
            match (client.events.pop_front(), &client.refusals[..]) {
                (Some(TurnEvent::AllocationCreated(_, relayed)), _) => Some(Ok(relayed)),
                // It does not always tell that it gives up.
                (_, &[401, code, ..]) => Some(Err(code)),
                _ => None,
            }
        })
        .await
    }

    /// Asks for a permission; whether it was given.
    pub async fn permit(&mut self, ip: IpAddr) -> bool {
        self.proto.create_permission(TransportType::Udp, ip, self.time()).unwrap();
        self.until("an answer to CreatePermission", |client| match client.events.pop_front()? {
            TurnEvent::PermissionCreated(..) => Some(true),
            TurnEvent::PermissionCreateFailed(..) => Some(false),
            other => panic!("{other:?}"),
        })
        .await
    }

    /// Asks for a channel; whether it was given.
    pub async fn bind(&mut self, peer: SocketAddr) -> bool {
        self.proto.bind_channel(TransportType::Udp, peer, self.time()).unwrap();
        self.until("an answer to ChannelBind", |client| {
            match client.events.pop_front()? {
                TurnEvent::ChannelCreated(..) => Some(true),
                TurnEvent::ChannelCreateFailed(..) => Some(false),
                // A channel brings its permission, which is told as well.
                _ => None,
            }
        })
        .await
    }

    /// Sends data to a peer, on its channel if it has one.
    pub async fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let time = self.time();
        let transmit: Option<TransmitBuild<_>> =
            self.proto.send_to(TransportType::Udp, peer, data.to_vec(), time).unwrap();
        if let Some(transmit) = transmit {
            self.way.send(&transmit.data.build()).await;
        }
    }

    /// The next data of a peer.
    pub async fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        self.until("data of a peer", |client| client.received.pop_front()).await
    }

    /// Gives the allocation back, with the next steps.
    pub fn delete(&mut self) {
        self.proto.delete(self.time()).unwrap();
    }

    /// Lets it do what it wants, for good.
    pub async fn run(mut self) {
        loop {
            self.step().await;
            self.events.clear();
        }
    }

    /// The way to the server, for what no good client would send.
    pub fn way(&mut self) -> &mut Way {
        &mut self.way
    }
}
