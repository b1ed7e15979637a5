//! Shell: what answers at a pod's address in the place of `vdi-launcher`: `/status` to who has the pod's password, and
//! the probes. What it says of its session is the test's to decide.

use base64::Engine;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::AbortHandle};
use vdi_protocol::{
    phase::Phase,
    status::{EncoderStatus, Status},
};

/// The port that pods listen on.
const PORT: u16 = 8080;

/// A launcher, as the operator sees it.
pub struct Launcher {
    /// Where it listens.
    pub address: Ipv4Addr,
    expected: String,
    says: Mutex<Says>,
    asked: AtomicUsize,
}

struct Says {
    status: Status,
    last_input: Option<Instant>,
    started: Instant,
    silent: bool,
}

impl Launcher {
    /// A launcher that has nobody connected, and an NVIDIA encoder.
    pub fn new(address: Ipv4Addr, user: &str, password: &str) -> Arc<Self> {
        let encoder = EncoderStatus { name: "nvh264enc".into(), hardware: true, ..Default::default() };
        let status = Status { phase: Phase::Ready, encoder: Some(encoder), ..Default::default() };
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Arc::new(Self {
            address,
            expected: format!("Basic {pair}"),
            says: Mutex::new(Says { status, last_input: None, started: Instant::now(), silent: false }),
            asked: AtomicUsize::new(0),
        })
    }

    /// Listens; the handle ends it.
    pub async fn listen(self: Arc<Self>) -> AbortHandle {
        let listener = TcpListener::bind((self.address, PORT)).await.unwrap_or_else(|err| {
            panic!(
                "{}:{PORT}: {err}; does something on this machine listen on port {PORT} of all addresses?",
                self.address
            )
        });
        let serve = async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let launcher = self.clone();
                tokio::spawn(async move {
                    let service =
                        service_fn(async |request| Ok::<_, Infallible>(launcher.answer(&request).await));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        };
        tokio::spawn(serve).abort_handle()
    }

    /// Changes what it says.
    pub fn says(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.says.lock().unwrap().status);
    }

    /// Somebody has used keys or pointer, this long ago.
    pub fn input_was(&self, ago: Duration) {
        self.says.lock().unwrap().last_input = Instant::now().checked_sub(ago);
    }

    /// Whether it takes requests without answering them.
    pub fn is_silent(&self, silent: bool) {
        self.says.lock().unwrap().silent = silent;
    }

    /// How often it was asked for its status by who may.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<hyper::body::Bytes>> {
        let (body, silent) = {
            let says = self.says.lock().unwrap();
            let mut status = says.status.clone();
            status.last_input_seconds_ago = says.last_input.map(|at| at.elapsed().as_secs_f64());
            status.uptime_seconds = says.started.elapsed().as_secs_f64();
            (serde_json::to_vec(&status).unwrap(), says.silent)
        };
        if silent {
            std::future::pending::<()>().await;
        }
        let with = |code, body: Vec<u8>| Response::builder().status(code).body(Full::from(body)).unwrap();
        let allowed =
            request.headers().get(header::AUTHORIZATION).is_some_and(|given| given == &self.expected);
        match request.uri().path() {
            "/readyz" | "/healthz" => with(200, Vec::new()),
            "/status" if allowed => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                with(200, body)
            }
            "/status" => with(401, Vec::new()),
            _ => with(404, Vec::new()),
        }
    }
}
