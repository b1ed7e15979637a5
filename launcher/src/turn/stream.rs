//! Shell: one client on a stream, plain or through TLS. It cuts the stream into messages, and holds back what a full socket does
//! not take, within bounds. One future does all of it: nothing is handed from task to task.

use super::{
    Transport,
    client::{Client, Outcome, Rules},
    framing::{self, Frame, MAX_MESSAGE},
    limits::{MAX_STRANGER_ANSWERS, STRANGER_TIMEOUT},
    queue::Queue,
    socket,
    udp::now,
    wire::{HEADROOM, TAILROOM, wrap},
};
use std::{
    future::poll_fn,
    net::SocketAddr,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UdpSocket,
    time::{Instant, Interval, MissedTickBehavior},
};

/// Bytes that are given to the stream at once: one TLS record, and few enough that what is in them is not late before it
/// leaves.
const WRITE_BYTES: usize = 16 * 1024;
/// Steps after which others have their turn.
const BATCH: usize = 64;
/// How often it is looked for what has expired.
const TICK: Duration = Duration::from_secs(1);

/// Serves the client until its stream ends.
pub async fn serve<S>(rules: Arc<Rules>, stream: S, from: SocketAddr, local: SocketAddr, transport: Transport)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = Connection {
        client: Client::new(rules.clone(), transport, from),
        rules,
        stream,
        transport,
        received: Vec::new(),
        chunk: vec![0; MAX_MESSAGE].into(),
        relay: None,
        packet: Vec::new(),
        queue: Queue::default(),
        writing: Vec::with_capacity(WRITE_BYTES + MAX_MESSAGE),
        written: 0,
        flushing: false,
        ticks,
        began: Instant::now(),
    };
    poll_fn(|cx| connection.poll(cx)).await;
    tracing::debug!(client = %from, %local, "a TURN connection over {} has ended", transport.as_str());
}

struct Connection<S> {
    rules: Arc<Rules>,
    client: Client,
    stream: S,
    transport: Transport,
    /// What has come and is not yet a whole message.
    received: Vec<u8>,
    chunk: Box<[u8]>,
    relay: Option<UdpSocket>,
    /// Room for a peer's datagram and what is wrapped around it.
    packet: Vec<u8>,
    queue: Queue,
    /// What the stream is being given now, and how much of it it has taken.
    writing: Vec<u8>,
    written: usize,
    /// The stream has taken all of it, but may hold it back, as TLS does.
    flushing: bool,
    ticks: Interval,
    began: Instant,
}

/// What a step came to: progress, or nothing to do for now; or the end.
type Step = ControlFlow<(), bool>;

