//! Shell: looks at what programs on the desktop have beside its picture: the sound server, a microphone, a webcam, gamepads.

use crate::{
    audio::server::{self, pactl},
    config::{Config, SoundServer, Webcam},
    gamepads::{self, Wanted},
    webcam,
};
use std::{path::PathBuf, time::Duration};
use vdi_protocol::status::{MicrophoneStatus, Status, WebcamStatus};

/// A sound server that has not answered by then is told of as one that does not: the rest is not to wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be looked at.
#[derive(Debug, Clone)]
pub struct Devices {
    /// To which programs play.
    pub sound: SoundServer,
    /// Whether there is to be a microphone.
    pub microphone: bool,
    /// Where there is to be a webcam.
    pub webcam: Webcam,
    /// How programs are to find gamepads.
    pub gamepads: Wanted,
    /// Folder of their sockets.
    pub sockets: PathBuf,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Whether the sound server answers.
    pub sound: Result<(), String>,
    /// The sink that programs play to.
    pub sink: Result<String, String>,
    /// The microphone of a session that runs.
    pub microphone: Option<MicrophoneStatus>,
    /// Where the webcam is, or can be.
    pub webcam: Result<PathBuf, String>,
    /// Whether devices of the kernel's can be made.
    pub uinput: Result<(), String>,
    /// Whether sockets can be.
    pub sockets: Result<(), String>,
}

impl Devices {
    /// What the options say.
    pub fn of(config: &Config) -> Self {
        Self {
            sound: config.audio.server.clone(),
            microphone: config.sharing.microphone,
            webcam: config.sharing.webcam.clone(),
            gamepads: config.gamepads,
            sockets: config.js_socket_path.clone(),
        }
    }

    /// Looks. What a session of this process has in use is not tried a second time.
    pub async fn look(self, own: Option<(MicrophoneStatus, WebcamStatus)>) -> DeviceFacts {
        let (microphone, camera) = own.unzip();
        let (server, wanted) = (self.sound.clone(), self.webcam.clone());
        let sounds = async {
            let reached = tokio::time::timeout(PATIENCE, blocking(move || server::reach(&server)));
            let sound = reached.await.unwrap_or_else(|_| Err(silent(&self.sound)));
            let sink = match &sound {
                Ok(()) => pactl(&self.sound, &["get-default-sink"]).await,
                Err(_) => Err("no sound server answers".into()),
            };
            (sound, sink)
        };
        let webcam = async {
            match camera {
                Some(WebcamStatus { running: false, message }) => {
                    Err(message.unwrap_or_else(|| "it is being made".into()))
                }
                // Which one it is stands in the log.
                Some(_) => Ok(PathBuf::new()),
                None => blocking(move || webcam::look(&wanted)).await,
            }
        };
        let ((sound, sink), webcam) = tokio::join!(sounds, webcam);
        let sockets = nix::unistd::access(&self.sockets, nix::unistd::AccessFlags::W_OK);
        DeviceFacts {
            sound,
            sink,
            microphone,
            webcam,
            uinput: gamepads::look_at_uinput().map_err(|err| err.to_string()),
            sockets: sockets.map_err(|err| err.desc().to_owned()),
        }
    }
}

fn silent(server: &SoundServer) -> String {
    format!("the sound server at {} does not answer within {} s", server.place(), PATIENCE.as_secs())
}

/// What of a session's state says how its devices stand.
pub fn of_session(status: &Status) -> (MicrophoneStatus, WebcamStatus) {
    (status.microphone.clone(), status.webcam.clone())
}

async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|err| Err(err.to_string()))
}
