//! Shell: the recording's thread: takes frames from the channel, has the cutter decide what becomes of them, and does it with
//! files; looks now and then at how much there is, and how much room is left.

use super::{
    Frame, Kind, Message, Shared,
    cutter::{Act, Cutter, Picture},
    file::{self, File, Trouble},
    name::name,
};
use crate::{config, latest::Latest};
use gst::prelude::*;
use jiff::Timestamp;
use rustix::fs::statvfs;
use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;
use vdi_protocol::{recording::RecordingFailure, status::RecordingStatus};

/// Time between two looks at the file and at what is free on its disk: 3 MB at 20 Mbit/s.
const LOOK: Duration = Duration::from_secs(1);
/// A file that is larger is ended, and the next one begun. 4 GiB is what a file may have on FAT, and what much that copies files
/// takes; the key frame with which the next one begins has to come before that.
const MAX_FILE_BYTES: u64 = (4 << 30) - (64 << 20);
/// Below this a disk counts as full: the desktop's own programs may need the rest, and work that cannot be saved is worse than a
/// recording that ends.
const MIN_FREE_BYTES: u64 = 512 << 20;
/// Files of one session: what cuts them has its own spacing, so this many mean that something is wrong. It also ends the search
/// for a free name.
const MAX_FILES: u32 = 10_000;

/// Least time from one start to the next: each asks for a key frame and makes a file. One that is wanted sooner waits for so long.
const START_AGAIN: Duration = Duration::from_secs(1);

/// What the thread owns.
pub struct Writer {
    config: config::Recording,
    /// Whose running time counts.
    main: gst::Pipeline,
    /// Where key frames are asked for.
    encoder: gst::Pad,
    /// Whose caps the sound has.
    sound: gst_app::AppSrc,
    shared: Arc<Shared>,
    report: watch::Sender<RecordingStatus>,
    cutter: Cutter<gst::Buffer>,
    /// The pictures' caps, and how often they have changed.
    caps: Option<gst::Caps>,
    form: u32,
    file: Option<File>,
    began: Timestamp,
    /// Number of the last file of this recording.
    number: u32,
    /// Bytes of the files before the present one.
    bytes_before: u64,
    /// How long a file may take to become whole.
    finish_limit: gst::ClockTime,
    /// When it was last begun, in running time.
    started: Option<Duration>,
    /// A start that came too soon after that.
    wanted: Option<Timestamp>,
}

impl Writer {
    pub fn new(
        config: config::Recording,
        main: gst::Pipeline,
        encoder: gst::Pad,
        sound: gst_app::AppSrc,
        shared: Arc<Shared>,
        report: watch::Sender<RecordingStatus>,
    ) -> Self {
        Self {
            config,
            main,
            encoder,
            sound,
            shared,
            report,
            cutter: Cutter::default(),
            caps: None,
            form: 0,
            file: None,
            began: Timestamp::UNIX_EPOCH,
            number: 0,
            bytes_before: 0,
            finish_limit: file::FINISH,
            started: None,
            wanted: None,
        }
    }

