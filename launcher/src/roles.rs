//! Decision: who may act. One page at a time is the controller, all others are viewers; the server enforces it.
//!
//! The first page gets control, and so does a new page of the browser that has it: whoever opens a second tab wants to
//! use it. When the controller leaves, its seat is kept for [`GRACE`] (most likely it is the same person after a
//! reload); after that the longest-connected page inherits. Who inherits gives control back when the one before comes
//! again within [`KEPT`], since nobody has asked for it; who takes it keeps it. Time is an argument.

use std::time::Duration;
use vdi_protocol::control::Role;

/// How long the seat of a controller that left is kept for a reload.
pub const GRACE: Duration = Duration::from_secs(3);

/// How long who left without handing control over gets it back from an heir: a laptop that sleeps over lunch. After that
/// it is the heir's.
pub const KEPT: Duration = Duration::from_secs(3600);

/// The connected pages and the one in control.
#[derive(Debug, Default)]
pub struct Roles {
    /// Connected pages, longest first.
    pages: Vec<Page>,
    controller: Option<String>,
    /// The browser that had or took control last by its own wish, if it has a name.
    owner: Option<String>,
    /// When the owner's right ends, if none of its pages is here.
    owner_until: Option<Duration>,
    /// When the longest-connected page inherits.
    inherits_at: Option<Duration>,
}

#[derive(Debug)]
struct Page {
    id: String,
    /// The browser's name for itself.
    client: Option<String>,
}

/// Somebody lost control to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ousted {
    /// The page that had control.
    pub page: String,
    /// By a page of the same browser.
    pub same_user: bool,
}

impl Roles {
    /// A page of this browser is connected, or connected anew. One that `watches` only did before its connection was cut: it
    /// takes a seat that nobody wants, and no other.
    pub fn connected(&mut self, page: &str, client: Option<&str>, watches: bool) -> Option<Ousted> {
        if self.pages.iter().any(|known| known.id == page) {
            return None;
        }
        self.pages.push(Page { id: page.to_owned(), client: client.map(str::to_owned) });
        let controls = self.controller.as_deref().and_then(|controller| self.client(controller));
        let owns = client.is_some() && (client == self.owner.as_deref() || client == controls.as_deref());
        // A seat that is kept is not for somebody who is known to be another one.
        let other = client.is_some() && client != self.owner.as_deref();
        let kept = self.inherits_at.is_some() && self.owner.is_some() && other;
        if !watches && (owns || (self.controller.is_none() && client.is_some() && !kept)) {
            return self.give_control(page);
        }
        // A page without a name, or without a wish, sits in for whoever had the seat.
        if self.controller.is_none() && !kept {
            self.controller = Some(page.to_owned());
            self.inherits_at = None;
        }
        None
    }

    /// A page has left at `now`.
    pub fn left(&mut self, page: &str, now: Duration) {
        let client = self.client(page);
        self.pages.retain(|known| known.id != page);
        if self.controller.as_deref() == Some(page) {
            self.controller = None;
            // An heir that leaves has as good a claim to come back; a page without a name has none.
            self.owner = client.or(self.owner.take());
            self.inherits_at = Some(now + GRACE);
            self.owner_until = Some(now + KEPT);
        }
    }

    /// A page asks for control.
    pub fn take_control(&mut self, page: &str) -> Option<Ousted> {
        if self.pages.iter().any(|known| known.id == page) { self.give_control(page) } else { None }
    }

    /// Lets the grace period end; to be called at least once a second.
    pub fn tick(&mut self, now: Duration) {
        if self.inherits_at.is_some_and(|at| now >= at) {
            self.inherits_at = None;
            self.controller = self.pages.first().map(|page| page.id.clone());
        }
        if self.owner_until.is_some_and(|until| now >= until) {
            self.owner_until = None;
            self.owner = self.controller.as_deref().and_then(|controller| self.client(controller));
        }
    }

    /// Whether the seat is kept for somebody who is known to be another than this page's user.
    pub fn is_kept_from(&self, page: &str) -> bool {
        self.inherits_at.is_some() && self.owner.is_some() && self.client(page) != self.owner
    }

    /// The page in control.
    pub fn controller(&self) -> Option<&str> {
        self.controller.as_deref()
    }

    /// What a page may do.
    pub fn role(&self, page: &str) -> Role {
        if self.controller.as_deref() == Some(page) { Role::Controller } else { Role::Viewer }
    }

    /// A page has control by its own wish.
    fn give_control(&mut self, page: &str) -> Option<Ousted> {
        let client = self.client(page);
        let before = self.controller.replace(page.to_owned()).filter(|before| before != page);
        let ousted = before.map(|before| Ousted {
            same_user: client.is_some() && client == self.client(&before),
            page: before,
        });
        self.owner = client;
        self.owner_until = None;
        self.inherits_at = None;
        ousted
    }

    /// The name that the browser of a connected page has given itself.
    pub fn client(&self, page: &str) -> Option<String> {
        self.pages.iter().find(|known| known.id == page)?.client.clone()
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
            roles.connected(page, None, false);
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
        roles.connected("a2", None, false);
        assert_eq!(roles.controller(), Some("a2"));
        roles.tick(s(20));
        assert_eq!(roles.controller(), Some("a2"));
    }

