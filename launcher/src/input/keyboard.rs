//! Decision: which keys go down and up on the server so that the focused window sees the keysym the user means.
//!
//! The page sends keysyms after the user's own layout; the server has a layout of its own. Three cases, in this order:
//! 1. a key gives the keysym under the modifiers held just now: it is pressed;
//! 2. a key gives it on another level: modifiers are pressed or taken away for as long as it is the last key held;
//! 3. the layout lacks it: it is put on a spare keycode, the least recently used one, until the end.
//!
//! A modifier that was changed for a key stays changed until that key goes up or another event comes, as with a person
//! at a keyboard, so that the server's own auto-repeat repeats the right character.
//!
//! It presses nothing itself and reads no state: the server's modifiers are an argument, actions are the result.

use super::keymap::{ISO_LEFT_TAB, Keymap, TAB, modifier, same};
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
    /// Put a keysym on every level of a spare keycode; 0 clears it.
    Bind(u8, u32),
}

/// A keysym on a spare keycode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Binding {
    keycode: u8,
    keysym: u32,
}

/// The keys that are held, and what was changed for them.
#[derive(Debug, Default)]
pub struct Keyboard {
    keymap: Keymap,
    /// Held keys as (keysym, keycode), oldest first.
    held: Vec<(u32, u8)>,
    /// Actions that give the user's modifiers back, and the keycode for which they were changed.
    borrowed: Option<(u8, Vec<Action>)>,
    /// Spare keycodes in use, least recently used first.
    bindings: Vec<Binding>,
}

impl Keyboard {
    /// Nothing held, on this keymap.
    pub fn new(keymap: Keymap) -> Self {
        Self { keymap, ..Self::default() }
    }

