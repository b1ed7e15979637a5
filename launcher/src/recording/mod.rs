//! Shell: records what pages see and hear into files of the operator's: the frames that the encoders make anyway are put into
//! files as they are, and nothing is encoded for it.
//!
//! ```text
//! encoded picture ─┐ probes, which never wait            thread "recording"
//! encoded sound ───┴──▶ bounded channel ─▶ cutter (pure) ─▶ file (matroskamux)
//! ```
//!
//! When the disk is slower than the desktop, the recording loses frames, up to a key frame, and counts them: the stream to the
//! pages notices nothing. When it is full the recording ends, and the session goes on.

mod cutter;
mod file;
mod name;
mod writer;

use crate::config;
use gst::prelude::*;
use jiff::Timestamp;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::watch;
use vdi_protocol::status::RecordingStatus;
use writer::Writer;

/// Encoded frames that may wait for the thread, which waits for the disk only when it makes or ends a file: some 10 s of them.
const MAX_WAITING: usize = 2048;

/// Where frames of one kind are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Picture,
    Sound,
}

/// An encoded frame on its way.
struct Frame {
    kind: Kind,
    /// Running time of the main pipeline.
    at: Duration,
    caps: gst::Caps,
    buffer: gst::Buffer,
    /// Others before it had no room.
    after_loss: bool,
}

enum Message {
    Frame(Frame),
    Start(Timestamp),
    Stop,
    Interrupt,
    End,
}

/// What probes and thread share.
#[derive(Debug, Default)]
struct Shared {
    /// Frames are wanted.
    on: AtomicBool,
    /// No more are wanted, whatever still waits in the channel.
    stopped: AtomicBool,
    /// A picture had no room in the channel.
    lost: AtomicBool,
    /// Frames that had none.
    dropped: AtomicU64,
}

/// Records the session when told to.
#[derive(Debug)]
pub struct Recorder {
    /// When sessions are recorded.
    pub when: config::When,
    /// What has become of it so far.
    pub status: watch::Receiver<RecordingStatus>,
    messages: SyncSender<Message>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// A recorder of what goes through `picture`, a pad of the pipeline `main`, and comes out of `sound`; it is at rest.
    pub fn new(
        config: &config::Recording,
        main: &gst::Pipeline,
        picture: &gst::Pad,
        sound: &gst_app::AppSrc,
    ) -> io::Result<Self> {
        let (messages, inbox) = sync_channel(MAX_WAITING);
        let (report, status) = watch::channel(RecordingStatus::default());
        let shared = Arc::new(Shared::default());
        tap(picture, Kind::Picture, shared.clone(), messages.clone());
        if let Some(pad) = sound.static_pad("src") {
            tap(&pad, Kind::Sound, shared.clone(), messages.clone());
        }
        let writer =
            Writer::new(config.clone(), main.clone(), picture.clone(), sound.clone(), shared.clone(), report);
        let thread = thread::Builder::new().name("recording".into()).spawn(move || writer.run(&inbox))?;
        Ok(Self { when: config.when, status, messages, shared, thread })
    }

    /// Records from now on.
    pub fn start(&self) {
        self.say(Message::Start(Timestamp::now()));
    }

    /// Records no more; the file becomes whole.
    pub fn stop(&self) {
        // A disk that does not answer may have filled the channel, and nobody is to be recorded against their word.
        self.shared.stopped.store(true, Relaxed);
        self.say(Message::Stop);
    }

    /// Nothing comes for a while: the file becomes whole now, and another one begins when something comes.
    pub fn interrupt(&self) {
        self.say(Message::Interrupt);
    }

    /// Ends the recording and the thread. May take as long as the disk does.
    pub fn end(self) {
        let _ = self.messages.send(Message::End);
        let _ = self.thread.join();
    }

    fn say(&self, message: Message) {
        if self.messages.try_send(message).is_err() {
            tracing::warn!("the recording does not listen: its disk has not answered for seconds");
        }
    }
}

/// Has frames that go through a pad go to the thread as well, while they are wanted. It never waits.
fn tap(pad: &gst::Pad, kind: Kind, shared: Arc<Shared>, frames: SyncSender<Message>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if shared.on.load(Relaxed)
            && !shared.stopped.load(Relaxed)
            && let Some(buffer) = info.buffer()
            && let Some(caps) = pad.current_caps()
            && let Some(at) = running_time(pad, buffer)
        {
            let after_loss = kind == Kind::Picture && shared.lost.swap(false, Relaxed);
            let frame = Frame { kind, at, caps, buffer: buffer.clone(), after_loss };
            if let Err(TrySendError::Full(_)) = frames.try_send(Message::Frame(frame)) {
                shared.dropped.fetch_add(1, Relaxed);
                shared.lost.fetch_or(kind == Kind::Picture, Relaxed);
            }
        }
        gst::PadProbeReturn::Ok
    });
}

fn running_time(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<Duration> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let time = segment.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts()?)?;
    Some(time.into())
}
