//! Shell: the sound: captures what PulseAudio plays, encodes it with Opus and hands it to the main pipeline. PulseAudio
//! may come, go or be missing: capture is a pipeline of its own, started again with back-off, and the video never
//! notices. Where the default sink changes, the capture goes with it, and never on to a microphone.
//!
//! ```text
//! pulsesrc (monitor of the default sink) ─▶ opusenc ─▶ appsink ┄┄▶ appsrc in the main pipeline (caps fixed, so that
//!                                                                  the track is offered even without sound)
//! ```

use crate::config;
use futures_util::StreamExt;
use gst::prelude::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
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
/// What is captured, as PulseAudio names it whatever the default sink is called.
const DEFAULT_MONITOR: &str = "@DEFAULT_MONITOR@";
/// What the names of sources end with that hold what a sink plays. Others hold what a microphone hears.
const MONITOR: &str = ".monitor";
/// How often the capture is asked to go to the default sink; a request that changes nothing costs PulseAudio nothing.
const FOLLOW: Duration = Duration::from_secs(1);
/// Encoded buffers that may wait in the main pipeline: 200 ms; older ones are dropped.
const MAX_WAITING: u64 = 20;

/// The capture of sound.
#[derive(Debug)]
pub struct Audio {
    /// Whether sound is being captured now, and why not.
    pub status: watch::Receiver<AudioStatus>,
    wanted: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The source in the main pipeline.
pub fn source(config: &config::Audio) -> gst_app::AppSrc {
    let caps = gst::Caps::builder("audio/x-opus")
        .field("rate", 48_000)
        .field("channels", i32::try_from(config.channels).unwrap_or(2))
        .field("channel-mapping-family", 0)
        .field("stream-count", 1)
        .field("coupled-count", i32::from(config.channels == 2))
        .build();
    gst_app::AppSrc::builder()
        .name("audio")
        .caps(&caps)
        .format(gst::Format::Time)
        .is_live(true)
        .do_timestamp(false)
        .max_buffers(MAX_WAITING)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build()
}

impl Audio {
    /// Starts to supervise the capture. `main` gives clock and base time, so it must be playing.
    pub fn start(config: config::Audio, source: gst_app::AppSrc, main: gst::Pipeline) -> Self {
        let (wanted, wants) = watch::channel(false);
        let (report, status) = watch::channel(waiting());
        let task = tokio::spawn(supervise(config, source, main, wants, report));
        Self { status, wanted, task }
    }

    /// Captures, or stops to, as pages come and go.
    pub fn set_wanted(&self, wanted: bool) {
        self.wanted.send_replace(wanted);
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
    source: gst_app::AppSrc,
    main: gst::Pipeline,
    mut wants: watch::Receiver<bool>,
    report: watch::Sender<AudioStatus>,
) {
    let mut pause = FIRST_PAUSE;
    // An error of `wait_for` says that the session ends.
    while wants.wait_for(|wanted| *wanted).await.is_ok() {
        let began = Instant::now();
        let words = match capture(&config, &source, &main) {
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
        if report.borrow().message.as_ref() != Some(&words) {
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
    let start = move || reach(server.as_deref()).map(|()| starting.set_state(gst::State::Playing));
    match tokio::task::spawn_blocking(start).await {
        Ok(Ok(Ok(_))) => {
            tracing::info!("sound is captured");
            report.send_replace(AudioStatus { running: true, message: None });
        }
        Ok(Err(words)) => return Some(words),
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

/// Whether PulseAudio answers, and if not, why.
///
/// `pulsesrc` must not be the one to find out: whenever it cannot connect, it leaves a thread and two file descriptors
/// behind (seen in GStreamer 1.22), and somebody may watch a machine without sound for days. `pulsesink` tidies up.
pub fn reach(server: Option<&str>) -> Result<(), String> {
    let probe = gst::ElementFactory::make("pulsesink").property("client-name", "gst-vdi");
    let probe = match server {
        Some(server) => probe.property("server", server),
        None => probe,
    };
    let probe = probe.build().map_err(|err| err.to_string())?;
    let bus = gst::Bus::new();
    probe.set_bus(Some(&bus));
    let reached = probe.set_state(gst::State::Ready);
    let _ = probe.set_state(gst::State::Null);
    let reason = bus.pop_filtered(&[gst::MessageType::Error]);
    match (reached, reason.as_ref().map(|message| message.view())) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some(gst::MessageView::Error(error))) => Err(error.error().to_string()),
        (Err(_), _) => Err("PulseAudio cannot be reached".into()),
    }
}

fn capture(
    config: &config::Audio,
    source: &gst_app::AppSrc,
    main: &gst::Pipeline,
) -> Result<(gst::Pipeline, gst::Element), gst::glib::BoolError> {
    let pipeline = gst::Pipeline::new();
    let mut recorder = gst::ElementFactory::make("pulsesrc")
        .property("device", DEFAULT_MONITOR)
        .property("client-name", "gst-vdi")
        .property("provide-clock", false)
        .property("buffer-time", 20_000i64)
        .property("latency-time", 10_000i64);
    if let Some(server) = &config.server {
        recorder = recorder.property("server", server);
    }
    let recorder = recorder.build()?;
    // When a sink goes, PulseAudio moves those who listen to it to any other source.
    let overhears = Arc::new(AtomicBool::new(false));
    recorder.connect_notify(Some("current-device"), {
        let overhears = overhears.clone();
        move |recorder, _| {
            let device: Option<String> = recorder.property("current-device");
            if device.is_some_and(|device| !device.is_empty() && !device.ends_with(MONITOR)) {
                overhears.store(true, Ordering::Relaxed);
                gst::element_error!(
                    recorder,
                    gst::ResourceError::NotFound,
                    ["PulseAudio plays to nothing any more"]
                );
            }
        }
    });
    let caps = gst::Caps::builder("audio/x-raw")
        .field("rate", 48_000)
        .field("channels", i32::try_from(config.channels).unwrap_or(2))
        .build();
    let encoder = gst::ElementFactory::make("opusenc")
        .property_from_str("audio-type", "restricted-lowdelay")
        .property_from_str("bitrate-type", "cbr")
        .property_from_str("frame-size", "10")
        .property("bitrate", i32::try_from(config.bitrate_bps).unwrap_or(i32::MAX))
        .property("inband-fec", true)
        .property("packet-loss-percentage", i32::try_from(config.packet_loss_percent).unwrap_or(0))
        .build()?;
    let source = source.clone();
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    if overhears.load(Ordering::Relaxed) {
                        return Err(gst::FlowError::Eos);
                    }
                    if let Some(buffer) = sample.buffer_owned() {
                        // Both pipelines share clock and base time, so the time stamps fit as they are. If the main
                        // pipeline takes no more, it is ending, and so is this one.
                        let _ = source.push_buffer(buffer);
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        )
        .build();
    let chain = [
        recorder.clone(),
        gst::ElementFactory::make("audioconvert").build()?,
        gst::ElementFactory::make("audioresample").build()?,
        gst::ElementFactory::make("capsfilter").property("caps", &caps).build()?,
        encoder,
        sink.upcast(),
    ];
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    pipeline.use_clock(main.clock().as_ref());
    pipeline.set_start_time(gst::ClockTime::NONE);
    if let Some(base_time) = main.base_time() {
        pipeline.set_base_time(base_time);
    }
    Ok((pipeline, recorder))
}
