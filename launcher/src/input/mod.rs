//! Shell: the input thread. It owns the X connection and everything that is held, takes reports through a bounded queue,
//! and acts only for the controller; a report of anybody else is dropped and counted.
//!
//! ```text
//! data channels ──▶ Input (checks role) ──▶ queue ──▶ thread: keyboard, pointer (decide) ──▶ x11 (XTEST)
//! ```

mod gamepads;
pub mod keyboard;
pub mod keymap;
pub mod pointer;
pub mod spares;
pub mod x11;

use crate::{
    desktop::DisplayName,
    gamepads::Gamepads,
    queue::{Inlet, Outlet, Refused, queue},
};
use keyboard::{Keyboard, State};
use keymap::keysym_of;
use pointer::{Move, Pointer};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::RecvTimeoutError,
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::time::Instant;
use vdi_protocol::input::{Input as Report, Pointing};
use x11::{X11, X11Error};

/// Reports that may wait for the thread: what a mouse with 1000 reports a second and a stall of eight seconds make. X takes
/// them far faster, but a machine that is busy with something else may let the thread wait while a lost packet's burst comes.
const QUEUE: usize = 8192;
/// Reports that may wait behind text that is being typed, which takes its time where keycodes are lent: a long text comes
/// at once.
const MAX_LATER: usize = 16_384;
/// Characters that are typed without a look at what else has come, so that the pointer never stands still for them.
const STROKES_AT_ONCE: usize = 16;
/// Silence after which the keys of a page go up: while it holds any it tells so four times a second, and the worst networks
/// are heard from sooner. Its machine sleeps, or the page hangs.
const SILENCE: Duration = Duration::from_secs(5);
/// Pause after which the thread looks at the server's messages although nobody acts.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// Time between two tries to reach a display that is gone.
const RECONNECT_EVERY: Duration = Duration::from_millis(300);

/// Counts for metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Reports that were acted upon.
    pub accepted: AtomicU64,
    /// Reports of pages that are not in control.
    pub from_viewers: AtomicU64,
    /// Reports that found the queue full.
    pub overflowed: AtomicU64,
    /// Motions that came after a newer one.
    pub late_motions: AtomicU64,
}

#[derive(Debug)]
enum Command {
    Report(String, Report),
    Motion(String, Pointing),
    /// This page acts from now on; what the one before it held goes up.
    Controller(Option<String>),
    /// Somebody doubts that the display is there.
    Look,
    Stop,
}

/// The way to the input thread; cheap to clone.
#[derive(Debug, Clone)]
pub struct Input {
    queue: Inlet<Command>,
    shared: Arc<Shared>,
    /// What programs know of the page's gamepads, which take no way through the X server.
    gamepads: Gamepads,
}

#[derive(Debug, Default)]
struct Shared {
    controller: Mutex<Option<String>>,
    last_input: Mutex<Option<Instant>>,
    overflowed: AtomicBool,
    locked: AtomicBool,
    counters: Counters,
}

/// The thread, to be joined at the end.
#[derive(Debug)]
pub struct InputThread(JoinHandle<()>);

impl InputThread {
    /// Waits for its end; [`Input::stop`] first.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the input thread has panicked");
        }
    }
}

/// What the thread tells of the display.
#[derive(Debug)]
pub enum News {
    /// The connection is broken. It is tried again until it stands.
    Lost(X11Error),
    /// The display answers: again, or to [`Input::look`].
    Reached,
}

/// Connects to the display and starts the thread, which tells of the display from then on.
pub fn start(
    display: &DisplayName,
    gamepads: Gamepads,
    tell: impl Fn(News) + Send + 'static,
) -> Result<(Input, InputThread, (u16, u16)), X11Error> {
    let x11 = X11::connect(&display.get())?;
    let keyboard = Keyboard::new(x11.keymap()?);
    let size = x11.size();
    let (queue, reports) = queue(QUEUE);
    let shared = Arc::new(Shared::default());
    let thread = Thread {
        x11,
        keyboard,
        pointer: Pointer::default(),
        controller: None,
        later: VecDeque::new(),
        due: None,
        began: Instant::now(),
        heard: Instant::now(),
        shared: shared.clone(),
        tell: Box::new(tell),
    };
    let display = display.clone();
    let thread = std::thread::Builder::new()
        .name("input".into())
        .spawn(move || thread.live(&display, &reports))
        .map_err(|err| X11Error::Connect(err.into()))?;
    Ok((Input { queue, shared, gamepads }, InputThread(thread), size))
}

