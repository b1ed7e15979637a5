//! Decision: which connection stands for which consumer, when one follows another under the same name.
//!
//! ```text
//!   open ─▶ current ──────────────────────ended──────────▶ gone, if no successor is left
//!              ▲                                 ▲
//!              └─connected─ successor ───ended───┘
//! ```
//!
//! A consumer is told of as gone once, when neither its connection nor a successor is left. Nothing here does I/O.

use std::collections::BTreeMap;

/// Connections of one consumer that may live at once: the present one, its successor, and what is still going down.
/// A page that changes networks faster than that has to wait.
pub const MAX_ALIVE: u32 = 5;

/// Tells connections apart, also those of one consumer.
pub type Serial = u64;

/// The consumers, and the connections that stand for them.
#[derive(Debug)]
pub struct Places<C> {
    by_id: BTreeMap<String, Place<C>>,
}

#[derive(Debug)]
struct Place<C> {
    current: Option<(Serial, C)>,
    successor: Option<(Serial, C)>,
    /// Connections that have not ended yet, replaced ones among them.
    alive: u32,
}

/// What a connection becomes when it can be talked to.
#[derive(Debug, PartialEq)]
pub enum Arrival<C> {
    /// It is its consumer's first.
    First,
    /// It stands for its consumer from now on; the one before it, if that still lives, is to end.
    Succeeds(Option<C>),
    /// It has been replaced meanwhile.
    Late,
}

/// Why a successor was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such consumer, or no longer.
    Unknown,
    /// It has [`MAX_ALIVE`] connections.
    TooMany,
}

impl<C> Default for Places<C> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new() }
    }
}

impl<C: Clone> Places<C> {
    /// How many consumers there are. A successor is none of its own.
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Whether the name is taken.
    pub fn contains(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// Their names.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.by_id.keys()
    }

    /// A consumer has come; its name must be free.
    pub fn open(&mut self, id: &str, serial: Serial, connection: C) {
        let place = Place { current: Some((serial, connection)), successor: None, alive: 1 };
        self.by_id.insert(id.to_owned(), place);
    }

    /// Whether a successor would be taken in.
    pub fn may_follow(&self, id: &str) -> Result<(), Refused> {
        match self.by_id.get(id) {
            Some(place) if place.newest().is_none() => Err(Refused::Unknown),
            Some(place) if place.alive >= MAX_ALIVE => Err(Refused::TooMany),
            Some(_) => Ok(()),
            None => Err(Refused::Unknown),
        }
    }

    /// A consumer has come over another way. Returns the successor that waited until now: the newest one wins.
    pub fn follow(&mut self, id: &str, serial: Serial, connection: C) -> Option<C> {
        let place = self.by_id.get_mut(id)?;
        place.alive += 1;
        place.successor.replace((serial, connection)).map(|(_, earlier)| earlier)
    }

    /// A connection can be talked to.
    pub fn connected(&mut self, id: &str, serial: Serial) -> Arrival<C> {
        let Some(place) = self.by_id.get_mut(id) else { return Arrival::Late };
        if is(place.current.as_ref(), serial) {
            return Arrival::First;
        }
        if !is(place.successor.as_ref(), serial) {
            return Arrival::Late;
        }
        let successor = place.successor.take();
        Arrival::Succeeds(std::mem::replace(&mut place.current, successor).map(|(_, old)| old))
    }

    /// A connection has ended. Returns whether its consumer is gone with it; then [`Self::forget`] frees the name.
    pub fn ended(&mut self, id: &str, serial: Serial) -> bool {
        let Some(place) = self.by_id.get_mut(id) else { return false };
        let had_any = place.newest().is_some();
        for held in [&mut place.current, &mut place.successor] {
            held.take_if(|(own, _)| *own == serial);
        }
        place.alive = place.alive.saturating_sub(1);
        had_any && place.newest().is_none()
    }

