//! Shell: the screen thread. It owns the size of the display: it takes the wishes of the page in control, of which the newest
//! counts, and tells what the screen is. An X server that refuses leaves the screen as it is.
//!
//! ```text
//! Viewport of the controller ──▶ Screen ──▶ queue ──▶ thread: sizing (decides) ──▶ randr, dots ──▶ X server
//!                                   ▲ watch: what the screen is                        │
//!                                   └──────────────────────────────────────────────────┘
//! ```

mod dots;
pub mod modeline;
pub mod randr;
pub mod settings;
pub mod sizing;

use crate::{
    config::{MIN_DISPLAY, Size},
    desktop::DisplayName,
    latest::Latest,
};
use dots::Dots;
use randr::{Randr, RandrError};
use sizing::{Goal, Next, PLAIN_DPI, Wishes};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use vdi_protocol::screen::{self as wire, Viewport};
use x11rb::{connection::Connection as _, protocol::Event};

/// Words that may wait for the thread; of the wishes only the newest is kept, apart from them.
const QUEUE: usize = 2;
/// Pause after which the thread looks at the server's messages although nobody wishes anything.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// Time between two tries to reach a display that is gone.
const RECONNECT_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug)]
enum Command {
    /// There is a wish.
    Wish,
    Stop,
}

/// The newest wish that the thread has not taken yet.
type Newest = Arc<Mutex<Option<Viewport>>>;

/// The way to the thread.
#[derive(Debug)]
pub struct Screen {
    queue: SyncSender<Command>,
    newest: Newest,
    state: watch::Receiver<wire::Screen>,
    thread: JoinHandle<()>,
}

/// Starts the thread. `resizable` is the operator's word; without it the screen is only watched.
pub fn start(display: &DisplayName, resizable: bool) -> std::io::Result<Screen> {
    let (queue, commands) = sync_channel(QUEUE);
    let (tell, state) = watch::channel(wire::Screen { dpi: PLAIN_DPI, ..wire::Screen::default() });
    let newest = Newest::default();
    let thread = Thread {
        display: display.clone(),
        resizable,
        wishes: Wishes::default(),
        epoch: Instant::now(),
        commands,
        newest: newest.clone(),
        tell,
    };
    let thread = std::thread::Builder::new().name("screen".into()).spawn(move || thread.live())?;
    Ok(Screen { queue, newest, state, thread })
}

impl Screen {
    /// What the screen is; changes as the server tells.
    pub fn state(&self) -> watch::Receiver<wire::Screen> {
        self.state.clone()
    }

    /// The window of the page in control.
    pub fn wish(&self, viewport: Viewport) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(viewport);
        // A queue that is full makes the thread look just as well.
        let _ = self.queue.try_send(Command::Wish);
    }

    /// Ends the thread. It may hang as long as the X server does.
    pub fn stop(self) {
        let _ = self.queue.send(Command::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the screen thread has panicked");
        }
    }
}

struct Thread {
    display: DisplayName,
    resizable: bool,
    wishes: Wishes,
    epoch: Instant,
    commands: Receiver<Command>,
    newest: Newest,
    tell: watch::Sender<wire::Screen>,
}

/// Told to end.
struct Ended;

impl Thread {
    /// Works until it is told to stop, with as many connections as that takes.
    fn live(mut self) {
        loop {
            let connected = Randr::connect(&self.display.get());
            match connected.and_then(|randr| self.run(&randr)) {
                Ok(Ended) => return,
                Err(error) => tracing::debug!("the screen is out of reach: {error}"),
            }
            self.wishes.forget_set();
            let until = Instant::now() + RECONNECT_EVERY;
            loop {
                match self.commands.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Command::Wish) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
        }
    }

    /// One connection to the display, until it breaks.
    fn run(&mut self, randr: &Randr) -> Result<Ended, RandrError> {
        let mut dots = Dots::new(Instant::now());
        let mut refusal = None;
        self.look(randr, &dots, refusal.as_ref())?;
        // One may have come while nobody was connected.
        self.take_wish();
        loop {
            let wait = match self.wishes.next(self.epoch.elapsed()) {
                Next::Set(goal) => {
                    refusal = set(randr, &mut dots, goal)?;
                    match refusal {
                        Some(_) => self.wishes.give_up(),
                        None => self.display.keep_size(goal.size),
                    }
                    self.look(randr, &dots, refusal.as_ref())?;
                    continue;
                }
                Next::Wait(time) => time,
                Next::Rest => LOOK_AROUND,
            };
            match self.commands.recv_timeout(wait) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(Ended),
                Ok(Command::Wish) => {
                    // What was refused is one size at one time; the next may be another.
                    refusal = None;
                    self.take_wish();
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            dots.settle(randr, Instant::now())?;
            if happened(randr, &mut dots)? {
                self.look(randr, &dots, refusal.as_ref())?;
            }
        }
    }

    fn take_wish(&mut self) {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let state = self.tell.latest();
        let Some(viewport) = newest.filter(|_| state.resizable) else { return };
        let side = |px: u32| u16::try_from(px).unwrap_or(u16::MAX);
        let largest = Size { width_px: side(state.max_width), height_px: side(state.max_height) };
        if let Some(goal) = sizing::goal(&viewport, MIN_DISPLAY, largest) {
            self.wishes.wish(goal);
        }
    }

    /// Tells what the screen is now.
    fn look(&self, randr: &Randr, dots: &Dots, refusal: Option<&String>) -> Result<(), RandrError> {
        let largest = match randr.largest() {
            Ok(largest) => Ok(largest),
            Err(error) if error.is_lost() => return Err(error),
            Err(error) => Err(format!("The desktop keeps its size: {error}.")),
        };
        let now = randr.size()?;
        let most = *largest.as_ref().unwrap_or(&now);
        let can = largest.is_ok();
        let message = refusal.cloned().or(largest.err());
        let state = wire::Screen {
            resizable: self.resizable && can,
            // What the operator does not allow needs no other reason.
            message: message.filter(|_| self.resizable),
            max_width: most.width_px.into(),
            max_height: most.height_px.into(),
            dpi: dots.told(),
            monitors: randr.monitors()?,
        };
        self.tell.send_if_modified(|old| {
            let has_changed = *old != state;
            *old = state;
            has_changed
        });
        Ok(())
    }
}

/// Sets it; gives a sentence for people if the server refuses.
fn set(randr: &Randr, dots: &mut Dots, goal: Goal) -> Result<Option<String>, RandrError> {
    let Goal { size, dpi } = goal;
    match randr.set_size(size, dpi) {
        Ok(()) => {
            tracing::info!(%size, dpi, "the desktop has the size of the window");
            dots.tell(randr, dpi)?;
            Ok(None)
        }
        Err(error) if error.is_lost() => Err(error),
        Err(error) => {
            tracing::warn!(%size, "the desktop cannot have the size of the window: {error}");
            Ok(Some(format!("The desktop keeps its size: {error}.")))
        }
    }
}

/// Takes in what the server has told; whether something of the screen may have changed.
fn happened(randr: &Randr, dots: &mut Dots) -> Result<bool, RandrError> {
    let mut has_changed = false;
    while let Some(event) = randr.connection.poll_for_event()? {
        match event {
            Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_) | Event::ConfigureNotify(_) => {
                has_changed = true;
            }
            Event::SelectionClear(_) => dots.replaced(randr)?,
            _ => {}
        }
    }
    Ok(has_changed)
}
