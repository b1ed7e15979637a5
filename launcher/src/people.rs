//! Decision: what people are called, and who asks for control: one at a time, for so long. It refuses to know who has control:
//! that is the roles'.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use vdi_protocol::limits::MAX_NAME_CHARS;

/// How long an answer is waited for: long enough to finish a sentence, and silence is no consent.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How one gets control from somebody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ControlPolicy {
    /// By taking it: whoever left a page open elsewhere is not locked out by it.
    #[default]
    Take,
    /// By asking whoever has it.
    Ask,
}

/// Names, and who asks.
#[derive(Debug, Default)]
pub struct People {
    names: BTreeMap<String, String>,
    /// Pages of which a name is known, or was.
    told: BTreeSet<String>,
    asking: Option<(String, Duration)>,
}

impl People {
    /// A page's user wants to be called so. Returns whether a name is known for the first time.
    pub fn call(&mut self, page: &str, name: &str) -> bool {
        let name: String = name.chars().filter(|char| !char.is_control()).take(MAX_NAME_CHARS).collect();
        self.names.insert(page.to_owned(), name.trim().to_owned());
        !self.name(page).is_empty() && self.told.insert(page.to_owned())
    }

    /// What a page's user is called; empty if nothing was said.
    pub fn name(&self, page: &str) -> &str {
        self.names.get(page).map_or("", String::as_str)
    }

    /// A page asks for control. Returns whether it is heard: one at a time is.
    pub fn ask(&mut self, page: &str, now: Duration) -> bool {
        match &self.asking {
            Some((asking, _)) => asking == page,
            None => {
                self.asking = Some((page.to_owned(), now + ANSWER_TIMEOUT));
                true
            }
        }
    }

    /// The page that asks.
    pub fn asking(&self) -> Option<&str> {
        self.asking.as_ref().map(|(page, _)| page.as_str())
    }

    /// It was answered, or needs no answer any more. Returns who had asked.
    pub fn settle(&mut self) -> Option<String> {
        self.asking.take().map(|(page, _)| page)
    }

    /// Time has passed. Returns who asked in vain.
    pub fn tick(&mut self, now: Duration) -> Option<String> {
        if self.asking.as_ref().is_some_and(|(_, until)| now >= *until) { self.settle() } else { None }
    }

    /// A page is gone.
    pub fn left(&mut self, page: &str) {
        self.names.remove(page);
        self.told.remove(page);
        if self.asking() == Some(page) {
            self.asking = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_at_a_time_asks_and_silence_is_no_consent() {
        let mut people = People::default();
        assert!(people.ask("b", s(10)));
        assert!(people.ask("b", s(15)), "to ask again gains nothing");
        assert!(!people.ask("c", s(15)));
        assert_eq!(people.tick(s(29)), None);
        assert_eq!(people.tick(s(30)).as_deref(), Some("b"));
        assert_eq!(people.tick(s(31)), None);
        assert!(people.ask("c", s(31)));
        assert_eq!(people.settle().as_deref(), Some("c"));
    }

    #[test]
    fn who_leaves_asks_no_more_and_is_forgotten() {
        let mut people = People::default();
        people.call("b", "Bert");
        people.ask("b", s(0));
        people.left("b");
        assert_eq!((people.asking(), people.name("b")), (None, ""));
    }

    #[test]
    fn name_is_one_short_line() {
        let mut people = People::default();
        people.call("a", "  An\nna\u{7} ");
        assert_eq!(people.name("a"), "Anna");
        people.call("a", &"ä".repeat(5000));
        assert_eq!(people.name("a").chars().count(), MAX_NAME_CHARS);
    }
}
