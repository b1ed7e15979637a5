//! Decision: the pages that are here, what they may do, and what each has to be told.

use crate::{
    decoders::Decoders,
    journal::{self, How},
    limits::Coming,
    pass::Pass,
    people::{ControlPolicy, People},
    roles::{Ousted, Roles},
};
use std::{collections::BTreeMap, time::Duration};
use vdi_protocol::{
    clipboard::Policy,
    control::{Cursor, Quality, Role, ToPage},
    environment::{SOUND_PREFIX, WHEP_PREFIX},
    files,
    invitations::{Invitation, Invitations},
    limits::MAX_BAD_MESSAGES,
    notice::Notice,
    people,
    phase::Phase,
    reason::FailureReason,
    recording::{Recording, RecordingFailure},
    screen::Screen,
    settings::{Settings, VideoCodec},
    status::ConsumerStatus,
};

/// What all pages are told of the session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct News {
    /// Where it stands.
    pub phase: Phase,
    /// Why it failed.
    pub reason: Option<FailureReason>,
    /// A sentence about it.
    pub message: Option<String>,
    /// Columns and rows of the desktop, once they are known.
    pub display: Option<(u32, u32)>,
    /// The screen, once it was looked at.
    pub screen: Option<Screen>,
    /// What is encoded, once there is an encoder.
    pub quality: Option<Quality>,
    /// What the page in control may do with files.
    pub files: files::Policy,
    /// The pointer's shape, if pages draw it.
    pub cursor: Option<Cursor>,
    /// What is set, and between which bounds.
    pub settings: Option<Settings>,
    /// Whether it is recorded; none where it cannot be.
    pub recording: Option<Recording>,
    /// The invitations that hold; none where nobody may be invited.
    pub invitations: Option<Vec<Invitation>>,
    /// The limit that will end the session, and how long from now that is.
    pub ending: Option<(Coming, Duration)>,
}

#[derive(Debug, Default)]
struct Page {
    connected: bool,
    /// The browser's name for itself.
    client: Option<String>,
    /// It came back as one that watches.
    watches: bool,
    /// What its browser decodes; nothing where it does not say.
    decodes: Vec<VideoCodec>,
    bad_messages: u32,
    /// The end that it was told of.
    ending: Option<Coming>,
    /// What it was told last, one of each kind.
    told: Vec<ToPage>,
    /// What it is to be told once.
    notices: Vec<ToPage>,
}

impl Page {
    /// Whether this is news to it; from now on it is not.
    fn is_news(&mut self, message: &ToPage) -> bool {
        // For how long a limit holds the page counts by itself.
        let timeless = match message.clone() {
            ToPage::Quality(quality) => ToPage::Quality(Quality { seconds: 0.0, ..quality }),
            ToPage::Invitations(mut told) => {
                told.invitations.iter_mut().for_each(|one| one.seconds = 0.0);
                ToPage::Invitations(told)
            }
            message => message,
        };
        let kind = std::mem::discriminant(message);
        match self.told.iter_mut().find(|told| std::mem::discriminant(*told) == kind) {
            Some(told) if *told == timeless => return false,
            Some(told) => *told = timeless,
            None => self.told.push(timeless),
        }
        true
    }

    fn notice(&mut self, notice: ToPage) {
        if !self.notices.contains(&notice) && self.notices.len() < MAX_NOTICES {
            self.notices.push(notice);
        }
    }
}

/// All pages.
#[derive(Debug, Default)]
pub struct Pages {
    pages: BTreeMap<String, Page>,
    roles: Roles,
    people: People,
    policy: ControlPolicy,
    /// What holds for pages to come as well.
    standing: Option<ToPage>,
    /// What the page in control may do with the clipboard; all others may nothing.
    clipboard: Policy,
    /// What the log is to say of them.
    journal: Vec<String>,
}

impl Pages {
    /// No page yet; the one that will be in control may do so much with the clipboard, and control changes hands by this
    /// policy.
    pub fn new(clipboard: Policy, policy: ControlPolicy) -> Self {
        Self { clipboard, policy, ..Self::default() }
    }

    /// A page that will be added says which browser it is.
    pub fn client(&mut self, id: &str, client: String) {
        self.pages.entry(id.to_owned()).or_default().client = Some(client);
    }

    /// A page that will be added only watched before, and is not its user's newest wish.
    pub fn watches(&mut self, id: &str) {
        self.pages.entry(id.to_owned()).or_default().watches = true;
    }

    /// A page that will be added says what its browser decodes.
    pub fn decodes(&mut self, id: &str, codecs: Vec<VideoCodec>) {
        self.pages.entry(id.to_owned()).or_default().decodes = codecs;
    }

