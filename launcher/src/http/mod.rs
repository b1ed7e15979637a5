//! Shell: what the port answers: the guard judges every request, and the routes are mounted: probes, status and metrics here,
//! page and signalling the sink's own.
//!
//! `/healthz`, `/readyz` and `/health` are open to probes; everything else, `/status` and `/metrics` included, asks for the
//! password if there is one, or for an invitation; guests read neither of the two.

pub mod auth;
pub mod exporter;
pub mod histograms;
pub mod invitations;
#[doc(hidden)]
pub mod invited;
pub mod limiter;
pub mod metrics;
pub mod service;
mod turn_metrics;

use crate::board::Board;
use vdi_protocol::environment;
use warp::{Filter, Rejection, Reply, http::StatusCode};

/// Probes, status and metrics.
pub fn routes(board: Board) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    let of_metrics = board.clone();
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
    let turn = at(environment::TURN)
        .and(board)
        .map(|board: Board| warp::reply::json(&board.ice().rtc_configuration()));
    let metrics = exporter::route(of_metrics);
    healthz.or(health).or(readyz).or(status).or(doctor).or(turn).or(metrics)
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
