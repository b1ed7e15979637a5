//! Shell: proves an encoder by using it: a few frames of the real size go through a private pipeline with the real
//! settings, and what comes out is read. Refuses to wait longer than it was told, even for a driver that hangs.
//!
//! The pipeline lives on a thread of its own. Time that runs out, or an element that is stopped meanwhile, ends the
//! wait and not the thread: a hung driver cannot be stopped, so pipeline and thread are left to it. The cache sees to
//! it that this happens once per encoder and size in the life of the process.

use gst::prelude::*;
use gst_video::VideoInfo;
use std::{
    hash::{Hash, Hasher},
    path::Path,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::{
    CAT,
    bitstream::{self, Contents, Expected},
    cache::{Cache, Key},
    chain::Chain,
    input, isolated, nvidia, nvidia_facts,
    proof_file::{self, since_boot},
    rate::Bitrate,
    select::{Reason, Rejection},
    table::{Driver, Row},
    verdict,
};

/// Frames per proof: a key frame, and enough after it to reach what fails only then.
const FRAMES: usize = 4;

/// Different pictures among them, so that there is something to encode without holding many large frames.
const PICTURES: usize = 2;

/// What became of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The encoder works.
    Proven,
    /// It does not.
    Rejected(Rejection),
    /// Nobody wants to know any more.
    Cancelled,
}

/// Ends the wait of a proof from another thread.
#[derive(Debug, Default)]
pub struct Cancel {
    state: Mutex<CancelState>,
}

#[derive(Debug, Default)]
enum CancelState {
    /// Nobody waits.
    #[default]
    Idle,
    /// Somebody waits for what comes here.
    Waiting(mpsc::Sender<Outcome>),
    /// Every wait ends at once.
    Cancelled,
}

impl Cancel {
    fn swap(&self, state: CancelState) -> CancelState {
        std::mem::replace(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// Ends the running proof, and every later one until [`Self::reset`].
    pub fn cancel(&self) {
        if let CancelState::Waiting(waiter) = self.swap(CancelState::Cancelled) {
            // A waiter that is gone needs no telling.
            let _ = waiter.send(Outcome::Cancelled);
        }
    }

    /// Whether everything is to come to an end.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), CancelState::Cancelled)
    }

    /// Allows proofs again.
    pub fn reset(&self) {
        self.swap(CancelState::Idle);
    }

    /// Registers a waiter; false if cancelled already.
    fn enter(&self, waiter: &mpsc::Sender<Outcome>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, CancelState::Cancelled) {
            return false;
        }
        *state = CancelState::Waiting(waiter.clone());
        true
    }

    fn leave(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, CancelState::Waiting(_)) {
            *state = CancelState::Idle;
        }
    }
}

/// What this process knows.
static RESULTS: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

/// Software that is late is slow and not hung, and slow is better than no picture: on a machine under load it gets this
/// many times as long.
const SOFTWARE_PATIENCE: u32 = 10;

/// How long the row may take where hardware may take `timeout`.
pub fn limit(row: &Row, timeout: Duration) -> Duration {
    if row.hardware { timeout } else { timeout.saturating_mul(SOFTWARE_PATIENCE) }
}

fn results() -> MutexGuard<'static, Cache> {
    RESULTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a proof of this row with this input holds for.
fn key(row: &Row, factory: &gst::ElementFactory, caps: &gst::Caps) -> Key {
    let plugin = factory.plugin();
    let file = plugin.as_ref().and_then(|plugin| plugin.filename()).unwrap_or_default();
    let changed = std::fs::metadata(&file).and_then(|metadata| metadata.modified()).ok();
    let changed =
        changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    let version = plugin.map(|plugin| plugin.version().to_string()).unwrap_or_default();
    // The type is known only after the plugin was loaded, and needed only where there is none.
    let implementation = if file.as_os_str().is_empty() {
        factory.element_type().name().to_owned()
    } else {
        format!("{} {version} of {}", file.display(), changed.as_millis())
    };
    let mut fingerprint = std::hash::DefaultHasher::new();
    format!("{row:?}").hash(&mut fingerprint);
    Key {
        factory: row.factory.to_owned(),
        implementation,
        row: format!("{:016x}", fingerprint.finish()),
        devices: if row.hardware { devices() } else { String::new() },
        caps: caps.to_string(),
    }
}

