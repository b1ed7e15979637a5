//! Shell: reads what a selection holds from the program that owns it (ICCCM, 2.4): first which forms there are, then each
//! of those that browsers know, in one piece or in many (INCR, 2.7.2).

use super::{
    content::{self, Content, MIMES},
    x11::{X11, X11Error},
};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;
use vdi_protocol::clipboard::{Mime, Refusal, Selection};
use x11rb::{
    NONE,
    protocol::xproto::{
        Atom, AtomEnum, ConnectionExt as _, Property, PropertyNotifyEvent, SelectionNotifyEvent, Timestamp,
        Window,
    },
};

/// Time for a program to give the next part. One that is stopped in a debugger never does.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Words of four bytes that are asked for at once.
const READ_WORDS: u32 = 64 * 1024;
/// Forms that a program may offer; office programs have about 30.
const MAX_TARGETS: u32 = 1024;

/// What has come of it.
#[derive(Debug)]
pub enum Outcome {
    /// Not all is there yet.
    Pending,
    /// Everything that there is.
    Complete(Content),
    /// Nothing, and why.
    Missed(Refusal),
}

#[derive(Debug)]
enum Stage {
    Targets,
    Item(Mime, &'static str),
    /// It comes in many pieces.
    Many(Mime, &'static str, Vec<u8>),
}

/// One reading of one selection. It has a window of its own, so that what a reading that was given up brings late does
/// not come among what the next one brings.
#[derive(Debug)]
pub struct Fetch {
    /// Which selection.
    pub selection: Selection,
    window: Window,
    time: Timestamp,
    stage: Stage,
    wanted: VecDeque<(Mime, &'static str)>,
    content: Content,
    max_bytes: u64,
    too_large: bool,
    deadline: Instant,
}

impl Fetch {
    /// Begins. `time` is the server's, of what brought it about.
    pub fn begin(
        x11: &X11,
        selection: Selection,
        time: Timestamp,
        max_bytes: u64,
        now: Instant,
    ) -> Result<Self, X11Error> {
        let fetch = Self {
            selection,
            window: x11.new_window()?,
            time,
            stage: Stage::Targets,
            wanted: VecDeque::new(),
            content: Content::default(),
            max_bytes,
            too_large: false,
            deadline: now + PATIENCE,
        };
        fetch.convert(x11, x11.atoms.TARGETS)?;
        Ok(fetch)
    }

    /// When it is given up.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Lets go of its window.
    pub fn end(self, x11: &X11) -> Result<(), X11Error> {
        x11.connection.destroy_window(self.window)?;
        Ok(())
    }

    fn convert(&self, x11: &X11, target: Atom) -> Result<(), X11Error> {
        let selection = x11.selection(self.selection);
        x11.connection.convert_selection(self.window, selection, target, x11.atoms.DATA, self.time)?;
        Ok(())
    }

    /// The owner has answered.
    pub fn answered(
        &mut self,
        x11: &X11,
        event: &SelectionNotifyEvent,
        now: Instant,
    ) -> Result<Outcome, X11Error> {
        if event.requestor != self.window {
            return Ok(Outcome::Pending);
        }
        self.deadline = now + PATIENCE;
        match &self.stage {
            Stage::Targets => {
                let offered = self.targets(x11, event.property)?;
                let best = |mime| x11.best(mime, &offered).map(|(name, _)| (mime, name));
                self.wanted = MIMES.into_iter().filter_map(best).collect();
                self.next(x11)
            }
            Stage::Item(mime, name) => {
                let (mime, name) = (*mime, *name);
                if event.property == NONE {
                    return self.next(x11);
                }
                let size =
                    x11.connection.get_property(false, self.window, x11.atoms.DATA, AtomEnum::ANY, 0, 1)?;
                let size = size.reply()?;
                if size.type_ == x11.atoms.INCR {
                    let expected = size.value32().and_then(|mut words| words.next()).unwrap_or(0);
                    if self.has_no_room(u64::from(expected)) {
                        return self.next(x11);
                    }
                    self.stage = Stage::Many(mime, name, Vec::new());
                    // Which asks for the first piece.
                    x11.connection.delete_property(self.window, x11.atoms.DATA)?;
                    return Ok(Outcome::Pending);
                }
                if self.has_no_room(u64::from(size.bytes_after)) {
                    x11.connection.delete_property(self.window, x11.atoms.DATA)?;
                    return self.next(x11);
                }
                let bytes = self.take(x11)?;
                self.keep(mime, name, bytes);
                self.next(x11)
            }
            Stage::Many(..) => Ok(Outcome::Pending),
        }
    }

    /// A property has changed.
    pub fn changed(
        &mut self,
        x11: &X11,
        event: &PropertyNotifyEvent,
        now: Instant,
    ) -> Result<Outcome, X11Error> {
        let ours = event.window == self.window && event.atom == x11.atoms.DATA;
        if !ours || event.state != Property::NEW_VALUE || !matches!(self.stage, Stage::Many(..)) {
            return Ok(Outcome::Pending);
        }
        self.deadline = now + PATIENCE;
        let piece = self.take(x11)?;
        let Stage::Many(mime, name, bytes) = &mut self.stage else { return Ok(Outcome::Pending) };
        if !piece.is_empty() {
            bytes.extend(piece);
            let so_far = bytes.len() as u64;
            if self.has_no_room(so_far) {
                // Whoever gives it up half way gets no other form from this owner before it has noticed.
                return Ok(self.complete());
            }
            return Ok(Outcome::Pending);
        }
        let (mime, name, bytes) = (*mime, *name, std::mem::take(bytes));
        self.keep(mime, name, bytes);
        self.next(x11)
    }

    /// The owner has kept silent for too long: what it has given until then is better than nothing.
    pub fn expired(&mut self) -> Outcome {
        match self.complete() {
            Outcome::Missed(Refusal::Empty) => Outcome::Missed(Refusal::Failed),
            outcome => outcome,
        }
    }

    fn next(&mut self, x11: &X11) -> Result<Outcome, X11Error> {
        let Some((mime, name)) = self.wanted.pop_front() else { return Ok(self.complete()) };
        self.stage = Stage::Item(mime, name);
        self.convert(x11, x11.target(name))?;
        Ok(Outcome::Pending)
    }

    fn complete(&mut self) -> Outcome {
        let content = std::mem::take(&mut self.content);
        match (content.0.is_empty(), self.too_large) {
            (false, _) => Outcome::Complete(content),
            (true, true) => Outcome::Missed(Refusal::TooLarge),
            (true, false) => Outcome::Missed(Refusal::Empty),
        }
    }

    fn keep(&mut self, mime: Mime, name: &'static str, bytes: Vec<u8>) {
        if self.has_no_room(bytes.len() as u64) {
            return;
        }
        if let Some(form) = content::read(mime, name, bytes) {
            self.content.0.insert(mime, form);
        }
    }

    fn has_no_room(&mut self, bytes: u64) -> bool {
        let no_room = self.content.bytes().saturating_add(bytes) > self.max_bytes;
        self.too_large |= no_room;
        no_room
    }

    fn targets(&self, x11: &X11, property: Atom) -> Result<Vec<Atom>, X11Error> {
        if property == NONE {
            // A program that does not say which forms it has, has text: old ones are like that.
            return Ok(vec![AtomEnum::STRING.into()]);
        }
        let (window, data) = (self.window, x11.atoms.DATA);
        let reply =
            x11.connection.get_property(true, window, data, AtomEnum::ANY, 0, MAX_TARGETS)?.reply()?;
        Ok(reply.value32().map(Iterator::collect).unwrap_or_default())
    }

    /// Everything that the property holds, which is gone then.
    fn take(&self, x11: &X11) -> Result<Vec<u8>, X11Error> {
        let mut bytes = Vec::new();
        let mut offset = 0;
        loop {
            let reply = x11.connection.get_property(
                true,
                self.window,
                x11.atoms.DATA,
                AtomEnum::ANY,
                offset,
                READ_WORDS,
            )?;
            let reply = reply.reply()?;
            bytes.extend(&reply.value);
            if reply.bytes_after == 0 || bytes.len() as u64 > self.max_bytes {
                return Ok(bytes);
            }
            offset += READ_WORDS;
        }
    }
}
