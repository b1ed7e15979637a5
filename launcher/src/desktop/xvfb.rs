//! Shell: starts Xvfb and sets its size. It chooses a free display number itself, or takes the one of its predecessor,
//! and tells it through a pipe.

use super::process;
use crate::{
    config::{MAX_DISPLAY, Size},
    error::Error,
};
use nix::unistd::Pid;
use std::{collections::VecDeque, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::Child,
    task::JoinHandle,
};
use x11rb::{
    connection::Connection,
    protocol::randr::{ConnectionExt as _, ModeInfo},
};

/// Time for Xvfb to come up; it takes about 0.1 s on a slow machine.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Lines of its complaints that are kept for the error message.
const KEPT_LINES: usize = 4;
/// Longest line that is read from it.
const MAX_LINE_BYTES: u64 = 1024;

/// A running Xvfb.
#[derive(Debug)]
pub struct Xvfb {
    /// The display, such as `:99`.
    pub display: String,
    /// The process.
    pub child: Child,
    /// Its process group.
    pub group: Option<Pid>,
}

/// Starts it with the largest size, so that it can be resized later, and sets the size asked for. Without a `display` it
/// takes a free one.
pub async fn start(size: Size, authority: &Path, display: Option<&str>) -> Result<Xvfb, Error> {
    let mut command = std::process::Command::new("Xvfb");
    command
        .args(display)
        .args(["-displayfd", "1", "-screen", "0", &format!("{MAX_DISPLAY}x24")])
        .args(["-noreset", "-nolisten", "tcp", "-auth"])
        .arg(authority)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = process::spawn(command).map_err(|err| {
        Error::display(format!("Xvfb cannot be started: {err}; is the package xvfb installed?"))
    })?;
    let group = process::group(&child);
    let complaints = child.stderr.take().map(|stderr| tokio::spawn(log_lines(stderr)));
    match read_display(&mut child).await {
        Some(display) => {
            let name = display.clone();
            let resized = tokio::task::spawn_blocking(move || set_size(&name, size)).await;
            match resized {
                Ok(Ok(())) => Ok(Xvfb { display, child, group }),
                Ok(Err(err)) => {
                    process::end(&mut child, group).await;
                    Err(Error::display(format!("the size of {display} cannot be set to {size}: {err}")))
                }
                Err(err) => Err(Error::display(format!("the size of {display} cannot be set: {err}"))),
            }
        }
        None => {
            process::end(&mut child, group).await;
            Err(Error::display(format!("Xvfb did not come up: {}", last_words(complaints).await)))
        }
    }
}

async fn read_display(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let mut line = String::new();
    let mut reader = BufReader::new(stdout.take(MAX_LINE_BYTES));
    tokio::time::timeout(START_TIMEOUT, reader.read_line(&mut line)).await.ok()?.ok()?;
    let number: u32 = line.trim().parse().ok()?;
    Some(format!(":{number}"))
}

async fn last_words(complaints: Option<JoinHandle<VecDeque<String>>>) -> String {
    let Some(complaints) = complaints else { return "it said nothing".into() };
    match complaints.await {
        Ok(lines) if !lines.is_empty() => lines.into_iter().collect::<Vec<_>>().join(" "),
        _ => "it said nothing".into(),
    }
}

/// Logs what it says and gives the last lines once it has ended.
async fn log_lines(stderr: impl AsyncRead + Unpin) -> VecDeque<String> {
    let mut kept = VecDeque::new();
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        tracing::debug!("Xvfb: {text}");
        if !text.is_empty() {
            kept.push_back(text);
        }
        if kept.len() > KEPT_LINES {
            kept.pop_front();
        }
    }
    kept
}

/// Sets the size through RANDR: a mode of that size on the only output.
fn set_size(display: &str, size: Size) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let root = connection.setup().roots[screen].root;
    connection.randr_query_version(1, 3)?.reply()?;
    let name = size.to_string();
    let mode = ModeInfo {
        width: size.width_px,
        height: size.height_px,
        htotal: size.width_px,
        vtotal: size.height_px,
        // Every name is shorter than 16 characters.
        name_len: name.len() as u16,
        ..ModeInfo::default()
    };
    let mode = connection.randr_create_mode(root, mode, name.as_bytes())?.reply()?.mode;
    let resources = connection.randr_get_screen_resources_current(root)?.reply()?;
    let (Some(&output), Some(&crtc)) = (resources.outputs.first(), resources.crtcs.first()) else {
        return Err("the display has no output".into());
    };
    connection.randr_add_output_mode(output, mode)?.check()?;
    let time = resources.config_timestamp;
    // The screen can shrink only while no output needs the old size.
    let off = connection.randr_set_crtc_config(
        crtc,
        x11rb::CURRENT_TIME,
        time,
        0,
        0,
        0,
        x11rb::protocol::randr::Rotation::ROTATE0,
        &[],
    )?;
    off.reply()?;
    let (width_mm, height_mm) = (mm_at_96_dpi(size.width_px), mm_at_96_dpi(size.height_px));
    connection.randr_set_screen_size(root, size.width_px, size.height_px, width_mm, height_mm)?.check()?;
    let on = connection.randr_set_crtc_config(
        crtc,
        x11rb::CURRENT_TIME,
        time,
        0,
        0,
        mode,
        x11rb::protocol::randr::Rotation::ROTATE0,
        &[output],
    )?;
    on.reply()?;
    let got = x11rb::protocol::xproto::ConnectionExt::get_geometry(&connection, root)?.reply()?;
    if (got.width, got.height) != (size.width_px, size.height_px) {
        return Err(format!("it stays at {}x{}", got.width, got.height).into());
    }
    Ok(())
}

/// Toolkits take their scale from the size in millimetres; 96 dots per inch is what they expect of a plain screen.
fn mm_at_96_dpi(pixels: u16) -> u32 {
    (f64::from(pixels) * 25.4 / 96.0).round() as u32
}