/// The device nodes that encoders use.
fn devices() -> String {
    let mut all = [names_in("/dev", "nvidia"), names_in("/dev/dri", "renderD")].concat();
    all.sort();
    all.join(" ")
}

fn names_in(folder: &str, prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// Proves the row's encoder for this input, or remembers how that went before, here or in a process that uses the same
/// cache file.
pub fn prove(
    row: &'static Row,
    caps: &gst::Caps,
    rate: Bitrate,
    timeout: Duration,
    cancel: &Cancel,
    cache: Option<&Path>,
) -> Outcome {
    let Some(factory) = gst::ElementFactory::find(row.factory) else {
        let absent = Rejection::new(Reason::NoFactory, format!("{} is not installed", row.factory));
        return Outcome::Rejected(explained(row, absent));
    };
    let key = key(row, &factory, caps);
    let recall = || results().get(&key, since_boot());
    let known = recall().or_else(|| {
        let file = proof_file::load(cache?);
        results().merge(file);
        recall()
    });
    if let Some((outcome, age)) = known {
        gst::debug!(CAT, "{} with {caps}: {outcome:?}, as {age:?} ago", row.factory);
        return outcome;
    }

    let outcome = match prove_now(row, caps, rate, limit(row, timeout), cancel) {
        Outcome::Rejected(rejection) => Outcome::Rejected(explained(row, rejection)),
        outcome => outcome,
    };
    gst::info!(CAT, "{} with {caps}: {outcome:?}", row.factory);
    results().insert(key, row.hardware, outcome.clone(), since_boot());
    if let (Some(path), true) = (cache, outcome != Outcome::Cancelled) {
        // Others may have written since it was read.
        let file = proof_file::load(path);
        let mut known = results();
        known.merge(file);
        proof_file::save(path, &known);
    }
    outcome
}

/// Time for plugins to be loaded from a disk.
const LOAD_LIMIT: Duration = Duration::from_secs(5);

/// Loads what the software encoders among these are made of before a driver is asked, once for each: GStreamer loads one plugin at a
/// time, and one whose driver hangs meanwhile would keep all others away.
pub fn load_software(rows: &[&'static Row], info: &VideoInfo, rate: Bitrate) {
    static LOADED: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    if rows.first().is_none_or(|row| !row.hardware) {
        return;
    }
    let rows: Vec<_> = {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = rows.iter().filter(|row| !row.hardware && !loaded.contains(&row.factory));
        let unknown: Vec<_> = unknown.copied().collect();
        loaded.extend(unknown.iter().map(|row| row.factory));
        unknown
    };
    if rows.is_empty() {
        return;
    }
    let (done, loaded) = mpsc::channel::<()>();
    let info = info.clone();
    // Why one cannot be made is told when it is its turn, and a thread that is stuck is left behind.
    let _ = thread::Builder::new().name("load-software".into()).spawn(move || {
        rows.iter().for_each(|row| drop(Chain::new(row, &info, input::full_size(&info), rate)));
        drop(done);
    });
    let _ = loaded.recv_timeout(LOAD_LIMIT);
}

/// The same rejection with the reason behind it, where the machine knows more than the element.
fn explained(row: &Row, rejection: Rejection) -> Rejection {
    match row.driver {
        Some(Driver::Nvidia) => match nvidia_facts::facts() {
            Some(facts) => nvidia::explain(rejection, &facts),
            None => rejection,
        },
        // GStreamer's plugin makes its elements for the render nodes that it finds.
        Some(Driver::Va) if rejection.reason == Reason::NoFactory && !has_render_node() => {
            Rejection::new(Reason::NoDevice, "there is no render node")
        }
        _ => rejection,
    }
}

fn has_render_node() -> bool {
    !names_in("/dev/dri", "renderD").is_empty()
}

/// Forgets what is known of this row, so that the next proof is a real one.
pub fn forget(row: &Row) {
    results().forget(row.factory, since_boot());
}

fn prove_now(
    row: &'static Row,
    caps: &gst::Caps,
    rate: Bitrate,
    timeout: Duration,
    cancel: &Cancel,
) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    if !cancel.enter(&sender) {
        return Outcome::Cancelled;
    }
    let caps = caps.clone();
    // Whoever waits holds this; a child process without it is ended.
    let waiter = Arc::new(());
    let waiting = Arc::downgrade(&waiter);
    let spawned = thread::Builder::new().name(format!("prove-{}", row.factory)).spawn(move || {
        let is_wanted = || waiting.strong_count() > 0;
        let outcome = match test_encode(row, &caps, rate, timeout, is_wanted) {
            Ok(()) => Outcome::Proven,
            Err(rejection) => Outcome::Rejected(rejection),
        };
        // Whoever waited may have given up.
        let _ = sender.send(outcome);
    });
    let outcome = match spawned {
        Ok(_) => receiver.recv_timeout(timeout).unwrap_or_else(|error| {
            Outcome::Rejected(match error {
                mpsc::RecvTimeoutError::Timeout => late(timeout),
                mpsc::RecvTimeoutError::Disconnected => {
                    Rejection::new(Reason::EncodeError, "the test encode panicked")
                }
            })
        }),
        Err(error) => {
            Outcome::Rejected(Rejection::new(Reason::InitError, format!("no thread to prove it on: {error}")))
        }
    };
    drop(waiter);
    cancel.leave();
    outcome
}

/// The test encode itself, here or in a child process.
fn test_encode(
    row: &'static Row,
    caps: &gst::Caps,
    rate: Bitrate,
    timeout: Duration,
    is_wanted: impl Fn() -> bool,
) -> Result<(), Rejection> {
    let ours = |error: &dyn std::fmt::Display| Rejection::new(Reason::CapsNotNegotiated, error.to_string());
    let info = VideoInfo::from_caps(caps).map_err(|error| ours(&error))?;
    let chain = Chain::new(row, &info, input::full_size(&info), rate)?;
    let (units, pictures) = if row.isolated {
        (isolated::encode(&chain, &info, timeout, is_wanted)?, isolated::FRAMES)
    } else {
        (TestEncode::start(chain, caps, &info)?.finish(timeout)?, FRAMES)
    };
    match bitstream::fault(&units, expected(row, &info, pictures)) {
        None => Ok(()),
        Some(fault) => Err(Rejection::new(Reason::BadOutput, fault)),
    }
}

fn late(timeout: Duration) -> Rejection {
    Rejection::new(
        Reason::TimeOut,
        format!("{FRAMES} frames were not done within {} ms", timeout.as_millis()),
    )
}

/// What a test encode with this input must give.
fn expected(row: &'static Row, info: &VideoInfo, pictures: usize) -> Expected<'static> {
    let (right, bottom) = input::odd_edge_px(info);
    Expected {
        pictures,
        width: info.width() - right.unsigned_abs(),
        height: info.height() - bottom.unsigned_abs(),
        profiles: row.profiles,
        max_slices: row.max_slices,
    }
}

/// A private pipeline with one encoder in it.
struct TestEncode {
    row: &'static Row,
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    units: Arc<Mutex<Vec<Contents>>>,
}

impl TestEncode {
    /// Starts the pipeline and gives it all its frames.
    fn start(chain: Chain, caps: &gst::Caps, info: &VideoInfo) -> Result<Self, Rejection> {
        let ours =
            |error: &dyn std::fmt::Display| Rejection::new(Reason::CapsNotNegotiated, error.to_string());
        let row = chain.row;
        let pipeline = gst::Pipeline::new();
        let bus = pipeline.bus().ok_or_else(|| ours(&"a pipeline without bus"))?;
        let source = gst_app::AppSrc::builder().caps(caps).format(gst::Format::Time).max_bytes(0).build();
        let units = Arc::new(Mutex::new(Vec::with_capacity(FRAMES)));
        let sink = gst_app::AppSink::builder().sync(false).callbacks(collect(row, &units)).build();

        pipeline.add_many([source.upcast_ref::<gst::Element>(), sink.upcast_ref()]).map_err(|e| ours(&e))?;
        chain.add_to(pipeline.upcast_ref()).map_err(|error| ours(&error))?;
        let (first, last) = (&chain.elements()[0], &chain.elements()[chain.elements().len() - 1]);
        source.link(first).and_then(|()| last.link(&sink)).map_err(|error| ours(&error))?;

        let test = Self { row, pipeline, bus, units };
        if test.pipeline.set_state(gst::State::Playing).is_err() {
            let rejection = test.verdict(test.bus.pop_filtered(&[gst::MessageType::Error]));
            test.stop();
            return Err(rejection);
        }
        for frame in frames(info) {
            // A source that takes no more has had an error, and that is on the bus.
            if source.push_buffer(frame).is_err() {
                break;
            }
        }
        let _ = source.end_of_stream();
        Ok(test)
    }

    /// Waits for the last frame and returns what came out.
    fn finish(self, timeout: Duration) -> Result<Vec<Contents>, Rejection> {
        let limit = gst::ClockTime::try_from(timeout).unwrap_or(gst::ClockTime::MAX);
        let end = self.bus.timed_pop_filtered(limit, &[gst::MessageType::Error, gst::MessageType::Eos]);
        match end {
            // Stopping may hang as well; by then the waiter has left with a time-out of its own.
            None => {
                self.stop();
                Err(late(timeout))
            }
            Some(message) if message.type_() == gst::MessageType::Eos => {
                // A session that is still open may be the only one, and the stream needs it next.
                self.stop();
                let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(std::mem::take(&mut *units))
            }
            message => {
                let rejection = self.verdict(message);
                self.stop();
                Err(rejection)
            }
        }
    }

    fn stop(&self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }

    fn verdict(&self, message: Option<gst::Message>) -> Rejection {
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => verdict::of_error(error),
            _ => Rejection::new(
                Reason::InitError,
                format!("{} does not start and does not say why", self.row.factory),
            ),
        }
    }
}

fn collect(row: &'static Row, units: &Arc<Mutex<Vec<Contents>>>) -> gst_app::AppSinkCallbacks {
    let units = units.clone();
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
            let bytes = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
            units.lock().unwrap_or_else(PoisonError::into_inner).push(bitstream::inspect(row.codec, &bytes));
            Ok(gst::FlowSuccess::Ok)
        })
        .build()
}

