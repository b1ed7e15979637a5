//! Decision: what [`super::Keyboard`] does for people who type, checked on a server that keeps its own modifiers.

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
    /// Each stroke comes a second after the one before.
    now: Duration,
    /// Keysym and modifiers of each press that is no modifier key.
    seen: Vec<(u32, u8)>,
}

impl Server {
    fn new(keymap: Keymap) -> Self {
        Self {
            keyboard: Keyboard::new(keymap.clone()),
            keymap,
            pressed: vec![],
            now: Duration::ZERO,
            seen: vec![],
        }
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
                        self.seen.push((self.keymap.group(keycode, 0).unwrap().keysym(modifiers), modifiers));
                    }
                    self.pressed.push(keycode);
                }
                Up(keycode) => {
                    assert!(self.pressed.contains(&keycode), "{keycode} is up already");
                    self.pressed.retain(|pressed| *pressed != keycode);
                }
                Bind(keycode, [small, capital]) => {
                    let (keysyms, key_type) = match (small, capital) {
                        (0, 0) => (vec![], KeyType::default()),
                        _ if small == capital => (vec![small], KeyType::default()),
                        _ => (vec![small, capital], KeyType::alphabetic()),
                    };
                    self.keymap.keys.insert(keycode, vec![Group { key_type, keysyms }]);
                }
            }
        }
    }

    fn down(&mut self, keysym: u32) {
        self.now += Duration::from_secs(1);
        let state = self.state();
        let actions = self.keyboard.at(self.now).down(keysym, state);
        self.apply(actions);
        self.keyboard.set_keymap(self.keymap.clone());
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
    assert_eq!(server.keyboard.unbind(), [Bind(SPARES[1], [0, 0]), Bind(SPARES[0], [0, 0])]);
}

#[test]
fn least_recently_used_spare_is_taken_but_never_a_held_one() {
    let mut server = Server::new(us());
    server.down(0xfc);
    server.down(0xf6);
    server.up(0xf6);
    assert_eq!(server.keyboard.down(0xdf, NONE), [Bind(SPARES[1], [0xdf; 2]), Down(SPARES[1])]);
    server.keyboard.up(0xdf);
    server.keyboard.up(0xfc);
    assert_eq!(server.keyboard.down(0xbf, NONE), [Bind(SPARES[1], [0xbf; 2]), Down(SPARES[1])]);
    assert_eq!(server.keyboard.down(0x20ac, NONE), [Bind(SPARES[0], [0x20ac; 2]), Down(SPARES[0])]);
}

#[test]
fn letter_that_the_layout_lacks_brings_its_capital_which_shift_gives() {
    let mut server = Server::new(us());
    server.down(0xfc);
    server.up(0xfc);
    server.down(0xffe1);
    server.down(0xdc);
    server.up(0xdc);
    server.up(0xffe1);
    assert_eq!(server.seen, [(0xfc, 0), (0xdc, modifier::SHIFT)]);
    assert_eq!(server.keyboard.unbind(), [Bind(SPARES[0], [0, 0])], "one keycode was enough");
}

#[test]
fn keycode_rests_before_it_means_something_else() {
    let mut server = Server::new(us());
    for keysym in [0xdf, 0x20ac] {
        server.down(keysym);
        server.up(keysym);
    }
    // Pressed at 1 s and at 2 s; the first one has rested since.
    let at = |ms| Duration::from_millis(ms);
    assert_eq!(server.keyboard.at(at(1100)).wait(0xbf, NONE), Some(at(50)));
    assert_eq!(server.keyboard.at(at(1100)).wait(0xdf, NONE), None, "it is there already");
    assert_eq!(server.keyboard.at(at(1100)).wait(0x41, NONE), None, "Shift gives it");
    assert_eq!(server.keyboard.at(at(1150)).wait(0xbf, NONE), None);
    assert_eq!(server.keyboard.at(at(1100)).down(0xbf, NONE).len(), 2, "no key is lost for it");
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
