//! Shell: `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet. It tells no secrets, so it asks for none.

use crate::{error::Error, metrics::Metrics, watch::Complaints};
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, sync::watch};
use warp::{
    Filter,
    http::{Response, StatusCode, header::CONTENT_TYPE},
};

/// Serves until `stop`.
pub async fn serve(
    addr: SocketAddr,
    metrics: Arc<Metrics>,
    complaints: Arc<Complaints>,
    mut stop: watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<()>, Error> {
    let listener = TcpListener::bind(addr)
        .await
        .map_err(|error| Error::Setup(format!("cannot listen on {addr}: {error}")))?;
    let bound = listener.local_addr().unwrap_or(addr);
    tracing::info!("serving /metrics, /healthz and /readyz on http://{bound}");
    let numbers = warp::path!("metrics").map(move || match metrics.text() {
        Ok(text) => {
            answer(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
        }
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
    });
    // That it answers at all is what is asked: a process that hangs does not.
    let alive = warp::path!("healthz").map(|| answer(StatusCode::OK, "text/plain", "ok\n".to_owned()));
    let ready = warp::path!("readyz").map(move || match complaints.lines() {
        lines if lines.is_empty() => answer(StatusCode::OK, "text/plain", "ok\n".to_owned()),
        lines => answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain", lines.join("\n") + "\n"),
    });
    let routes = warp::get().and(numbers.or(alive).or(ready));
    Ok(tokio::spawn(
        warp::serve(routes)
            .incoming(listener)
            .graceful(async move {
                let _ = stop.wait_for(|stop| *stop).await;
            })
            .run(),
    ))
}

fn answer(status: StatusCode, content_type: &str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Ok(content_type) = content_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}
