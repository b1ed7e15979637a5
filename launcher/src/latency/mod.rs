//! Shell: looks at the sink's figures of the latency once a second, for `/status` and the metrics. On a thread of its own:
//! whoever is kept by the sink keeps nobody else.

pub mod told;

use gst::prelude::*;
use gstvdi::wswebrtcsink::WsWebRtcSink;
use std::time::Duration;
use tokio::sync::watch;
use told::Ways;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Follows what the sink tells, until it is gone.
pub fn watch(sink: &WsWebRtcSink) -> watch::Receiver<Ways> {
    let (sender, ways) = watch::channel(Ways::default());
    let sink = sink.downgrade();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !sender.is_closed() {
            ticks.tick().await;
            let sink = sink.clone();
            let read = tokio::task::spawn_blocking(move || {
                let stats = sink.upgrade()?.property::<Option<gst::Structure>>("stats")?;
                Some(told::ways(&stats))
            });
            match read.await {
                Ok(Some(ways)) => sender.send_replace(ways),
                _ => return,
            };
        }
    });
    ways
}
