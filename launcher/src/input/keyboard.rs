//! Decision: which keys go down and up on the server so that the focused window sees the keysym the user means.
//!
//! The page sends keysyms after the user's own layout; the server has a layout of its own. Three cases, in this order:
//! 1. a key gives the keysym under the modifiers held just now: it is pressed;
//! 2. a key gives it on another level: modifiers are pressed or taken away for as long as it is the last key held;
//! 3. the layout lacks it: it is put on a spare keycode ([`super::spares`] says which), until the end.
//!
//! A modifier that was changed for a key stays changed until that key goes up or another event comes, as with a person
//! at a keyboard, so that the server's own auto-repeat repeats the right character.
//!
//! It presses nothing itself and reads no state and no clock: the server's modifiers and the time are told, actions are the result.

use super::{
    keymap::{Group, ISO_LEFT_TAB, KeyType, Keymap, TAB, modifier, same},
    spares::{Free, Spares},
};
use std::time::Duration;
use vdi_protocol::limits::MAX_HELD_KEYS;

/// Modifiers and layout of the server, as it tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Effective modifiers.
    pub modifiers: u8,
    /// Effective layout.
    pub group: u8,
}

/// What is to be done on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Press this keycode.
    Down(u8),
    /// Release this keycode.
    Up(u8),
    /// Put these keysyms on a spare keycode, without and with Shift; 0 clears it.
    Bind(u8, [u32; 2]),
}

/// The keys that are held, and what was changed for them.
#[derive(Debug, Default)]
pub struct Keyboard {
    keymap: Keymap,
    /// Held keys as (keysym, keycode), oldest first.
    held: Vec<(u32, u8)>,
    /// Actions that give the user's modifiers back, and the keycode for which they were changed.
    borrowed: Option<(u8, Vec<Action>)>,
    spares: Spares,
    now: Duration,
}

impl Keyboard {
    /// Nothing held, on this keymap.
    pub fn new(keymap: Keymap) -> Self {
        Self { keymap, ..Self::default() }
    }

    /// It is so late: what is asked next happens now.
    pub fn at(&mut self, now: Duration) -> &mut Self {
        self.now = now;
        self
    }

    /// The server's keymap has changed, by us or by others. Bindings that are gone from it are forgotten.
    pub fn set_keymap(&mut self, keymap: Keymap) {
        self.spares.keep(&keymap);
        self.keymap = keymap;
    }

    /// How long a key has to wait until a spare keycode may be taken for it; none if it can be pressed at once.
    pub fn wait(&self, keysym: u32, state: State) -> Option<Duration> {
        let Free::In(_, wait) = self.free() else { return None };
        let known = self.held().any(|held| held == keysym)
            || self.direct(keysym, state).is_some()
            || self.with_other_modifiers(keysym, state).is_some();
        (!known).then_some(wait)
    }

    /// Keysyms that are held.
    pub fn held(&self) -> impl Iterator<Item = u32> {
        self.held.iter().map(|(keysym, _)| *keysym)
    }

    /// A key goes down. One that is held already is repeated, unless it is a modifier.
    pub fn down(&mut self, keysym: u32, state: State) -> Vec<Action> {
        if let Some((_, keycode)) = self.held.iter().find(|(held, _)| *held == keysym) {
            let modifier = self.keymap.bits(*keycode) != 0;
            return if modifier { Vec::new() } else { vec![Action::Up(*keycode), Action::Down(*keycode)] };
        }
        if keysym == 0 || self.held.len() >= MAX_HELD_KEYS {
            return Vec::new();
        }
        let (mut actions, state) = self.give_back(state);
        let Some(keycode) = self.reach(keysym, state, &mut actions) else {
            return actions;
        };
        if let Some(index) = self.held.iter().position(|(_, code)| *code == keycode) {
            // Another keysym on the same key: the server needs to see it go up before it can go down again.
            self.held.remove(index);
            actions.push(Action::Up(keycode));
        }
        actions.push(Action::Down(keycode));
        self.held.push((keysym, keycode));
        actions
    }