const END: Step = ControlFlow::Break(());
const IDLE: Step = ControlFlow::Continue(false);
const PROGRESS: Step = ControlFlow::Continue(true);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn poll(&mut self, cx: &mut Context) -> Poll<()> {
        for _ in 0..BATCH {
            let mut progress = false;
            for step in [Self::tick, Self::write, Self::read, Self::take_from_peer] {
                match step(self, cx) {
                    ControlFlow::Continue(made) => progress |= made,
                    ControlFlow::Break(()) => return Poll::Ready(()),
                }
            }
            if !progress {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn tick(&mut self, cx: &mut Context) -> Step {
        if self.ticks.poll_tick(cx).is_pending() {
            return IDLE;
        }
        self.client.tick(now());
        self.settle();
        let patience = self.client.has_allocation() || self.began.elapsed() < STRANGER_TIMEOUT;
        if patience { PROGRESS } else { END }
    }

    /// The relay socket lives as long as the allocation.
    fn settle(&mut self) {
        if self.relay.is_some() && !self.client.has_allocation() {
            self.relay = None;
            self.began = Instant::now();
        }
    }

    fn write(&mut self, cx: &mut Context) -> Step {
        if self.flushing {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending => return IDLE,
                Poll::Ready(Err(_)) => return END,
                Poll::Ready(Ok(())) => self.flushing = false,
            }
        }
        if self.written == self.writing.len() {
            if self.queue.is_empty() {
                return IDLE;
            }
            self.writing.clear();
            self.written = 0;
            let late = self.queue.fill(&mut self.writing, WRITE_BYTES, now().monotonic);
            self.rules.counters.dropped(self.transport, late);
            if self.writing.is_empty() {
                return PROGRESS;
            }
        }
        match Pin::new(&mut self.stream).poll_write(cx, &self.writing[self.written..]) {
            Poll::Pending => IDLE,
            Poll::Ready(Ok(0) | Err(_)) => END,
            Poll::Ready(Ok(bytes)) => {
                self.written += bytes;
                self.flushing = self.written == self.writing.len();
                PROGRESS
            }
        }
    }

    fn read(&mut self, cx: &mut Context) -> Step {
        if !self.queue.takes_requests() {
            // Writing wakes this task, and makes room.
            return IDLE;
        }
        let mut chunk = ReadBuf::new(&mut self.chunk);
        match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
            Poll::Pending => return IDLE,
            Poll::Ready(Err(_)) => return END,
            Poll::Ready(Ok(())) if chunk.filled().is_empty() => return END,
            Poll::Ready(Ok(())) => self.received.extend_from_slice(chunk.filled()),
        }
        let received = std::mem::take(&mut self.received);
        let mut rest = received.as_slice();
        let step = loop {
            match framing::next(rest) {
                Frame::Complete { message, total } => {
                    if self.message(&rest[..message]).is_break() {
                        break END;
                    }
                    rest = &rest[total..];
                }
                Frame::Partial => break PROGRESS,
                Frame::Garbage => {
                    self.rules.counters.refused(super::Refusal::Malformed);
                    break END;
                }
            }
        };
        self.received = rest.to_vec();
        step
    }

    fn message(&mut self, message: &[u8]) -> Step {
        let now = now();
        match self.client.receive(message, now) {
            Outcome::ToPeer(peer, range) => {
                let sent =
                    self.relay.as_ref().is_some_and(|relay| socket::send(relay, &message[range], peer));
                if !sent {
                    self.rules.counters.dropped(self.transport, 1);
                }
            }
            Outcome::Answer(answer) => {
                self.queue.answer(answer);
                self.settle();
            }
            Outcome::Allocate(wanted) => {
                self.relay = socket::relay(&wanted).ok();
                let relayed = self.relay.as_ref().and_then(|relay| relay.local_addr().ok());
                if let Some(answer) = self.client.allocated(*wanted, relayed, now) {
                    self.queue.answer(answer);
                }
                self.settle();
            }
            Outcome::Nothing => {}
            Outcome::Garbage => return END,
        }
        let known = self.client.has_allocation() || self.client.stranger_answers() <= MAX_STRANGER_ANSWERS;
        if known { PROGRESS } else { END }
    }

    fn take_from_peer(&mut self, cx: &mut Context) -> Step {
        let Some(relay) = &self.relay else { return IDLE };
        self.packet.resize(HEADROOM + MAX_MESSAGE + TAILROOM, 0);
        let mut room = ReadBuf::new(&mut self.packet[HEADROOM..HEADROOM + MAX_MESSAGE]);
        let peer = match relay.poll_recv_from(cx, &mut room) {
            Poll::Pending => return IDLE,
            // What Linux tells here is about a datagram that was sent before.
            Poll::Ready(Err(_)) => return PROGRESS,
            Poll::Ready(Ok(peer)) => peer,
        };
        let (length, now) = (room.filled().len(), now());
        if let Some(wrapping) = self.client.peer_sent(peer, length, now) {
            let message = wrap(&mut self.packet, length, wrapping, true);
            let dropped = self.queue.packet(self.packet[message].to_vec(), now.monotonic);
            self.rules.counters.dropped(self.transport, dropped);
        }
        PROGRESS
    }
}
