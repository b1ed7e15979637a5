//! Shell: the clipboard thread. It has an X connection of its own, is told by XFIXES when something is copied, and gives it
//! to the page in control; what that page has copied it owns on the display. A page that is not in control neither reads
//! nor writes, whatever it sends.
//!
//! ```text
//! data channel "clipboard" ──▶ Clipboard (checks role) ──▶ queue ──▶ thread ──▶ serve (owns selections)    ──▶ programs
//!                          ◀── transfer ◀── audience ◀─────────────────┘    ◀── fetch (reads selections)   ◀──
//! ```

mod audience;
#[doc(hidden)]
pub mod content;
mod fetch;
mod serve;
mod thread;
#[doc(hidden)]
pub mod transfer;
mod x11;

use crate::{
    config::Sharing,
    desktop::DisplayName,
    queue::{Inlet, queue},
};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};
use vdi_protocol::clipboard::{FromPage, Policy, Refusal, ToPage};

/// Messages that may wait: more than the window lets a page send before it is answered.
const QUEUE: usize = 64;

enum Command {
    Message(String, FromPage),
    /// This page reads and writes from now on.
    Controller(Option<String>),
    Stop,
}

/// The way to the clipboard thread; cheap to clone. Where the clipboard is not shared there is no thread.
#[derive(Clone)]
pub struct Clipboard(Option<Arc<Way>>);

struct Way {
    queue: Inlet<Command>,
    bell: Arc<x11::Bell>,
    /// Whose messages get into the queue.
    controller: Mutex<Option<String>>,
    send: thread::Tell,
}

/// The thread, to be joined at the end.
#[derive(Debug)]
pub struct ClipboardThread(Option<JoinHandle<()>>);

impl ClipboardThread {
    /// Waits for its end; [`Clipboard::stop`] first.
    pub fn join(self) {
        if self.0.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the clipboard thread has panicked");
        }
    }
}

/// What a page in control may do.
pub fn policy(sharing: &Sharing) -> Policy {
    let way = sharing.clipboard;
    Policy { read: way.out, write: way.into, max_bytes: sharing.clipboard_max_bytes }
}

/// Starts the thread; it waits for a display that is not there. `send` must not wait.
pub fn start(
    display: &DisplayName,
    sharing: &Sharing,
    send: impl Fn(&str, &ToPage) + Send + Sync + 'static,
) -> io::Result<(Clipboard, ClipboardThread)> {
    let policy = policy(sharing);
    if !policy.read && !policy.write {
        return Ok((Clipboard(None), ClipboardThread(None)));
    }
    let send: thread::Tell = Arc::new(send);
    let (queue, commands) = queue(QUEUE);
    let bell = Arc::new(x11::Bell::new()?);
    let thread = thread::Thread::new(policy, commands, bell.clone(), send.clone());
    let display = display.clone();
    let thread = std::thread::Builder::new().name("clipboard".into()).spawn(move || thread.live(&display))?;
    let way = Way { queue, bell, controller: Mutex::default(), send };
    Ok((Clipboard(Some(Arc::new(way))), ClipboardThread(Some(thread))))
}

impl Clipboard {
    /// Whether what this page sends is worth more than a refusal.
    pub fn is_for(&self, page: &str) -> bool {
        self.0.as_ref().is_some_and(|way| way.controller().as_deref() == Some(page))
    }

    /// A page has sent something. What finds the queue full is lost, and its sender waits for an answer in vain: only one
    /// that keeps to no window fills it, and only the one in control gets there.
    pub fn message(&self, page: &str, message: FromPage) {
        let Some(way) = &self.0 else { return };
        if !self.is_for(page) {
            match message {
                FromPage::Offer(offer) => {
                    (way.send)(page, &ToPage::Refused { id: offer.id, reason: Refusal::NotAllowed });
                }
                FromPage::Fetch { selection } => {
                    (way.send)(page, &ToPage::Missed { selection, reason: Refusal::NotAllowed });
                }
                FromPage::Ready | FromPage::Piece { .. } | FromPage::Received { .. } => {}
            }
            return;
        }
        if way.queue.offer(Command::Message(page.to_owned(), message)).is_err() {
            tracing::debug!(page, "a message for the clipboard is lost");
        }
        way.bell.ring();
    }

    /// This page, or nobody, reads and writes from now on.
    pub fn set_controller(&self, page: Option<&str>) {
        if let Some(way) = &self.0 {
            *way.controller() = page.map(str::to_owned);
        }
        self.command(Command::Controller(page.map(str::to_owned)));
    }

    /// Ends the thread; what it owns on the display is gone then.
    pub fn stop(&self) {
        self.command(Command::Stop);
    }

    fn command(&self, command: Command) {
        let Some(way) = &self.0 else { return };
        way.queue.say(command);
        way.bell.ring();
    }
}

impl Way {
    fn controller(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
