//! Shell: the sound server, as far as it is asked about itself: whether it answers, and what `pactl` can have it do.

use crate::config::SoundServer;
use gst::prelude::*;
use std::{process::Stdio, time::Duration};
use tokio::process::Command;

/// What a program has to do within this time.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// What to do where no sound server answers.
pub const REMEDY: &str =
    "start one as this user (package pulseaudio or pipewire-pulse), or name another by --pulse-server";

/// Whether it answers, and if not, why.
///
/// `pulsesrc` must not be the one to find out: whenever it cannot connect, it leaves a thread and two file descriptors
/// behind (seen in GStreamer 1.22), and somebody may watch a machine without sound for days. `pulsesink` tidies up.
pub fn reach(server: &SoundServer) -> Result<(), String> {
    let probe = gst::ElementFactory::make("pulsesink").property("client-name", "gst-vdi");
    let probe = match &server.name {
        Some(name) => probe.property("server", name),
        None => probe,
    };
    let probe = probe.build().map_err(|err| err.to_string())?;
    let bus = gst::Bus::new();
    probe.set_bus(Some(&bus));
    let reached = probe.set_state(gst::State::Ready);
    let _ = probe.set_state(gst::State::Null);
    if reached.is_ok() {
        return Ok(());
    }
    let reason = bus.pop_filtered(&[gst::MessageType::Error]);
    let why = match reason.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => error.error().message().to_owned(),
        _ => "it does not say why".into(),
    };
    let why = why.strip_prefix("Failed to connect: ").unwrap_or(&why);
    Err(format!(
        "no PulseAudio, or PipeWire with pipewire-pulse, can be reached at {}: {why}",
        server.place()
    ))
}

/// What `pactl` answers.
pub async fn pactl(server: &SoundServer, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new("pactl");
    for variable in crate::options::SECRET_VARIABLES {
        command.env_remove(variable);
    }
    if let Some(name) = &server.name {
        command.env("PULSE_SERVER", name);
    }
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_TIMEOUT, command.output())
        .await
        .map_err(|_| format!("PulseAudio does not answer within {} s", COMMAND_TIMEOUT.as_secs()))?
        .map_err(|err| format!("pactl (package pulseaudio-utils) cannot be started: {err}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr).lines().collect::<Vec<_>>().join("; ");
    Err(format!("pactl {}: {why}", words.first().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_that_is_not_there_is_told_by_what_it_would_be_and_where_it_was_looked_for() {
        gst::init().unwrap();
        let server = SoundServer { name: Some("unix:/nonexistent/pulse".into()), own: "unused".into() };
        let words = reach(&server).unwrap_err();
        let place =
            "no PulseAudio, or PipeWire with pipewire-pulse, can be reached at unix:/nonexistent/pulse: ";
        assert!(words.starts_with(place) && words.len() > place.len(), "{words}");
    }
}
