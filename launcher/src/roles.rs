//! Decision: who may act. One page at a time is the controller, all others are viewers; the server enforces it.
//!
//! The first page gets control. When the controller leaves, a page that connects within [`GRACE`] gets it at once (most
//! likely it is the same person after a reload); after that the longest-connected page inherits. Time is an argument.

use std::time::Duration;
use vdi_protocol::control::Role;

/// How long the seat of a controller that left is kept for a reload.
pub const GRACE: Duration = Duration::from_secs(3);

/// The connected pages and the one in control.
#[derive(Debug, Default)]
pub struct Roles {
    /// Connected pages, longest first.
    pages: Vec<String>,
    controller: Option<String>,
    /// When the longest-connected page inherits.
    inherits_at: Option<Duration>,
}

impl Roles {
    /// A page is connected.
    pub fn connected(&mut self, page: &str) {
        if self.pages.iter().any(|known| known == page) {
            return;
        }
        self.pages.push(page.to_owned());
        if self.controller.is_none() {
            self.give_control(page.to_owned());
        }
    }

    /// A page has left at `now`.
    pub fn left(&mut self, page: &str, now: Duration) {
        self.pages.retain(|known| known != page);
        if self.controller.as_deref() == Some(page) {
            self.controller = None;
            self.inherits_at = Some(now + GRACE);
        }
    }

    /// A page asks for control. Returns whether it has it now.
    pub fn take_control(&mut self, page: &str) -> bool {
        let known = self.pages.iter().any(|known| known == page);
        if known {
            self.give_control(page.to_owned());
        }
        known
    }

    /// Lets the grace period end; to be called at least once a second.
    pub fn tick(&mut self, now: Duration) {
        if self.inherits_at.is_some_and(|at| now >= at) {
            self.inherits_at = None;
            if let Some(heir) = self.pages.first().cloned() {
                self.give_control(heir);
            }
        }
    }

    /// The page in control.
    pub fn controller(&self) -> Option<&str> {
        self.controller.as_deref()
    }

    /// What a page may do.
    pub fn role(&self, page: &str) -> Role {
        if self.controller.as_deref() == Some(page) { Role::Controller } else { Role::Viewer }
    }

    fn give_control(&mut self, page: String) {
        self.controller = Some(page);
        self.inherits_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn three() -> Roles {
        let mut roles = Roles::default();
        for page in ["a", "b", "c"] {
            roles.connected(page);
        }
        roles
    }

    #[test]
    fn first_page_controls_and_the_others_view() {
        let roles = three();
        assert_eq!(
            ["a", "b", "c"].map(|page| roles.role(page)),
            [Role::Controller, Role::Viewer, Role::Viewer]
        );
    }

    #[test]
    fn longest_connected_page_inherits_only_after_the_grace() {
        let mut roles = three();
        roles.left("a", s(10));
        roles.tick(s(12));
        assert_eq!(roles.controller(), None);
        roles.tick(s(13));
        assert_eq!(roles.controller(), Some("b"));
    }

    #[test]
    fn page_that_reloads_within_the_grace_gets_control_back() {
        let mut roles = three();
        roles.left("a", s(10));
        roles.connected("a2");
        assert_eq!(roles.controller(), Some("a2"));
        roles.tick(s(20));
        assert_eq!(roles.controller(), Some("a2"));
    }

    #[test]
    fn control_is_handed_over_when_asked_but_only_to_a_connected_page() {
        let mut roles = three();
        assert!(roles.take_control("c"));
        assert_eq!(roles.role("a"), Role::Viewer);
        assert!(!roles.take_control("stranger"));
        assert_eq!(roles.controller(), Some("c"));
    }

    #[test]
    fn viewer_that_leaves_changes_nothing_and_an_empty_house_waits() {
        let mut roles = three();
        roles.left("b", s(1));
        assert_eq!(roles.controller(), Some("a"));
        roles.left("c", s(1));
        roles.left("a", s(1));
        roles.tick(s(60));
        assert_eq!(roles.controller(), None);
        roles.connected("d");
        assert_eq!(roles.controller(), Some("d"));
    }
}
