//! Shell: what the clipboard thread does with what pages and the X server tell it.

use super::{
    Command,
    audience::Audience,
    content::Content,
    fetch::{Fetch, Outcome},
    serve::Serve,
    transfer::{Incoming, Outgoing, Progress},
    x11::{Bell, X11, X11Error},
};
use crate::{desktop::DisplayName, queue::Outlet};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, TryRecvError},
    },
    time::Duration,
};
use tokio::time::Instant;
use vdi_protocol::clipboard::{FromPage, Offer, Policy, Refusal, Selection, ToPage};
use x11rb::{
    CURRENT_TIME, NONE,
    connection::Connection,
    errors::ReplyError,
    protocol::{
        Event, xfixes,
        xproto::{ConnectionExt as _, Timestamp},
    },
};

/// Time between two tries to reach a display that is gone.
const RECONNECT_EVERY: Duration = Duration::from_millis(300);
/// Pause after which the thread looks around although nothing happens.
const LOOK_AROUND: Duration = Duration::from_secs(60);
/// Time in which a clipboard manager on the desktop takes what a page has copied, to offer it itself: no news for the page.
const ECHO: Duration = Duration::from_secs(2);

/// Sends a message to a page.
pub(super) type Tell = Arc<dyn Fn(&str, &ToPage) + Send + Sync>;

/// The thread's state that outlives a display.
pub(super) struct Thread {
    policy: Policy,
    commands: Outlet<Command>,
    bell: Arc<Bell>,
    send: Tell,
    audience: Audience,
    incoming: Option<Incoming>,
    outgoing: Option<Outgoing>,
    last_id: u32,
    /// What a page has brought last, and when.
    brought: Option<(Arc<Content>, Instant)>,
    /// What was copied last on either side: a display that comes back has it again.
    latest: Option<Arc<Content>>,
}

/// What belongs to one connection to a display.
#[derive(Default)]
struct Desk {
    serve: Serve,
    fetch: Option<Fetch>,
    /// It was asked for, and is no news by itself.
    asked: bool,
    /// What is to be owned as soon as the server has told its time.
    claims: VecDeque<Claim>,
    /// What the owner of the clipboard has; it stays when its program ends.
    kept: Option<Arc<Content>>,
}

struct Claim {
    selection: Selection,
    content: Arc<Content>,
    /// The page's offer, if it comes from one.
    id: Option<u32>,
    /// What the page had seen when it brought this by itself.
    after: Option<u32>,
}

impl Thread {
    pub(super) fn new(policy: Policy, commands: Outlet<Command>, bell: Arc<Bell>, send: Tell) -> Self {
        Self {
            policy,
            commands,
            bell,
            send,
            audience: Audience::default(),
            incoming: None,
            outgoing: None,
            last_id: 0,
            brought: None,
            latest: None,
        }
    }

    /// Works until it is told to stop, with as many connections as that takes.
    pub(super) fn live(mut self, display: &DisplayName) {
        let mut warned = false;
        loop {
            let mut desk = Desk::default();
            let ended = X11::connect(&display.get()).and_then(|x11| self.run(&x11, &mut desk));
            self.refuse_all(&desk);
            match ended {
                Ok(()) => return,
                Err(error @ X11Error::Extension(_)) if !warned => {
                    warned = true;
                    tracing::warn!("the clipboard is not shared: {error}");
                }
                Err(error) => tracing::debug!(%error, "the clipboard has no display"),
            }
            if !self.wait_for_display() {
                return;
            }
        }
    }