    /// The server's keymap has changed, by us or by others. Bindings that are gone from it are forgotten.
    pub fn set_keymap(&mut self, keymap: Keymap) {
        self.bindings.retain(|binding| {
            keymap.group(binding.keycode, 0).is_some_and(|group| group.keysyms.contains(&binding.keysym))
        });
        self.keymap = keymap;
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
        std::mem::take(&mut self.bindings)
            .into_iter()
            .map(|binding| Action::Bind(binding.keycode, 0))
            .collect()
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
        if let Some(keycode) = self.direct(keysym, state) {
            self.touch(keycode);
            return Some(keycode);
        }
        if let Some((keycode, there, back)) = self.with_other_modifiers(keysym, state) {
            actions.extend(there);
            self.borrowed = Some((keycode, back));
            self.touch(keycode);
            return Some(keycode);
        }
        let keycode = self.spare()?;
        actions.push(Action::Bind(keycode, keysym));
        self.bindings.push(Binding { keycode, keysym });
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

    fn touch(&mut self, keycode: u8) {
        if let Some(index) = self.bindings.iter().position(|binding| binding.keycode == keycode) {
            let binding = self.bindings.remove(index);
            self.bindings.push(binding);
        }
    }

    /// A keycode to bind: one that was never used, else the least recently used one that is not held.
    fn spare(&mut self) -> Option<u8> {
        let used = |keycode: u8| self.bindings.iter().any(|binding| binding.keycode == keycode);
        if let Some(keycode) = self.keymap.spares().find(|keycode| !used(*keycode)) {
            return Some(keycode);
        }
        let free = |binding: &Binding| self.held.iter().all(|(_, keycode)| *keycode != binding.keycode);
        let index = self.bindings.iter().position(free)?;
        Some(self.bindings.remove(index).keycode)
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
mod tests {
    use super::super::keymap::tests::*;
    use super::{Action::*, *};
    use proptest::prelude::*;

    const NONE: State = State { modifiers: 0, group: 0 };

    fn with(modifiers: u8) -> State {
        State { modifiers, group: 0 }
    }

    /// A server that keeps its own modifiers, so that a script of keysyms can be typed on it.
    struct Server {
        keyboard: Keyboard,
        keymap: Keymap,
        pressed: Vec<u8>,
        /// Keysym and modifiers of each press that is no modifier key.
        seen: Vec<(u32, u8)>,
    }

    impl Server {
        fn new(keymap: Keymap) -> Self {
            Self { keyboard: Keyboard::new(keymap.clone()), keymap, pressed: vec![], seen: vec![] }
        }

        fn state(&self) -> State {
            with(self.pressed.iter().fold(0, |bits, keycode| bits | self.keymap.bits(*keycode)))
        }

        fn apply(&mut self, actions: Vec<Action>) {
            for action in actions {
                match action {
                    Down(keycode) => {
                        assert!(!self.pressed.contains(&keycode), "{keycode} is down already");
                        let modifiers = self.state().modifiers;
                        if self.keymap.bits(keycode) == 0 {
                            self.seen
                                .push((self.keymap.group(keycode, 0).unwrap().keysym(modifiers), modifiers));
                        }
                        self.pressed.push(keycode);
                    }
                    Up(keycode) => {
                        assert!(self.pressed.contains(&keycode), "{keycode} is up already");
                        self.pressed.retain(|pressed| *pressed != keycode);
                    }
                    Bind(keycode, keysym) => {
                        let keysyms = if keysym == 0 { vec![] } else { vec![keysym] };
                        let group = super::super::keymap::Group { keysyms, ..Default::default() };
                        self.keymap.keys.insert(keycode, vec![group]);
                        self.keyboard.set_keymap(self.keymap.clone());
                    }
                }
            }
        }

        fn down(&mut self, keysym: u32) {
            let actions = self.keyboard.down(keysym, self.state());
            self.apply(actions);
        }

        fn up(&mut self, keysym: u32) {
            let actions = self.keyboard.up(keysym);
            self.apply(actions);
        }
    }

    #[test]
    fn lower_case_letter_is_one_key() {
        let mut keyboard = Keyboard::new(us());
        assert_eq!(keyboard.down(0x61, NONE), [Down(KEY_A)]);
        assert_eq!(keyboard.down(0x61, NONE), [Up(KEY_A), Down(KEY_A)], "a repeat");
        assert_eq!(keyboard.up(0x61), [Up(KEY_A)]);
    }

    #[test]
    fn capital_with_shift_held_uses_the_users_shift() {
        let mut keyboard = Keyboard::new(us());
        assert_eq!(keyboard.down(0xffe1, NONE), [Down(SHIFT_L)]);
        assert_eq!(keyboard.down(0xffe1, with(modifier::SHIFT)), [], "modifiers do not repeat");
        assert_eq!(keyboard.down(0x41, with(modifier::SHIFT)), [Down(KEY_A)]);
        assert_eq!(keyboard.up(0x41), [Up(KEY_A)]);
        assert_eq!(keyboard.up(0xffe1), [Up(SHIFT_L)]);
    }

    #[test]
    fn capital_without_shift_held_borrows_shift_until_the_key_goes_up() {
        let mut keyboard = Keyboard::new(us());
        assert_eq!(keyboard.down(0x41, NONE), [Down(SHIFT_L), Down(KEY_A)]);
        assert_eq!(keyboard.up(0x41), [Up(KEY_A), Up(SHIFT_L)]);
    }

    #[test]
    fn lower_case_letter_with_shift_held_takes_shift_away() {
        let mut keyboard = Keyboard::new(us());
        keyboard.down(0xffe1, NONE);
        assert_eq!(keyboard.down(0x61, with(modifier::SHIFT)), [Up(SHIFT_L), Down(KEY_A)]);
        assert_eq!(keyboard.up(0x61), [Up(KEY_A), Down(SHIFT_L)]);
        assert_eq!(keyboard.up(0xffe1), [Up(SHIFT_L)]);
    }

    #[test]
    fn modifier_let_go_while_it_is_taken_away_does_not_come_back() {
        let mut server = Server::new(us());
        server.down(0xffe1);
        server.down(0x61);
        server.up(0xffe1);
        server.up(0x61);
        assert!(server.pressed.is_empty(), "{:?} is stuck", server.pressed);
    }

    #[test]
    fn at_sign_on_us_while_the_user_holds_altgr_replaces_it_by_shift() {
        let mut keyboard = Keyboard::new(us());
        assert_eq!(keyboard.down(0xfe03, NONE), [Down(LEVEL3)]);
        assert_eq!(keyboard.down(0x40, with(modifier::MOD5)), [Up(LEVEL3), Down(SHIFT_L), Down(KEY_2)]);
        assert_eq!(keyboard.up(0x40), [Up(KEY_2), Up(SHIFT_L), Down(LEVEL3)]);
        assert_eq!(keyboard.up(0xfe03), [Up(LEVEL3)]);
    }

    #[test]
    fn at_sign_on_german_is_altgr_and_q() {
        let mut keyboard = Keyboard::new(german());
        assert_eq!(keyboard.down(0x40, NONE), [Down(LEVEL3), Down(KEY_Q)]);
        assert_eq!(keyboard.up(0x40), [Up(KEY_Q), Up(LEVEL3)]);
        keyboard.down(0xfe03, NONE);
        assert_eq!(keyboard.down(0x40, with(modifier::MOD5)), [Down(KEY_Q)], "the user's own AltGr");
    }

    #[test]
    fn unicode_name_finds_the_legacy_one_of_the_layout() {
        let mut keyboard = Keyboard::new(german());
        assert_eq!(keyboard.down(0x0100_20ac, NONE), [Down(LEVEL3), Down(KEY_E)], "EuroSign");
        keyboard.up(0x0100_20ac);
        assert_eq!(keyboard.down(0x0100_00fc, NONE), [Down(34)], "udiaeresis");
    }

    #[test]
    fn characters_that_the_layout_lacks_get_spare_keycodes_and_give_them_back() {
        let mut server = Server::new(us());
        for keysym in [0xfc, 0x20ac, 0xfc] {
            server.down(keysym);
            server.up(keysym);
        }
        assert_eq!(server.seen, [(0xfc, 0), (0x20ac, 0), (0xfc, 0)]);
        assert_eq!(server.keyboard.unbind(), [Bind(SPARES[1], 0), Bind(SPARES[0], 0)]);
    }

    #[test]
    fn least_recently_used_spare_is_taken_but_never_a_held_one() {
        let mut server = Server::new(us());
        server.down(0xfc);
        server.down(0xf6);
        server.up(0xf6);
        assert_eq!(server.keyboard.down(0xe4, NONE), [Bind(SPARES[1], 0xe4), Down(SPARES[1])]);
        server.keyboard.up(0xe4);
        server.keyboard.up(0xfc);
        assert_eq!(server.keyboard.down(0xdf, NONE), [Bind(SPARES[0], 0xdf), Down(SPARES[0])]);
    }

    #[test]
    fn caps_lock_on_the_server_is_undone_with_shift() {
        let mut keyboard = Keyboard::new(us());
        assert_eq!(keyboard.down(0x61, with(modifier::LOCK)), [Down(SHIFT_L), Down(KEY_A)]);
    }

    #[test]
    fn num_lock_is_replaced_by_shift_for_the_keypad() {
        let mut keyboard = Keyboard::new(us());
        assert_eq!(keyboard.down(0xffb1, NONE), [Down(SHIFT_L), Down(KEY_KP1)]);
        keyboard.up(0xffb1);
        assert_eq!(keyboard.down(0xffb1, with(modifier::MOD2)), [Down(KEY_KP1)]);
    }

    #[test]
    fn shift_tab_and_shortcuts_keep_their_modifiers() {
        let mut keyboard = Keyboard::new(us());
        assert_eq!(keyboard.down(TAB, with(modifier::SHIFT)), [Down(KEY_TAB)]);
        assert_eq!(keyboard.down(0x61, with(modifier::CONTROL)), [Down(KEY_A)]);
        let command = modifier::CONTROL | modifier::MOD1;
        assert_eq!(keyboard.down(0xffbe, with(command)), [Down(KEY_F1)], "Ctrl+Alt+F1 stays F1");
    }

    #[test]
    fn heartbeat_releases_what_the_page_no_longer_holds() {
        let mut keyboard = Keyboard::new(us());
        keyboard.down(0x61, NONE);
        keyboard.down(0x71, NONE);
        assert_eq!(keyboard.reconcile(&[0x71]), [Up(KEY_A)]);
        assert_eq!(keyboard.release_all(), [Up(KEY_Q)]);
    }

    #[test]
    fn subsets_are_complete() {
        assert_eq!(subsets(0b101).collect::<Vec<_>>(), [0, 1, 4, 5]);
        assert_eq!(subsets(0).collect::<Vec<_>>(), [0]);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_the_window_sees_it_and_nothing_stays_down(
            script in prop::collection::vec(
                (prop::sample::select(vec![0x61u32, 0x41, 0x71, 0x32, 0x40, 0xfc, 0x20ac, 0xffe1, 0xfe03, 0xffe3]), any::<bool>()),
                1..40,
            ),
            german_layout in any::<bool>(),
        ) {
            let mut server = Server::new(if german_layout { german() } else { us() });
            for (keysym, down) in script {
                let before = server.seen.len();
                let fresh = down && !server.keyboard.held().any(|held| held == keysym);
                if down { server.down(keysym) } else { server.up(keysym) }
                if fresh && is_character(keysym) {
                    prop_assert_eq!(server.seen.len(), before + 1);
                    prop_assert!(same(server.seen[before].0, keysym), "{:x} instead of {:x}", server.seen[before].0, keysym);
                }
            }
            let actions = server.keyboard.release_all();
            server.apply(actions);
            prop_assert_eq!(server.pressed, Vec::<u8>::new());
        }
    }
}
