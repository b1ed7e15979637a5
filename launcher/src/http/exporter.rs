//! Shell: the metrics' own port, for a Prometheus that has one configuration for many desktops: it asks for no password, and
//! so it tells figures and nothing else, and is opened only where that is asked for.

use super::{OPEN_METRICS, at, metrics};
use crate::{board::Board, error::Error, port};
use std::net::IpAddr;
use tokio::task::AbortHandle;
use vdi_protocol::environment;
use warp::{
    Filter, Rejection, Reply,
    http::{StatusCode, header},
};

/// `GET /metrics`.
pub fn route(board: Board) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    at(environment::METRICS).then(move || {
        let board = board.clone();
        async move {
            match metrics::render(&board.status().await, &board.figures()) {
                Ok(text) => {
                    warp::reply::with_header(text, header::CONTENT_TYPE, OPEN_METRICS).into_response()
                }
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    })
}

/// Serves them until the handle is used. A port that is taken is an error: who has asked for it would wait for figures.
pub async fn start(address: IpAddr, port: u16, board: Board) -> Result<AbortHandle, Error> {
    let listener = port::bind(address, port, "--metrics-http-port").await?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "the metrics have a port without a password");
    }
    Ok(tokio::spawn(warp::serve(route(board)).incoming(listener).run()).abort_handle())
}
