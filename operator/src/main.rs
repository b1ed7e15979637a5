//! Setup: parses the options, starts telemetry, and runs the operator until it is told to stop.

use clap::Parser;
use std::{io::Write, process::ExitCode, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use vdi_operator::{
    api,
    error::Error,
    misspelt,
    options::{Command, Options, RunOptions},
    telemetry,
};

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.command {
        Some(Command::Crd) => crds(),
        None => run(options.run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever read this may be gone; the exit status tells too.
            let _ = writeln!(std::io::stderr(), "vdi-operator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn crds() -> Result<(), Error> {
    for crd in api::crds() {
        let yaml = api::yaml(&crd).map_err(|error| Error::Setup(error.to_string()))?;
        writeln!(std::io::stdout(), "---\n{yaml}").map_err(|error| Error::Setup(error.to_string()))?;
    }
    Ok(())
}

fn run(options: RunOptions) -> Result<(), Error> {
    telemetry::start(options.log_format, options.debug);
    let variables: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    for complaint in misspelt::complaints(variables.iter().map(String::as_str)) {
        tracing::warn!("{complaint}");
    }
    let read = |file: &std::path::PathBuf| std::fs::read_to_string(file);
    let random = getrandom::u32().map_err(|error| Error::Setup(format!("no random bytes: {error}")))?;
    let config = options.resolve(read, random).map_err(|wrong| Error::Setup(wrong.join("\n")))?;
    // One thread does for thousands of sessions, and the allocator keeps what was used for a moment once for each thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Setup(error.to_string()))?;
    let result = runtime.block_on(async {
        let stop = asked_to_stop().map_err(|error| Error::Setup(error.to_string()))?;
        vdi_operator::run(config, stop).await
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Turns true with the first SIGTERM or SIGINT.
fn asked_to_stop() -> std::io::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop");
        stop.send_replace(true);
    });
    Ok(stopping)
}
