//! Shell: the sound: captures what PulseAudio plays, encodes it with Opus and hands it to the main pipeline. PulseAudio
//! may come, go or be missing: capture is a pipeline of its own, started again with back-off, and the video never
//! notices. Where the default sink changes, the capture goes with it, and never on to a microphone.
//!
//! ```text
//! pulsesrc (monitor of the default sink) ─▶ opusenc ─▶ appsink ┄┄▶ appsrc in the main pipeline (caps fixed, so that
//!                                                                  the track is offered even without sound)
//! ```

mod capture;
mod layout;
mod opus;
pub mod server;

use crate::{config, latest::Latest};
pub use capture::Sources;
use capture::{DEFAULT_MONITOR, capture};
use futures_util::StreamExt;
use gst::prelude::*;
use std::time::Duration;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};
use vdi_protocol::status::AudioStatus;

/// Pause before capture is tried again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A user who starts PulseAudio hears it after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Capture that held this long was good, and the next pause is short again.
const GOOD_RUN: Duration = Duration::from_secs(10);
/// How often the capture is asked to go to the default sink; a request that changes nothing costs PulseAudio nothing.
const FOLLOW: Duration = Duration::from_secs(1);

/// The capture of sound.
#[derive(Debug)]
pub struct Audio {
    /// Whether sound is being captured now, and why not.
    pub status: watch::Receiver<AudioStatus>,
    wanted: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Audio {
    /// Starts to supervise the capture. `main` gives clock and base time, so it must be playing.
    pub fn start(config: config::Audio, sources: Sources, main: gst::Pipeline) -> Self {
        let (wanted, wants) = watch::channel(false);
        let (report, status) = watch::channel(waiting());
        let task = tokio::spawn(supervise(config, sources, main, wants, report));
        Self { status, wanted, task }
    }

    /// Captures, or stops to, as pages come and go.
    pub fn set_wanted(&self, wanted: bool) {
        self.wanted.send_if_modified(|now| std::mem::replace(now, wanted) != wanted);
    }

    /// Ends the capture, within a bound.
    pub async fn stop(self) {
        // First the wish, then its channel: the task sees a wish that nobody can take back any more as the end.
        self.wanted.send_replace(false);
        drop(self.wanted);
        if tokio::time::timeout(Duration::from_secs(2), self.task).await.is_err() {
            tracing::warn!("PulseAudio does not let go; the sound is left behind");
        }
    }
}

fn waiting() -> AudioStatus {
    AudioStatus { running: false, message: Some("nobody listens".into()) }
}

async fn supervise(
    config: config::Audio,
    sources: Sources,
    main: gst::Pipeline,
    mut wants: watch::Receiver<bool>,
    report: watch::Sender<AudioStatus>,
) {
    let mut pause = FIRST_PAUSE;
    // An error of `wait_for` says that the session ends.
    while wants.wait_for(|wanted| *wanted).await.is_ok() {
        let began = Instant::now();
        let words = match capture(&config, &sources, &main) {
            Ok((pipeline, recorder)) => {
                let words = run(&config, &pipeline, &recorder, &mut wants, &report).await;
                let _ = tokio::task::spawn_blocking(move || pipeline.set_state(gst::State::Null)).await;
                words
            }
            Err(err) => Some(err.to_string()),
        };
        let Some(words) = words else {
            pause = FIRST_PAUSE;
            report.send_replace(waiting());
            continue;
        };
        if report.look(|told| told.message.as_ref() != Some(&words)) {
            tracing::warn!("there is no sound: {words}");
        }
        report.send_replace(AudioStatus { running: false, message: Some(words) });
        if began.elapsed() >= GOOD_RUN {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            result = wants.wait_for(|wanted| !wanted) => if result.is_err() { return },
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Lets a capture run; `None` when it is no longer wanted, else why it ended.
async fn run(
    config: &config::Audio,
    pipeline: &gst::Pipeline,
    recorder: &gst::Element,
    wants: &mut watch::Receiver<bool>,
    report: &watch::Sender<AudioStatus>,
) -> Option<String> {
    let Some(bus) = pipeline.bus() else { return Some("the pipeline has no bus".into()) };
    let mut messages = bus.stream();
    let (server, starting) = (config.server.clone(), pipeline.clone());
    // PulseAudio is connected to in here, which takes as long as the server likes.
    let start = move || server::reach(&server).map(|()| starting.set_state(gst::State::Playing));
    match tokio::task::spawn_blocking(start).await {
        Ok(Ok(Ok(_))) => {
            tracing::info!("sound is captured");
            report.send_replace(AudioStatus { running: true, message: None });
        }
        Ok(Err(words)) => return Some(format!("{words}; {}", server::REMEDY)),
        // The pipeline's bus says why.
        Ok(Ok(Err(_))) | Err(_) => {}
    }
    let mut follow = tokio::time::interval_at(Instant::now() + FOLLOW, FOLLOW);
    follow.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = wants.wait_for(|wanted| !wanted) => return None,
            // PulseAudio moves a stream with its default *source*, which is another thing where there is a microphone.
            _ = follow.tick() => recorder.set_property("device", DEFAULT_MONITOR),
            message = messages.next() => match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => return Some(error.error().to_string()),
                Some(gst::MessageView::Eos(_)) | None => return Some("PulseAudio has ended the stream".into()),
                Some(_) => {}
            },
        }
    }
}
