//! The operator: `VDISession` and `VDITemplate` become pods, homes, secrets, services, routes and network policies.
//!
//! A session is reconciled in five verbs, each in a module of its own, and the types prove their order:
//!
//! ```text
//! dereference ──▶ validate ──▶ decide ──▶ build ──▶ apply ──▶ status
//!  template,       Desktop      phase::    Objects   server-    and requeue
//!  pod, report                  Decision             side
//! ```
//!
//! Its only state is the API server's: it may be killed at any moment, and another goes on from there.

pub mod api;
mod api_server;
mod apply;
mod backoff;
pub mod build;
mod controller;
pub mod credentials;
mod dereference;
pub mod desktop;
mod election;
pub mod error;
mod events;
mod finalizer;
mod fits;
mod given;
mod hindrance;
mod http;
mod leader;
mod memory;
pub mod metrics;
pub mod misspelt;
pub mod names;
mod object;
pub mod options;
pub mod phase;
mod probe;
mod reconcile;
mod seen;
pub mod settings;
pub mod telemetry;
pub mod validate;
mod warm;
mod watch;
mod words;

#[cfg(test)]
mod test_data;

use error::Error;
use kube::Client;
use metrics::Metrics;
use options::Config;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch::Receiver;
use watch::Complaints;

/// How long looks that have begun may take after the operator was told to stop: less than Kubernetes waits before it kills.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// Runs until `stop`: waits for the lease, works while it holds it, and starts anew when it has lost it.
pub async fn run(config: Config, stop: Receiver<bool>) -> Result<(), Error> {
    let (metrics, complaints) = (Arc::new(Metrics::default()), Arc::new(Complaints::default()));
    let server = http::serve(config.addr, metrics.clone(), complaints.clone(), stop.clone()).await?;
    let client = client().await?;
    // The lease is let go of after the last write, so it does not listen to `stop` itself.
    let (let_go, letting_go) = tokio::sync::watch::channel(false);
    let (fence, mut leads, election) =
        leader::run(client.clone(), config.election.clone(), complaints.clone(), letting_go);
    let mut stopping = stop.clone();
    loop {
        let leading = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => break,
            leads = leads.wait_for(|leads| *leads) => leads.is_ok(),
        };
        if !leading {
            break;
        }
        metrics.leads(true);
        let work = controller::run(
            client.clone(),
            config.clone(),
            fence.clone(),
            metrics.clone(),
            complaints.clone(),
            stop.clone(),
        );
        let too_long = async {
            let _ = stopping.wait_for(|stop| *stop).await;
            tokio::time::sleep(STOP_WITHIN).await;
        };
        tokio::select! {
            () = work => {}
            // Nothing is finished then: whoever leads now finds what was done.
            _ = leads.wait_for(|leads| !*leads) => {}
            () = too_long => tracing::warn!("stopped in the middle: looks took over {} s", STOP_WITHIN.as_secs()),
        }
        complaints.clear();
        metrics.count_sessions(None);
        metrics.leads(false);
    }
    let_go.send_replace(true);
    let _ = tokio::time::timeout(Duration::from_secs(3), election).await;
    server.abort();
    Ok(())
}

async fn client() -> Result<Client, Error> {
    let setup = |what: String| Error::Setup(format!("cannot find the cluster: {what}"));
    let mut config = kube::Config::infer().await.map_err(|error| setup(error.to_string()))?;
    // Longer than a watch lasts. A list whose answer never comes would be waited for for ever.
    config.read_timeout = Some(Duration::from_secs(330));
    config.reset_reader_on_write = true;
    Client::try_from(config).map_err(|error| setup(error.to_string()))
}
