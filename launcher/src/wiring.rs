//! Shell: how the parts of a session are joined at its start: the display to the input thread, the clipboard to its pages. It
//! decides nothing and keeps nothing.

use crate::{
    clipboard::{self, Clipboard, ClipboardThread},
    config::Config,
    desktop::DisplayName,
    error::Error,
    gamepads::{Felt, Gamepads},
    input::{self, Input, InputThread},
    media::Media,
    pointers::Pointers,
    recording::Recorder,
    runtime_folder,
    selkies::Selkies,
    session,
};
use gst::prelude::*;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use vdi_protocol::{clipboard::ToPage, control};

/// Time for an X server to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects keyboard and pointer to the display; what becomes of the display goes to `failures`.
pub async fn connect_input(
    display: &DisplayName,
    gamepads: Gamepads,
    failures: mpsc::Sender<session::Event>,
) -> Result<(Input, InputThread), Error> {
    let name = display.get();
    let tell = {
        let display = display.clone();
        move |news| {
            let event = match news {
                input::News::Lost(err) => session::Event::DisplayLost(Error::display(format!(
                    "the X display {} is lost: {err}",
                    display.get()
                ))),
                input::News::Reached => session::Event::DisplayReached,
            };
            let _ = failures.blocking_send(event);
        }
    };
    let start = {
        let display = display.clone();
        tokio::task::spawn_blocking(move || input::start(&display, gamepads, tell))
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, start).await {
        Ok(Ok(Ok((input, thread, (width, height))))) => {
            tracing::info!(width, height, "the display {name} is reached");
            Ok((input, thread))
        }
        Ok(Ok(Err(err))) => Err(Error::display(format!("the X display {name} cannot be used: {err}"))),
        Ok(Err(err)) => Err(Error::display(format!("the X display {name} cannot be used: {err}"))),
        Err(_) => Err(Error::display(format!(
            "the X display {name} does not answer within {} s",
            CONNECT_TIMEOUT.as_secs()
        ))),
    }
}

/// The file in which proofs of encoders are kept for later sessions; without one each session proves for itself.
pub fn proofs(config: &Config) -> Option<PathBuf> {
    match runtime_folder::create(config.runtime_folder.as_deref()) {
        Ok(folder) => Some(folder.join("encoder-proofs")),
        Err(err) => {
            tracing::debug!("proofs of encoders are not kept: {err}");
            None
        }
    }
}

/// Shares the display's clipboard with the pages of this pipeline, as far as the configuration allows it.
pub fn share_clipboard(
    display: &DisplayName,
    config: &Config,
    media: Arc<Media>,
    selkies: Option<Selkies>,
) -> Result<(Clipboard, ClipboardThread), Error> {
    let send = move |page: &str, message: &_| {
        if selkies.as_ref().is_some_and(|selkies| selkies.say_clipboard(page, message)) {
            return;
        }
        match serde_json::to_string::<ToPage>(message) {
            Ok(text) => media.send(page, "clipboard", &text),
            Err(err) => tracing::error!("a message to a page cannot be written: {err}"),
        }
    };
    clipboard::start(display, &config.sharing, send)
        .map_err(|err| Error::pipeline(format!("the clipboard's thread cannot be started: {err}")))
}

/// Shows the people at the desktop where the others point. A client of another dialect is never among them.
pub fn show_pointers(media: Arc<Media>) -> Pointers {
    Pointers::start(move |page, message| match serde_json::to_string(message) {
        Ok(text) => media.send(page, "pointer", &text),
        Err(err) => tracing::error!("a message to a page cannot be written: {err}"),
    })
}

/// Tells pages of what their gamepads' motors do, until the gamepads are gone. A client of another dialect has no words for that.
pub fn pass_rumble(mut felt: mpsc::Receiver<Felt>, media: Arc<Media>, selkies: Option<Selkies>) {
    tokio::spawn(async move {
        while let Some((page, rumble)) = felt.recv().await {
            let message = control::ToPage::Rumble(rumble);
            if selkies.as_ref().is_some_and(|selkies| selkies.say(&page, &message)) {
                continue;
            }
            match serde_json::to_string(&message) {
                Ok(text) => media.send(&page, "control", &text),
                Err(err) => tracing::error!("a message to a page cannot be written: {err}"),
            }
        }
    });
}

/// What records the session, if the operator has named a folder for that.
pub fn start_recorder(config: &Config, media: &Media) -> Result<Option<Recorder>, Error> {
    let Some(config) = &config.recording else { return Ok(None) };
    let failed = |what: &str| Error::pipeline(format!("the session cannot be recorded: {what}"));
    let picture = media.latency().static_pad("src").ok_or_else(|| failed("there is no encoded picture"))?;
    Recorder::new(config, media.pipeline(), &picture, &media.sound().sound)
        .map(Some)
        .map_err(|err| failed(&format!("its thread cannot be started: {err}")))
}

/// Starts the pipeline on a thread of its own, since proving encoders takes its time.
pub fn play(media: Arc<Media>, failures: mpsc::Sender<session::Event>) {
    tokio::spawn(async move {
        let played = tokio::task::spawn_blocking(move || media.play()).await;
        if !matches!(played, Ok(true)) {
            // The bus tells the reason; this is only in case that it does not.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let error = Error::pipeline("the pipeline cannot be started");
            let _ = failures.send(session::Event::Failed(error)).await;
        }
    });
}
