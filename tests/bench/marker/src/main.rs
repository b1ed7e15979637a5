//! Shell: `vdi-bench-marker`: draws one content on the X display in DISPLAY until its standard input ends. It measures
//! nothing.
//!
//! Standard output: `ready WIDTH HEIGHT X Y CELL COLUMNS ROWS` (pixels, and cells of the marker), then an answer to each
//! line of standard input:
//!
//! | line | what happens | answer |
//! |---|---|---|
//! | `go` | draws in the content's rhythm | `at FRAMES` |
//! | `hold` | draws no more | `at FRAMES`, when the display shows the last one |
//! | `once` | draws one frame | `at FRAMES`, when the display shows it |
//!
//! FRAMES is the number in the last frame's marker; the first has 1.
//!
//! A key that goes down is answered by `key FRAMES`, the number of the first frame drawn after it: at once while nothing
//! else is drawn, as the next one of the rhythm otherwise.

mod keys;
mod marker;
mod picture;
mod schedule;
mod screen;
mod stage;

use clap::Parser;
use nix::time::{ClockId, clock_gettime};
use stage::{Content, MARKER, Stage};
use std::{
    io::{BufRead, Write, stdin, stdout},
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

/// Draws content with a machine-readable marker on an X display.
#[derive(Debug, Parser)]
struct Options {
    /// What to draw.
    #[arg(value_enum)]
    content: Content,
    /// The same seed draws the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What the client waits for.
enum Told {
    /// A line of standard input.
    Line(String),
    /// Standard input has ended.
    End,
    /// A key went down.
    Key,
}

/// CLOCK_MONOTONIC, which is also the browser's clock.
fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::set(options.content, options.seed)?;
    let mut rhythm = options.content.rhythm(options.seed);
    let (commands, told) = mpsc::channel();
    let keys = keys::Keys::of(stage.window())?;
    let pressed = commands.clone();
    std::thread::spawn(move || keys.each(|| pressed.send(Told::Key).is_ok()));
    std::thread::spawn(move || {
        let lines = stdin().lock().lines().map_while(Result::ok).map(Told::Line);
        lines.chain([Told::End]).try_for_each(|told| commands.send(told))
    });

    let (width, height) = stage.size();
    let mut out = stdout().lock();
    let (x, y) = MARKER;
    let (cell, columns, rows) = (marker::CELL_PX, marker::COLUMNS, marker::ROWS);
    writeln!(out, "ready {width} {height} {x} {y} {cell} {columns} {rows}")?;

    let mut due: Option<u64> = None;
    loop {
        let command = match due {
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => told.recv_timeout(Duration::from_nanos(due.saturating_sub(now_ns()))),
        };
        let line = match command {
            Ok(Told::Line(line)) => line,
            Ok(Told::Key) => {
                let next = stage.number + 1;
                if due.is_none() {
                    stage.draw(|| now_ns() / 1000)?;
                }
                writeln!(out, "key {next}")?;
                continue;
            }
            Ok(Told::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                stage.draw(|| now_ns() / 1000)?;
                due = due.and_then(|due| rhythm.after(due, now_ns()));
                continue;
            }
        };
        match line.as_str() {
            "go" => due = rhythm.after(now_ns(), now_ns()),
            "hold" => {
                due = None;
                stage.finish()?;
            }
            "once" => {
                stage.draw(|| now_ns() / 1000)?;
                stage.finish()?;
            }
            other => return Err(format!("what is \"{other}\"? known are go, hold and once").into()),
        }
        writeln!(out, "at {}", stage.number)?;
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "vdi-bench-marker: {error}");
            ExitCode::FAILURE
        }
    }
}
