//! Shell: the source of PulseAudio from which programs record: asked for with `pactl`, fed by a pipe, asked for again when
//! PulseAudio comes back. While no program records, PulseAudio reads nothing from the pipe, and nothing is done here.

use super::{Shared, lock, pace};
use crate::{
    audio::server::{self, pactl},
    config::SoundServer,
    latest::Latest,
};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::unix::pipe, sync::watch, time::MissedTickBehavior};
use vdi_protocol::status::MicrophoneStatus;

/// What the source is called.
const NAME: &str = "vdi-microphone";
/// Pause before PulseAudio is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Who starts PulseAudio has a microphone after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// What the pipe holds while nobody reads: 40 ms, the least that Linux has.
const PIPE_BYTES: i32 = 4096;

/// Keeps the source there for as long as it is wanted.
pub async fn supervise(
    server: SoundServer,
    path: PathBuf,
    sound: Shared,
    mut wants: watch::Receiver<bool>,
    report: watch::Sender<MicrophoneStatus>,
) {
    let pulse = Pulse { server, path };
    let mut pause = FIRST_PAUSE;
    loop {
        let words = match pulse.load().await {
            Ok((module, pipe)) => {
                tracing::info!("the desktop has a microphone, {NAME}");
                report.send_replace(MicrophoneStatus { running: true, message: None });
                pause = FIRST_PAUSE;
                let ended = tokio::select! {
                    words = feed(pipe, &sound) => Some(words),
                    _ = wants.wait_for(|wanted| !wanted) => None,
                };
                let Some(words) = ended else {
                    let _ = pulse.unload(&module).await;
                    let _ = std::fs::remove_file(&pulse.path);
                    return;
                };
                words
            }
            Err(words) => words,
        };
        if report.look(|told| told.message.as_ref() != Some(&words)) {
            tracing::warn!("the desktop has no microphone: {words}");
        }
        report.send_replace(MicrophoneStatus { running: false, message: Some(words) });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = wants.wait_for(|wanted| !wanted) => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Plays what there is, and silence else, at the pace of time, for as long as a program records; returns why it ended.
async fn feed(pipe: pipe::Sender, sound: &Shared) -> String {
    let mut ticks = tokio::time::interval(Duration::from_millis(pace::CHUNK_MS));
    // A step that comes late is made up for: a program counts what it gets.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        let chunk = lock(sound).take();
        match pipe.try_write(&chunk) {
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                if let Err(err) = pipe.writable().await {
                    return ended(&err);
                }
                lock(sound).forget();
                ticks.reset_immediately();
            }
            Err(err) => return ended(&err),
        }
    }
}

fn ended(err: &io::Error) -> String {
    format!("PulseAudio reads no more: {err}")
}

/// The source, as `pactl` has PulseAudio make it.
struct Pulse {
    server: SoundServer,
    /// Of the pipe.
    path: PathBuf,
}

impl Pulse {
    /// Asks for the source. What it was given as a number, and the way in.
    async fn load(&self) -> Result<(String, pipe::Sender), String> {
        let server = self.server.clone();
        // `pactl` would start a PulseAudio where there is none, which is not ours to do.
        let reached = tokio::task::spawn_blocking(move || server::reach(&server)).await;
        reached.map_err(|err| err.to_string())?.map_err(|words| format!("{words}; {}", server::REMEDY))?;
        self.unload_left_behind().await?;
        let file = format!("file={}", self.path.display());
        let words = [
            "load-module",
            "module-pipe-source",
            &format!("source_name={NAME}"),
            &file,
            "format=s16le",
            &format!("rate={}", pace::RATE),
            "channels=1",
            "source_properties=device.description=Microphone",
        ];
        let module = pactl(&self.server, &words).await?;
        let pipe = open(&self.path)
            .map_err(|err| format!("the pipe {} to PulseAudio cannot be opened: {err}", self.path.display()));
        match pipe {
            Ok(pipe) => Ok((module, pipe)),
            Err(words) => {
                let _ = self.unload(&module).await;
                Err(words)
            }
        }
    }

    /// A launcher that was killed leaves its source behind, fed by a pipe of the same name.
    async fn unload_left_behind(&self) -> Result<(), String> {
        let modules = pactl(&self.server, &["list", "short", "modules"]).await?;
        for module in left_behind(&modules, &self.path) {
            self.unload(module).await?;
        }
        match std::fs::remove_file(&self.path) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                Err(format!("{} cannot be removed: {err}", self.path.display()))
            }
            _ => Ok(()),
        }
    }

    async fn unload(&self, module: &str) -> Result<(), String> {
        pactl(&self.server, &["unload-module", module]).await.map(|_| ())
    }
}

/// The numbers of modules that feed from this pipe, of `pactl list short modules`.
fn left_behind<'a>(modules: &'a str, pipe: &Path) -> Vec<&'a str> {
    let file = format!("file={}", pipe.display());
    let mut found = Vec::new();
    for line in modules.lines() {
        let mut fields = line.split('\t');
        let (number, name, words) = (fields.next(), fields.next(), fields.next().unwrap_or_default());
        if name == Some("module-pipe-source") && words.split(' ').any(|word| word == file) {
            found.extend(number);
        }
    }
    found
}

/// Never waits for a reader: PulseAudio has the other end open already.
fn open(path: &Path) -> io::Result<pipe::Sender> {
    let pipe = pipe::OpenOptions::new().open_sender(path)?;
    nix::fcntl::fcntl(&pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_BYTES))?;
    Ok(pipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_source_with_our_own_pipe_is_taken_for_one_left_behind() {
        let modules = "0\tmodule-null-sink\tsink_name=desktop\t\n\
            7\tmodule-pipe-source\tsource_name=vdi-microphone file=/run/a/microphone-1 format=s16le\t\n\
            8\tmodule-pipe-source\tsource_name=vdi-microphone file=/run/a/microphone-10 format=s16le\t\n\
            9\tmodule-always-sink\t\t";
        assert_eq!(left_behind(modules, Path::new("/run/a/microphone-1")), ["7"]);
        assert_eq!(left_behind(modules, Path::new("/run/a/microphone-2")), Vec::<&str>::new());
        assert_eq!(left_behind("", Path::new("/run/a/microphone-1")), Vec::<&str>::new());
    }
}
