//! Shell: the end of the process: who asks for it, and its last words as log line, termination message and exit code.
//! It knows no reasons of its own.

use crate::error::Error;
use std::{fs::OpenOptions, io, io::Write, path::Path, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use vdi_protocol::reason::{FailureReason, LOGGED_OUT, STOPPED};

/// Resolves, with the reason, when the process is asked to end. To be called inside the runtime.
pub fn asked_to_stop() -> io::Result<impl Future<Output = String>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "the session was stopped".into(),
            _ = interrupt.recv() => "the session was stopped at its terminal".into(),
        }
    })
}

/// Kubernetes keeps no more of a termination message.
const MAX_MESSAGE_BYTES: usize = 4096;

/// How a session ended that did not fail, and what was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Stopped(String),
    /// The desktop's own program has ended.
    LoggedOut(String),
}

/// Tells how the session ended, and gives the exit code for it. Both good ends have the code 0, which alone would not
/// tell a user who logged out from a node that shuts down.
pub fn conclude(result: Result<Ended, Error>, termination_log: &Path) -> ExitCode {
    let (words, code) = match result {
        Ok(ended) => {
            tracing::info!("the session has ended as asked");
            let (name, why) = match ended {
                Ended::Stopped(why) => (STOPPED, why),
                Ended::LoggedOut(why) => (LOGGED_OUT, why),
            };
            (format!("{name}: {why}\n"), ExitCode::SUCCESS)
        }
        Err(error) => {
            let reason = error.reason.as_str();
            if error.reason == FailureReason::ConfigInvalid {
                // A line for each option; there was no session yet.
                error.message.lines().for_each(|line| tracing::error!(reason, "{line}"));
            } else {
                tracing::error!(reason, "the session has failed: {error}");
            }
            (format!("{}: {error}\n", error.reason), ExitCode::from(error.reason.exit_code()))
        }
    };
    write_message(words, termination_log);
    code
}

/// The file belongs to the container runtime: it is written only where it exists, and a failure to do so changes nothing.
fn write_message(mut message: String, path: &Path) {
    if message.len() > MAX_MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
    }
    let written = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(message.as_bytes()));
    if let Err(err) = written {
        tracing::debug!("no termination message at {}: {err}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_written_only_to_a_file_that_exists() {
        let folder = std::env::temp_dir().join(format!("vdi-termination-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (absent, present) = (folder.join("absent"), folder.join("present"));
        std::fs::write(
            &present,
            "an older and longer message than ours is going to be, so that a rest of it would show",
        )
        .unwrap();
        for path in [&absent, &present] {
            let code = conclude(Err(Error::display("no :9")), path);
            assert_eq!(code, ExitCode::from(12));
        }
        assert!(!absent.exists());
        assert_eq!(std::fs::read_to_string(&present).unwrap(), "DISPLAY_UNAVAILABLE: no :9\n");
        for (ended, message) in [
            (Ended::Stopped("by SIGTERM".into()), "STOPPED: by SIGTERM\n"),
            (Ended::LoggedOut("xterm has ended".into()), "LOGGED_OUT: xterm has ended\n"),
        ] {
            assert_eq!(conclude(Ok(ended), &present), ExitCode::SUCCESS);
            assert_eq!(std::fs::read_to_string(&present).unwrap(), message);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