    /// Lets time pass without a display; false if told to stop.
    fn wait_for_display(&mut self) -> bool {
        self.outgoing = None;
        let until = Instant::now() + RECONNECT_EVERY;
        loop {
            match self.commands.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Ok(Command::Controller(page)) => self.audience.set_controller(page),
                Ok(Command::Message(page, message)) => match message {
                    FromPage::Ready if self.audience.is_controller(&page) => drop(self.audience.listens()),
                    FromPage::Offer(offer) => self.refuse(&page, offer.id, Refusal::Failed),
                    FromPage::Fetch { selection } => self.missed(&page, selection, Refusal::Failed),
                    _ => {}
                },
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    /// What a page waits for to be taken will not be.
    fn refuse_all(&mut self, desk: &Desk) {
        let coming = self.incoming.take().map(|incoming| incoming.id());
        let ids: Vec<_> = coming.into_iter().chain(desk.claims.iter().filter_map(|claim| claim.id)).collect();
        if let Some(page) = self.audience.controller() {
            for id in ids {
                self.refuse(page, id, Refusal::Failed);
            }
        }
    }

    fn run(&mut self, x11: &X11, desk: &mut Desk) -> Result<(), X11Error> {
        let clipboard = x11.selection(Selection::Clipboard);
        let is_free = x11.connection.get_selection_owner(clipboard)?.reply()?.owner == NONE;
        if let Some(content) = self.latest.clone().filter(|_| is_free) {
            desk.claims.push_back(Claim { selection: Selection::Clipboard, content, id: None, after: None });
            x11.ask_time()?;
        }
        loop {
            // Whatever sends may read as well, so all that was read is looked at after the last was sent.
            x11.connection.flush()?;
            let mut idle = true;
            while let Some(event) = x11.poll()? {
                idle = false;
                survive(self.event(x11, desk, &event))?;
            }
            match self.commands.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return Ok(()),
                Ok(command) => {
                    idle = false;
                    survive(self.command(x11, desk, command))?;
                }
                Err(TryRecvError::Empty) => {}
            }
            let now = Instant::now();
            desk.serve.expire(now);
            if let Some(fetch) = desk.fetch.as_mut().filter(|fetch| fetch.deadline() <= now) {
                idle = false;
                let outcome = fetch.expired();
                survive(self.fetched(x11, desk, outcome))?;
            }
            if idle {
                let deadlines = [desk.serve.deadline(), desk.fetch.as_ref().map(Fetch::deadline)];
                let next = deadlines.into_iter().flatten().min();
                let timeout = next.map_or(LOOK_AROUND, |next| next.saturating_duration_since(now));
                x11.wait(&self.bell, timeout)?;
            }
        }
    }

    fn command(&mut self, x11: &X11, desk: &mut Desk, command: Command) -> Result<(), X11Error> {
        match command {
            Command::Controller(page) => {
                if self.audience.controller() != page.as_deref() {
                    (self.incoming, self.outgoing) = (None, None);
                }
                self.audience.set_controller(page);
                Ok(())
            }
            Command::Message(page, message) => self.message(x11, desk, &page, message),
            Command::Stop => Ok(()),
        }
    }

    fn message(&mut self, x11: &X11, desk: &mut Desk, page: &str, message: FromPage) -> Result<(), X11Error> {
        let controls = self.audience.is_controller(page);
        match message {
            FromPage::Ready if controls => {
                (self.incoming, self.outgoing) = (None, None);
                if self.audience.listens() && self.policy.read {
                    return self.fetch(x11, desk, Selection::Clipboard, CURRENT_TIME, false);
                }
            }
            FromPage::Fetch { selection } if controls && self.policy.read => {
                return self.fetch(x11, desk, selection, CURRENT_TIME, true);
            }
            FromPage::Fetch { selection } => self.missed(page, selection, Refusal::NotAllowed),
            FromPage::Offer(offer) if controls && self.policy.write => self.offered(page, &offer),
            FromPage::Offer(offer) => self.refuse(page, offer.id, Refusal::NotAllowed),
            FromPage::Piece { id, data } if controls => return self.piece(x11, desk, page, id, &data),
            FromPage::Received { id, bytes } if controls => {
                let Some(outgoing) = &mut self.outgoing else { return Ok(()) };
                let messages = outgoing.received(id, bytes);
                if outgoing.is_done() {
                    self.outgoing = None;
                    self.audience.knows_all();
                }
                self.say(page, &messages);
            }
            FromPage::Ready | FromPage::Piece { .. } | FromPage::Received { .. } => {}
        }
        Ok(())
    }

    fn offered(&mut self, page: &str, offer: &Offer) {
        self.incoming = None;
        if self.is_superseded(offer.selection, offer.after) {
            return self.refuse(page, offer.id, Refusal::Superseded);
        }
        match Incoming::begin(offer, self.policy.max_bytes) {
            Ok(incoming) => self.incoming = Some(incoming),
            Err(reason) => self.refuse(page, offer.id, reason),
        }
    }

    /// Whether something newer was copied than what a page has brought by itself.
    fn is_superseded(&self, selection: Selection, after: Option<u32>) -> bool {
        selection == Selection::Clipboard && self.policy.read && self.audience.is_behind(after)
    }

    fn piece(&mut self, x11: &X11, desk: &mut Desk, page: &str, id: u32, data: &str) -> Result<(), X11Error> {
        let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.id() == id) else {
            return Ok(());
        };
        match incoming.piece(data) {
            Ok(Progress::Received(bytes)) => self.say(page, &[ToPage::Received { id, bytes }]),
            Ok(Progress::Complete(content)) => {
                let (selection, after) = (incoming.selection, incoming.after);
                self.incoming = None;
                self.say(page, &[ToPage::Received { id, bytes: content.bytes() }]);
                desk.claims.push_back(Claim { selection, content: Arc::new(content), id: Some(id), after });
                x11.ask_time()?;
            }
            Err(reason) => {
                self.incoming = None;
                self.refuse(page, id, reason);
            }
        }
        Ok(())
    }