    /// The name of a consumer that is gone is free again.
    pub fn forget(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// What stands for a consumer now: its connection, or a successor that has nobody to succeed any more.
    pub fn get(&self, id: &str) -> Option<&C> {
        let place = self.by_id.get(id)?;
        place.current.as_ref().or(place.successor.as_ref()).map(|(_, connection)| connection)
    }

    /// The same for all consumers.
    pub fn all(&self) -> impl Iterator<Item = &C> {
        self.by_id.keys().filter_map(|id| self.get(id))
    }

    /// Every connection that has not been replaced, successors among them.
    pub fn living(&self) -> impl Iterator<Item = &C> {
        let both = self.by_id.values().flat_map(|place| [&place.current, &place.successor]);
        both.flatten().map(|(_, connection)| connection)
    }
}

impl<C> Place<C> {
    fn newest(&self) -> Option<&(Serial, C)> {
        self.successor.as_ref().or(self.current.as_ref())
    }
}

fn is<C>(held: Option<&(Serial, C)>, serial: Serial) -> bool {
    held.is_some_and(|(own, _)| *own == serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `c1` with a connection that is up.
    fn one() -> Places<&'static str> {
        let mut places = Places::default();
        places.open("c1", 1, "first");
        assert_eq!(places.connected("c1", 1), Arrival::First);
        places
    }

    #[test]
    fn successor_takes_the_place_when_it_can_be_talked_to_and_not_before() {
        let mut places = one();
        assert_eq!(places.follow("c1", 2, "second"), None);
        assert_eq!(places.get("c1"), Some(&"first"));
        assert_eq!(places.connected("c1", 2), Arrival::Succeeds(Some("first")));
        assert_eq!((places.get("c1"), places.count()), (Some(&"second"), 1));
        assert!(!places.ended("c1", 1), "the one that was replaced goes quietly");
        assert!(places.ended("c1", 2));
    }

    #[test]
    fn old_connection_that_dies_first_leaves_its_place_to_the_successor() {
        let mut places = one();
        places.follow("c1", 2, "second");
        assert!(!places.ended("c1", 1));
        assert_eq!(places.get("c1"), Some(&"second"));
        assert_eq!(places.connected("c1", 2), Arrival::Succeeds(None));
        assert_eq!(places.connected("c1", 2), Arrival::First, "told twice it is the present one");
    }

    #[test]
    fn successor_that_fails_changes_nothing_while_the_old_connection_lives() {
        let mut places = one();
        places.follow("c1", 2, "second");
        assert!(!places.ended("c1", 2));
        assert_eq!(places.get("c1"), Some(&"first"));
        assert!(places.ended("c1", 1));
    }

    #[test]
    fn consumer_is_gone_once_when_the_old_connection_and_the_successor_are() {
        let mut places = one();
        places.follow("c1", 2, "second");
        assert!(!places.ended("c1", 1));
        assert!(places.ended("c1", 2));
        assert!(!places.ended("c1", 2));
        assert!(places.contains("c1"), "until that has been told");
        assert_eq!(places.may_follow("c1"), Err(Refused::Unknown));
        places.forget("c1");
        assert_eq!(places.count(), 0);
    }

    #[test]
    fn newest_of_two_successors_wins() {
        let mut places = one();
        places.follow("c1", 2, "second");
        assert_eq!(places.follow("c1", 3, "third"), Some("second"));
        assert_eq!(places.connected("c1", 2), Arrival::Late, "it was up too late");
        assert_eq!(places.connected("c1", 3), Arrival::Succeeds(Some("first")));
        assert!(!places.ended("c1", 2) && !places.ended("c1", 1));
        assert!(places.ended("c1", 3));
    }

    #[test]
    fn connections_of_one_consumer_are_bounded_until_some_have_ended() {
        let mut places = one();
        for serial in 2..=u64::from(MAX_ALIVE) {
            assert_eq!(places.may_follow("c1"), Ok(()));
            places.follow("c1", serial, "next");
        }
        assert_eq!(places.may_follow("c1"), Err(Refused::TooMany));
        assert!(!places.ended("c1", 2));
        assert_eq!(places.may_follow("c1"), Ok(()));
        assert_eq!(places.living().count(), 2);
    }

    #[test]
    fn nobody_follows_a_stranger() {
        let places = one();
        assert_eq!(places.may_follow("c2"), Err(Refused::Unknown));
    }
}
