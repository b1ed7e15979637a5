//! Decision: the pages that are here, what they may do, and what each has to be told.

use crate::roles::Roles;
use std::{collections::BTreeMap, time::Duration};
use vdi_protocol::{
    control::{NoticeLevel, ToPage},
    limits::MAX_BAD_MESSAGES,
    phase::Phase,
    reason::FailureReason,
    status::ConsumerStatus,
};

/// What all pages are told of the session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Where it stands.
    pub phase: Phase,
    /// Why it failed.
    pub reason: Option<FailureReason>,
    /// A sentence about it.
    pub message: Option<String>,
}

#[derive(Debug, Default)]
struct Page {
    connected: bool,
    bad_messages: u32,
    /// The last that it was told.
    told: Option<ToPage>,
    notices: usize,
}

/// All pages.
#[derive(Debug, Default)]
pub struct Pages {
    pages: BTreeMap<String, Page>,
    roles: Roles,
    notices: Vec<String>,
}

impl Pages {
    /// A page has said hello.
    pub fn added(&mut self, id: &str) {
        self.pages.entry(id.to_owned()).or_default();
    }

    /// A page's media path is up.
    pub fn connected(&mut self, id: &str) {
        // A page that is gone already stays gone: its removal may overtake its connection.
        if let Some(page) = self.pages.get_mut(id) {
            page.connected = true;
            self.roles.connected(id);
        }
    }

    /// A page is gone.
    pub fn removed(&mut self, id: &str, now: Duration) {
        self.pages.remove(id);
        self.roles.left(id, now);
    }

    /// A page asks for control.
    pub fn take_control(&mut self, id: &str) {
        self.roles.take_control(id);
    }

    /// A page has sent something that cannot be read. Returns whether that was once too often.
    pub fn bad_message(&mut self, id: &str) -> bool {
        self.pages.get_mut(id).is_some_and(|page| {
            page.bad_messages += 1;
            page.bad_messages == MAX_BAD_MESSAGES
        })
    }

    /// Something that every page should know, now and later.
    pub fn notice(&mut self, text: String) {
        if !self.notices.contains(&text) && self.notices.len() < MAX_NOTICES {
            self.notices.push(text);
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        self.roles.tick(now);
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
        };
        self.pages.iter().map(status).collect()
    }

    /// What has to be told to whom, so that every connected page knows the present state. Nothing is told twice.
    pub fn tell(&mut self, news: &News) -> Vec<(String, ToPage)> {
        let consumers = u32::try_from(self.count().1).unwrap_or(u32::MAX);
        let mut messages = Vec::new();
        for (id, page) in self.pages.iter_mut().filter(|(_, page)| page.connected) {
            let session = ToPage::Session {
                phase: news.phase,
                reason: news.reason,
                message: news.message.clone(),
                role: self.roles.role(id),
                consumers,
            };
            if page.told.as_ref() != Some(&session) {
                page.told = Some(session.clone());
                messages.push((id.clone(), session));
            }
            for text in &self.notices[page.notices..] {
                let notice = ToPage::Notice { level: NoticeLevel::Warning, text: text.clone() };
                messages.push((id.clone(), notice));
            }
            page.notices = self.notices.len();
        }
        messages
    }
}

/// Different warnings that are kept for pages to come.
const MAX_NOTICES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use vdi_protocol::control::Role;

    fn told(pages: &mut Pages, phase: Phase) -> Vec<(String, Option<(Role, u32)>)> {
        let news = News { phase, ..News::default() };
        let messages = pages.tell(&news).into_iter();
        messages
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
        pages.take_control("b");
        assert_eq!(
            told(&mut pages, Phase::Streaming),
            [("a".into(), Some((Role::Viewer, 2))), ("b".into(), Some((Role::Controller, 2)))]
        );
    }

    #[test]
    fn notices_reach_pages_that_come_later_and_each_page_once() {
        let mut pages = Pages::default();
        pages.notice("slow".into());
        pages.notice("slow".into());
        pages.added("a");
        pages.connected("a");
        assert_eq!(told(&mut pages, Phase::Streaming).len(), 2);
        assert!(told(&mut pages, Phase::Streaming).is_empty());
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
    fn page_removed_before_it_connected_gets_no_role() {
        let mut pages = Pages::default();
        pages.added("a");
        pages.removed("a", Duration::ZERO);
        pages.connected("a");
        assert_eq!((pages.controller(), pages.count()), (None, (0, 0)));
    }
}
