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
}

impl Audience {
    /// This page, or nobody, is in control from now on.
    pub fn set_controller(&mut self, page: Option<String>) {
        if self.controller != page {
            self.controller = page;
            self.knows = None;
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
        self.knows.is_some()
    }

    /// All of it has arrived.
    pub fn knows_all(&mut self) {
        self.knows = self.knows.map(|_| self.changes);
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