/// Frames of the real size and format at the real rate.
fn frames(info: &VideoInfo) -> Vec<gst::Buffer> {
    let pictures: Vec<_> = (0..PICTURES).map(|n| gst::Memory::from_slice(picture(info.size(), n))).collect();
    let frame_ns = input::frame_rate(info).frame_ns();
    let at = |n: usize| gst::ClockTime::from_nseconds(frame_ns * n as u64);
    (0..FRAMES)
        .map(|n| {
            let mut buffer = gst::Buffer::new();
            {
                // A buffer that was just made has one owner.
                let buffer = buffer.make_mut();
                buffer.append_memory(pictures[n % PICTURES].clone());
                buffer.set_pts(at(n));
                buffer.set_duration(at(1));
            }
            buffer
        })
        .collect()
}

/// Bytes with edges and gradients, whatever the format makes of them.
fn picture(size: usize, seed: usize) -> Vec<u8> {
    const TILE: usize = 64 * 1024;
    let tile: Vec<u8> = (0..TILE).map(|i| ((i ^ (i >> 9)) + 97 * seed) as u8).collect();
    let mut picture = tile.repeat(size.div_ceil(TILE));
    picture.truncate(size);
    picture
}

#[cfg(test)]
mod tests {
    use super::{super::table::ENCODERS, *};

    #[test]
    fn software_has_patience() {
        let row = |factory| ENCODERS.iter().find(|row| row.factory == factory).unwrap();
        let (hardware, software) = (row("nvh264enc"), row("x264enc"));
        assert_eq!(limit(hardware, Duration::from_secs(2)), Duration::from_secs(2));
        assert_eq!(limit(software, Duration::from_secs(2)), Duration::from_secs(20));
    }

    #[test]
    fn a_picture_has_the_size_of_its_format() {
        for size in [0, 1, 65_536, 65_537, 3_110_400] {
            assert_eq!(picture(size, 1).len(), size);
        }
    }
}