    /// What its browser and those of the others that see the picture decode.
    pub fn decoders(&self, own: &str) -> Decoders<'_> {
        // One that waits for another codec is here, too.
        let is_here = |id: &str, page: &Page| id != own && (sees(id, page) || !page.decodes.is_empty());
        let others = self.pages.iter().filter(|(id, page)| is_here(id, page));
        let decodes = self.pages.get(own).map_or(&[][..], |page| &page.decodes);
        Decoders { own: decodes, others: others.map(|(_, page)| &page.decodes[..]).collect() }
    }

    /// Pages that have said what they decode, and are not connected.
    pub fn waiting(&self) -> Vec<String> {
        let waits = |(_, page): &(&String, &Page)| !page.connected && !page.decodes.is_empty();
        self.pages.iter().filter(waits).map(|(id, _)| id.clone()).collect()
    }

    /// A page has said hello.
    pub fn added(&mut self, id: &str) {
        let page = self.pages.entry(id.to_owned()).or_default();
        if let Some(notice) = self.standing.as_ref().filter(|_| Pass::of(id).may_decide()) {
            page.notice(notice.clone());
        }
    }

    /// A page's media path is up: its first, or another one, whose other end has been told nothing.
    pub fn connected(&mut self, id: &str) {
        // A page that is gone already stays gone: its removal may overtake its connection.
        let Some(page) = self.pages.get_mut(id) else { return };
        page.connected = true;
        page.told.clear();
        page.ending = None;
        // A standard player has no way to say anything, and its token lets nobody do more than watch; what only takes the
        // sound belongs to a page of its own. Nor does who may only watch count among those who may have control.
        if is_silent(id) || !Pass::of(id).may_control() {
            return;
        }
        let before = self.roles.controller().map(str::to_owned);
        let ousted = self.roles.connected(id, page.client.as_deref(), page.watches);
        let how = match &ousted {
            None => How::Came,
            Some(Ousted { same_user: true, .. }) => How::OtherTab,
            Some(_) => How::CameBack,
        };
        self.note_control(before.as_deref(), how);
        self.tell_ousted(ousted);
    }

    /// Whether a page's media path has been up.
    pub fn is_connected(&self, id: &str) -> bool {
        self.pages.get(id).is_some_and(|page| page.connected)
    }

    /// Who a page is, for the log.
    pub fn who(&self, id: &str) -> String {
        journal::who(id, self.people.name(id))
    }

    /// What its user is called, if that is known.
    pub fn name(&self, id: &str) -> Option<&str> {
        Some(self.people.name(id)).filter(|name| !name.is_empty())
    }

    /// What the log is to say of what has happened since this was asked.
    pub fn journal(&mut self) -> Vec<String> {
        std::mem::take(&mut self.journal)
    }

    /// Has the log say who has control, if that is not who had it.
    fn note_control(&mut self, before: Option<&str>, how: How) {
        let now = self.roles.controller();
        if now != before {
            let (before, now) = (before.map(|id| self.who(id)), now.map(|id| self.who(id)));
            self.journal.push(journal::control(before.as_deref(), now.as_deref(), how));
        }
    }

    /// A page is gone.
    pub fn removed(&mut self, id: &str, now: Duration) {
        let before = self.roles.controller().map(str::to_owned);
        self.pages.remove(id);
        self.roles.left(id, now);
        self.note_control(before.as_deref(), How::Left);
        self.people.left(id);
    }

    /// A page wants control: it gets it, or whoever has it is asked.
    pub fn take_control(&mut self, id: &str, now: Duration) {
        if !Pass::of(id).may_control() {
            self.refuse(id);
            return;
        }
        let client = |id: &str| self.pages.get(id).and_then(|page| page.client.as_ref());
        // Nobody asks himself, and nobody is asked where nobody is.
        let others = self
            .roles
            .controller()
            .is_some_and(|has| has != id && (client(has).is_none() || client(has) != client(id)));
        // Who reloads the page cannot be asked just now, and has not left.
        if self.policy == ControlPolicy::Ask && self.roles.is_kept_from(id) {
            self.refuse(id);
            return;
        }
        if self.policy == ControlPolicy::Ask && others {
            let is_first = self.people.asking().is_none();
            if !self.people.ask(id, now) {
                self.refuse(id);
            } else if is_first {
                self.journal.push(format!("{} asks for control", self.who(id)));
            }
            return;
        }
        self.give(id, How::Taken);
    }

    /// Whoever is in control gives it to another page.
    pub fn give_control(&mut self, by: &str, to: &str) {
        if self.roles.controller() == Some(by) && by != to && Pass::of(to).may_control() {
            let was_asked = self.people.asking() == Some(to);
            self.give(to, if was_asked { How::Granted } else { How::Given });
        }
    }

    /// Whoever is in control keeps it.
    pub fn keep_control(&mut self, by: &str) {
        if self.roles.controller() == Some(by)
            && let Some(asked) = self.people.settle()
        {
            self.journal.push(format!(
                "{} keeps control, for which {} asked",
                self.who(by),
                self.who(&asked)
            ));
            self.refuse(&asked);
        }
    }

    /// A page's user wants to be called so.
    pub fn call(&mut self, id: &str, name: &str) {
        if self.pages.contains_key(id) && self.people.call(id, name) {
            self.journal.push(format!("page {id} is of {:?}", self.people.name(id)));
        }
    }

    fn give(&mut self, id: &str, how: How) {
        let before = self.roles.controller().map(str::to_owned);
        let ousted = self.roles.take_control(id);
        self.note_control(before.as_deref(), how);
        // Another one's question is for the one who has control now, who may ask anew.
        if let Some(asked) = self.people.settle().filter(|asked| asked != id) {
            self.refuse(&asked);
        }
        self.tell_ousted(ousted);
    }

    fn refuse(&mut self, id: &str) {
        if let Some(page) = self.pages.get_mut(id) {
            page.notice(ToPage::ControlRefused);
        }
    }

    /// Everybody who is here, as pages are told it.
    fn present(&self) -> people::People {
        let present = self.pages.iter().filter(|(_, page)| page.connected);
        people::People {
            people: present
                .map(|(id, _)| people::Person {
                    consumer: id.clone(),
                    name: self.people.name(id).to_owned(),
                    role: self.roles.role(id),
                    view_only: !Pass::of(id).may_control(),
                })
                .collect(),
            asks: self.policy == ControlPolicy::Ask,
            asking: self.people.asking().map(str::to_owned),
        }
    }

    /// A page has a wish that may not be granted: it is told what holds, even if that is what it knew.
    pub fn remind_of_settings(&mut self, id: &str) {
        if let Some(page) = self.pages.get_mut(id) {
            page.told.retain(|told| !matches!(told, ToPage::Settings(_)));
        }
    }

    fn tell_ousted(&mut self, ousted: Option<Ousted>) {
        let Some(Ousted { page, same_user }) = ousted else { return };
        if let Some(page) = self.pages.get_mut(&page) {
            page.notice(ToPage::ControlTaken { same_user });
        }
    }

    /// Whether a page may decide on what outlasts its visit.
    pub fn may_decide(&self, id: &str) -> bool {
        self.roles.controller() == Some(id) && Pass::of(id).may_decide()
    }

    /// A page has sent something that cannot be read. Returns whether that was once too often.
    pub fn bad_message(&mut self, id: &str) -> bool {
        self.pages.get_mut(id).is_some_and(|page| {
            page.bad_messages += 1;
            page.bad_messages == MAX_BAD_MESSAGES
        })
    }

    /// Something that has happened: the pages that are here should know.
    pub fn notice(&mut self, notice: &Notice) {
        for page in self.pages.values_mut() {
            page.notice(ToPage::Notice(notice.clone()));
        }
    }

    /// The recording has ended although nobody wanted that.
    pub fn recording_failed(&mut self, reason: RecordingFailure) {
        for page in self.pages.values_mut() {
            page.notice(ToPage::RecordingFailed { reason });
        }
    }

    /// Something about the server that holds: pages to come should know too, each tab of a browser once if it has a name. `None`
    /// ends it. Guests, who can do nothing about it, are spared.
    pub fn standing(&mut self, notice: Option<Notice>) {
        self.standing = notice.map(ToPage::Notice);
        for (_, page) in self.pages.iter_mut().filter(|(id, _)| Pass::of(id).may_decide()) {
            self.standing.iter().for_each(|notice| page.notice(notice.clone()));
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        let before = self.roles.controller().map(str::to_owned);
        self.roles.tick(now);
        self.note_control(before.as_deref(), How::Inherited);
        if let Some(asked) = self.people.tick(now) {
            self.journal.push(format!("{} asked for control and got no answer", self.who(&asked)));
            self.refuse(&asked);
        }
    }

    /// The page in control.
    pub fn controller(&self) -> Option<&str> {
        self.roles.controller()
    }

    /// The browser in control, by its own name, or by that of its page.
    pub fn browser_in_control(&self) -> Option<String> {
        let page = self.roles.controller()?;
        let browser = self.roles.client(page).map(|name| format!("browser {name}"));
        Some(browser.unwrap_or_else(|| format!("page {page}")))
    }

    /// Pages that are here, connected or not.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.pages.keys()
    }

    /// How many are here, and how many of them are connected.
    pub fn count(&self) -> (usize, usize) {
        (self.pages.len(), self.pages.values().filter(|page| page.connected).count())
    }

    /// How many connected ones see the picture.
    pub fn watching(&self) -> usize {
        self.pages.iter().filter(|(id, page)| sees(id, page)).count()
    }

    /// Connected ones behind which somebody sits who sees the picture and may say something.
    pub fn speaking(&self) -> impl Iterator<Item = &String> {
        self.pages.iter().filter(|(id, page)| page.connected && !is_silent(id)).map(|(id, _)| id)
    }

    /// As `/status` shows them.
    pub fn status(&self) -> Vec<ConsumerStatus> {
        let status = |(id, page): (&String, &Page)| ConsumerStatus {
            id: id.clone(),
            role: self.roles.role(id),
            connected: page.connected,
            media: None,
            network: None,
        };
        self.pages.iter().map(status).collect()
    }

    /// What has to be told to whom, so that every connected page knows the present state. Nothing is told twice.
    pub fn tell(&mut self, news: &News) -> Vec<(String, ToPage)> {
        let consumers = u32::try_from(self.watching()).unwrap_or(u32::MAX);
        let mut messages = Vec::new();
        let people = ToPage::People(self.present());
        for (id, page) in self.pages.iter_mut().filter(|(_, page)| page.connected) {
            let session = ToPage::Session {
                phase: news.phase,
                reason: news.reason,
                message: news.message.clone(),
                role: self.roles.role(id),
                consumers,
            };
            let clipboard = ToPage::Clipboard(match self.roles.role(id) {
                Role::Controller => self.clipboard,
                Role::Viewer => Policy { read: false, write: false, ..self.clipboard },
            });
            let files = ToPage::Files(match self.roles.role(id) {
                Role::Controller => news.files.clone(),
                Role::Viewer => files::Policy { max_bytes: news.files.max_bytes, ..files::Policy::default() },
            });
            let display = news.display.map(|(width, height)| ToPage::Display { width, height });
            let screen = news.screen.clone().map(ToPage::Screen);
            let quality = news.quality.clone().map(ToPage::Quality);
            let cursor = news.cursor.clone().map(ToPage::Cursor);
            let settings = news.settings.clone().map(ToPage::Settings);
            // A guest is not shown what it may not decide on.
            let decides = Pass::of(id).may_decide();
            let recording = news
                .recording
                .map(|news| ToPage::Recording(Recording { on_request: news.on_request && decides, ..news }));
            let coming = news.ending.map(|(coming, _)| coming);
            if page.ending != coming {
                page.ending = coming;
                let limit = coming.map(|coming| coming.limit);
                let seconds = news.ending.map_or(0.0, |(_, left)| left.as_secs_f64());
                let extension_seconds =
                    coming.and_then(|coming| coming.extension).filter(|_| decides).map(|by| by.as_secs());
                messages.push((id.clone(), ToPage::Ending { limit, seconds, extension_seconds }));
            }
            messages.extend(page.notices.drain(..).map(|notice| (id.clone(), notice)));
            let people = Some(people.clone());
            let shared = [Some(session), people, Some(clipboard), Some(files)];
            let invitations =
                news.invitations.clone().filter(|_| self.roles.role(id) == Role::Controller && decides);
            let knew = page.told.iter().any(|told| matches!(told, ToPage::Invitations(_)));
            let invitations = match invitations {
                Some(invitations) => Some(Invitations { allowed: true, invitations }),
                None => knew.then(Invitations::default),
            };
            let invitations = invitations.map(ToPage::Invitations);
            let state = [display, screen, quality, cursor, settings, recording, invitations];
            for message in shared.into_iter().chain(state).flatten() {
                if page.is_news(&message) {
                    messages.push((id.clone(), message));
                }
            }
        }
        messages
    }
}

/// Whether it is connected and gets the picture.
fn sees(id: &str, page: &Page) -> bool {
    page.connected && !id.starts_with(SOUND_PREFIX)
}

/// A standard player, or what only takes the sound.
fn is_silent(id: &str) -> bool {
    [WHEP_PREFIX, SOUND_PREFIX].iter().any(|prefix| id.starts_with(prefix))
}

/// Notices that wait for a page to connect; it takes seconds, and who is late for more has missed nothing that stays.
const MAX_NOTICES: usize = 8;

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
