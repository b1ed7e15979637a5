//! Decision: the sentences of the log about the people of a session and its course, so that an operator can read who was here, who
//! had control and how, and where the session stood.

use crate::pass::Pass;
use vdi_protocol::{
    control::Role,
    environment::{SOUND_PREFIX, WHEP_PREFIX},
    phase::Phase,
};

/// How control has come to whoever has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By coming, to a desktop that nobody controls.
    Came,
    /// By opening another page in the browser that has it.
    OtherTab,
    /// By coming back, after somebody else had inherited it.
    CameBack,
    /// By taking it.
    Taken,
    /// By asking for it.
    Granted,
    /// From whoever had it, unasked.
    Given,
    /// By being here longest when whoever had it had left.
    Inherited,
    /// It has not: whoever had it has left.
    Left,
}

/// A page, with what its user is called, if that is known, and with what a guest was let in.
pub fn who(page: &str, name: &str) -> String {
    let guest = guest(page).map(|guest| format!(", {guest}")).unwrap_or_default();
    if name.is_empty() { format!("page {page}{guest}") } else { format!("{name:?} (page {page}{guest})") }
}

/// With what a guest was let in; none for whoever is none.
pub fn guest(page: &str) -> Option<String> {
    match Pass::of(page) {
        Pass::Full => None,
        Pass::View => Some("guest with the password for watching".into()),
        Pass::Invitation { number, role } => {
            let may = if role == Role::Controller { "may take control" } else { "watches" };
            Some(format!("guest with invitation {number}, {may}"))
        }
    }
}

/// What has come under this name.
pub fn kind(page: &str, selkies: bool) -> &'static str {
    match page {
        _ if page.starts_with(WHEP_PREFIX) => "player (WHEP)",
        _ if page.starts_with(SOUND_PREFIX) => "Selkies client, its sound",
        _ if selkies => "Selkies client",
        _ => "page",
    }
}

/// Who has control now, who had it before, and how it came to that.
pub fn control(before: Option<&str>, now: Option<&str>, how: How) -> String {
    let before = before.unwrap_or("nobody");
    let Some(now) = now else { return format!("nobody has control: {before} has left") };
    let how = match how {
        How::Came | How::Left => "nobody had it".into(),
        How::OtherTab => format!("it is a newer page of the browser of {before}"),
        How::CameBack => format!("it has come back, and {before} had only inherited it"),
        How::Taken => format!("taken from {before}"),
        How::Granted => format!("asked for, and given by {before}"),
        How::Given => format!("given by {before}"),
        How::Inherited => "whoever had it has not come back, and of those who are here it came first".into(),
    };
    format!("{now} has control: {how}")
}

/// Where the session stands now.
pub fn phase(now: Phase, before: Phase, message: Option<&str>) -> String {
    let why = message.unwrap_or("no reason was told");
    match (now, before) {
        (Phase::Ready, Phase::Starting) => "the session is ready".into(),
        (Phase::Ready, _) => "nobody is connected any more: the session waits".into(),
        (Phase::Streaming, Phase::Ready) => "somebody is connected: the session streams".into(),
        (Phase::Streaming, Phase::Idle) => "somebody is active again: the session streams".into(),
        (Phase::Streaming, _) => "the session streams again".into(),
        (Phase::Idle, _) => "nobody has been active for long: the session is idle".into(),
        (Phase::Starting, _) => why.into(),
        (Phase::Draining, _) => format!("the session ends: {why}"),
        (Phase::Failed, _) => format!("the session fails: {why}"),
        (Phase::Ended, _) => "the session has ended".into(),
    }
}

/// When a microphone or a camera of the page in control begins and ends, from whether something of it came.
#[derive(Debug)]
pub struct Course {
    device: &'static str,
    /// The page whose it is, and who that is.
    of: Option<(String, String)>,
    silent_ticks: u32,
}

/// Ticks without anything after which it is off: one may fall between two frames that are late.
const SILENT_TICKS: u32 = 2;

impl Course {
    /// Of a device of this name, which is off.
    pub fn new(device: &'static str) -> Self {
        Self { device, of: None, silent_ticks: 0 }
    }

    /// A second has passed, in which something of it came or did not; `controller` is the page in control, and who that is.
    /// Returns what there is to say of it.
    pub fn tick(&mut self, came: bool, controller: Option<(&str, &str)>) -> Vec<String> {
        self.silent_ticks = if came { 0 } else { self.silent_ticks.saturating_add(1) };
        let stays = |(page, _): &(String, String)| controller.is_some_and(|(now, _)| now == page);
        let mut lines = Vec::new();
        let ended = self.of.take_if(|of| self.silent_ticks >= SILENT_TICKS || !stays(of));
        lines.extend(ended.map(|(_, who)| format!("the {} of {who} is off", self.device)));
        if let (true, None, Some((page, who))) = (came, &self.of, controller) {
            lines.push(format!("the {} of {who} is on", self.device));
            self.of = Some((page.to_owned(), who.to_owned()));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_by_name_page_and_what_they_were_let_in_with() {
        assert_eq!(who("c1", ""), "page c1");
        assert_eq!(who("c1", "Anna"), "\"Anna\" (page c1)");
        assert_eq!(
            who("c2@controller4", "B\u{202e}rt\""),
            "\"B\\u{202e}rt\\\"\" (page c2@controller4, guest with invitation 4, may take control)"
        );
        assert_eq!(who("c3@view", ""), "page c3@view, guest with the password for watching");
        assert_eq!(kind("whep-1", false), "player (WHEP)");
        assert_eq!((kind("c1", true), kind("c1", false)), ("Selkies client", "page"));
    }

    #[test]
    fn how_control_came_to_somebody_is_one_sentence() {
        let told = |how| control(Some("page a"), Some("page b"), how);
        assert_eq!(told(How::Taken), "page b has control: taken from page a");
        assert_eq!(told(How::Granted), "page b has control: asked for, and given by page a");
        assert_eq!(control(None, Some("page a"), How::Came), "page a has control: nobody had it");
        assert_eq!(control(Some("page a"), None, How::Left), "nobody has control: page a has left");
    }

    #[test]
    fn course_of_a_session_reads_as_sentences() {
        assert_eq!(phase(Phase::Ready, Phase::Starting, None), "the session is ready");
        assert_eq!(
            phase(Phase::Draining, Phase::Ready, Some("the session was stopped")),
            "the session ends: the session was stopped"
        );
        assert_eq!(
            phase(Phase::Starting, Phase::Streaming, Some(":0 is lost; waiting for it to come back")),
            ":0 is lost; waiting for it to come back"
        );
    }

    #[test]
    fn microphone_begins_with_the_first_sound_and_ends_with_silence_or_with_control() {
        let mut course = Course::new("microphone");
        let (anna, bert) = (Some(("a", "Anna")), Some(("b", "Bert")));
        assert!(course.tick(false, anna).is_empty());
        assert_eq!(course.tick(true, anna), ["the microphone of Anna is on"]);
        assert!(course.tick(true, anna).is_empty());
        assert!(course.tick(false, anna).is_empty(), "late");
        assert!(course.tick(true, anna).is_empty());
        assert_eq!(
            course.tick(true, bert),
            ["the microphone of Anna is off", "the microphone of Bert is on"]
        );
        assert!(course.tick(false, bert).is_empty());
        assert_eq!(course.tick(false, bert), ["the microphone of Bert is off"]);
        course.tick(true, bert);
        assert_eq!(course.tick(false, None), ["the microphone of Bert is off"]);
    }
}
