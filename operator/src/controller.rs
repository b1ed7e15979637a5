//! Shell: the operator while it leads: watches, the two controllers, and their end.
//!
//! It is begun anew each time that this process gets the lease, and dropped when it loses it: nothing is carried over but
//! numbers for Prometheus.

use crate::{
    api_server::ApiServer,
    leader::Fence,
    memory::Memory,
    metrics::Metrics,
    options::Config,
    probe::Probe,
    reconcile::{self, Operator},
    warm,
    watch::{self, Complaints},
    words,
};
use futures_util::{StreamExt, stream};
use kube::{
    Client,
    runtime::{Config as ControllerConfig, Controller},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch as channel},
    task::JoinSet,
};

/// How long changes of one object are gathered: its parts come one after the other.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// Looks after all sessions until `stop`, and finishes the looks that it has begun. Dropped, it ends at once.
pub async fn run(
    client: Client,
    config: Config,
    fence: Fence,
    metrics: Arc<Metrics>,
    complaints: Arc<Complaints>,
    stop: channel::Receiver<bool>,
) {
    let mut watches = JoinSet::new();
    let memory = Arc::new(Memory::default());
    let forget = memory.clone();
    let (known, trigger, looks) =
        watch::start(&client, &complaints, move |uid: &str| forget.forget(uid), &mut watches);
    metrics.count_sessions(Some(known.sessions.store().clone()));
    let mut stopping = stop.clone();
    tokio::select! {
        () = known.ready() => {}
        _ = stopping.wait_for(|stop| *stop) => return,
    }
    tracing::info!(
        "looking after {} of {}",
        words::many(known.sessions.store().len(), "session"),
        words::many(known.templates.store().len(), "template")
    );
    let operator = Arc::new(Operator {
        server: ApiServer::new(client, fence, metrics.clone(), known.clone()),
        known: known.clone(),
        memory,
        settings: config.settings,
        poll_interval: config.poll_interval,
        reporter: config.reporter,
        probe: Probe::new(metrics.clone()),
        metrics,
        trigger: trigger.clone(),
    });
    trigger.everything();

    let limits = ControllerConfig::default().debounce(DEBOUNCE).concurrency(config.concurrency);
    // The watches trigger by themselves, so that a kind that cannot be watched holds up no other.
    let sessions = Controller::for_stream(stream::pending(), known.sessions.store().clone())
        .with_config(limits.clone())
        .reconcile_on(received(looks.sessions))
        .reconcile_all_on(received(looks.all_sessions))
        .graceful_shutdown_on(stopped(stop.clone()))
        .run(reconcile::reconcile, reconcile::try_again, operator.clone())
        .for_each(|_| std::future::ready(()));
    let templates = Controller::for_stream(stream::pending(), known.templates.store().clone())
        .with_config(limits)
        .reconcile_on(received(looks.templates))
        .reconcile_all_on(received(looks.all_templates))
        .graceful_shutdown_on(stopped(stop))
        .run(warm::reconcile, warm::try_again, operator)
        .for_each(|_| std::future::ready(()));
    tokio::join!(sessions, templates);
}

async fn stopped(mut stop: channel::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn received<T: Send + 'static>(from: mpsc::Receiver<T>) -> impl stream::Stream<Item = T> + Send + 'static {
    stream::unfold(from, |mut from| async move { Some((from.recv().await?, from)) })
}
