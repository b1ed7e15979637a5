//! Shell: looks at the encoder's figures for as long as anybody wants to know them.

use super::Event;
use crate::encoder::told;
use gst::prelude::*;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};

/// Time between two looks at the encoder's figures.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reads the encoder's figures once a second and when `look` says so. They are read on a thread of their own: an encoder
/// that hangs may keep whoever asks it.
pub async fn watch(encoder: gst::Element, look: Arc<Notify>, events: mpsc::Sender<Event>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = look.notified() => {}
        }
        let encoder = encoder.clone();
        let read = tokio::task::spawn_blocking(move || {
            let stats = encoder.property::<Option<gst::Structure>>("stats")?;
            told::figures(&stats)
        });
        let Ok(Some(figures)) = read.await else { continue };
        if events.send(Event::Figures(Box::new(figures))).await.is_err() {
            return;
        }
    }
}
