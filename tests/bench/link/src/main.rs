//! Shell: `vdi-bench-link`: relays UDP between a page and a server and plays a link between them, until its standard input
//! ends. It measures what it does, and judges nothing.
//!
//! Each line of standard input is a command, and has one answer:
//!
//! | line | what happens | answer |
//! |---|---|---|
//! | `path ADDRESS:PORT` | opens a path to this target | `{"type":"path","address":"127.0.0.1:40000"}` |
//! | `down WORDS`, `up WORDS` | the link to the page, or to the server, is like this from now on | `{"type":"changed","atMs":…}` |
//! | `rival on`, `rival off` | a greedy flow competes on the way to the page | the same |
//! | anything else | nothing | `{"type":"refused","message":"…"}` |
//!
//! WORDS are those of `words.rs`. Beside the answers there is a line for each direction and second, `{"type":"second",…}`, of what
//! `tally.rs` has, without the rival's packets. Times are milliseconds of CLOCK_MONOTONIC. All paths share the link.

mod capacity;
mod chance;
mod codel;
mod head;
mod link;
mod log;
mod relay;
mod rival;
mod sockets;
mod tally;
mod words;

use clap::Parser;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
    unistd::read,
};
use relay::Relay;
use std::{
    io::{Write, stdin, stdout},
    net::IpAddr,
    os::fd::AsFd,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// A line of standard input that is longer is none.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Plays a link between a page and a server.
#[derive(Debug, Parser)]
struct Options {
    /// What the link to the page is like at first, such as `rate=30M queue=300ms delay=10ms`.
    #[arg(long, default_value = "", value_name = "WORDS")]
    down: String,
    /// What the link to the server is like at first.
    #[arg(long, default_value = "", value_name = "WORDS")]
    up: String,
    /// The same seed gives the same chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File for a line of each packet.
    #[arg(long, value_name = "FILE")]
    packets: Option<PathBuf>,
    /// Address at which paths begin.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut relay =
        Relay::new(&options.down, &options.up, options.seed, options.packets.as_deref(), options.address)?;
    let (input, mut out) = (stdin(), stdout());
    let mut unread: Vec<u8> = Vec::new();
    loop {
        let is_input = {
            let mut fds = vec![PollFd::new(input.as_fd(), PollFlags::POLLIN)];
            fds.extend(relay.fds().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            wait(&mut fds, relay.next().saturating_sub(sockets::now()))?;
            fds[0].any() == Some(true)
        };
        // What came before this moment is in the sockets already, so the link hears of all of it before its time goes on:
        // it does not matter how late this is.
        let now = sockets::now();
        relay.receive();
        for told in relay.pass(now)? {
            writeln!(out, "{}", serde_json::to_string(&told)?)?;
        }
        if is_input {
            let mut buffer = [0; 4096];
            match read(&input, &mut buffer)? {
                0 => break,
                length => unread.extend_from_slice(&buffer[..length]),
            }
            while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = unread.drain(..=end).collect();
                let told = relay.command(String::from_utf8_lossy(&line).trim(), sockets::now());
                writeln!(out, "{}", serde_json::to_string(&told)?)?;
            }
            if unread.len() > MAX_LINE_BYTES {
                return Err("a line of standard input has no end".into());
            }
        }
    }
    relay.finish()?;
    Ok(())
}

/// Waits until one of them has something, or for so long.
fn wait(fds: &mut [PollFd<'_>], time: Duration) -> nix::Result<()> {
    match ppoll(fds, Some(TimeSpec::from_duration(time)), None) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "vdi-bench-link: {error}");
            ExitCode::FAILURE
        }
    }
}