    /// Does what it is told until the end.
    #[expect(clippy::disallowed_methods, reason = "the shell gives the time")]
    pub fn run(mut self, inbox: &Receiver<Message>) {
        let mut looked = Instant::now();
        loop {
            let message = inbox.recv_timeout(LOOK.saturating_sub(looked.elapsed()));
            if self.shared.stopped.swap(false, Relaxed) {
                self.stop();
            }
            match message {
                Ok(Message::Frame(frame)) => self.frame(frame),
                Ok(Message::Start(now)) => self.start(now),
                Ok(Message::Stop) => self.stop(),
                Ok(Message::Interrupt) => {
                    let acts = self.cutter.interrupt(self.now());
                    self.act(acts);
                }
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(wanted) = self.wanted.take() {
                self.start(wanted);
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look();
            }
        }
        self.finish_limit = file::FINISH_AT_THE_END;
        self.stop();
    }

    /// Running time of the main pipeline.
    fn now(&self) -> Duration {
        self.main.current_running_time().unwrap_or_default().into()
    }

    fn is_on(&self) -> bool {
        self.shared.on.load(Relaxed)
    }

    fn start(&mut self, now: Timestamp) {
        if self.is_on() {
            return;
        }
        let running_time = self.now();
        if self.started.is_some_and(|at| running_time.saturating_sub(at) < START_AGAIN) {
            self.wanted = Some(now);
            return;
        }
        self.started = Some(running_time);
        (self.began, self.number) = (now, 0);
        let room = self.has_room();
        self.shared.on.store(true, Relaxed);
        self.report.send_modify(|status| {
            (status.running, status.started_at) = (true, Some(format!("{now:.0}")));
            (status.failure, status.message) = (None, None);
        });
        if let Err(trouble) = room {
            return self.fail(&trouble);
        }
        tracing::info!(folder = %self.config.folder.display(), "the session is recorded");
        let acts = self.cutter.start(self.now());
        self.act(acts);
    }

    fn stop(&mut self) {
        self.wanted = None;
        if !self.is_on() {
            return;
        }
        let acts = self.cutter.stop(self.now());
        self.act(acts);
        if self.is_on() {
            self.rest();
            tracing::info!("the session is recorded no more");
        }
    }

    /// Writes no more.
    fn rest(&mut self) {
        self.shared.on.store(false, Relaxed);
        if let Some(unfinished) = self.file.take() {
            self.bytes_before += unfinished.bytes();
        }
        self.tell();
        self.report.send_modify(|status| (status.running, status.started_at) = (false, None));
    }

    /// Ends the recording although nobody wanted that.
    fn fail(&mut self, trouble: &Trouble) {
        let (reason, message) = (trouble.reason, trouble.message.clone());
        tracing::warn!(reason = reason.as_str(), "the recording has ended: {message}");
        self.cutter.stop(self.now());
        self.rest();
        self.report.send_modify(|status| {
            status.failures += 1;
            (status.failure, status.message) = (Some(reason), Some(message));
        });
    }

    fn frame(&mut self, frame: Frame) {
        let Frame { kind, at, caps, buffer, after_loss } = frame;
        if self.file.as_ref().is_some_and(File::is_over) {
            let acts = self.cutter.interrupt(at);
            self.act(acts);
        }
        let room = self.file.as_ref().is_none_or(File::has_room);
        let acts = match kind {
            Kind::Sound => self.cutter.sound(at, buffer, room),
            Kind::Picture => {
                if self.caps.as_ref() != Some(&caps) {
                    self.caps = Some(caps);
                    self.form += 1;
                }
                let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                let picture = Picture { at, key, form: self.form, after_loss, content: buffer };
                self.cutter.picture(picture, room)
            }
        };
        self.act(acts);
    }

    fn act(&mut self, acts: Vec<Act<gst::Buffer>>) {
        for act in acts {
            let done = match (act, &self.file) {
                (Act::AskKeyFrame, _) => {
                    let wanted = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
                    self.encoder.send_event(wanted);
                    Ok(())
                }
                (Act::Begin, _) => self.begin(),
                (Act::Picture(at, duration, frame), Some(file)) => {
                    file.picture(at, duration, frame);
                    Ok(())
                }
                (Act::Sound(at, frame), Some(file)) => {
                    file.sound(at, frame);
                    Ok(())
                }
                (Act::EndSound, Some(file)) => {
                    file.end_sound();
                    Ok(())
                }
                (Act::End, Some(_)) => self.finish(),
                (_, None) => Ok(()),
            };
            if let Err(trouble) = done {
                return self.fail(&trouble);
            }
        }
    }

    /// Begins the next file, under the next name that is free.
    fn begin(&mut self) -> Result<(), Trouble> {
        let (Some(caps), Some(sound)) = (&self.caps, self.sound.caps()) else { return Ok(()) };
        while self.number < MAX_FILES && self.report.look(|told| told.files) < MAX_FILES {
            self.number += 1;
            let name = name(self.began, self.number);
            let Some(file) = File::create(&self.config.folder, &name, caps, &sound)? else { continue };
            tracing::info!(file = %file.part().display(), "a file of the recording");
            self.report.send_modify(|status| {
                status.files += 1;
                status.file = Some(file.part().display().to_string());
            });
            self.file = Some(file);
            return Ok(());
        }
        let words = format!("{} has {MAX_FILES} files of this session", self.config.folder.display());
        Err(Trouble::new(RecordingFailure::TooLarge, words))
    }

    /// Makes the present file whole.
    fn finish(&mut self) -> Result<(), Trouble> {
        let Some(file) = self.file.take() else { return Ok(()) };
        self.bytes_before += file.bytes();
        let path = file.finish(self.finish_limit)?;
        tracing::info!(file = %path.display(), "a file of the recording is whole");
        self.report.send_modify(|status| status.file = None);
        Ok(())
    }

    /// Looks at how much there is, and at the time.
    fn look(&mut self) {
        if !self.is_on() {
            return;
        }
        if let Some(trouble) = self.file.as_ref().and_then(File::trouble) {
            return self.fail(&trouble);
        }
        if let Err(trouble) = self.has_room() {
            // What is there becomes whole: the index takes little.
            let acts = self.cutter.stop(self.now());
            self.act(acts);
            if self.is_on() {
                self.fail(&trouble);
            }
            return;
        }
        let now = self.now();
        let mut acts = self.cutter.tick(now);
        if self.file.as_ref().is_some_and(|file| file.bytes() >= MAX_FILE_BYTES) {
            acts.extend(self.cutter.fill(now));
        }
        self.act(acts);
        self.tell();
    }

    fn bytes(&self) -> u64 {
        self.bytes_before + self.file.as_ref().map_or(0, File::bytes)
    }

    /// Whether there may be more of it, and can be.
    fn has_room(&self) -> Result<(), Trouble> {
        let folder = self.config.folder.display();
        if self.bytes() >= self.config.max_bytes {
            let words = format!("a session may have {} bytes of recordings", self.config.max_bytes);
            return Err(Trouble::new(RecordingFailure::TooLarge, words));
        }
        let disk = statvfs(&self.config.folder)
            .map_err(|err| Trouble::io(&io::Error::from(err), &format!("{folder} cannot be looked at")))?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < MIN_FREE_BYTES {
            let words = format!("{folder} has less than {} MiB free", MIN_FREE_BYTES >> 20);
            return Err(Trouble::new(RecordingFailure::DiskFull, words));
        }
        Ok(())
    }

    fn tell(&self) {
        let bytes_written = self.bytes();
        let frames_dropped = self.cutter.dropped() + self.shared.dropped.load(Relaxed);
        let file = self.file.as_ref().map(|file| file.part().display().to_string());
        self.report.send_if_modified(|status| {
            let told = (status.bytes_written, status.frames_dropped, &status.file);
            let changed = told != (bytes_written, frames_dropped, &file);
            (status.bytes_written, status.frames_dropped, status.file) =
                (bytes_written, frames_dropped, file);
            changed
        });
    }
}
