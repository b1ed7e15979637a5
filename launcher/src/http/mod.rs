//! Shell: the one TCP port: takes connections, lets the guard judge every request, and mounts the routes.
//!
//! `/healthz`, `/readyz` and `/health` are open to probes; everything else, `/status` and `/metrics` included, asks for the
//! password if there is one. Page and signalling are the sink's own routes.

pub mod auth;
pub mod histograms;
pub mod limiter;
pub mod metrics;

use crate::{board::Board, error::Error};
use auth::{Guard, Verdict};
use gstvdi::wswebrtcsink::{self, WsWebRtcSink};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::Instant,
};
use vdi_protocol::{environment, reason::FailureReason};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    hyper::body::Incoming,
    reply::Response,
};

/// Connections at once. A page needs two or three; the rest is room for probes and reloads.
const MAX_CONNECTIONS: usize = 512;
/// Time to send the head of a request: what is slower holds connections for their own sake.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept: the usual cause, no file descriptors left, does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every response says unless its route says otherwise.
const HEADERS: [(header::HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        header::HeaderName::from_static("permissions-policy"),
        "autoplay=(self), fullscreen=(self), clipboard-read=(self), clipboard-write=(self), gamepad=(self), \
         microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
    ),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Binds the port. The error names the address and the cause.
pub async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, Error> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address).await.map_err(|err| {
        Error::new(FailureReason::PortUnavailable, format!("cannot listen on {address}: {err}"))
    })
}

/// The server; it runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on a bound port.
    pub fn start(listener: TcpListener, sink: &WsWebRtcSink, board: Board, guard: Arc<Mutex<Guard>>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let routes = routes(board).or(wswebrtcsink::routes(sink));
        let task = tokio::spawn(accept(listener, routes, guard, stopped));
        Self { stop, task }
    }

    /// Takes no more connections and ends those that are there.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

async fn accept<F>(
    listener: TcpListener,
    routes: F,
    guard: Arc<Mutex<Guard>>,
    mut stopped: watch::Receiver<bool>,
) where
    F: Filter<Error = Rejection> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let epoch = Instant::now();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stopped) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(err) => {
                tracing::warn!("a connection could not be taken: {err}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            tracing::debug!("there are {MAX_CONNECTIONS} connections already; {address} is turned away");
            continue;
        };
        let visitor = Visitor { guard: guard.clone(), from: address.ip(), epoch };
        let connection = serve(stream, visitor, routes.clone(), stopped.clone());
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
}

async fn serve<F>(stream: TcpStream, visitor: Visitor, routes: F, mut stopped: watch::Receiver<bool>)
where
    F: Filter<Error = Rejection> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    // Signalling is small messages back and forth; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let inner = TowerToHyperService::new(warp::service(routes));
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (verdict, inner) = (visitor.judge(&request), inner.clone());
        async move {
            let mut response = match verdict {
                Verdict::Pass => hyper::service::Service::call(&inner, request).await?,
                refused => refusal(refused),
            };
            add_headers(response.headers_mut());
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    // An error is the peer's: it went away, or it does not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(Duration::from_secs(1), connection).await;
        }
    }
}

/// Waits until the server is told to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error says that the server is gone, which comes to the same. The value itself must not live on: it is a lock.
    let _ = stopped.wait_for(|stopped| *stopped).await.map(drop);
}

/// One connection in the eyes of the guard.
#[derive(Debug, Clone)]
struct Visitor {
    guard: Arc<Mutex<Guard>>,
    from: IpAddr,
    epoch: Instant,
}

impl Visitor {
    fn judge(&self, request: &Request<Incoming>) -> Verdict {
        let authorization = request.headers().get(header::AUTHORIZATION);
        // A header that is no text is a wrong password, and not none.
        let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        let before = guard.failures();
        let verdict = guard.judge(request.uri().path(), authorization, self.from, self.epoch.elapsed());
        // The limit on attempts is also the limit on these lines.
        match verdict {
            _ if guard.failures() == before => {}
            Verdict::Wait(wait) => {
                tracing::warn!(from = %self.from, "too many wrong passwords; the address waits for {wait:?}");
            }
            _ => tracing::warn!(from = %self.from, "a wrong password"),
        }
        verdict
    }
}

fn refusal(verdict: Verdict) -> Response {
    match verdict {
        Verdict::Wait(wait) => {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let words = format!("Too many wrong passwords from your address. Try again in {seconds} s.\n");
            let mut response = warp::reply::with_status(words, StatusCode::TOO_MANY_REQUESTS).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        _ => {
            let words = "User and password are needed: those that the session was started with, or printed when it started.\n";
            let mut response = warp::reply::with_status(words, StatusCode::UNAUTHORIZED).into_response();
            let challenge = HeaderValue::from_static("Basic realm=\"gst-vdi\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
    }
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Probes, status and metrics.
fn routes(board: Board) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    let board = warp::any().map(move || board.clone());
    let healthz = at(environment::HEALTHZ).map(|| "ok\n");
    let health = at("/health").map(|| "OK");
    let readyz = at(environment::READYZ).and(board.clone()).map(|board: Board| {
        let phase = board.phase();
        let status = if board.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        warp::reply::with_status(format!("{}\n", phase.as_str()), status)
    });
    let status = at(environment::STATUS)
        .and(board.clone())
        .then(|board: Board| async move { warp::reply::json(&board.status().await) });
    let doctor = at(environment::DOCTOR)
        .and(board.clone())
        .then(|board: Board| async move { warp::reply::json(&board.examination().await) });
    let metrics = at(environment::METRICS).and(board).then(|board: Board| async move {
        match metrics::render(&board.status().await, &board.figures()) {
            Ok(text) => warp::reply::with_header(text, header::CONTENT_TYPE, OPEN_METRICS).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    });
    healthz.or(health).or(readyz).or(status).or(doctor).or(metrics)
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET` of exactly this path.
fn at(path: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Clone + Send + Sync {
    warp::get()
        .and(warp::path::full())
        .and_then(move |full: warp::path::FullPath| async move {
            if full.as_str() == path { Ok(()) } else { Err(warp::reject::not_found()) }
        })
        .untuple_one()
}
