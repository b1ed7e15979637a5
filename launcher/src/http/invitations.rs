//! Decision: the invitations that hold, what those were that hold no more, and which one a token is of. It keeps no token,
//! only its SHA-256. Time and randomness are arguments.

use crate::pass::Pass;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use std::{collections::VecDeque, time::Duration};
use subtle::ConstantTimeEq;
use vdi_protocol::{
    control::Role,
    invitations::{Invitation, Refusal},
    limits::{MAX_INVITATION_SECONDS, MAX_INVITATIONS},
    reason::EndCause,
};

/// Random bytes of a token: nobody finds 256 bits by trying.
pub const TOKEN_BYTES: usize = 32;
/// Those that hold no more and are remembered, so that whoever comes with one learns why.
const MAX_ENDED: usize = 64;

/// Why one holds no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl Ending {
    /// What its people are told.
    pub fn words(self) -> &'static str {
        match self {
            Self::Expired => "The invitation has expired",
            Self::Revoked => "The invitation was revoked",
        }
    }

    /// The same for their pages.
    pub fn cause(self) -> EndCause {
        match self {
            Self::Expired => EndCause::InvitationExpired,
            Self::Revoked => EndCause::InvitationRevoked,
        }
    }
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Of an invitation that holds.
    Holds {
        /// What it allows.
        pass: Pass,
        /// For how long.
        left: Duration,
    },
    /// Of one that held once.
    Ended(Ending),
    /// Of none.
    Unknown,
}

type Hash = [u8; 32];

#[derive(Debug)]
struct Holding {
    number: u32,
    role: Role,
    until: Duration,
    hash: Hash,
}

#[derive(Debug)]
struct Ended {
    number: u32,
    hash: Hash,
    how: Ending,
}

/// All of a session.
#[derive(Debug, Default)]
pub struct Invitations {
    made: u32,
    holding: Vec<Holding>,
    ended: VecDeque<Ended>,
}

impl Invitations {
    /// Makes one from random bytes. Returns its number and its token.
    pub fn invite(
        &mut self,
        role: Role,
        seconds: u32,
        random: [u8; TOKEN_BYTES],
        now: Duration,
    ) -> Result<(u32, String), Refusal> {
        self.tick(now);
        if !(1..=MAX_INVITATION_SECONDS).contains(&seconds) {
            return Err(Refusal::BadDuration);
        }
        if self.holding.len() >= MAX_INVITATIONS {
            return Err(Refusal::TooMany);
        }
        self.made += 1;
        let token = BASE64_URL_SAFE_NO_PAD.encode(random);
        let until = now + Duration::from_secs(seconds.into());
        self.holding.push(Holding { number: self.made, role, until, hash: hash(&token) });
        Ok((self.made, token))
    }

    /// Takes one back. Returns whether there was one.
    pub fn revoke(&mut self, number: u32) -> bool {
        let at = self.holding.iter().position(|one| one.number == number);
        at.map(|at| self.end(at, Ending::Revoked)).is_some()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        while let Some(at) = self.holding.iter().position(|one| now >= one.until) {
            self.end(at, Ending::Expired);
        }
    }

    /// What a token is. Every invitation is compared, whichever it is of.
    pub fn find(&self, token: &str, now: Duration) -> Found {
        let given = hash(token);
        let same = |known: &Hash| bool::from(known.ct_eq(&given));
        let mut found = Found::Unknown;
        for one in self.ended.iter().filter(|one| same(&one.hash)) {
            found = Found::Ended(one.how);
        }
        for one in self.holding.iter().filter(|one| same(&one.hash)) {
            found = match one.until.checked_sub(now).filter(|left| !left.is_zero()) {
                Some(left) => {
                    Found::Holds { pass: Pass::Invitation { number: one.number, role: one.role }, left }
                }
                None => Found::Ended(Ending::Expired),
            };
        }
        found
    }

    /// Why the invitation of this number holds no more; none while it does.
    pub fn ending(&self, number: u32, now: Duration) -> Option<Ending> {
        if self.holding.iter().any(|one| one.number == number && now < one.until) {
            return None;
        }
        let known = self.ended.iter().find(|one| one.number == number);
        Some(known.map_or(Ending::Expired, |one| one.how))
    }