    /// A key goes up.
    pub fn up(&mut self, keysym: u32) -> Vec<Action> {
        let Some(index) = self.held.iter().position(|(held, _)| *held == keysym) else { return Vec::new() };
        let (_, keycode) = self.held.remove(index);
        self.spares.touch(keycode, self.now);
        // A modifier that was taken away for another key is up already, and must not come back.
        let borrowed = self.borrowed.take();
        let taken_away = borrowed.as_ref().is_some_and(|(_, back)| back.contains(&Action::Down(keycode)));
        let mut actions = if taken_away { Vec::new() } else { vec![Action::Up(keycode)] };
        if let Some((_, back)) = borrowed {
            actions.extend(back.into_iter().filter(|action| *action != Action::Down(keycode)));
        }
        actions
    }

    /// The page's list of held keys: what is held here and missing there goes up.
    pub fn reconcile(&mut self, keysyms: &[u32]) -> Vec<Action> {
        let stale: Vec<_> = self.held().filter(|held| !keysyms.contains(held)).collect();
        stale.into_iter().flat_map(|keysym| self.up(keysym)).collect()
    }

    /// Everything goes up, newest first.
    pub fn release_all(&mut self) -> Vec<Action> {
        let held: Vec<_> = self.held().collect();
        held.into_iter().rev().flat_map(|keysym| self.up(keysym)).collect()
    }

    /// Before a button is pressed, or another key, the user's own modifiers are in force again.
    pub fn before_button(&mut self) -> Vec<Action> {
        self.borrowed.take().map(|(_, back)| back).unwrap_or_default()
    }