    fn event(&mut self, x11: &X11, desk: &mut Desk, event: &Event) -> Result<(), X11Error> {
        let now = Instant::now();
        match event {
            Event::XfixesSelectionNotify(event) => return self.copied(x11, desk, event),
            Event::SelectionRequest(request) => return desk.serve.requested(x11, request, now),
            Event::SelectionClear(event) => desk.serve.lost(event),
            Event::SelectionNotify(event) => {
                let Some(fetch) = &mut desk.fetch else { return Ok(()) };
                let outcome = fetch.answered(x11, event, now)?;
                return self.fetched(x11, desk, outcome);
            }
            Event::PropertyNotify(event) if event.window == x11.window => {
                if event.atom == x11.atoms.TIME
                    && let Some(claim) = desk.claims.pop_front()
                {
                    return self.claim(x11, desk, claim, event.time);
                }
            }
            Event::PropertyNotify(event) => {
                desk.serve.taken(x11, event, now)?;
                let Some(fetch) = &mut desk.fetch else { return Ok(()) };
                let outcome = fetch.changed(x11, event, now)?;
                return self.fetched(x11, desk, outcome);
            }
            Event::DestroyNotify(event) => desk.serve.gone(event.window),
            // A program that ended while it was being answered.
            Event::Error(error) => tracing::debug!(?error, "the X server refuses a request of the clipboard"),
            _ => {}
        }
        Ok(())
    }

    /// The clipboard has another owner, or none.
    fn copied(
        &mut self,
        x11: &X11,
        desk: &mut Desk,
        event: &xfixes::SelectionNotifyEvent,
    ) -> Result<(), X11Error> {
        if event.owner == x11.window {
            return Ok(());
        }
        if event.owner == NONE {
            // A program that takes something back wants it gone; one that ends does not ask for that.
            let ended = event.subtype != xfixes::SelectionEvent::SET_SELECTION_OWNER;
            if !ended {
                self.latest = None;
            }
            if let Some(content) = desk.kept.take().filter(|_| ended) {
                desk.claims.push_back(Claim {
                    selection: Selection::Clipboard,
                    content,
                    id: None,
                    after: None,
                });
                x11.ask_time()?;
            }
            return Ok(());
        }
        desk.kept = None;
        if self.audience.changed() && self.policy.read {
            return self.fetch(x11, desk, Selection::Clipboard, event.timestamp, false);
        }
        Ok(())
    }

    fn fetch(
        &mut self,
        x11: &X11,
        desk: &mut Desk,
        selection: Selection,
        time: Timestamp,
        asked: bool,
    ) -> Result<(), X11Error> {
        if let Some(old) = desk.fetch.take() {
            // The page asks for something else, and will not be told of this.
            if old.selection == Selection::Clipboard {
                self.audience.knows_all();
            }
            old.end(x11)?;
        }
        if let Some(content) = desk.serve.content(x11, selection) {
            desk.asked = asked;
            self.give(selection, content);
            return Ok(());
        }
        desk.asked = asked;
        desk.fetch = Some(Fetch::begin(x11, selection, time, self.policy.max_bytes, Instant::now())?);
        Ok(())
    }

