//! Shell: a test encode in a child process, for encoders of which versions are known to end the process they run in.
//! The child is `gst-launch-1.0` with the very settings of the chain; its output comes back as files in a private
//! folder. Refuses to guess: without a way to start the child the encoder stays unproven.

use gst::{glib, prelude::*};
use gst_video::VideoInfo;
use std::{
    fs,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    bitstream::{self, Contents},
    chain::Chain,
    select::{Reason, Rejection},
    verdict,
};

/// What is started.
const LAUNCHER: &str = "gst-launch-1.0";

/// Rate controls that go astray take a dozen frames to do so.
pub const FRAMES: usize = 30;

/// An access unit larger than that is no access unit.
const MAX_UNIT_BYTES: u64 = 64 << 20;

/// Of the child's error output, as much as a few lines are.
const MAX_WORDS_BYTES: u64 = 16 << 10;

/// Between two looks at the child.
const POLL: Duration = Duration::from_millis(10);

/// A child that has failed may take so long to end.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// Seconds of processor time after which the kernel ends a child that outlived this process.
const CPU_LIMIT_SECONDS: u32 = 120;

fn failed(reason: Reason, what: &str, error: &dyn std::fmt::Display) -> Rejection {
    Rejection::new(reason, format!("{what}: {error}"))
}

/// Encodes test frames with these elements and returns what came out. Ends the child when the time is up, or when
/// `is_wanted` says that nobody waits any more.
pub fn encode(
    chain: &Chain,
    info: &VideoInfo,
    timeout: Duration,
    is_wanted: impl Fn() -> bool,
) -> Result<Vec<Contents>, Rejection> {
    encode_with(LAUNCHER, chain, info, timeout, is_wanted)
}

fn encode_with(
    launcher: &str,
    chain: &Chain,
    info: &VideoInfo,
    timeout: Duration,
    is_wanted: impl Fn() -> bool,
) -> Result<Vec<Contents>, Rejection> {
    let unproven = |what, error: &dyn std::fmt::Display| failed(Reason::Unproven, what, error);
    let folder = tempfile::Builder::new()
        .prefix("vdi-proof-")
        .tempdir()
        .map_err(|error| unproven("no folder for its output", &error))?;
    let words = folder.path().join("words");
    let stderr = fs::File::create(&words).map_err(|error| unproven("no file for its words", &error))?;
    let arguments = arguments(chain, info, folder.path())
        .map_err(|error| unproven("its settings cannot be written down", &error))?;

    // The shell keeps the process: it only sets limits. A core file of a crash that is expected helps nobody.
    let child = Command::new("sh")
        .args(["-c", &format!("ulimit -c 0; ulimit -t {CPU_LIMIT_SECONDS}; exec \"$@\""), "sh", launcher])
        .args(arguments)
        .current_dir(folder.path())
        .env("LC_ALL", "C")
        .env_remove("GST_DEBUG")
        .env_remove("GST_DEBUG_FILE")
        .env_remove("GST_DEBUG_DUMP_DOT_DIR")
        .env_remove("GST_TRACERS")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .map_err(|error| unproven("no child process to prove it in", &error))?;
    let has_failed = || said_error(&read(&words, MAX_WORDS_BYTES)).is_some();
    let status = wait(child, timeout, is_wanted, has_failed)?;
    verdict_of(launcher, status, &read(&words, MAX_WORDS_BYTES))?;
    Ok(units(chain, folder.path()))
}

/// Waits for the end of the child, and how it ended; `None` is a child that has said what its failure was and does not
/// end: `gst-launch-1.0` may hang in its own clean-up.
#[expect(clippy::disallowed_methods, reason = "a shell: the child's time is real time")]
fn wait(
    mut child: Child,
    timeout: Duration,
    is_wanted: impl Fn() -> bool,
    has_failed: impl Fn() -> bool,
) -> Result<Option<ExitStatus>, Rejection> {
    let start = Instant::now();
    let mut failed_at: Option<Instant> = None;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Ok(None) if start.elapsed() < timeout && is_wanted() => {
                if failed_at.is_none() && has_failed() {
                    failed_at = Some(Instant::now());
                }
                if failed_at.is_some_and(|at| at.elapsed() > CLEAN_UP) {
                    end(&mut child);
                    return Ok(None);
                }
                thread::sleep(POLL);
            }
            Ok(None) => {
                end(&mut child);
                let text = format!("{FRAMES} frames were not done within {} ms", timeout.as_millis());
                return Err(Rejection::new(Reason::TimeOut, text));
            }
            Err(error) => return Err(failed(Reason::Unproven, "the child cannot be waited for", &error)),
        }
    }
}

