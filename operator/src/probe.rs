//! Shell: asks launchers where their sessions stand. Never more than so many at once, each within a time limit, and what it
//! is told is limited too: a desktop belongs to its user, who may let it answer anything.

use crate::{metrics::Metrics, phase::Report};
use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, body::Bytes, header::AUTHORIZATION};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::Timestamp;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vdi_protocol::{environment::DEFAULT_PORT, status::Status};

/// How long a launcher may take: it answers within milliseconds unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(3);
/// Longest answer; a usual one has 3 KiB, and some more with many pages.
const LONGEST_BYTES: usize = 256 * 1024;
/// Launchers asked at once.
const AT_ONCE: usize = 64;

/// Asks launchers.
#[derive(Clone)]
pub struct Probe {
    client: Client<HttpConnector, Empty<Bytes>>,
    permits: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Probe {
    /// Connections are not kept: each launcher is asked twice a minute at most.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, permits: Arc::new(Semaphore::new(AT_ONCE)), metrics }
    }

    /// Leave to ask one launcher, if not too many are being asked.
    pub fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// What the launcher at this address says, or why it says nothing that is of use.
    pub async fn ask(
        &self,
        _permit: OwnedSemaphorePermit,
        ip: IpAddr,
        username: &str,
        password: &str,
    ) -> Result<Report, String> {
        let answer = match tokio::time::timeout(LIMIT, self.get(ip, username, password)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("it gave no answer within {} s", LIMIT.as_secs())),
        };
        self.metrics.probed(if answer.is_ok() { "answered" } else { "failed" });
        answer.map(|status| Report::new(Timestamp::now(), status))
    }

    async fn get(&self, ip: IpAddr, username: &str, password: &str) -> Result<Status, String> {
        let host = std::net::SocketAddr::new(ip, DEFAULT_PORT);
        let token = BASE64_STANDARD.encode(format!("{username}:{password}"));
        let request = Request::get(format!("http://{host}/status"))
            .header(AUTHORIZATION, format!("Basic {token}"))
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| reason(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), LONGEST_BYTES).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

/// The innermost cause: that a connection was refused says more than that a client had an error.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
