//! Shell: one connection, from its first byte to its end: learns what it speaks, undoes TLS, and hands it to HTTP or to the
//! relay. Until a request is let in it has little time, and may be dropped for a newer one.

use super::{Closed, Port, Seat, Stream, first_bytes::Verdict, places::Settled, prefixed::Prefixed};
use crate::{http::service::Way, turn::Transport};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use warp::http::Request;

/// Time for the first bytes. Browsers open connections in advance and leave them silent; they open another then.
const FIRST_BYTES: Duration = Duration::from_secs(5);
/// Time for a TLS handshake, which takes two round trips.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time to send the head of a request: what is slower holds connections for their own sake.
const HEAD: Duration = Duration::from_secs(10);
/// Time without a request after which a connection of HTTP/2 is closed; HTTP/1.1 gets as long as for a head.
const IDLE: Duration = Duration::from_secs(60);
/// Time for the answers that are under way when the server stops.
const FAREWELL: Duration = Duration::from_secs(1);
/// Most bytes of a request's head.
const MAX_HEAD_BYTES: u32 = 64 * 1024;
/// Requests of one connection at once. The page has a dozen files.
const MAX_STREAMS: u32 = 64;
/// How often a connection of HTTP/2 is asked whether it lives.
const PING: Duration = Duration::from_secs(20);

/// One connection.
pub(super) struct Connection {
    seat: Seat,
    from: SocketAddr,
}

impl Connection {
    pub(super) fn new(seat: Seat, from: SocketAddr) -> Self {
        Self { seat, from }
    }

    /// Serves it to its end.
    pub(super) async fn serve(self, stream: TcpStream) {
        let Ok(local) = stream.local_addr() else { return };
        let Some((verdict, stream)) = self.sniff(stream, false).await else { return };
        if verdict != Verdict::Tls {
            return self.speak(verdict, stream, local, false).await;
        }
        let stream = match timeout(HANDSHAKE, self.port().tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(err)) => {
                // A browser that has not yet been told to trust a self-signed certificate ends like this.
                tracing::debug!(from = %self.from, "a TLS handshake failed: {err}");
                return self.port().counters.count(Closed::Handshake);
            }
            Err(_) => return self.port().counters.count(Closed::Silent),
        };
        if let Some((verdict, stream)) = self.sniff(stream, true).await {
            self.speak(verdict, stream, local, true).await;
        }
    }

    fn port(&self) -> &Arc<Port> {
        &self.seat.port
    }

    async fn sniff<S: Stream>(&self, stream: S, tls: bool) -> Option<(Verdict, Prefixed<S>)> {
        match timeout(FIRST_BYTES, Prefixed::sniff(stream, tls)).await {
            Ok(Ok((Verdict::Garbage, _)) | Err(_)) => {
                self.port().counters.count(Closed::Garbage);
                None
            }
            Ok(Ok(sniffed)) => Some(sniffed),
            Err(_) => {
                self.port().counters.count(Closed::Silent);
                None
            }
        }
    }

    async fn speak(self, verdict: Verdict, stream: impl Stream + 'static, local: SocketAddr, tls: bool) {
        match verdict {
            Verdict::Http1 => self.http1(stream, tls).await,
            Verdict::Http2 => self.http2(stream, tls).await,
            Verdict::Stun => self.relay(stream, local, tls).await,
            Verdict::More | Verdict::Tls | Verdict::Garbage => {}
        }
    }

    async fn relay(self, stream: impl Stream + 'static, local: SocketAddr, tls: bool) {
        let port = self.port().clone();
        let Some(relay) = &port.relay else { return port.counters.count(Closed::Garbage) };
        let transport = if tls { Transport::Tls } else { Transport::Tcp };
        if self.seat.settle(Settled::Relay) {
            tokio::select! {
                () = relay.serve_stream(stream, self.from, local, transport) => {}
                () = port.told() => {}
            }
        }
    }

    async fn http1(self, stream: impl Stream + 'static, tls: bool) {
        let (requests, service) = self.service(tls);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_HEAD_BYTES as usize)
            .serve_connection(TokioIo::new(stream), service_fn(service))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        // An error is the peer's: it went away, or it does not speak HTTP.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = requests.silence(HEAD, IDLE) => {}
            () = requests.seat.port.told() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(FAREWELL, connection).await;
    }

    async fn http2(self, stream: impl Stream + 'static, tls: bool) {
        let (requests, service) = self.service(tls);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .serve_connection(TokioIo::new(stream), service_fn(service));
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = requests.silence(HEAD, IDLE) => {}
            () = requests.seat.port.told() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(FAREWELL, connection).await;
    }

    /// What answers this connection's requests, and what knows of them.
    fn service(self, tls: bool) -> (Arc<Requests>, impl Fn(Request<Incoming>) -> Answer) {
        let way = Way { from: self.from.ip(), tls };
        let requests = Arc::new(Requests { seat: self.seat, counts: watch::Sender::default() });
        let shared = requests.clone();
        let service = move |request| -> Answer {
            let requests = shared.clone();
            let running = Running::begin(requests.clone());
            Box::pin(async move {
                let http = requests.seat.port.http.clone();
                let answer = http.answer(request, way, || requests.seat.settle(Settled::Http)).await;
                drop(running);
                answer
            })
        };
        (requests, service)
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<warp::reply::Response, std::convert::Infallible>> + Send>>;

/// The requests of one connection.
struct Requests {
    seat: Seat,
    counts: watch::Sender<Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    seen: u64,
    running: u64,
}

impl Requests {
    /// Waits until there has been no request for too long: `first` for the first, `later` from then on.
    async fn silence(&self, first: Duration, later: Duration) {
        let mut counts = self.counts.subscribe();
        loop {
            let now = *counts.borrow_and_update();
            let changed = match (now.seen, now.running) {
                (0, _) => timeout(first, counts.changed()).await,
                (_, 0) => timeout(later, counts.changed()).await,
                _ => Ok(counts.changed().await),
            };
            if changed.is_err() {
                if now.seen == 0 {
                    self.seat.port.counters.count(Closed::Silent);
                }
                return;
            }
        }
    }
}

/// A request that is being answered.
struct Running(Arc<Requests>);

impl Running {
    fn begin(requests: Arc<Requests>) -> Self {
        requests.counts.send_modify(|counts| {
            counts.seen += 1;
            counts.running += 1;
        });
        Self(requests)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.running -= 1);
    }
}
