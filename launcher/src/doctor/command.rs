//! Shell: `vdi-launcher doctor`: the same options as a session, looked at instead of run.

use super::{Session, Subject, examine, running::Running, text};
use crate::{config::Config, error::Error, ice::Ice, media};
use std::{ffi::OsString, io::Write, time::Duration};

/// Time for the service that gives TURN servers.
const SERVICE_LIMIT: Duration = Duration::from_secs(8);

/// What the doctor's own help says before the session's options.
const ABOUT: &str = "Looks at what a session with these options needs, and says in plain words what works and what to change.

Usage: vdi-launcher doctor [--json] [the options of a session]

It tries an encoder, asks NVML for GPUs, gathers the addresses that browsers are offered, gets and gives back an allocation
from each TURN server, asks each STUN server, looks up their names, asks a launcher that runs on --port how its pages
fare, and looks at sound server, microphone, webcam and gamepads. Options and environment are those of a session; `vdi-launcher --help` lists them.

  --json   prints the report as JSON (protocol/src/doctor.rs)

Exit code: 0 when no check failed (warnings do not count), 1 when one did, 2 when an option is wrong.
";

/// The command line of the doctor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Whether the report is printed as JSON.
    pub json: bool,
    /// Whether only the help is wanted.
    pub help: bool,
    /// The session's options, after the program's name.
    pub rest: Vec<OsString>,
}

/// Reads a command line; `None` if it is not the doctor's.
pub fn command_line(arguments: impl IntoIterator<Item = OsString>) -> Option<CommandLine> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next()?;
    if arguments.next()? != "doctor" {
        return None;
    }
    let mut found = CommandLine { json: false, help: false, rest: vec![program] };
    let mut in_command = false;
    for argument in arguments {
        in_command |= argument == "--";
        match argument.to_str() {
            Some("--json") if !in_command => found.json = true,
            Some("--help" | "-h") if !in_command => found.help = true,
            _ => found.rest.push(argument),
        }
    }
    Some(found)
}

/// The help.
pub fn help() -> &'static str {
    ABOUT
}

/// Looks, prints, and says whether no check failed.
pub fn run(config: &Config, json: bool) -> Result<bool, Error> {
    media::register()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|err| Error::pipeline(err.to_string()))?;
    let session = Session::Other(Running::of(config));
    let report = runtime.block_on(async {
        let ice = Ice::start(config.ice.clone(), None);
        let servers = match config.ice.turn_rest {
            Some(_) => ice.answered(SERVICE_LIMIT).await,
            None => ice.current(),
        };
        examine(Subject::of(config, servers), session).await
    });
    // What hangs in a driver is left behind.
    runtime.shutdown_timeout(Duration::from_millis(200));
    let words = if json {
        let json = serde_json::to_string_pretty(&report).map_err(|err| Error::pipeline(err.to_string()))?;
        json + "\n"
    } else {
        text::text(&report)
    };
    // Nobody is left to be told that nobody reads.
    let _ = std::io::stdout().write_all(words.as_bytes());
    Ok(report.healthy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Option<CommandLine> {
        command_line(words.iter().map(OsString::from))
    }

    #[test]
    fn only_the_first_word_makes_it_the_doctors() {
        assert_eq!(read(&["vdi-launcher", "--", "doctor"]), None);
        assert_eq!(read(&["vdi-launcher"]), None);
        let found = read(&["vdi-launcher", "doctor", "--json", "--port=1", "--", "xterm", "--json"]).unwrap();
        assert_eq!((found.json, found.help), (true, false));
        assert_eq!(found.rest, ["vdi-launcher", "--port=1", "--", "xterm", "--json"]);
        assert!(read(&["vdi-launcher", "doctor", "-h"]).unwrap().help);
    }
}