impl Input {
    /// A report of the reliable channel. Returns whether the page may act.
    pub fn report(&self, page: &str, report: Report) -> bool {
        self.gamepad(page, &report).unwrap_or_else(|| {
            self.is_controller(page) && self.send(Command::Report(page.to_owned(), report))
        })
    }

    /// A report of the unreliable channel. Returns whether the page may act.
    pub fn motion(&self, page: &str, motion: Pointing) -> bool {
        self.is_controller(page) && self.send(Command::Motion(page.to_owned(), motion))
    }

    /// This page, or nobody, acts from now on.
    pub fn set_controller(&self, page: Option<&str>) {
        self.take_gamepads(page);
        self.queue.say(Command::Controller(page.map(str::to_owned)));
    }

    /// Asks the thread whether the display is there; it tells.
    pub fn look(&self) {
        // A queue that is full is being worked off, which shows as much.
        let _ = self.queue.offer(Command::Look);
    }

    /// Releases everything, gives the spare keycodes back and ends the thread.
    pub fn stop(&self) {
        self.queue.say(Command::Stop);
    }

    /// Counts so far.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// When the controller last acted.
    pub fn last_input(&self) -> Option<Instant> {
        *self.shared.last_input.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the page in control does not know where the pointer is, and cannot draw it.
    pub fn locked(&self) -> bool {
        self.shared.locked.load(Relaxed)
    }

    fn is_controller(&self, page: &str) -> bool {
        let controller = self.shared.controller.lock().unwrap_or_else(PoisonError::into_inner);
        let controls = controller.as_deref() == Some(page);
        if !controls {
            self.shared.counters.from_viewers.fetch_add(1, Relaxed);
        }
        controls
    }

    fn send(&self, command: Command) -> bool {
        // A heartbeat of held keys is sent by the page and says nothing of the person.
        if !matches!(command, Command::Report(_, Report::Held { .. })) {
            *self.shared.last_input.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        // A lost motion is mended by the next; a lost key would stick, so then everything is released.
        let would_stick = matches!(command, Command::Report(..));
        match self.queue.offer(command) {
            Ok(()) => true,
            Err(Refused::Full) => {
                self.shared.counters.overflowed.fetch_add(1, Relaxed);
                self.shared.overflowed.fetch_or(would_stick, Relaxed);
                true
            }
            Err(Refused::Ended) => false,
        }
    }
}

struct Thread {
    x11: X11,
    keyboard: Keyboard,
    pointer: Pointer,
    controller: Option<String>,
    /// Reports of the reliable channel that wait, in their order.
    later: VecDeque<Report>,
    /// When the first of them can be gone on with.
    due: Option<Instant>,
    began: Instant,
    /// When the controller's page last reported.
    heard: Instant,
    shared: Arc<Shared>,
    tell: Box<dyn Fn(News) + Send>,
}

/// What is left of a report that cannot be done as a whole now, and how long it has to wait.
type Rest = Option<(Report, Duration)>;

impl Thread {
    /// Works until it is told to stop, with as many connections as that takes.
    fn live(mut self, display: &DisplayName, reports: &Outlet<Command>) {
        while let Err(error) = self.run(reports) {
            (self.tell)(News::Lost(error));
            if !self.reconnect(display, reports) {
                return;
            }
            (self.tell)(News::Reached);
        }
    }

    /// Tries until the display is there again; false if told to stop. Nothing reaches a display that is gone, but who is
    /// in control is not forgotten.
    fn reconnect(&mut self, display: &DisplayName, reports: &Outlet<Command>) -> bool {
        loop {
            let name = display.get();
            let connected = X11::connect(&name).and_then(|x11| Ok((Keyboard::new(x11.keymap()?), x11)));
            match connected {
                Ok((keyboard, x11)) => {
                    (self.keyboard, self.x11, self.pointer) = (keyboard, x11, Pointer::default());
                    self.forget_later();
                    return true;
                }
                Err(error) => tracing::debug!(%error, "the X display {name} is not there yet"),
            }
            let until = Instant::now() + RECONNECT_EVERY;
            loop {
                match reports.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                    Ok(Command::Controller(page)) => self.controller = page,
                    Ok(Command::Report(..) | Command::Motion(..) | Command::Look) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
        }
    }

    fn run(&mut self, reports: &Outlet<Command>) -> Result<(), X11Error> {
        loop {
            let patience = self.due.map_or(LOOK_AROUND, |due| due.saturating_duration_since(Instant::now()));
            let command = match reports.recv_timeout(patience) {
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) if self.due.is_some() => {
                    self.work_off()?;
                    self.settle()?;
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.look_around()?;
                    self.mind_silence()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => Command::Stop,
            };
            if self.shared.overflowed.swap(false, Relaxed) {
                tracing::warn!("input came faster than the display takes it; all keys are released");
                self.forget_later();
                self.release_all()?;
            }
            match command {
                Command::Report(page, report) if self.controller.as_ref() == Some(&page) => {
                    self.shared.counters.accepted.fetch_add(1, Relaxed);
                    self.heard = Instant::now();
                    self.later.push_back(report);
                    if self.later.len() > MAX_LATER {
                        self.shared.overflowed.store(true, Relaxed);
                    } else if self.due.is_none() {
                        self.work_off()?;
                    }
                }
                Command::Motion(page, motion) if self.controller.as_ref() == Some(&page) => {
                    if let Some(wanted) = self.pointer.point(motion) {
                        self.shared.counters.accepted.fetch_add(1, Relaxed);
                        self.go(wanted)?;
                    } else {
                        self.shared.counters.late_motions.fetch_add(1, Relaxed);
                    }
                }
                Command::Report(..) | Command::Motion(..) => {
                    self.shared.counters.from_viewers.fetch_add(1, Relaxed);
                }
                Command::Controller(page) => {
                    self.forget_later();
                    self.release_all()?;
                    self.pointer = Pointer::default();
                    self.shared.locked.store(false, Relaxed);
                    self.controller = page;
                }
                Command::Look => {
                    self.look_around()?;
                    (self.tell)(News::Reached);
                }
                Command::Stop => {
                    if let Err(error) = self.take_leave() {
                        // A display that is gone holds nothing, and is not waited for any more.
                        tracing::debug!(%error, "nothing could be released");
                    }
                    return Ok(());
                }
            }
            self.settle()?;
        }
    }

    /// What was asked for goes out, and the server's own auto-repeat stays off while keys are held.
    fn settle(&mut self) -> Result<(), X11Error> {
        let held = self.keyboard.held().next().is_some();
        self.x11.suspend_repeat(held)?;
        self.x11.flush()
    }

    /// Releases the keys of a page that holds some and has fallen silent.
    fn mind_silence(&mut self) -> Result<(), X11Error> {
        if self.heard.elapsed() < SILENCE || self.keyboard.held().next().is_none() {
            return Ok(());
        }
        tracing::info!("a page that holds keys has fallen silent; they are released");
        let actions = self.keyboard().release_all();
        self.x11.keys(&actions)?;
        self.settle()
    }

    /// Does what waits, as far as it can be done now.
    fn work_off(&mut self) -> Result<(), X11Error> {
        self.due = None;
        while let Some(report) = self.later.pop_front() {
            if let Some((rest, wait)) = self.report(report)? {
                self.later.push_front(rest);
                self.due = Some(Instant::now() + wait);
                break;
            }
        }
        Ok(())
    }

    fn forget_later(&mut self) {
        self.later.clear();
        self.due = None;
    }

    /// The keyboard, which is told the time.
    fn keyboard(&mut self) -> &mut Keyboard {
        self.keyboard.at(self.began.elapsed())
    }

    fn take_leave(&mut self) -> Result<(), X11Error> {
        self.release_all()?;
        let unbind = self.keyboard.unbind();
        self.x11.keys(&unbind)?;
        self.x11.suspend_repeat(false)?;
        // The answer comes only after all before it is done, so nothing is held when the thread has ended.
        self.x11.state().map(drop)
    }

    fn report(&mut self, report: Report) -> Result<Rest, X11Error> {
        let actions = match report {
            Report::Key { keysym, down: true } => {
                let state = self.look_around()?;
                if let Some(wait) = self.keyboard().wait(keysym, state) {
                    return Ok(Some((report, wait)));
                }
                self.keyboard().down(keysym, state)
            }
            Report::Key { keysym, down: false } => self.keyboard().up(keysym),
            Report::Text { text } => return self.type_text(&text),
            Report::Button { button, down, x, y } => {
                self.go(Move::To(x, y))?;
                return self.button(button, down);
            }
            Report::LockedButton { button, down, seq, way } => {
                // Motion that has overtaken the button has told its way already.
                if let Some(wanted) = self.pointer.travel(seq, way) {
                    self.go(wanted)?;
                }
                return self.button(button, down);
            }
            Report::Wheel { dx, dy } => {
                let actions = self.keyboard.before_button();
                self.x11.keys(&actions)?;
                for button in self.pointer.wheel(dx, dy) {
                    self.x11.button(button, true)?;
                    self.x11.button(button, false)?;
                }
                return Ok(None);
            }
            Report::ReleaseAll => return self.release_all().map(|()| None),
            Report::GamepadConnected { .. }
            | Report::GamepadState { .. }
            | Report::GamepadDisconnected { .. } => {
                return Ok(None);
            }
            Report::Held { keysyms } => self.keyboard().reconcile(&keysyms),
        };
        self.x11.keys(&actions)?;
        Ok(None)
    }

    /// Types a text; what is left of it when something else should have its turn, or a keycode has to rest.
    fn type_text(&mut self, text: &str) -> Result<Rest, X11Error> {
        for (typed, (at, character)) in text.char_indices().enumerate() {
            let rest = |wait| Ok(Some((Report::Text { text: text[at..].to_owned() }, wait)));
            if typed == STROKES_AT_ONCE {
                return rest(Duration::ZERO);
            }
            let Some(keysym) = keysym_of(character) else { continue };
            let state = self.look_around()?;
            if let Some(wait) = self.keyboard().wait(keysym, state) {
                return rest(wait);
            }
            let mut actions = self.keyboard().down(keysym, state);
            actions.extend(self.keyboard().up(keysym));
            self.x11.keys(&actions)?;
        }
        Ok(None)
    }

    /// Takes in what the server has told, and asks for its modifiers. The answer comes after everything told before it.
    fn look_around(&mut self) -> Result<State, X11Error> {
        let state = self.x11.state()?;
        self.refresh()?;
        Ok(state)
    }

    fn refresh(&mut self) -> Result<(), X11Error> {
        if self.x11.changes()?.keymap {
            let keymap = self.x11.keymap()?;
            self.keyboard.set_keymap(keymap);
        }
        Ok(())
    }

    fn button(&mut self, button: u8, down: bool) -> Result<Rest, X11Error> {
        let actions = self.keyboard.before_button();
        self.x11.keys(&actions)?;
        if let Some(button) = self.pointer.button(button, down) {
            self.x11.button(button, down)?;
        }
        Ok(None)
    }

    fn go(&mut self, wanted: Move) -> Result<(), X11Error> {
        self.refresh()?;
        self.shared.locked.store(self.pointer.locked(), Relaxed);
        match wanted {
            Move::To(x, y) => self.x11.motion(pointer::clamp(x, y, self.x11.size())),
            Move::By(0, 0) => Ok(()),
            Move::By(x, y) => self.x11.motion_by(x, y),
        }
    }

    fn release_all(&mut self) -> Result<(), X11Error> {
        let actions = self.keyboard().release_all();
        self.x11.keys(&actions)?;
        for button in self.pointer.release_buttons() {
            self.x11.button(button, false)?;
        }
        Ok(())
    }
}
