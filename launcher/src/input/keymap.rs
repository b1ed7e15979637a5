//! Decision: what each key of the X server means: a snapshot of its XKB map, and the questions the planner asks of it.
//! It knows nothing of connections; [`super::x11`] fills it.

use std::collections::BTreeMap;
use xkeysym::Keysym;

/// Modifier bits as in the core protocol.
pub mod modifier {
    /// Shift.
    pub const SHIFT: u8 = 1 << 0;
    /// Caps Lock.
    pub const LOCK: u8 = 1 << 1;
    /// Control.
    pub const CONTROL: u8 = 1 << 2;
    /// Alt, by convention.
    pub const MOD1: u8 = 1 << 3;
    /// Num Lock, by convention.
    pub const MOD2: u8 = 1 << 4;
    /// Super, by convention.
    pub const MOD4: u8 = 1 << 6;
    /// Level-three shift (AltGr), by convention.
    pub const MOD5: u8 = 1 << 7;
    /// Modifiers that make commands, not characters: they never choose a level, and are never taken away for one.
    pub const COMMAND: u8 = CONTROL | MOD1 | MOD4;
}

/// Keysym of Tab.
pub const TAB: u32 = 0xff09;
/// What keyboards send for Shift and Tab.
pub const ISO_LEFT_TAB: u32 = 0xfe20;

/// Keysyms of keys that act as a modifier only while they are down. Locks are no such keys: pressing one toggles it.
const MOMENTARY_MODIFIERS: [u32; 13] = [
    0xffe1, 0xffe2, // Shift_L, Shift_R
    0xffe3, 0xffe4, // Control_L, Control_R
    0xffe7, 0xffe8, 0xffe9, 0xffea, // Meta_L, Meta_R, Alt_L, Alt_R
    0xffeb, 0xffec, // Super_L, Super_R
    0xfe03, 0xfe11, // ISO_Level3_Shift, ISO_Level5_Shift
    0xff7e, // Mode_switch
];

/// How a key's level follows from the modifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyType {
    /// Modifiers that matter.
    pub mask: u8,
    /// Level for each combination that is not level 0.
    pub levels: Vec<(u8, u8)>,
}

impl KeyType {
    /// Shift or Caps Lock gives the second level, both together the first.
    pub fn alphabetic() -> Self {
        let levels = vec![(modifier::SHIFT, 1), (modifier::LOCK, 1)];
        Self { mask: modifier::SHIFT | modifier::LOCK, levels }
    }

    /// The level that these modifiers choose.
    pub fn level(&self, modifiers: u8) -> usize {
        let relevant = modifiers & self.mask;
        self.levels
            .iter()
            .find(|(combination, _)| *combination == relevant)
            .map_or(0, |(_, level)| (*level).into())
    }
}

/// One layout on one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// How its level is chosen.
    pub key_type: KeyType,
    /// Keysym of each level; 0 for none.
    pub keysyms: Vec<u32>,
}

impl Group {
    /// The keysym under these modifiers. Command modifiers choose no level here: Ctrl+Alt+F1 is asked for as F1.
    pub fn keysym(&self, modifiers: u8) -> u32 {
        self.keysyms.get(self.key_type.level(modifiers & !modifier::COMMAND)).copied().unwrap_or(0)
    }
}

/// The whole keyboard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keymap {
    /// Layouts of each keycode that the server has; a keycode without any is spare.
    pub keys: BTreeMap<u8, Vec<Group>>,
    /// Modifier bits that each keycode sets.
    pub modifiers: BTreeMap<u8, u8>,
}

impl Keymap {
    /// What a keycode means in a layout; XKB wraps a layout that the key has not.
    pub fn group(&self, keycode: u8, group: u8) -> Option<&Group> {
        let groups = self.keys.get(&keycode)?;
        groups.get(usize::from(group) % groups.len().max(1))
    }

    /// Keycodes that mean something in a layout, in ascending order.
    pub fn groups(&self, group: u8) -> impl Iterator<Item = (u8, &Group)> {
        self.keys.keys().filter_map(move |keycode| Some((*keycode, self.group(*keycode, group)?)))
    }

    /// Keycodes without any keysym.
    pub fn spares(&self) -> impl Iterator<Item = u8> {
        self.keys
            .iter()
            .filter(|(_, groups)| groups.iter().all(|group| group.keysyms.iter().all(|keysym| *keysym == 0)))
            .map(|(keycode, _)| *keycode)
    }

