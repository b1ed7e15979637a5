//! Shell: where the pipeline's events go. Input goes straight to its thread, what is copied to the clipboard's, where people point
//! to those who show it, all else to the session, in the order in which it happened. Nothing here waits, and no page can keep the others' events out: what it says
//! is held to its budget, and finds only a part of the queue open.

use crate::{
    budget::{Budgets, Verdict},
    clipboard::Clipboard,
    input::Input,
    media::Event,
    pointers::Pointers,
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::Instant,
};
use vdi_protocol::{input::Pointing, limits::MAX_DATA_BYTES, parse, parse::ParseError};

/// Events that may wait for the session.
const QUEUE: usize = 4096;
/// Places that no page's messages get. A connection takes five, for coming and going, and as many handshakes as would fill
/// these take far longer than the session ever stands still.
const RESERVED: usize = 3072;

/// The way of the pipeline's events to the session.
pub fn queue() -> (Sender<Event>, Receiver<Event>) {
    mpsc::channel(QUEUE)
}

/// Counts for metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that could not be read.
    pub bad: AtomicU64,
    /// Messages beyond what a page may say.
    pub dropped: AtomicU64,
}

/// Passes events on; cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    began: Instant,
    input: Input,
    clipboard: Clipboard,
    pointers: Pointers,
    events: Sender<Event>,
    budgets: Mutex<Budgets>,
    counters: Arc<Counters>,
}

impl Delivery {
    /// Input, clipboard and pointers get what is theirs, and `events` the rest.
    pub fn new(
        input: Input,
        clipboard: Clipboard,
        pointers: Pointers,
        events: Sender<Event>,
        counters: Arc<Counters>,
    ) -> Self {
        let (began, budgets) = (Instant::now(), Mutex::default());
        Self(Arc::new(Inner { began, input, clipboard, pointers, events, budgets, counters }))
    }

    /// Something has happened.
    pub fn take(&self, event: Event) {
        match event {
            Event::Message { page, channel, text } if channel != "control" => {
                if let Err(error) = self.message(&page, &channel, &text) {
                    self.unreadable(page, error.to_string());
                }
            }
            Event::Message { ref page, .. } => {
                if self.may_say(page) {
                    self.pass(event);
                }
            }
            Event::BadMessage { page, error } => self.unreadable(page, error),
            event => {
                match &event {
                    Event::PageAdded(page) => self.budgets().came(page, self.0.began.elapsed()),
                    Event::PageRemoved(page, _) => self.budgets().left(page),
                    _ => {}
                }
                self.happened(event);
            }
        }
    }

    fn message(&self, page: &str, channel: &str, text: &str) -> Result<(), ParseError> {
        let Inner { input, clipboard, pointers, .. } = &*self.0;
        match channel {
            "input" => drop(input.report(page, parse::message(text, MAX_DATA_BYTES)?)),
            // What comes from others than the controller is nobody's work but that of refusing it.
            "clipboard" if !clipboard.is_for(page) && !self.may_say(page) => {}
            "clipboard" => clipboard.message(page, parse::message(text, MAX_DATA_BYTES)?),
            _ => match parse::message(text, MAX_DATA_BYTES)? {
                Pointing::Shown { seq, x, y } => pointers.point(page, seq, Some((x, y))),
                Pointing::Hidden { seq } => pointers.point(page, seq, None),
                motion => drop(input.motion(page, motion)),
            },
        }
        Ok(())
    }

    fn unreadable(&self, page: String, error: String) {
        self.0.counters.bad.fetch_add(1, Relaxed);
        if self.may_say(&page) {
            self.pass(Event::BadMessage { page, error });
        }
    }

    /// Whether there is room for one more message of this page.
    fn may_say(&self, page: &str) -> bool {
        let verdict = self.budgets().charge(page, self.0.began.elapsed());
        if verdict == Verdict::Heard && self.0.events.capacity() > RESERVED {
            return true;
        }
        self.0.counters.dropped.fetch_add(1, Relaxed);
        match verdict {
            Verdict::Dropped { first: true } => tracing::warn!(page, "a page says more than is heard"),
            Verdict::TooMuch => self.happened(Event::Flood(page.to_owned())),
            Verdict::Dropped { first: false } | Verdict::Heard => {}
        }
        false
    }

    /// What a page says: one that was let in, and may find the queue full with all the others.
    fn pass(&self, event: Event) {
        if self.0.events.try_send(event).is_err() {
            tracing::debug!("a page's message is lost: the session has ended");
        }
    }

    /// What has happened, whoever says what meanwhile.
    fn happened(&self, event: Event) {
        if self.0.events.try_send(event).is_err() {
            tracing::warn!("an event is lost: the session has ended, or stands still");
        }
    }

    fn budgets(&self) -> std::sync::MutexGuard<'_, Budgets> {
        self.0.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