    /// Clears the spare keycodes, once nothing is held any more.
    pub fn unbind(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.spares).keycodes().map(|keycode| Action::Bind(keycode, [0, 0])).collect()
    }

    fn give_back(&mut self, mut state: State) -> (Vec<Action>, State) {
        let back = self.before_button();
        for action in &back {
            match *action {
                Action::Down(keycode) => state.modifiers |= self.keymap.bits(keycode),
                Action::Up(keycode) => state.modifiers &= !self.keymap.bits(keycode),
                Action::Bind(..) => {}
            }
        }
        (back, state)
    }

    /// The keycode to press, after the actions that make it give the keysym.
    fn reach(&mut self, keysym: u32, state: State, actions: &mut Vec<Action>) -> Option<u8> {
        if let Some(keycode) = self.present(keysym, state, actions) {
            return Some(keycode);
        }
        // Who did not ask for the wait gets the keycode early rather than lose the key.
        let (Free::Now(keycode) | Free::In(keycode, _)) = self.free() else { return None };
        let keysyms = self.spares.bind(keycode, keysym, self.now);
        actions.push(Action::Bind(keycode, keysyms));
        // The server will tell the same; until then the key has to be found here.
        let key_type = if keysyms[0] == keysyms[1] { KeyType::default() } else { KeyType::alphabetic() };
        self.keymap.keys.insert(keycode, vec![Group { key_type, keysyms: keysyms.to_vec() }]);
        self.present(keysym, state, actions)
    }

    /// The keycode to press, if the server has one for the keysym.
    fn present(&mut self, keysym: u32, state: State, actions: &mut Vec<Action>) -> Option<u8> {
        let keycode = self.direct(keysym, state).or_else(|| {
            let (keycode, there, back) = self.with_other_modifiers(keysym, state)?;
            actions.extend(there);
            self.borrowed = Some((keycode, back));
            Some(keycode)
        })?;
        self.spares.touch(keycode, self.now);
        Some(keycode)
    }

    /// A key that gives the keysym as things are. Exact keysyms come before other names of the same character.
    fn direct(&self, keysym: u32, state: State) -> Option<u8> {
        let level_three = self.surplus_level_three(state);
        let find = |matches: &dyn Fn(u32) -> bool| {
            self.keymap
                .groups(state.group)
                // A character that does not come from AltGr must not be seen together with it.
                .filter(|(_, group)| {
                    level_three == 0 || !is_character(keysym) || group.key_type.mask & level_three != 0
                })
                .find(|(_, group)| matches(group.keysym(state.modifiers)))
                .map(|(keycode, _)| keycode)
        };
        find(&|found| found == keysym)
            .or_else(|| find(&|found| same(found, keysym)))
            .or_else(|| find(&|found| keysym == TAB && found == ISO_LEFT_TAB))
    }

    /// The key and the fewest modifier changes that give the keysym: (keycode, changes, changes back).
    fn with_other_modifiers(&self, keysym: u32, state: State) -> Option<(u8, Vec<Action>, Vec<Action>)> {
        let mut best: Option<(u32, u8, Vec<Action>)> = None;
        for (keycode, group) in self.keymap.groups(state.group) {
            if !group.keysyms.iter().any(|found| same(*found, keysym)) {
                continue;
            }
            let relevant = (group.key_type.mask | self.surplus_level_three(state)) & !modifier::COMMAND;
            for wanted in subsets(relevant) {
                let modifiers = (state.modifiers & !relevant) | wanted;
                let cost = (state.modifiers ^ modifiers).count_ones();
                let better = best.as_ref().is_none_or(|(least, ..)| cost < *least);
                // A level-three shift that the key does not look at only disturbs.
                let clean = wanted & !group.key_type.mask == 0;
                if better
                    && clean
                    && same(group.keysym(modifiers), keysym)
                    && let Some(changes) = self.changes(state.modifiers, modifiers)
                {
                    best = Some((cost, keycode, changes));
                }
            }
        }
        let (_, keycode, there) = best?;
        let back = there.iter().rev().map(|action| match *action {
            Action::Down(code) => Action::Up(code),
            Action::Up(code) => Action::Down(code),
            bind @ Action::Bind(..) => bind,
        });
        let back = back.collect();
        Some((keycode, there, back))
    }

    /// The level-three bit, if a held key sets it.
    fn surplus_level_three(&self, state: State) -> u8 {
        let held = self.held.iter().fold(0, |bits, (_, keycode)| bits | self.keymap.momentary_bits(*keycode));
        held & state.modifiers & modifier::MOD5
    }

    /// Releases and presses that lead from one set of modifiers to another; none if a lock stands in the way.
    fn changes(&self, from: u8, to: u8) -> Option<Vec<Action>> {
        let (gone, new) = (from & !to, to & !from);
        let mut actions = Vec::new();
        let mut covered = 0;
        for (_, keycode) in &self.held {
            let bits = self.keymap.momentary_bits(*keycode);
            if bits & gone != 0 {
                covered |= bits;
                actions.push(Action::Up(*keycode));
            }
        }
        if covered & gone != gone {
            return None;
        }
        for bit in (0..8).map(|index| 1 << index).filter(|bit| new & bit != 0) {
            actions.push(Action::Down(self.keymap.momentary(bit)?));
        }
        Some(actions)
    }

    fn free(&self) -> Free {
        let held = |keycode| self.held.iter().any(|(_, held)| *held == keycode);
        self.spares.free(&self.keymap, held, self.now)
    }
}

/// Keysyms that stand for characters: Latin-1 and the other legacy sets, and Unicode.
fn is_character(keysym: u32) -> bool {
    !(0xfd00..0x0100_0000).contains(&keysym)
}

/// All subsets of a mask, the empty one first.
fn subsets(mask: u8) -> impl Iterator<Item = u8> {
    let mut next = Some(0u8);
    std::iter::from_fn(move || {
        let current = next?;
        next = (current != mask).then(|| current.wrapping_sub(mask) & mask);
        Some(current)
    })
}

#[cfg(test)]
#[path = "keyboard_tests.rs"]
mod tests;
