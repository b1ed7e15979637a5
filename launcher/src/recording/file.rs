//! Shell: one file of a recording: encoded frames go in, and a Matroska file comes of them, which can be played wherever it is
//! cut off. It encodes nothing and decides nothing; whoever writes to it never waits.
//!
//! ```text
//! appsrc (picture) ─▶ h264parse, h265parse or none ─▶ matroskamux ─▶ filesink
//! appsrc (sound) ─────────────────────────────────────────▲
//! ```

use super::name::UNFINISHED;
use gst::{glib, prelude::*};
use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use vdi_protocol::recording::RecordingFailure;

/// Bytes that may wait for the disk: several seconds of the highest bit rate, and no more of them in memory.
const MAX_WAITING_BYTES: u64 = 32 * 1024 * 1024;
/// Time for the muxer to write what waits, and the index, to a disk that is slow: 32 MB at 1 MB/s. Frames that come meanwhile wait.
pub const FINISH: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// The same when the session ends, which waits for it.
pub const FINISH_AT_THE_END: gst::ClockTime = gst::ClockTime::from_mseconds(2500);
/// What a process that is killed loses of a recording at most, beside what waits for the muxer.
const CLUSTER_NS: i64 = 1_000_000_000;
/// Nobody but the launcher's own user reads what was on somebody's screen. The desktop's programs are that user's too.
const MODE: u32 = 0o600;

/// Why there is no file, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// As pages are told it.
    pub reason: RecordingFailure,
    /// What was tried and what went wrong.
    pub message: String,
}

impl Trouble {
    pub(super) fn new(reason: RecordingFailure, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    pub(super) fn io(err: &io::Error, what: &str) -> Self {
        let reason = match err.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RecordingFailure::DiskFull,
            _ => RecordingFailure::NotWritable,
        };
        Self::new(reason, format!("{what}: {err}"))
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct File {
    pipeline: gst::Pipeline,
    picture: gst_app::AppSrc,
    sound: gst_app::AppSrc,
    /// Its name once it is whole.
    path: PathBuf,
    /// Its name until then.
    part: PathBuf,
    /// Pictures come that need another header than the file has.
    changed: Arc<AtomicBool>,
    /// When the newest picture is shown, and for how long: parsers put a length of their own in its place.
    newest: Arc<Mutex<(gst::ClockTime, gst::ClockTime)>>,
}

impl File {
    /// Begins a file of this name, for pictures and sound of these caps. `None`: there is one of that name.
    pub fn create(
        folder: &Path,
        name: &str,
        picture: &gst::Caps,
        sound: &gst::Caps,
    ) -> Result<Option<Self>, Trouble> {
        let path = folder.join(name);
        let mut part = OsString::from(&path);
        part.push(UNFINISHED);
        let part = PathBuf::from(part);
        let taken = path.try_exists().map_err(|err| Trouble::io(&err, &format!("{}", path.display())))?;
        if taken {
            return Ok(None);
        }
        match fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(&part) {
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(err) => {
                return Err(Trouble::io(&err, &format!("{} cannot be made", part.display())));
            }
        }
        Self::open(path, part, picture, sound).map(Some)
    }

    /// Begins to write into a file that is there.
    fn open(path: PathBuf, part: PathBuf, picture: &gst::Caps, sound: &gst::Caps) -> Result<Self, Trouble> {
        let failed = |err: glib::BoolError| Trouble::new(RecordingFailure::Failed, err.to_string());
        let changed = Arc::new(AtomicBool::new(false));
        let pipeline = gst::Pipeline::new();
        let muxer = gst::ElementFactory::make("matroskamux")
            .property("writing-app", "gst-vdi")
            .property("max-cluster-duration", CLUSTER_NS)
            .build()
            .map_err(failed)?;
        let sink = gst::ElementFactory::make("filesink")
            .property("location", &part)
            // Each buffer goes to the system at once, which keeps it when the process is killed.
            .property_from_str("buffer-mode", "unbuffered")
            .property("sync", false)
            .property("async", false)
            .build()
            .map_err(failed)?;
        let entry = |caps: &gst::Caps| {
            gst_app::AppSrc::builder().caps(caps).format(gst::Format::Time).max_bytes(0).build()
        };
        let entries = [entry(picture), entry(sound)];
        pipeline.add_many([&muxer, &sink]).map_err(failed)?;
        pipeline.add_many(entries.iter()).map_err(failed)?;
        muxer.link(&sink).map_err(failed)?;
        let [picture_entry, sound_entry] = entries;
        let last = match parser(picture) {
            Some((factory, form)) => {
                let parser = gst::ElementFactory::make(factory).build().map_err(failed)?;
                let caps: gst::Caps = form.parse().map_err(failed)?;
                let filter =
                    gst::ElementFactory::make("capsfilter").property("caps", caps).build().map_err(failed)?;
                pipeline.add_many([&parser, &filter]).map_err(failed)?;
                gst::Element::link_many([picture_entry.upcast_ref(), &parser, &filter]).map_err(failed)?;
                filter
            }
            None => picture_entry.clone().upcast(),
        };
        let newest = Arc::default();
        if let Some(pad) = last.static_pad("src") {
            watch(&pad, &changed, &newest);
        }
        last.link_pads(Some("src"), &muxer, Some("video_%u")).map_err(failed)?;
        sound_entry.link_pads(Some("src"), &muxer, Some("audio_%u")).map_err(failed)?;
        let file = Self { pipeline, picture: picture_entry, sound: sound_entry, path, part, changed, newest };
        if file.pipeline.set_state(gst::State::Playing).is_err() {
            let unknown = || Trouble::new(RecordingFailure::Failed, "the file's pipeline does not start");
            return Err(file.trouble().unwrap_or_else(unknown));
        }
        Ok(file)
    }

    /// Where it is now.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Whether more may be written now: the disk has taken most of what came before.
    pub fn has_room(&self) -> bool {
        self.picture.current_level_bytes() + self.sound.current_level_bytes() < MAX_WAITING_BYTES
    }

    /// Whether what comes now needs a file of its own.
    pub fn is_over(&self) -> bool {
        self.changed.load(Relaxed)
    }

    /// Writes a picture.
    pub fn picture(&self, at: Duration, duration: Duration, frame: gst::Buffer) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = (clock(at), clock(duration));
        push(&self.picture, at, frame);
    }

    /// Writes sound.
    pub fn sound(&self, at: Duration, frame: gst::Buffer) {
        push(&self.sound, at, frame);
    }

    /// No more sound is waited for.
    pub fn end_sound(&self) {
        // An entry that takes no more has failed, which the bus tells.
        let _ = self.sound.end_of_stream();
    }

    /// Bytes that have been written.
    pub fn bytes(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |file| file.len())
    }

