//! Shell: starts Xvfb and has its size set. It chooses a free display number itself, or takes the one of its predecessor,
//! and tells it through a pipe.

use super::process;
use crate::{
    config::{MAX_DISPLAY, Size},
    error::Error,
    screen::{randr::Randr, sizing::PLAIN_DPI},
};
use nix::unistd::Pid;
use std::{collections::VecDeque, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::Child,
    task::JoinHandle,
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
            let resized =
                tokio::task::spawn_blocking(move || Randr::connect(&name)?.set_size(size, PLAIN_DPI)).await;
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