fn end(child: &mut Child) {
    // It may have ended meanwhile; waiting for it takes no time either way.
    let _ = child.kill();
    let _ = child.wait();
}

/// The error that the child has told, as in "ERROR: from element /GstPipeline:pipeline0/GstX:x0: what the element says".
fn said_error(words: &str) -> Option<String> {
    let rest = words.lines().find_map(|line| line.strip_prefix("ERROR: from element "))?;
    Some(rest.split_once(": ")?.1.trim().to_owned())
}

/// What a child's end means, given the last that it said.
fn verdict_of(launcher: &str, status: Option<ExitStatus>, words: &str) -> Result<(), Rejection> {
    const NOT_FOUND: i32 = 127;
    if status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    if let Some(signal) = status.and_then(|status| status.signal()) {
        let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let text = format!("it ended its process with signal {signal}: {}", last.trim());
        return Err(Rejection::new(Reason::Crashed, text.trim_end_matches(": ")));
    }
    if status.and_then(|status| status.code()) == Some(NOT_FOUND) {
        let text = format!("{launcher}, in which it would be proven, is not installed");
        return Err(Rejection::new(Reason::Unproven, text));
    }
    let erroneous = || words.lines().find_map(|line| line.strip_prefix("WARNING: erroneous pipeline: "));
    let said = said_error(words).or_else(|| Some(erroneous()?.trim().to_owned()));
    let said = said.unwrap_or_else(|| words.trim().to_owned());
    Err(Rejection::new(verdict::of_words(words).unwrap_or(Reason::EncodeError), said))
}