    /// A key that sets this modifier while it is down, and no lock.
    pub fn momentary(&self, bit: u8) -> Option<u8> {
        self.modifiers.iter().filter(|(_, bits)| **bits == bit).map(|(keycode, _)| *keycode).find(|keycode| {
            self.group(*keycode, 0)
                .and_then(|group| group.keysyms.first())
                .is_some_and(|keysym| MOMENTARY_MODIFIERS.contains(keysym))
        })
    }

    /// Modifier bits of a keycode.
    pub fn bits(&self, keycode: u8) -> u8 {
        self.modifiers.get(&keycode).copied().unwrap_or(0)
    }

    /// The bits of a keycode that last only as long as it is down.
    pub fn momentary_bits(&self, keycode: u8) -> u8 {
        let first = self.group(keycode, 0).and_then(|group| group.keysyms.first().copied()).unwrap_or(0);
        if MOMENTARY_MODIFIERS.contains(&first) { self.bits(keycode) } else { 0 }
    }
}

/// Whether two keysyms mean the same: equal, or two names of one character (a legacy one and its Unicode form).
/// Keys of the keypad and other function keys have characters too, but are not the same as the main keys.
pub fn same(a: u32, b: u32) -> bool {
    const FUNCTION_KEYS: std::ops::RangeInclusive<u32> = 0xfd00..=0xffff;
    if a == b || a == 0 || b == 0 || FUNCTION_KEYS.contains(&a) || FUNCTION_KEYS.contains(&b) {
        return a == b;
    }
    let (a, b) = (Keysym::new(a).key_char(), Keysym::new(b).key_char());
    a.is_some() && a == b
}