    /// What has gone wrong, if something has.
    pub fn trouble(&self) -> Option<Trouble> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        Some(self.told(&message))
    }

    fn told(&self, message: &gst::Message) -> Trouble {
        let gst::MessageView::Error(error) = message.view() else {
            return Trouble::new(RecordingFailure::Failed, "the file did not become whole in time");
        };
        let reason = match error.error().kind::<gst::ResourceError>() {
            Some(gst::ResourceError::NoSpaceLeft) => RecordingFailure::DiskFull,
            Some(_) => RecordingFailure::NotWritable,
            None => RecordingFailure::Failed,
        };
        Trouble::new(reason, format!("{} cannot be written: {}", self.part.display(), error.error()))
    }

    /// Writes length and index, and gives it its name. May take as long as `limit`.
    pub fn finish(self, limit: gst::ClockTime) -> Result<PathBuf, Trouble> {
        let _ = self.picture.end_of_stream();
        let _ = self.sound.end_of_stream();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = self.pipeline.bus().and_then(|bus| bus.timed_pop_filtered(limit, &wanted));
        let late = || Trouble::new(RecordingFailure::Failed, "the file did not become whole in time");
        match end.ok_or_else(late)? {
            end if end.type_() == gst::MessageType::Eos => {}
            error => return Err(self.told(&error)),
        }
        let _ = self.pipeline.set_state(gst::State::Null);
        let named = fs::rename(&self.part, &self.path);
        named.map_err(|err| Trouble::io(&err, &format!("{} cannot be renamed", self.part.display())))?;
        Ok(self.path.clone())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// What gives pictures of these caps the form that the file has them in, and that form. Those of VP8, VP9 and AV1 have it.
fn parser(caps: &gst::Caps) -> Option<(&'static str, &'static str)> {
    match caps.structure(0)?.name().as_str() {
        "video/x-h264" => Some(("h264parse", "video/x-h264,stream-format=avc,alignment=au")),
        "video/x-h265" => Some(("h265parse", "video/x-h265,stream-format=hvc1,alignment=au")),
        _ => None,
    }
}

/// Looks at what goes to the muxer. A file has one header: what an encoder makes that has taken over may need another one, under
/// the same caps of its own, and is held back. The newest picture, which may be the last, gets its true length.
fn watch(pad: &gst::Pad, changed: &Arc<AtomicBool>, newest: &Arc<Mutex<(gst::ClockTime, gst::ClockTime)>>) {
    let (header, changed, newest) = (OnceLock::new(), changed.clone(), newest.clone());
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) {
            let caps = caps.caps_owned();
            let header = header.get_or_init(|| caps.clone());
            if *header != caps {
                changed.fetch_or(codec_data(header) != codec_data(&caps), Relaxed);
                return gst::PadProbeReturn::Drop;
            }
        }
        if let Some(buffer) = info.buffer_mut() {
            if changed.load(Relaxed) {
                return gst::PadProbeReturn::Drop;
            }
            let (at, duration) = *newest.lock().unwrap_or_else(PoisonError::into_inner);
            if buffer.pts() == Some(at) {
                buffer.make_mut().set_duration(duration);
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// What decoders have to know before the first picture.
fn codec_data(caps: &gst::Caps) -> Option<Vec<u8>> {
    let data = caps.structure(0)?.get::<gst::Buffer>("codec_data").ok()?;
    Some(data.map_readable().ok()?.to_vec())
}

fn clock(time: Duration) -> gst::ClockTime {
    gst::ClockTime::try_from(time).unwrap_or(gst::ClockTime::MAX)
}

fn push(entry: &gst_app::AppSrc, at: Duration, mut frame: gst::Buffer) {
    let told = frame.make_mut();
    told.set_pts(clock(at));
    // No frame is shown in another order than it was encoded in.
    told.set_dts(clock(at));
    // An entry that takes no more has failed, which the bus tells.
    let _ = entry.push_buffer(frame);
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