    fn fetched(&mut self, x11: &X11, desk: &mut Desk, outcome: Outcome) -> Result<(), X11Error> {
        if matches!(outcome, Outcome::Pending) {
            return Ok(());
        }
        let Some(fetch) = desk.fetch.take() else { return Ok(()) };
        let selection = fetch.selection;
        fetch.end(x11)?;
        match outcome {
            Outcome::Complete(content) => {
                let content = Arc::new(content);
                if selection == Selection::Clipboard {
                    desk.kept = Some(content.clone());
                    self.latest = Some(content.clone());
                }
                if desk.asked || !self.is_echo(&content) {
                    self.give(selection, content);
                } else {
                    self.audience.knows_all();
                }
            }
            Outcome::Missed(reason) => {
                self.audience.knows_all();
                // That something was copied which browsers do not know is only worth a word if it was asked for.
                if let Some(page) = self.audience.controller()
                    && (desk.asked || reason != Refusal::Empty)
                {
                    self.missed(page, selection, reason);
                }
            }
            Outcome::Pending => {}
        }
        Ok(())
    }

    /// Whether this is what a page has just brought, from a clipboard manager that has taken it.
    fn is_echo(&self, content: &Content) -> bool {
        self.brought.as_ref().is_some_and(|(brought, at)| {
            at.elapsed() < ECHO && content.0.iter().all(|(mime, bytes)| brought.0.get(mime) == Some(bytes))
        })
    }

    fn give(&mut self, selection: Selection, content: Arc<Content>) {
        let Some(page) = self.audience.controller().map(str::to_owned) else { return };
        self.last_id = self.last_id.wrapping_add(1);
        if selection == Selection::Clipboard {
            self.audience.gave(self.last_id);
        }
        let (outgoing, messages) = Outgoing::begin(self.last_id, selection, content);
        self.outgoing = Some(outgoing);
        self.say(&page, &messages);
    }

    fn claim(&mut self, x11: &X11, desk: &mut Desk, claim: Claim, time: Timestamp) -> Result<(), X11Error> {
        let Claim { selection, content, id, after } = claim;
        if self.is_superseded(selection, after) {
            if let (Some(id), Some(page)) = (id, self.audience.controller()) {
                self.refuse(page, id, Refusal::Superseded);
            }
            return Ok(());
        }
        // What was being read is not what is there any more.
        if let Some(fetch) = desk.fetch.take_if(|fetch| fetch.selection == selection) {
            fetch.end(x11)?;
        }
        let ours = desk.serve.own(x11, selection, content.clone(), time)?;
        let (Some(id), Some(page)) = (id, self.audience.controller().map(str::to_owned)) else {
            return Ok(());
        };
        if ours {
            // What was copied, and is still on its way to the page or had not begun it, is not what is there any more, either.
            if selection == Selection::Clipboard {
                self.outgoing = None;
                self.audience.knows_all();
            }
            self.say(&page, &[ToPage::Taken { id }]);
            if selection == Selection::Clipboard {
                self.latest = Some(content.clone());
            }
            self.brought = Some((content, Instant::now()));
        } else {
            self.refuse(&page, id, Refusal::Failed);
        }
        Ok(())
    }

    fn refuse(&self, page: &str, id: u32, reason: Refusal) {
        self.say(page, &[ToPage::Refused { id, reason }]);
    }

    fn missed(&self, page: &str, selection: Selection, reason: Refusal) {
        self.say(page, &[ToPage::Missed { selection, reason }]);
    }

    fn say(&self, page: &str, messages: &[ToPage]) {
        for message in messages {
            (self.send)(page, message);
        }
    }
}

/// A request that the server refuses is about a program that has ended; only a connection that is lost is the end.
fn survive(result: Result<(), X11Error>) -> Result<(), X11Error> {
    match result {
        Err(X11Error::Reply(ReplyError::X11Error(error))) => {
            tracing::debug!(?error, "the X server refuses a request of the clipboard");
            Ok(())
        }
        result => result,
    }
}
