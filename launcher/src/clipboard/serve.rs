//! Shell: owns selections and gives programs on the desktop what was copied outside (ICCCM, 2.2): in one piece, or in many
//! where it is too large for that (INCR, 2.7.2).

use super::{
    content::{self, Content, MIMES},
    x11::{X11, X11Error},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use vdi_protocol::clipboard::Selection;
use x11rb::{
    CURRENT_TIME, NONE,
    protocol::xproto::{
        Atom, AtomEnum, ConnectionExt as _, PropMode, Property, PropertyNotifyEvent, SelectionClearEvent,
        SelectionRequestEvent, Timestamp, Window,
    },
    wrapper::ConnectionExt as _,
};

/// What is larger goes in pieces of this size. Servers take requests of 256 KiB without an extension.
const PIECE_BYTES: usize = 128 * 1024;
/// Time for a program to take the next piece.
const PATIENCE: Duration = Duration::from_secs(10);
/// Programs that take something in pieces at once; a desktop has one that is in front, and a few that look on.
const MAX_SENDINGS: usize = 16;
/// Pairs of one request for many forms; there are no more forms than that.
const MAX_PAIRS: u32 = 64;

#[derive(Debug)]
struct Owned {
    selection: Atom,
    content: Arc<Content>,
    since: Timestamp,
}

/// Something on its way to a program, in pieces.
#[derive(Debug)]
struct Sending {
    requestor: Window,
    property: Atom,
    target: Atom,
    bytes: Arc<Vec<u8>>,
    at: usize,
    deadline: Instant,
}

/// The selections that are ours, and what is on its way.
#[derive(Debug, Default)]
pub struct Serve {
    owned: Vec<Owned>,
    sendings: Vec<Sending>,
}

impl Serve {
    /// Takes a selection at the server's time `since`. Returns whether it is ours.
    pub fn own(
        &mut self,
        x11: &X11,
        selection: Selection,
        content: Arc<Content>,
        since: Timestamp,
    ) -> Result<bool, X11Error> {
        let selection = x11.selection(selection);
        x11.connection.set_selection_owner(x11.window, selection, since)?;
        let ours = x11.connection.get_selection_owner(selection)?.reply()?.owner == x11.window;
        self.owned.retain(|owned| owned.selection != selection);
        if ours {
            self.owned.push(Owned { selection, content, since });
        }
        Ok(ours)
    }

    /// What of ours it holds.
    pub fn content(&self, x11: &X11, selection: Selection) -> Option<Arc<Content>> {
        let selection = x11.selection(selection);
        self.owned.iter().find(|owned| owned.selection == selection).map(|owned| owned.content.clone())
    }

    /// Somebody else owns it now.
    pub fn lost(&mut self, event: &SelectionClearEvent) {
        self.owned.retain(|owned| owned.selection != event.selection);
    }

    /// When the first that is waited for is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.sendings.iter().map(|sending| sending.deadline).min()
    }

    /// Gives up those that have taken nothing for too long.
    pub fn expire(&mut self, now: Instant) {
        self.sendings.retain(|sending| sending.deadline > now);
    }

    /// A program wants to paste.
    pub fn requested(
        &mut self,
        x11: &X11,
        request: &SelectionRequestEvent,
        now: Instant,
    ) -> Result<(), X11Error> {
        let owned = self.owned.iter().find(|owned| owned.selection == request.selection);
        // What it asks for may have been there before ours (2.2); and old programs name no property.
        let Some(owned) = owned.filter(|owned| request.time == CURRENT_TIME || request.time >= owned.since)
        else {
            return x11.answer(request, NONE);
        };
        let property = if request.property == NONE { request.target } else { request.property };
        let (content, since) = (owned.content.clone(), owned.since);
        let given = if request.target == x11.atoms.MULTIPLE {
            request.property != NONE && self.many(x11, request, &content, since, now)?
        } else {
            self.give(x11, (request.requestor, property, request.target), &content, since, now)?
        };
        x11.answer(request, if given { property } else { NONE })
    }

    /// Several forms at once: pairs of form and property; those that are not there lose their property.
    fn many(
        &mut self,
        x11: &X11,
        request: &SelectionRequestEvent,
        content: &Content,
        since: Timestamp,
        now: Instant,
    ) -> Result<bool, X11Error> {
        let (window, property) = (request.requestor, request.property);
        let reply =
            x11.connection.get_property(false, window, property, x11.atoms.ATOM_PAIR, 0, 2 * MAX_PAIRS)?;
        let mut pairs: Vec<Atom> = reply.reply()?.value32().map(Iterator::collect).unwrap_or_default();
        for pair in pairs.chunks_exact_mut(2) {
            let wanted = (window, pair[1], pair[0]);
            if pair[1] == NONE
                || pair[0] == x11.atoms.MULTIPLE
                || !self.give(x11, wanted, content, since, now)?
            {
                pair[1] = NONE;
            }
        }
        x11.connection.change_property32(PropMode::REPLACE, window, property, x11.atoms.ATOM_PAIR, &pairs)?;
        Ok(true)
    }

    /// Puts one form into a property of the program's window.
    fn give(
        &mut self,
        x11: &X11,
        (requestor, property, target): (Window, Atom, Atom),
        content: &Content,
        since: Timestamp,
        now: Instant,
    ) -> Result<bool, X11Error> {
        let connection = &x11.connection;
        if target == x11.atoms.TARGETS {
            let mut targets = vec![x11.atoms.TARGETS, x11.atoms.TIMESTAMP, x11.atoms.MULTIPLE];
            let there = MIMES.into_iter().filter(|mime| content.0.contains_key(mime));
            targets.extend(there.flat_map(content::targets).map(|name| x11.target(name)));
            connection.change_property32(PropMode::REPLACE, requestor, property, AtomEnum::ATOM, &targets)?;
            return Ok(true);
        }
        if target == x11.atoms.TIMESTAMP {
            connection.change_property32(
                PropMode::REPLACE,
                requestor,
                property,
                AtomEnum::INTEGER,
                &[since],
            )?;
            return Ok(true);
        }
        let Some((name, (bytes, _))) =
            x11.name(target).and_then(|name| Some((name, content.of_target(name)?)))
        else {
            return Ok(false);
        };
        let latin1 = name == "STRING";
        let bytes = if latin1 { content::latin1(bytes) } else { bytes.clone() };
        // Who leaves the choice to us is told what it was.
        let kind = if name == "TEXT" { x11.atoms.UTF8_STRING } else { target };
        if bytes.len() <= PIECE_BYTES {
            connection.change_property8(PropMode::REPLACE, requestor, property, kind, &bytes)?;
            return Ok(true);
        }
        if self.sendings.len() >= MAX_SENDINGS {
            return Ok(false);
        }
        x11.watch(requestor)?;
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        connection.change_property32(PropMode::REPLACE, requestor, property, x11.atoms.INCR, &[size])?;
        self.sendings.retain(|old| (old.requestor, old.property) != (requestor, property));
        self.sendings.push(Sending {
            requestor,
            property,
            target: kind,
            bytes: Arc::new(bytes),
            at: 0,
            deadline: now + PATIENCE,
        });
        Ok(true)
    }

    /// A property is gone: its program has taken a piece and wants the next. The last one is empty.
    pub fn taken(&mut self, x11: &X11, event: &PropertyNotifyEvent, now: Instant) -> Result<(), X11Error> {
        if event.state != Property::DELETE {
            return Ok(());
        }
        let place = self
            .sendings
            .iter()
            .position(|sending| (sending.requestor, sending.property) == (event.window, event.atom));
        let Some(sending) = place.and_then(|place| self.sendings.get_mut(place)) else { return Ok(()) };
        let end = sending.bytes.len().min(sending.at + PIECE_BYTES);
        let bytes = sending.bytes.clone();
        let piece = &bytes[sending.at..end];
        let (window, property, target) = (sending.requestor, sending.property, sending.target);
        x11.connection.change_property8(PropMode::REPLACE, window, property, target, piece)?;
        sending.deadline = now + PATIENCE;
        let last = piece.is_empty();
        sending.at = end;
        if last {
            self.sendings.retain(|sending| (sending.requestor, sending.property) != (window, property));
            if !self.sendings.iter().any(|sending| sending.requestor == window) {
                x11.unwatch(window)?;
            }
        }
        Ok(())
    }

    /// A program's window is gone.
    pub fn gone(&mut self, window: Window) {
        self.sendings.retain(|sending| sending.requestor != window);
    }
}