    #[test]
    fn control_is_handed_over_when_asked_but_only_to_a_connected_page() {
        let mut roles = three();
        let ousted = Ousted { page: "a".into(), same_user: false };
        assert_eq!(roles.take_control("c"), Some(ousted));
        assert_eq!(roles.role("a"), Role::Viewer);
        assert_eq!(roles.take_control("c"), None, "nobody takes it from himself");
        assert_eq!(roles.take_control("stranger"), None);
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
        roles.connected("d", None, false);
        assert_eq!(roles.controller(), Some("d"));
    }

    #[test]
    fn second_tab_of_the_controllers_browser_takes_over_and_the_first_goes_on_watching() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.connected("b", Some("bert"), false);
        let ousted = Ousted { page: "a".into(), same_user: true };
        assert_eq!(roles.connected("a2", Some("anna"), false), Some(ousted));
        assert_eq!((roles.role("a"), roles.role("a2")), (Role::Viewer, Role::Controller));
        assert_eq!(roles.connected("b2", Some("bert"), false), None, "a viewer's second tab takes nothing");
        let back = Ousted { page: "a2".into(), same_user: true };
        assert_eq!(roles.take_control("a"), Some(back));
    }

    #[test]
    fn page_whose_connection_is_replaced_keeps_its_role() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.connected("b", Some("anna"), false);
        assert_eq!(roles.connected("a", Some("anna"), false), None);
        assert_eq!(roles.controller(), Some("b"));
    }

    #[test]
    fn seat_is_kept_for_the_one_who_left_it_and_not_for_somebody_known_to_be_another() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.left("a", s(10));
        roles.connected("b", Some("bert"), false);
        assert_eq!(roles.controller(), None);
        roles.connected("a2", Some("anna"), false);
        assert_eq!(roles.controller(), Some("a2"));
    }

    #[test]
    fn control_that_was_inherited_goes_back_to_the_one_who_wakes() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.connected("b", Some("bert"), false);
        roles.left("a", s(10));
        roles.tick(s(13));
        assert_eq!(roles.controller(), Some("b"));
        let ousted = Ousted { page: "b".into(), same_user: false };
        assert_eq!(roles.connected("a2", Some("anna"), false), Some(ousted));
    }

    #[test]
    fn page_that_does_not_say_who_it_is_sits_in_for_the_one_who_had_control() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.left("a", s(10));
        roles.tick(s(13));
        roles.connected("b", None, false);
        assert_eq!(roles.controller(), Some("b"));
        assert!(roles.connected("a2", Some("anna"), false).is_some());
        assert_eq!(roles.controller(), Some("a2"));
    }

    #[test]
    fn heir_who_wakes_gets_back_what_he_had_inherited() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.left("a", s(10));
        roles.connected("b", Some("bert"), false);
        roles.tick(s(13));
        roles.connected("c", Some("carl"), false);
        roles.left("b", s(20));
        roles.tick(s(23));
        assert_eq!(roles.controller(), Some("c"));
        assert!(roles.connected("b2", Some("bert"), false).is_some());
        assert_eq!(roles.controller(), Some("b2"));
    }

    #[test]
    fn control_that_was_inherited_long_ago_stays() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.connected("b", Some("bert"), false);
        roles.left("a", s(10));
        roles.tick(s(13));
        roles.tick(s(10) + KEPT);
        assert_eq!(roles.connected("a2", Some("anna"), false), None);
        assert_eq!(roles.controller(), Some("b"));
    }

    #[test]
    fn second_tab_of_an_heir_takes_over_as_well() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.left("a", s(10));
        roles.connected("b", Some("bert"), false);
        roles.tick(s(13));
        assert_eq!(roles.controller(), Some("b"));
        let ousted = Ousted { page: "b".into(), same_user: true };
        assert_eq!(roles.connected("b2", Some("bert"), false), Some(ousted));
    }

    #[test]
    fn control_that_was_taken_stays_when_the_one_before_wakes() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.connected("b", Some("bert"), false);
        roles.left("a", s(10));
        roles.take_control("b");
        assert_eq!(roles.connected("a2", Some("anna"), false), None);
        assert_eq!(roles.controller(), Some("b"));
    }

    #[test]
    fn page_that_watched_and_comes_back_takes_control_from_nobody_not_even_its_own_user() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        assert_eq!(roles.connected("a2", Some("anna"), true), None);
        assert_eq!(roles.connected("b", Some("bert"), true), None);
        assert_eq!(roles.controller(), Some("a"));
        roles.left("a", s(10));
        roles.connected("c", Some("carl"), true);
        assert_eq!(roles.controller(), None, "the seat is kept for anna");
        roles.connected("a3", Some("anna"), true);
        assert_eq!(roles.controller(), Some("a3"), "who sits in for herself");
        assert!(roles.connected("a4", Some("anna"), false).is_some());
        assert_eq!(roles.controller(), Some("a4"));
    }

    #[test]
    fn who_came_back_watching_and_took_control_gets_it_back_after_the_next_cut() {
        let mut roles = Roles::default();
        roles.connected("a", Some("anna"), false);
        roles.connected("b", Some("bert"), true);
        roles.take_control("b");
        roles.left("b", s(10));
        roles.tick(s(13));
        assert_eq!(roles.controller(), Some("a"));
        assert!(roles.connected("b2", Some("bert"), false).is_some());
        assert_eq!(roles.controller(), Some("b2"));
    }

    #[test]
    fn whoever_watched_sits_in_where_nobody_is_until_somebody_comes_who_wants_it() {
        let mut roles = Roles::default();
        roles.connected("b", Some("bert"), true);
        assert_eq!(roles.controller(), Some("b"));
    }
}
