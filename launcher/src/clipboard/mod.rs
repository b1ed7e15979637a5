//! Shell: the clipboard thread. It has an X connection of its own, is told by XFIXES when something is copied, and gives it
//! to the page in control; what that page has copied it owns on the display. A page that is not in control neither reads
//! nor writes, whatever it sends.
//!
//! ```text
//! data channel "clipboard" ──▶ Clipboard ──▶ queue ──▶ thread ──▶ serve (owns selections)    ──▶ programs
//!                          ◀── transfer ◀── audience ◀──┘    ◀── fetch (reads selections)   ◀──
//! ```

mod audience;
mod content;
mod fetch;
mod serve;
mod thread;
mod transfer;
mod x11;

use crate::{config::Sharing, desktop::DisplayName};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};
use vdi_protocol::clipboard::{FromPage, Policy, ToPage};

/// Messages that may wait: more than the window lets a page send before it is answered.
const QUEUE: usize = 64;

enum Command {
    Message(String, FromPage),
    /// This page reads and writes from now on.
    Controller(Option<String>),
    Stop,
}

/// The way to the clipboard thread; cheap to clone. Where the clipboard is not shared there is no thread.
#[derive(Debug, Clone)]
pub struct Clipboard(Option<Arc<Way>>);

#[derive(Debug)]
struct Way {
    queue: SyncSender<Command>,
    bell: Arc<x11::Bell>,
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
    send: impl Fn(&str, &ToPage) + Send + 'static,
) -> io::Result<(Clipboard, ClipboardThread)> {
    let policy = policy(sharing);
    if !policy.read && !policy.write {
        return Ok((Clipboard(None), ClipboardThread(None)));
    }
    let (queue, commands) = sync_channel(QUEUE);
    let bell = Arc::new(x11::Bell::new()?);
    let thread = thread::Thread::new(policy, commands, bell.clone(), Box::new(send));
    let display = display.clone();
    let thread = std::thread::Builder::new().name("clipboard".into()).spawn(move || thread.live(&display))?;
    Ok((Clipboard(Some(Arc::new(Way { queue, bell }))), ClipboardThread(Some(thread))))
}

impl Clipboard {
    /// A page has sent something. What finds the queue full is lost, and its sender waits for an answer in vain: only one
    /// that keeps to no window fills it.
    pub fn message(&self, page: &str, message: FromPage) {
        let Some(way) = &self.0 else { return };
        if way.queue.try_send(Command::Message(page.to_owned(), message)).is_err() {
            tracing::debug!(page, "a message for the clipboard is lost");
        }
        way.bell.ring();
    }

    /// This page, or nobody, reads and writes from now on.
    pub fn set_controller(&self, page: Option<&str>) {
        self.command(Command::Controller(page.map(str::to_owned)));
    }

    /// Ends the thread; what it owns on the display is gone then.
    pub fn stop(&self) {
        self.command(Command::Stop);
    }

    fn command(&self, command: Command) {
        let Some(way) = &self.0 else { return };
        way.bell.ring();
        // A full queue is being worked off; waiting for the thread is right, and short.
        let _ = way.queue.send(command);
        way.bell.ring();
    }
}