    /// Those that hold.
    pub fn list(&self, now: Duration) -> Vec<Invitation> {
        let told = |one: &Holding| Invitation {
            id: one.number,
            role: one.role,
            seconds: one.until.saturating_sub(now).as_secs_f64(),
        };
        self.holding.iter().map(told).collect()
    }

    fn end(&mut self, at: usize, how: Ending) {
        let Holding { number, hash, .. } = self.holding.remove(at);
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(Ended { number, hash, how });
    }
}

fn hash(token: &str) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn made(invitations: &mut Invitations, role: Role, seconds: u32, seed: u8, now: Duration) -> String {
        invitations.invite(role, seconds, [seed; TOKEN_BYTES], now).unwrap().1
    }

    #[test]
    fn token_is_of_its_invitation_until_that_expires() {
        let mut all = Invitations::default();
        let watch = made(&mut all, Role::Viewer, 60, 1, s(10));
        let control = made(&mut all, Role::Controller, 90, 2, s(10));
        let pass = |number, role| Pass::Invitation { number, role };
        assert_eq!(all.find(&watch, s(69)), Found::Holds { pass: pass(1, Role::Viewer), left: s(1) });
        assert_eq!(all.find(&control, s(69)), Found::Holds { pass: pass(2, Role::Controller), left: s(31) });
        assert_eq!((all.ending(1, s(69)), all.ending(2, s(70))), (None, None));
        // To the second, whether or not the clock has ticked since.
        assert_eq!(all.find(&watch, s(70)), Found::Ended(Ending::Expired));
        assert_eq!(all.ending(1, s(70)), Some(Ending::Expired));
        all.tick(s(70));
        assert_eq!(all.find(&watch, s(70)), Found::Ended(Ending::Expired));
        assert_eq!(all.list(s(70)), [Invitation { id: 2, role: Role::Controller, seconds: 30.0 }]);
    }

    #[test]
    fn one_that_is_revoked_holds_no_more_and_says_so() {
        let mut all = Invitations::default();
        let token = made(&mut all, Role::Viewer, 60, 1, s(0));
        assert!(all.revoke(1));
        assert!(!all.revoke(1));
        assert_eq!(all.find(&token, s(1)), Found::Ended(Ending::Revoked));
        assert_eq!(all.ending(1, s(1)), Some(Ending::Revoked));
    }

    #[test]
    fn strange_tokens_are_of_none() {
        let mut all = Invitations::default();
        let token = made(&mut all, Role::Viewer, 60, 1, s(0));
        assert_eq!(token.len(), 43);
        for strange in ["", &token[1..], &token.to_lowercase(), &token.repeat(100), "\0"] {
            assert_eq!(all.find(strange, s(1)), Found::Unknown);
        }
        assert_eq!(all.ending(9, s(1)), Some(Ending::Expired), "one that was never made holds neither");
    }

    #[test]
    fn number_and_duration_are_bounded_and_so_is_what_is_remembered() {
        let mut all = Invitations::default();
        let mut invite = |seconds, now| all.invite(Role::Viewer, seconds, [3; TOKEN_BYTES], now).map(|_| ());
        assert_eq!(invite(0, s(0)), Err(Refusal::BadDuration));
        assert_eq!(invite(MAX_INVITATION_SECONDS + 1, s(0)), Err(Refusal::BadDuration));
        for _ in 0..MAX_INVITATIONS {
            assert_eq!(invite(MAX_INVITATION_SECONDS, s(0)), Ok(()));
        }
        assert_eq!(invite(1, s(0)), Err(Refusal::TooMany));
        // Those that have expired take no place.
        assert_eq!(invite(1, s(u64::from(MAX_INVITATION_SECONDS))), Ok(()));
        for second in 0..200 {
            made(&mut all, Role::Viewer, 1, 4, s(100_000 + second));
        }
        assert_eq!(all.ended.len(), MAX_ENDED);
    }
}
