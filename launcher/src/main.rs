//! Setup: parses the options, starts telemetry, and runs the session until it ends.

use std::{io::Write, path::Path, process::ExitCode, time::Duration};
use vdi_launcher::{
    config::{Config, Desktop, LogFormat},
    desktop::cookie::Cookie,
    doctor,
    error::Error,
    options, options_table, telemetry, termination,
};
use vdi_protocol::reason::FailureReason;

fn main() -> ExitCode {
    let doctor = doctor::command::command_line(std::env::args_os());
    if doctor.as_ref().is_some_and(|doctor| doctor.help) {
        return print(doctor::command::help());
    }
    let arguments =
        doctor.as_ref().map_or_else(|| std::env::args_os().collect(), |doctor| doctor.rest.clone());
    let parsed = match options::parse(arguments.clone()) {
        Ok(parsed) if parsed.options.help_markdown => return print(&options_table::markdown()),
        Ok(parsed) => parsed,
        Err(err) if !err.use_stderr() => return print(&err.render().to_string()),
        Err(err) => {
            let error = Error::new(FailureReason::ConfigInvalid, options::refusal::words(&err));
            return match options::refusal::told_where(arguments).filter(|_| doctor.is_none()) {
                Some(said) => refuse(error, LogFormat::early(&said.log_format), &said.termination_log),
                None => refuse(error, LogFormat::Text, "/dev/null"),
            };
        }
    };
    let termination_log = parsed.options.desktop.termination_log.clone();
    let log_format = LogFormat::early(&parsed.options.desktop.log_format);
    let encoders: Vec<_> = gstvdi::adaptiveencbin::table::ENCODERS.iter().map(|row| row.factory).collect();
    if let Some(doctor) = doctor {
        return match Config::resolve(parsed, &encoders).and_then(|config| examine(&config, doctor.json)) {
            Ok(healthy) => ExitCode::from(u8::from(!healthy)),
            Err(error) => refuse(error, LogFormat::Text, "/dev/null"),
        };
    }
    let result = Config::resolve(parsed, &encoders).and_then(|config| {
        telemetry::start(config.log_format, config.debug);
        // Before the runtime, and so before any second thread: it changes the environment.
        let cookie = matches!(config.desktop, Desktop::Virtual { .. }).then(Cookie::create).transpose();
        let cookie = cookie.map_err(|err| Error::display(format!("no X cookie can be written: {err}")))?;
        let runtime = tokio::runtime::Runtime::new().map_err(|err| Error::pipeline(err.to_string()))?;
        let result = runtime.block_on(async {
            let stop = termination::asked_to_stop().map_err(|err| Error::pipeline(err.to_string()))?;
            vdi_launcher::run(config, cookie, stop).await
        });
        // What hangs in a driver is left behind.
        runtime.shutdown_timeout(Duration::from_secs(1));
        result
    });
    match result {
        Err(error) => refuse(error, log_format, &termination_log),
        Ok(ended) => termination::conclude(Ok(ended), termination_log.as_ref()),
    }
}

/// The doctor speaks on stdout; a log beside it is for who asks for it.
fn examine(config: &Config, json: bool) -> Result<bool, Error> {
    if config.debug {
        telemetry::start(config.log_format, true);
    }
    doctor::command::run(config, json)
}

/// Whatever went wrong so early that there is no log yet gets one.
fn refuse(error: Error, log_format: LogFormat, termination_log: impl AsRef<Path>) -> ExitCode {
    telemetry::start(log_format, false);
    termination::conclude(Err(error), termination_log.as_ref())
}

fn print(text: &str) -> ExitCode {
    // Nobody is left to be told that nobody reads.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