/// The keysym of a character: a key for line break, tabulator and BackSpace, else itself in Latin-1 and its code point above
/// 0x01000000 elsewhere (X11 protocol, appendix A); none for other control characters.
pub fn keysym_of(character: char) -> Option<u32> {
    match character {
        '\n' | '\r' => Some(0xff0d),
        '\t' => Some(TAB),
        '\u{8}' => Some(0xff08),
        _ if character.is_control() => None,
        _ if u32::from(character) <= 0xff => Some(character.into()),
        _ => Some(0x0100_0000 + u32::from(character)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Keycodes of an evdev keyboard.
    pub(in super::super) const KEY_2: u8 = 11;
    pub(in super::super) const KEY_Q: u8 = 24;
    pub(in super::super) const KEY_E: u8 = 26;
    pub(in super::super) const KEY_A: u8 = 38;
    pub(in super::super) const KEY_TAB: u8 = 23;
    pub(in super::super) const KEY_F1: u8 = 67;
    pub(in super::super) const KEY_KP1: u8 = 87;
    pub(in super::super) const SHIFT_L: u8 = 50;
    pub(in super::super) const CONTROL_L: u8 = 37;
    pub(in super::super) const CAPS_LOCK: u8 = 66;
    pub(in super::super) const LEVEL3: u8 = 92;
    pub(in super::super) const NUM_LOCK: u8 = 77;
    pub(in super::super) const SPARES: [u8; 2] = [93, 97];

    fn one() -> KeyType {
        KeyType::default()
    }

    fn two() -> KeyType {
        KeyType { mask: modifier::SHIFT, levels: vec![(modifier::SHIFT, 1)] }
    }

    fn alphabetic() -> KeyType {
        KeyType::alphabetic()
    }

    fn keypad() -> KeyType {
        KeyType {
            mask: modifier::SHIFT | modifier::MOD2,
            levels: vec![(modifier::SHIFT, 1), (modifier::MOD2, 1)],
        }
    }

    fn control_alt() -> KeyType {
        let switch = modifier::CONTROL | modifier::MOD1;
        KeyType {
            mask: switch | modifier::SHIFT | modifier::MOD5,
            levels: vec![
                (modifier::SHIFT, 1),
                (modifier::MOD5, 2),
                (modifier::SHIFT | modifier::MOD5, 3),
                (switch, 4),
            ],
        }
    }

    fn four(alphabetic: bool) -> KeyType {
        use modifier::{LOCK, MOD5, SHIFT};
        let mut levels = vec![(SHIFT, 1), (MOD5, 2), (SHIFT | MOD5, 3)];
        if alphabetic {
            levels.extend([(LOCK, 1), (LOCK | MOD5, 2), (LOCK | SHIFT | MOD5, 3)]);
        }
        KeyType { mask: SHIFT | MOD5 | if alphabetic { LOCK } else { 0 }, levels }
    }

    fn keymap(letters: &[(u8, KeyType, &[u32])]) -> Keymap {
        let f1 = [0xffbe, 0xffbe, 0xffbe, 0xffbe, 0x1008_fe01];
        let fixed: [(u8, KeyType, &[u32]); 10] = [
            (SHIFT_L, one(), &[0xffe1]),
            (CONTROL_L, one(), &[0xffe3]),
            (CAPS_LOCK, one(), &[0xffe5]),
            (NUM_LOCK, one(), &[0xff7f]),
            (LEVEL3, one(), &[0xfe03]),
            (KEY_TAB, two(), &[TAB, ISO_LEFT_TAB]),
            (KEY_F1, control_alt(), &f1),
            (KEY_KP1, keypad(), &[0xff9c, 0xffb1]),
            (SPARES[0], one(), &[]),
            (SPARES[1], one(), &[0]),
        ];
        let keys = fixed
            .iter()
            .chain(letters)
            .map(|(keycode, key_type, keysyms)| {
                (*keycode, vec![Group { key_type: key_type.clone(), keysyms: keysyms.to_vec() }])
            })
            .collect();
        let modifiers = [
            (SHIFT_L, modifier::SHIFT),
            (CAPS_LOCK, modifier::LOCK),
            (CONTROL_L, modifier::CONTROL),
            (NUM_LOCK, modifier::MOD2),
            (LEVEL3, modifier::MOD5),
        ];
        Keymap { keys, modifiers: modifiers.into() }
    }

    /// The part of `setxkbmap us` that the tests use.
    pub(in super::super) fn us() -> Keymap {
        keymap(&[
            (KEY_2, two(), &[0x32, 0x40]),
            (KEY_Q, alphabetic(), &[0x71, 0x51]),
            (KEY_E, alphabetic(), &[0x65, 0x45]),
            (KEY_A, alphabetic(), &[0x61, 0x41]),
        ])
    }

    /// The part of `setxkbmap de` that the tests use.
    pub(in super::super) fn german() -> Keymap {
        keymap(&[
            (KEY_2, four(false), &[0x32, 0x22, 0xb2, 0xac5]),
            (KEY_Q, four(true), &[0x71, 0x51, 0x40, 0x7d9]),
            (KEY_E, four(true), &[0x65, 0x45, 0x20ac, 0x20ac]),
            (KEY_A, four(true), &[0x61, 0x41, 0xe6, 0xc6]),
            (34, four(true), &[0xfc, 0xdc, 0xfe57, 0xfe58]),
        ])
    }

    #[test]
    fn unicode_and_legacy_names_of_a_character_are_the_same_but_the_keypad_is_not() {
        assert!(same(0x20ac, 0x0100_20ac), "EuroSign");
        assert!(same(0xfc, 0x0100_00fc), "udiaeresis");
        assert!(!same(0xffb1, 0x31), "KP_1 and 1");
        assert!(!same(0x61, 0x41));
    }

    #[test]
    fn locks_are_not_pressed_for_their_modifier() {
        assert_eq!(us().momentary(modifier::SHIFT), Some(SHIFT_L));
        assert_eq!(us().momentary(modifier::MOD2), None);
        assert_eq!(us().momentary(modifier::LOCK), None);
    }

    #[test]
    fn characters_have_keysyms_and_control_characters_only_where_there_is_a_key() {
        let keysyms = ['a', 'ß', '€', '😀', '\n', '\t', '\u{1}', '\u{7f}', '\u{90}'].map(keysym_of);
        let expected =
            [Some(0x61), Some(0xdf), Some(0x0100_20ac), Some(0x0101_f600), Some(0xff0d), Some(TAB)];
        assert_eq!(keysyms[..6], expected);
        assert_eq!(keysyms[6..], [None; 3]);
    }

    #[test]
    fn keycodes_without_a_keysym_are_spare() {
        assert_eq!(us().spares().collect::<Vec<_>>(), SPARES);
    }
}
