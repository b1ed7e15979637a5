//! Shell: what programs on the desktop hear and see of the page in control: its microphone and its webcam, started, told who is in
//! control, and stopped together. A session is worth having without either.

use crate::{
    config::{self, Config},
    desktop::DisplayName,
    error::Error,
    journal::Course,
    media::Media,
    microphone::Microphone,
    notices, runtime_folder,
    webcam::Webcam,
};
use gst::prelude::*;
use std::time::Duration;
use tokio::sync::watch;
use vdi_protocol::{
    notice::Notice,
    status::{MicrophoneStatus, WebcamStatus},
};

/// A sound server that starts with the desktop is there by then.
const SOUND_STARTS: Duration = Duration::from_secs(15);

/// Both, as far as they are not switched off.
#[derive(Debug)]
pub struct Senses {
    microphone: Option<Microphone>,
    webcam: Option<Webcam>,
    /// When they are on, for the log.
    speaking: Course,
    showing: Course,
    /// Of the microphone, and of the webcam.
    in_vain: [InVain; 2],
}

/// Tells once of what the page in control uses in vain, and again only after it has worked.
#[derive(Debug, Default)]
struct InVain {
    told: bool,
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
        let senses = Self {
            microphone: microphone.ok(),
            webcam: webcam.ok(),
            speaking: Course::new("microphone"),
            showing: Course::new("camera"),
            in_vain: Default::default(),
        };
        (senses, statuses)
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

    /// A second has passed, with this page in control, and this person. What the log is to say of both, and why whoever speaks or
    /// shows something is not heard or seen; that is told once.
    pub fn tick(&mut self, controller: Option<(&str, &str)>) -> (Vec<String>, Option<Notice>) {
        let spoken = self.microphone.as_ref().is_some_and(Microphone::was_used);
        let shown = self.webcam.as_ref().is_some_and(Webcam::was_used);
        let mut lines = self.speaking.tick(spoken, controller);
        lines.extend(self.showing.tick(shown, controller));
        let [unheard, unseen] = &mut self.in_vain;
        let unheard = unheard.news(spoken, self.microphone.as_ref().and_then(Microphone::failure));
        let mut unseen = || unseen.news(shown, self.webcam.as_ref().and_then(Webcam::failure));
        let notice = unheard.map(|why| notices::no_microphone(&why));
        (lines, notice.or_else(|| unseen().map(|why| notices::no_webcam(&why))))
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

impl InVain {
    fn news(&mut self, was_used: bool, failure: Option<String>) -> Option<String> {
        let Some(failure) = failure else {
            self.told = false;
            return None;
        };
        (was_used && !std::mem::replace(&mut self.told, true)).then_some(failure)
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
    // A page has the button where it is offered to send sound: not where no program has ever been able to hear it, though a sound server
    // may take as long to start as the desktop does. One that goes comes back.
    let (sink, mut status) = (media.sink().clone(), microphone.status.clone());
    sink.set_property("receive-audio", true);
    tokio::spawn(async move {
        let runs = |status: &MicrophoneStatus| status.running;
        if tokio::time::timeout(SOUND_STARTS, status.wait_for(runs)).await.is_err() {
            sink.set_property("receive-audio", false);
            let back = status.wait_for(runs).await.is_ok();
            sink.set_property("receive-audio", back);
        }
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_in_vain_is_told_once_until_it_has_worked() {
        let mut in_vain = InVain::default();
        let gone = || Some("it is gone".to_owned());
        assert_eq!(in_vain.news(false, gone()), None, "nobody uses it");
        assert_eq!(in_vain.news(true, gone()), gone());
        assert_eq!(in_vain.news(true, gone()), None, "known");
        assert_eq!(in_vain.news(true, None), None, "it works");
        assert_eq!(in_vain.news(true, gone()), gone());
    }
}
