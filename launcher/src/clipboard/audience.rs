//! Decision: whether what changes on the desktop's clipboard has to be told, and to whom: to the page in control, once it
//! listens, and only what is copied from then on. What was there before is older than what its user has copied since.

/// The page in control, and what it knows.
#[derive(Debug, Default)]
pub struct Audience {
    controller: Option<String>,
    /// Counts what was copied on the desktop.
    changes: u64,
    /// The count up to which the controller knows; `None` while it does not listen.
    knows: Option<u64>,
    /// The last offer that the controller was sent of it; 0 for none.
    given: u32,
    /// Something was copied of which the controller has had no offer yet.
    untold: bool,
}

impl Audience {
    /// This page, or nobody, is in control from now on.
    pub fn set_controller(&mut self, page: Option<String>) {
        if self.controller != page {
            self.controller = page;
            self.knows = None;
            (self.given, self.untold) = (0, false);
        }
    }

    /// Who is told.
    pub fn controller(&self) -> Option<&str> {
        self.controller.as_deref()
    }

    /// Whether this page is in control.
    pub fn is_controller(&self, page: &str) -> bool {
        self.controller.as_deref() == Some(page)
    }

    /// The controller listens: at first, or over another connection. Returns whether something was copied meanwhile.
    pub fn listens(&mut self) -> bool {
        *self.knows.get_or_insert(self.changes) < self.changes
    }

    /// Something was copied. Returns whether somebody wants to know.
    pub fn changed(&mut self) -> bool {
        self.changes += 1;
        self.untold = self.knows.is_some();
        self.untold
    }

    /// The controller is sent an offer of what was copied.
    pub fn gave(&mut self, id: u32) {
        (self.given, self.untold) = (id, false);
    }

    /// Whether something was copied on the desktop that the controller had not heard of when it brought something by itself, of which
    /// it says so ([`vdi_protocol::clipboard::Offer::after`]). Whoever pastes wants his own, however old it is.
    pub fn is_behind(&self, after: Option<u32>) -> bool {
        after.is_some_and(|after| self.untold || after != self.given)
    }

    /// All of it has arrived.
    pub fn knows_all(&mut self) {
        self.knows = self.knows.map(|_| self.changes);
        self.untold = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_told_what_is_copied_after_it_came_and_nothing_from_before() {
        let mut audience = Audience::default();
        assert!(!audience.changed(), "nobody is there");
        audience.set_controller(Some("a".into()));
        assert!(!audience.changed(), "it does not listen yet");
        assert!(!audience.listens(), "what is there is old");
        assert!(audience.changed());
    }

    #[test]
    fn page_that_comes_by_another_connection_is_told_what_it_has_missed() {
        let mut audience = Audience::default();
        audience.set_controller(Some("a".into()));
        audience.listens();
        audience.changed();
        assert!(audience.listens(), "the connection was lost on the way");
        audience.knows_all();
        audience.set_controller(Some("a".into()));
        assert!(!audience.listens());
    }

    #[test]
    fn what_page_brings_by_itself_gives_way_to_what_was_copied_since_and_what_is_pasted_does_not() {
        let mut audience = Audience::default();
        audience.set_controller(Some("a".into()));
        audience.listens();
        assert!(!audience.is_behind(Some(0)), "nothing was copied");
        audience.changed();
        assert!(audience.is_behind(Some(0)), "it is being read");
        audience.gave(5);
        assert!(audience.is_behind(Some(0)), "it is on its way to the page");
        assert!(!audience.is_behind(Some(5)), "the page has seen it, and brings another");
        assert!(!audience.is_behind(None), "its user pastes");
        audience.changed();
        audience.knows_all();
        assert!(!audience.is_behind(Some(5)), "it was nothing that browsers know");
        audience.set_controller(Some("b".into()));
        assert!(!audience.is_behind(Some(0)), "what was there before is old");
    }

    #[test]
    fn page_that_takes_control_is_not_told_what_the_one_before_has_copied() {
        let mut audience = Audience::default();
        audience.set_controller(Some("a".into()));
        audience.listens();
        audience.set_controller(Some("b".into()));
        assert!(!audience.changed());
        assert!(!audience.listens());
        assert!(audience.is_controller("b") && !audience.is_controller("a"));
    }
}
