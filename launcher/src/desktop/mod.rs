//! Shell: the desktop: a display that exists, or a virtual one with the command that runs on it, watched until it ends.

pub mod cookie;
mod process;
pub mod restart;
mod xvfb;

use crate::{
    config,
    error::Error,
    session::{End, Event},
};
use cookie::Cookie;
use nix::unistd::Pid;
use restart::{Next, RestartPolicy};
use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    process::Child,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};
use vdi_protocol::reason::EndCause;
use xvfb::Xvfb;

/// Name of the display, such as `:0`. A virtual display that is started again may find its number taken by another
/// session, and then has another one; whoever connects asks first.
#[derive(Debug, Clone)]
pub struct DisplayName(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    name: String,
    /// The size that it has been given since it was started, and has again when it is started again.
    size: Option<config::Size>,
}

impl DisplayName {
    /// A display of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(Known { name: name.into(), size: None })))
    }

    /// What it is called now.
    pub fn get(&self) -> String {
        self.known().name.clone()
    }

    /// It has been given this size, which is kept if it has to be started again.
    pub fn keep_size(&self, size: config::Size) {
        self.known().size = Some(size);
    }

    fn set(&self, name: &str) {
        self.known().name = name.to_owned();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A desktop that is there.
#[derive(Debug)]
pub struct Desktop {
    /// The display.
    pub display: DisplayName,
    supervisor: Option<Supervisor>,
}

#[derive(Debug)]
struct Supervisor {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What the desktop's command needs to know.
#[derive(Debug, Clone)]
struct Programme {
    command: Vec<OsString>,
    display: DisplayName,
    authority: PathBuf,
    pulse_server: Option<String>,
    size: config::Size,
}

impl Programme {
    fn name(&self) -> String {
        self.command.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl Desktop {
    /// Takes the existing display, or starts a virtual one and the command on it. Ends and failures go to `events`.
    pub async fn start(
        config: &config::Desktop,
        cookie: Option<&Cookie>,
        pulse_server: Option<String>,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, Error> {
        match (config, cookie) {
            (config::Desktop::Virtual { size, command }, Some(cookie)) => {
                let mut xvfb = xvfb::start(*size, cookie.path(), None).await?;
                let display = DisplayName::new(&xvfb.display);
                tracing::info!(%size, "the virtual display {} is up", xvfb.display);
                let programme = Programme {
                    command: command.clone(),
                    display: display.clone(),
                    authority: cookie.path().to_owned(),
                    pulse_server,
                    size: *size,
                };
                // What cannot be started at all is known before anybody is invited to look at it.
                let running = match spawn(&programme) {
                    Ok(running) => Some(running),
                    Err(error) => {
                        process::end(&mut xvfb.child, xvfb.group).await;
                        return Err(error);
                    }
                };
                let (stop, stopped) = oneshot::channel();
                let task = tokio::spawn(supervise(xvfb, programme, running, events, stopped));
                Ok(Self { display, supervisor: Some(Supervisor { stop, task }) })
            }
            (config::Desktop::Virtual { .. }, None) => {
                Err(Error::display("a virtual display needs a cookie"))
            }
            (config::Desktop::Existing { display }, _) if display.is_empty() => Err(Error::display(
                "there is no display to stream: DISPLAY is not set; set it, or give a command as in `vdi-launcher -- xterm`",
            )),
            (config::Desktop::Existing { display }, _) => {
                Ok(Self { display: DisplayName::new(display), supervisor: None })
            }
        }
    }

    /// Ends command and virtual display.
    pub async fn stop(self) {
        if let Some(Supervisor { stop, task }) = self.supervisor {
            let _ = stop.send(());
            if tokio::time::timeout(STOP_TIMEOUT, task).await.is_err() {
                tracing::warn!("the desktop did not end in time; the process ends without it");
            }
        }
    }
}

/// The command as it runs just now.
type Running = Option<(Child, Option<Pid>)>;

/// Time for the end of command and display, each of which is asked first.
const STOP_TIMEOUT: Duration = process::TERM_TO_KILL.saturating_mul(2).saturating_add(Duration::from_secs(1));

/// Time in which the death of a display explains the end of the command on it.
const SAME_DEATH: Duration = Duration::from_millis(500);

/// Keeps the command running until it ends well or cannot be helped, and the display under it; then ends both.
async fn supervise(
    mut xvfb: Xvfb,
    programme: Programme,
    mut running: Running,
    events: mpsc::Sender<Event>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut policy = RestartPolicy::default();
    let epoch = Instant::now();
    let outcome = loop {
        let died = tokio::select! {
            status = xvfb.child.wait() => status,
            event = run_command(&programme, &mut running) => {
                // Programs end with their display, some of them with success.
                match tokio::time::timeout(SAME_DEATH, xvfb.child.wait()).await {
                    Ok(status) => status,
                    Err(_) => break Some(event),
                }
            }
            _ = &mut stopped => break None,
        };
        if let Some((mut child, group)) = running.take() {
            process::end(&mut child, group).await;
        }
        let error = Error::display(match died {
            Ok(status) => format!("the X display {} has died ({status})", xvfb.display),
            Err(err) => format!("the X display {} is lost: {err}", xvfb.display),
        });
        let Next::RestartAfter(pause) = policy.ended(false, epoch.elapsed()) else {
            break Some(Event::Failed(error));
        };
        tracing::warn!("{}; it is started again", error.message);
        // If nobody listens any more, the session is ending anyway.
        let _ = events.send(Event::DisplayLost(error)).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut stopped => break None,
        }
        let size = programme.display.known().size.unwrap_or(programme.size);
        let authority = &programme.authority;
        let next = match xvfb::start(size, authority, Some(&xvfb.display)).await {
            Ok(next) => Ok(next),
            // Another session has taken the number while it was free.
            Err(_) => xvfb::start(size, authority, None).await,
        };
        match next {
            Ok(next) => xvfb = next,
            Err(error) => break Some(Event::Failed(error)),
        }
        programme.display.set(&xvfb.display);
        tracing::info!("the virtual display {} is up again", xvfb.display);
    };
    if let Some(event) = outcome {
        let _ = events.send(event).await;
        let _ = stopped.await;
    }
    if let Some((mut child, group)) = running {
        process::end(&mut child, group).await;
    }
    process::end(&mut xvfb.child, xvfb.group).await;
}

/// Runs the command, which may have been started already, until there is something to tell. Whatever still runs is left in
/// `running`, so that the caller can end it even when this future is dropped.
async fn run_command(programme: &Programme, running: &mut Running) -> Event {
    let name = programme.name();
    let mut policy = RestartPolicy::default();
    let epoch = Instant::now();
    loop {
        let (child, group) = match running {
            Some(running) => running,
            None => match spawn(programme) {
                Ok(started) => running.insert(started),
                Err(error) => return Event::Failed(error),
            },
        };
        let status = child.wait().await;
        // What the command left behind in its group goes with it.
        process::end(child, *group).await;
        *running = None;
        let (success, words) = match status {
            Ok(status) => (status.success(), status.to_string()),
            Err(err) => (false, err.to_string()),
        };
        match policy.ended(success, epoch.elapsed()) {
            Next::End => {
                return Event::Stop(End { cause: EndCause::LoggedOut, why: format!("{name} has ended") });
            }
            Next::GiveUp => {
                return Event::Failed(Error::desktop(format!(
                    "{name} failed {} times within {} s, last with {words}",
                    restart::MAX_FAILURES,
                    restart::WINDOW.as_secs()
                )));
            }
            Next::RestartAfter(pause) => {
                tracing::warn!(command = name, "the desktop's command failed with {words}; it starts again");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn spawn(programme: &Programme) -> Result<(Child, Option<Pid>), Error> {
    let name = programme.name();
    let child = process::spawn(command(programme)).map_err(|err| {
        let why = match err.kind() {
            io::ErrorKind::NotFound if !name.contains('/') => "no program of this name is in PATH".to_owned(),
            _ => err.to_string(),
        };
        Error::desktop(format!("the desktop's command {name} cannot be started: {why}"))
    })?;
    tracing::info!(command = name, pid = child.id(), "the desktop's command runs");
    let group = process::group(&child);
    Ok((child, group))
}

fn command(programme: &Programme) -> std::process::Command {
    let mut words = programme.command.iter();
    let mut command = std::process::Command::new(words.next().cloned().unwrap_or_default());
    command
        .args(words)
        .env("DISPLAY", programme.display.get())
        .env("XAUTHORITY", &programme.authority)
        .stdout(process::stderr())
        .stderr(process::stderr());
    if let Some(server) = &programme.pulse_server {
        command.env("PULSE_SERVER", server);
    }
    command
}