fn read(path: &Path, limit: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        // Half of it is better than nothing.
        let _ = file.take(limit).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The output, in order. A file that cannot be read is a picture that is not there.
fn units(chain: &Chain, folder: &Path) -> Vec<Contents> {
    let mut units = Vec::new();
    // One more than there may be, so that too many are seen.
    for number in 0..=FRAMES {
        let Ok(file) = fs::File::open(folder.join(unit_name(number))) else { break };
        let mut bytes = Vec::new();
        let _ = file.take(MAX_UNIT_BYTES).read_to_end(&mut bytes);
        units.push(bitstream::inspect(chain.row.codec, &bytes));
    }
    units
}

fn unit_name(number: usize) -> String {
    format!("unit-{number:05}")
}

/// The child's arguments: a launch line that reads like the chain.
fn arguments(chain: &Chain, info: &VideoInfo, folder: &Path) -> Result<Vec<String>, glib::BoolError> {
    let mut arguments: Vec<String> = ["--quiet", "--no-fault", "videotestsrc"].map(Into::into).into();
    arguments.push(format!("num-buffers={FRAMES}"));
    // Noise: the most that a rate control can be given to do.
    arguments.push("pattern=snow".into());
    arguments.extend(["!", "videoconvert", "!", "capsfilter"].map(Into::into));
    arguments.push(format!("caps={}", quoted(&info.to_caps()?.to_string())));
    for element in chain.elements() {
        arguments.push("!".into());
        arguments.extend(described(element)?);
    }
    arguments.extend(["!", "multifilesink", "next-file=buffer", "sync=false"].map(Into::into));
    arguments.push(format!("location={}", quoted(&folder.join("unit-%05d").to_string_lossy())));
    Ok(arguments)
}

/// An element's factory, and every property that is not as in a new element; the defaults that properties declare are
/// not always those.
fn described(element: &gst::Element) -> Result<Vec<String>, glib::BoolError> {
    let factory = element.factory().ok_or_else(|| glib::bool_error!("an element without factory"))?;
    let new = factory.create().build()?;
    let mut words = vec![factory.name().to_string()];
    for pspec in element.list_properties() {
        let is_ours = pspec.flags().contains(glib::ParamFlags::READWRITE)
            && !["name", "parent"].contains(&pspec.name());
        if !is_ours {
            continue;
        }
        let held = |element: &gst::Element| text(&element.property_value(pspec.name()));
        // What has no text cannot have been set from one.
        if let (Some(text), Some(default)) = (held(element), held(&new))
            && text != default
        {
            words.push(format!("{}={}", pspec.name(), quoted(&text)));
        }
    }
    Ok(words)
}

fn text(value: &glib::Value) -> Option<String> {
    match value.get::<Option<String>>() {
        Ok(text) => Some(text.unwrap_or_default()),
        Err(_) => Some(value.serialize().ok()?.to_string()),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            rate::Bitrate,
            table::{ENCODERS, Row, Value},
        },
        *,
    };
    use gst_video::VideoFormat;

    const LONG: Duration = Duration::from_secs(120);

    fn info(format: VideoFormat) -> VideoInfo {
        gst::init().unwrap();
        VideoInfo::builder(format, 322, 242).fps((60, 1)).build().unwrap()
    }

    fn chain(row: Row, info: &VideoInfo) -> Chain {
        Chain::new(
            Box::leak(Box::new(row)),
            info,
            crate::adaptiveencbin::input::full_size(info),
            Bitrate::from_kbps(8000),
        )
        .unwrap()
    }

    fn row(factory: &str) -> Row {
        *ENCODERS.iter().find(|row| row.factory == factory).unwrap()
    }

    #[test]
    fn the_launch_line_holds_every_setting_of_the_chain() {
        let info = info(VideoFormat::Bgrx);
        for factory in ["x264enc", "x265enc", "av1enc", "vp9enc"] {
            let chain = chain(row(factory), &info);
            let arguments = arguments(&chain, &info, Path::new("/a folder")).unwrap();
            let line = arguments.iter().filter(|word| !word.starts_with("--")).cloned().collect::<Vec<_>>();
            let again = gst::parse::launch(&line.join(" ")).unwrap().downcast::<gst::Pipeline>().unwrap();
            let is_encoder =
                |element: &gst::Element| element.factory().is_some_and(|found| found.name() == factory);
            let copy = again.children().into_iter().find(is_encoder).unwrap();
            for pspec in chain.encoder.list_properties() {
                if ["name", "parent"].contains(&pspec.name()) {
                    continue;
                }
                if let Some(text) = text(&chain.encoder.property_value(pspec.name())) {
                    let copied = super::text(&copy.property_value(pspec.name()));
                    assert_eq!(copied, Some(text), "{factory}: {}", pspec.name());
                }
            }
        }
    }

    #[test]
    fn the_child_encodes_and_its_pictures_come_back() {
        let info = info(VideoFormat::Bgrx);
        for factory in ["x264enc", "av1enc"] {
            let units = encode(&chain(row(factory), &info), &info, LONG, || true).unwrap();
            assert_eq!(units.len(), FRAMES, "{factory}");
            let stream = units[0].stream.as_ref().unwrap();
            assert_eq!((stream.width, stream.height), (322, 242), "{factory}");
        }
    }

    #[test]
    fn a_crash_is_the_childs_and_is_told() {
        const WITHOUT_ROOM: &[(&str, Value)] = &[
            ("usage-profile", Value::Fixed("realtime")),
            ("cpu-used", Value::Fixed("9")),
            ("end-usage", Value::Fixed("cbr")),
        ];
        let info = info(VideoFormat::I420);
        let chain = chain(Row { settings: WITHOUT_ROOM, ..row("av1enc") }, &info);
        let rejection = encode(&chain, &info, LONG, || true).unwrap_err();
        assert_eq!(rejection.reason, Reason::Crashed);
        assert!(
            rejection.message.contains("signal 6") && rejection.message.contains("Assertion"),
            "{rejection:?}"
        );
    }

    #[test]
    fn without_a_launcher_it_stays_unproven() {
        let info = info(VideoFormat::I420);
        let chain = chain(row("av1enc"), &info);
        let rejection = encode_with("gst-launch-nowhere", &chain, &info, LONG, || true).unwrap_err();
        assert_eq!(rejection.reason, Reason::Unproven);
        assert_eq!(rejection.message, "gst-launch-nowhere, in which it would be proven, is not installed");
    }

    #[test]
    fn a_child_that_does_not_end_or_is_not_wanted_is_killed() {
        let sleep = || Command::new("sleep").arg("1000").spawn().unwrap();
        let child = sleep();
        let process = format!("/proc/{}", child.id());
        let late = wait(child, Duration::from_millis(20), || true, || false).unwrap_err();
        assert_eq!(late.reason, Reason::TimeOut);
        assert!(!Path::new(&process).exists());
        assert_eq!(wait(sleep(), LONG, || false, || false).unwrap_err().reason, Reason::TimeOut);
        assert_eq!(wait(sleep(), LONG, || true, || true), Ok(None), "it has failed and does not end");
    }

    #[test]
    fn what_a_child_says_before_it_gives_up_is_its_reason() {
        let info = info(VideoFormat::I420);
        let mut failing = row("x264enc");
        // Not a profile that x264enc could make of 8 bits of 4:2:0.
        failing.profiles = &["high-4:2:2-intra"];
        failing.settings = &[("bframes", Value::Fixed("0"))];
        let rejection = encode(&chain(failing, &info), &info, LONG, || true).unwrap_err();
        assert_eq!(rejection.reason, Reason::CapsNotNegotiated, "{rejection:?}");
    }
}
