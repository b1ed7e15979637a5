//! Shell: the page in control invites others, and takes invitations back; whoever is here with one that holds no more has to
//! go.

use super::Parts;
use crate::{access, http::auth::Guard, pass::Pass};
use std::sync::{MutexGuard, PoisonError};
use vdi_protocol::{
    control::{Role, ToPage},
    invitations::{Invitation, Refusal},
};

impl Parts {
    /// A page would have an invitation; the answer goes to it alone.
    pub(super) fn invite(&self, page: &str, role: Role, seconds: u32) {
        let answer = match self.invited(page, role, seconds) {
            Ok((id, token)) => {
                tracing::info!(page, id, role = role.as_str(), seconds, "an invitation");
                ToPage::Invited { id, token }
            }
            Err(reason) => {
                tracing::debug!(page, ?reason, "no invitation");
                ToPage::NotInvited { reason }
            }
        };
        self.say(page, &answer);
    }

    fn invited(&self, page: &str, role: Role, seconds: u32) -> Result<(u32, String), Refusal> {
        if !self.pages.may_decide(page) {
            return Err(Refusal::NotAllowed);
        }
        let random = access::invitation().map_err(|err| {
            tracing::error!("{err}");
            Refusal::NotAllowed
        })?;
        let now = self.now();
        let mut guard = self.guard();
        let invitations = guard.invitations().ok_or(Refusal::NotAllowed)?;
        invitations.invite(role, seconds, random, now)
    }

    /// A page takes an invitation back.
    pub(super) fn revoke(&self, page: &str, number: u32) {
        let may = self.pages.may_decide(page);
        if may && self.guard().invitations().is_some_and(|invitations| invitations.revoke(number)) {
            tracing::info!(page, number, "an invitation is revoked");
            self.close_guests();
        }
    }

    /// Closes the pages whose invitation holds no more.
    pub(super) fn close_guests(&self) {
        let now = self.now();
        let mut guard = self.guard();
        let Some(invitations) = guard.invitations() else { return };
        invitations.tick(now);
        let over: Vec<_> = self
            .pages
            .ids()
            .filter_map(|id| match Pass::of(id) {
                Pass::Invitation { number, .. } => Some((id, invitations.ending(number, now)?)),
                Pass::Full | Pass::View => None,
            })
            .collect();
        // A page that is closed comes to other parts, which may ask the guard.
        drop(guard);
        for (id, how) in over {
            self.media.close_page(id, Some(how.cause()), how.words());
        }
    }

    /// Those that hold; none where nobody is invited.
    pub(super) fn invitations(&self) -> Option<Vec<Invitation>> {
        let now = self.now();
        self.guard().invitations().map(|invitations| invitations.list(now))
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
