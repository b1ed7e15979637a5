//! Shell: what programs on the desktop hear and see of the page in control: its microphone and its webcam, started, told who is in
//! control, and stopped together. A session is worth having without either.

use crate::{
    config::{self, Config},
    desktop::DisplayName,
    error::Error,
    media::Media,
    microphone::Microphone,
    runtime_folder,
    webcam::Webcam,
};
use gst::prelude::*;
use tokio::sync::watch;
use vdi_protocol::{
    notice::Notice,
    status::{MicrophoneStatus, WebcamStatus},
};

/// Both, as far as they are not switched off.
#[derive(Debug)]
pub struct Senses {
    microphone: Option<Microphone>,
    webcam: Option<Webcam>,
}

/// What is told of them.
#[derive(Debug, Clone)]
pub struct Statuses {
    /// The microphone.
    pub microphone: watch::Receiver<MicrophoneStatus>,
    /// The webcam.
    pub webcam: watch::Receiver<WebcamStatus>,
}

impl Senses {
    /// Gives the desktop those that are not switched off.
    pub fn start(config: &Config, display: &DisplayName, media: &Media) -> (Self, Statuses) {
        let microphone = start_microphone(config, display, media)
            .map_err(|message| watch::channel(MicrophoneStatus { running: false, message: Some(message) }).1);
        let webcam = start_webcam(config, media)
            .map_err(|message| watch::channel(WebcamStatus { running: false, message: Some(message) }).1);
        let statuses = Statuses {
            microphone: microphone.as_ref().map_or_else(Clone::clone, |microphone| microphone.status.clone()),
            webcam: webcam.as_ref().map_or_else(Clone::clone, |webcam| webcam.status.clone()),
        };
        (Self { microphone: microphone.ok(), webcam: webcam.ok() }, statuses)
    }

    /// Only this page is heard and seen from now on.
    pub fn set_controller(&self, page: Option<&str>) {
        if let Some(microphone) = &self.microphone {
            microphone.set_controller(page);
        }
        if let Some(webcam) = &self.webcam {
            webcam.set_controller(page);
        }
    }

    /// Why the page in control, which speaks or shows something, is not heard or seen; told once.
    pub fn unnoticed(&mut self) -> Option<Notice> {
        let unheard = self.microphone.as_mut().and_then(Microphone::unheard);
        unheard.or_else(|| self.webcam.as_mut().and_then(Webcam::unseen))
    }

    /// Takes both from the desktop, within a bound.
    pub async fn stop(self) {
        if let Some(microphone) = self.microphone {
            microphone.stop().await;
        }
        if let Some(webcam) = self.webcam {
            webcam.stop().await;
        }
    }
}

fn start_microphone(config: &Config, display: &DisplayName, media: &Media) -> Result<Microphone, String> {
    if !config.sharing.microphone {
        return Err("it is switched off".into());
    }
    // One for each display, as there is one launcher for each.
    let display: String = display.get().chars().filter(char::is_ascii_alphanumeric).collect();
    let microphone = runtime_folder::create(config.runtime_folder.as_deref())
        .map_err(|err| Error::pipeline(format!("its pipe to PulseAudio has no folder: {err}")))
        .map(|folder| folder.join(format!("microphone-{display}")))
        .and_then(|pipe| Microphone::start(config.audio.server.clone(), pipe))
        .map_err(|err| {
            tracing::warn!("the desktop has no microphone: {err}");
            err.to_string()
        })?;
    let ear = microphone.ear();
    media.sink().set_property("receive-audio", true);
    media.sink().connect("received-audio", false, move |values| {
        let (page, frame) = (values.get(1)?.get::<&str>().ok()?, values.get(2)?.get::<gst::Sample>().ok()?);
        ear.hear(page, &frame);
        None
    });
    Ok(microphone)
}

fn start_webcam(config: &Config, media: &Media) -> Result<Webcam, String> {
    if config.sharing.webcam == config::Webcam::Off {
        return Err("it is switched off".into());
    }
    let webcam = Webcam::start(config.sharing.webcam.clone()).map_err(|err| {
        tracing::warn!("the desktop has no webcam: {err}");
        err.to_string()
    })?;
    let eye = webcam.eye();
    media.sink().connect("received-video", false, move |values| {
        let seen = values.get(1).zip(values.get(2)).and_then(|(page, frame)| {
            Some(eye.see(page.get::<&str>().ok()?, &frame.get::<gst::Sample>().ok()?))
        });
        Some(seen.unwrap_or(false).to_value())
    });
    // A page has the switch where it is offered to send pictures, and that is where a program can see them.
    let (sink, mut status) = (media.sink().clone(), webcam.status.clone());
    tokio::spawn(async move {
        loop {
            let running = status.borrow_and_update().running;
            sink.set_property("receive-video", running);
            if status.changed().await.is_err() {
                return;
            }
        }
    });
    Ok(webcam)
}
