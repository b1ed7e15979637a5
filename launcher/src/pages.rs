//! Decision: the pages that are here, what they may do, and what each has to be told.

use crate::{
    limits::Coming,
    people::{ControlPolicy, People},
    roles::{Ousted, Roles},
};
use std::{collections::BTreeMap, time::Duration};
use vdi_protocol::{
    control::{Cursor, NoticeLevel, Quality, ToPage},
    environment::WHEP_PREFIX,
    limits::MAX_BAD_MESSAGES,
    people,
    phase::Phase,
    reason::FailureReason,
    settings::Settings,
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
    /// What is encoded, once there is an encoder.
    pub quality: Option<Quality>,
    /// The pointer's shape, if pages draw it.
    pub cursor: Option<Cursor>,
    /// What is set, and between which bounds.
    pub settings: Option<Settings>,
    /// The limit that will end the session, and how long from now that is.
    pub ending: Option<(Coming, Duration)>,
}

#[derive(Debug, Default)]
struct Page {
    connected: bool,
    /// The browser's name for itself.
    client: Option<String>,
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
}

impl Pages {
    /// Nobody yet; control changes hands by this policy.
    pub fn new(policy: ControlPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// A page that will be added says which browser it is.
    pub fn client(&mut self, id: &str, client: String) {
        self.pages.entry(id.to_owned()).or_default().client = Some(client);
    }

    /// A page has said hello.
    pub fn added(&mut self, id: &str) {
        let page = self.pages.entry(id.to_owned()).or_default();
        if let Some(notice) = &self.standing {
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
        // A standard player has no way to say anything, and its token lets nobody do more than watch.
        if id.starts_with(WHEP_PREFIX) {
            return;
        }
        let ousted = self.roles.connected(id, page.client.as_deref());
        self.tell_ousted(ousted);
    }

    /// A page is gone.
    pub fn removed(&mut self, id: &str, now: Duration) {
        self.pages.remove(id);
        self.people.left(id);
        self.roles.left(id, now);
    }

    /// A page wants control: it gets it, or whoever has it is asked.
    pub fn take_control(&mut self, id: &str, now: Duration) {
        let client = |id: &str| self.pages.get(id).and_then(|page| page.client.as_ref());
        // Nobody asks himself, and nobody is asked where nobody is.
        let others = self
            .roles
            .controller()
            .is_some_and(|has| has != id && (client(has).is_none() || client(has) != client(id)));
        if self.policy == ControlPolicy::Ask && others {
            if !self.people.ask(id, now) {
                self.refuse(id);
            }
            return;
        }
        self.give(id);
    }

    /// Whoever is in control gives it to another page.
    pub fn give_control(&mut self, by: &str, to: &str) {
        if self.roles.controller() == Some(by) && by != to {
            self.give(to);
        }
    }

    /// Whoever is in control keeps it.
    pub fn keep_control(&mut self, by: &str) {
        if self.roles.controller() == Some(by)
            && let Some(asked) = self.people.settle()
        {
            self.refuse(&asked);
        }
    }

    /// A page's user wants to be called so.
    pub fn call(&mut self, id: &str, name: &str) {
        if self.pages.contains_key(id) {
            self.people.call(id, name);
        }
    }

    fn give(&mut self, id: &str) {
        let ousted = self.roles.take_control(id);
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

    /// A page has sent something that cannot be read. Returns whether that was once too often.
    pub fn bad_message(&mut self, id: &str) -> bool {
        self.pages.get_mut(id).is_some_and(|page| {
            page.bad_messages += 1;
            page.bad_messages == MAX_BAD_MESSAGES
        })
    }

    /// Something that has happened: the pages that are here should know.
    pub fn notice(&mut self, level: NoticeLevel, text: String) {
        let notice = ToPage::Notice { level, text, once: None };
        for page in self.pages.values_mut() {
            page.notice(notice.clone());
        }
    }

    /// Something that holds: pages to come should know too, each tab of a browser once, by the name `once`. `None` ends it.
    pub fn standing(&mut self, notice: Option<(String, String)>) {
        self.standing =
            notice.map(|(text, once)| ToPage::Notice { level: NoticeLevel::Warning, text, once: Some(once) });
        for page in self.pages.values_mut() {
            if let Some(notice) = &self.standing {
                page.notice(notice.clone());
            }
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        self.roles.tick(now);
        if let Some(asked) = self.people.tick(now) {
            self.refuse(&asked);
        }
    }

    /// The page in control.
    pub fn controller(&self) -> Option<&str> {
        self.roles.controller()
    }

    /// Pages that are here, connected or not.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.pages.keys()
    }

    /// How many are here, and how many of them are connected.
    pub fn count(&self) -> (usize, usize) {
        (self.pages.len(), self.pages.values().filter(|page| page.connected).count())
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
        let consumers = u32::try_from(self.count().1).unwrap_or(u32::MAX);
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
            let display = news.display.map(|(width, height)| ToPage::Display { width, height });
            let quality = news.quality.clone().map(ToPage::Quality);
            let cursor = news.cursor.clone().map(ToPage::Cursor);
            let settings = news.settings.map(ToPage::Settings);
            let coming = news.ending.map(|(coming, _)| coming);
            if page.ending != coming {
                page.ending = coming;
                let limit = coming.map(|coming| coming.limit);
                let seconds = news.ending.map_or(0.0, |(_, left)| left.as_secs_f64());
                messages.push((id.clone(), ToPage::Ending { limit, seconds }));
            }
            messages.extend(page.notices.drain(..).map(|notice| (id.clone(), notice)));
            for message in [Some(session), Some(people.clone()), display, quality, cursor, settings]
                .into_iter()
                .flatten()
            {
                if page.is_news(&message) {
                    messages.push((id.clone(), message));
                }
            }
        }
        messages
    }
}

/// Notices that wait for a page to connect; it takes seconds, and who is late for more has missed nothing that stays.
const MAX_NOTICES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use vdi_protocol::control::{Role, SessionLimit};

    fn told(pages: &mut Pages, phase: Phase) -> Vec<(String, Option<(Role, u32)>)> {
        let news = News { phase, ..News::default() };
        let messages = pages.tell(&news).into_iter();
        messages
            .filter(|(_, message)| !matches!(message, ToPage::People(_)))
            .map(|(id, message)| match message {
                ToPage::Session { role, consumers, .. } => (id, Some((role, consumers))),
                _ => (id, None),
            })
            .collect()
    }

    #[test]
    fn each_page_is_told_its_role_on_connect_and_again_at_every_change_only() {
        let mut pages = Pages::default();
        pages.added("a");
        assert!(told(&mut pages, Phase::Ready).is_empty(), "its channels are not up yet");
        pages.connected("a");
        assert_eq!(told(&mut pages, Phase::Streaming), [("a".into(), Some((Role::Controller, 1)))]);
        assert!(told(&mut pages, Phase::Streaming).is_empty());
        pages.added("b");
        pages.connected("b");
        assert_eq!(
            told(&mut pages, Phase::Streaming),
            [("a".into(), Some((Role::Controller, 2))), ("b".into(), Some((Role::Viewer, 2)))]
        );
        pages.take_control("b", Duration::ZERO);
        assert_eq!(
            told(&mut pages, Phase::Streaming),
            [
                // A word to the one who had control.
                ("a".into(), None),
                ("a".into(), Some((Role::Viewer, 2))),
                ("b".into(), Some((Role::Controller, 2)))
            ]
        );
    }

    #[test]
    fn what_holds_reaches_pages_that_come_later_until_it_ends_and_what_happened_only_those_that_are_here() {
        let mut pages = Pages::default();
        let come = |pages: &mut Pages, id| {
            pages.added(id);
            pages.connected(id);
            pages
                .tell(&News::default())
                .into_iter()
                .filter(|(to, _)| to == id)
                .map(|(_, message)| message)
                .filter(|message| matches!(message, ToPage::Notice { .. }))
                .collect::<Vec<_>>()
        };
        let standing =
            ToPage::Notice { level: NoticeLevel::Warning, text: "slow".into(), once: Some("s1".into()) };
        pages.standing(Some(("slow".into(), "s1".into())));
        assert_eq!(come(&mut pages, "a"), [standing]);
        pages.notice(NoticeLevel::Info, "fast".into());
        let happened = ToPage::Notice { level: NoticeLevel::Info, text: "fast".into(), once: None };
        assert_eq!(pages.tell(&News::default()), [("a".into(), happened)]);
        assert!(pages.tell(&News::default()).is_empty(), "once is enough");
        pages.standing(None);
        assert!(come(&mut pages, "b").is_empty());
    }

    #[test]
    fn size_and_quality_are_told_on_connect_and_when_they_change_but_not_as_time_passes() {
        let mut pages = Pages::default();
        pages.added("a");
        pages.connected("a");
        let quality = |width, seconds| Quality { width, seconds, ..Quality::default() };
        let news = |quality| News { display: Some((1920, 1080)), quality: Some(quality), ..News::default() };
        let told: Vec<_> =
            pages.tell(&news(quality(1920, 1.0))).into_iter().map(|(_, message)| message).collect();
        let told: Vec<_> = told.into_iter().filter(|message| !matches!(message, ToPage::People(_))).collect();
        assert!(matches!(
            &told[..],
            [ToPage::Session { .. }, ToPage::Display { width: 1920, height: 1080 }, ToPage::Quality(_)]
        ));
        assert!(pages.tell(&news(quality(1920, 2.0))).is_empty());
        assert_eq!(
            pages.tell(&news(quality(1280, 3.0))),
            [("a".into(), ToPage::Quality(quality(1280, 3.0)))]
        );
    }

    /// Three people under a policy.
    fn three(policy: ControlPolicy) -> Pages {
        let mut pages = Pages::new(policy);
        for (id, client) in [("a", "anna"), ("b", "bert"), ("c", "carl")] {
            pages.client(id, client.into());
            pages.added(id);
            pages.connected(id);
        }
        pages.tell(&News::default());
        pages
    }

    /// Who is told that he does not get control, and who asks.
    fn refused(pages: &mut Pages) -> (Vec<String>, Option<String>) {
        let told = pages.tell(&News::default()).into_iter();
        let refused = told.filter(|(_, message)| *message == ToPage::ControlRefused).map(|(id, _)| id);
        (refused.collect(), pages.present().asking)
    }

    #[test]
    fn control_is_given_by_the_one_who_has_it_and_by_nobody_else() {
        let mut pages = three(ControlPolicy::Ask);
        pages.take_control("b", Duration::ZERO);
        assert_eq!((pages.controller(), pages.present().asking.as_deref()), (Some("a"), Some("b")));
        pages.give_control("c", "c");
        pages.give_control("b", "b");
        assert_eq!(pages.controller(), Some("a"));
        pages.give_control("a", "b");
        assert_eq!((pages.controller(), refused(&mut pages)), (Some("b"), (Vec::new(), None)));
        pages.give_control("b", "stranger");
        assert_eq!(pages.controller(), Some("b"));
    }

    #[test]
    fn who_is_refused_is_told_by_word_by_silence_and_by_somebody_else_who_asked_first() {
        let mut pages = three(ControlPolicy::Ask);
        pages.take_control("b", Duration::ZERO);
        pages.take_control("c", Duration::ZERO);
        assert_eq!(refused(&mut pages), (vec!["c".into()], Some("b".into())));
        pages.keep_control("c");
        assert_eq!(refused(&mut pages), (Vec::new(), Some("b".into())));
        pages.keep_control("a");
        assert_eq!(refused(&mut pages), (vec!["b".into()], None));
        pages.take_control("c", Duration::from_secs(30));
        pages.tick(Duration::from_secs(50));
        assert_eq!(refused(&mut pages), (vec!["c".into()], None));
        assert_eq!(pages.controller(), Some("a"));
    }

    #[test]
    fn nobody_asks_himself_and_nobody_is_asked_where_control_is_taken() {
        let mut pages = three(ControlPolicy::Ask);
        pages.client("a2", "anna".into());
        pages.added("a2");
        pages.connected("a2");
        pages.take_control("a", Duration::ZERO);
        assert_eq!(pages.controller(), Some("a"), "of two of his own pages");
        let mut pages = three(ControlPolicy::Take);
        pages.take_control("c", Duration::ZERO);
        assert_eq!(pages.controller(), Some("c"));
    }

    #[test]
    fn settings_are_told_to_everybody_at_a_change_and_to_one_who_asked_in_vain() {
        let mut pages = Pages::default();
        for id in ["a", "b"] {
            pages.added(id);
            pages.connected(id);
        }
        let told = |pages: &mut Pages, framerate| -> Vec<_> {
            let settings = Settings { max_framerate: framerate, ..Settings::default() };
            let news = News { settings: Some(settings), ..News::default() };
            let told = pages.tell(&news).into_iter();
            told.filter(|(_, message)| matches!(message, ToPage::Settings(_))).map(|(id, _)| id).collect()
        };
        assert_eq!(told(&mut pages, 60), ["a", "b"]);
        assert_eq!(told(&mut pages, 30), ["a", "b"]);
        assert!(told(&mut pages, 30).is_empty());
        pages.remind_of_settings("b");
        assert_eq!(told(&mut pages, 30), ["b"]);
    }

    #[test]
    fn coming_end_is_told_once_and_again_when_it_moves_or_goes() {
        let mut pages = Pages::default();
        let end = |due: u64, left: u64| {
            let coming = Coming { limit: SessionLimit::Idle, due: Duration::from_secs(due) };
            News { ending: Some((coming, Duration::from_secs(left))), ..News::default() }
        };
        let told = |pages: &mut Pages, news: &News| -> Vec<_> {
            let told = pages.tell(news).into_iter().filter_map(|(_, message)| match message {
                ToPage::Ending { limit, seconds } => Some((limit, seconds)),
                _ => None,
            });
            told.collect()
        };
        pages.added("a");
        pages.connected("a");
        assert_eq!(told(&mut pages, &News::default()), []);
        assert_eq!(told(&mut pages, &end(600, 60)), [(Some(SessionLimit::Idle), 60.0)]);
        assert_eq!(told(&mut pages, &end(600, 59)), [], "the page counts by itself");
        assert_eq!(told(&mut pages, &end(700, 50)), [(Some(SessionLimit::Idle), 50.0)]);
        pages.connected("a");
        assert_eq!(told(&mut pages, &end(700, 40)).len(), 1, "another connection knows nothing");
        assert_eq!(told(&mut pages, &News::default()), [(None, 0.0)]);
    }

    #[test]
    fn page_that_sends_nonsense_is_closed_at_the_limit_once() {
        let mut pages = Pages::default();
        pages.added("a");
        let closed: Vec<_> = (1..=20).filter(|_| pages.bad_message("a")).collect();
        assert_eq!(closed.len(), 1);
        assert!(!pages.bad_message("stranger"));
    }

    #[test]
    fn page_whose_connection_was_replaced_is_told_everything_anew() {
        let mut pages = Pages::default();
        for id in ["a", "b"] {
            pages.added(id);
            pages.connected(id);
        }
        told(&mut pages, Phase::Streaming);
        pages.connected("a");
        assert_eq!(told(&mut pages, Phase::Streaming), [("a".into(), Some((Role::Controller, 2)))]);
    }

    #[test]
    fn second_tab_of_a_user_takes_over_with_a_word_to_the_first() {
        let mut pages = Pages::default();
        for id in ["a", "b"] {
            pages.client(id, "anna".into());
            pages.added(id);
            pages.connected(id);
        }
        let words: Vec<_> = pages
            .tell(&News::default())
            .into_iter()
            .filter(|(_, message)| matches!(message, ToPage::ControlTaken { .. }))
            .collect();
        assert_eq!(words, [("a".into(), ToPage::ControlTaken { same_user: true })]);
        assert_eq!(pages.controller(), Some("b"));
        assert_eq!(pages.count(), (2, 2), "the first one goes on watching");
    }

    #[test]
    fn page_removed_before_it_connected_gets_no_role() {
        let mut pages = Pages::default();
        pages.added("a");
        pages.removed("a", Duration::ZERO);
        pages.connected("a");
        assert_eq!((pages.controller(), pages.count()), (None, (0, 0)));
    }
}
