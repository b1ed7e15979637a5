//! Decision: which spare keycodes carry the characters that the layout lacks, and when one may carry another.
//!
//! A program looks up what a key means when it gets to the event, which may be after the keycode has got another meaning: it
//! would then read the wrong character. So a keycode rests after its last event before it is bound anew, and the one that has
//! rested longest is taken.

use super::keymap::{Keymap, keysym_of};
use std::time::Duration;
use xkeysym::Keysym;

/// How long a keycode rests. A program that is busy for longer may read a wrong character; a longer rest would make long
/// texts in scripts of many characters slow, since a server has about twenty such keycodes.
pub const REST: Duration = Duration::from_millis(150);

/// Whether a spare keycode can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Free {
    /// This one, at once.
    Now(u8),
    /// This one, after so long.
    In(u8, Duration),
    /// None: all are held.
    Never,
}

#[derive(Debug, Clone, Copy)]
struct Binding {
    keycode: u8,
    keysyms: [u32; 2],
    /// When it was last pressed or released.
    used: Duration,
}

/// The spare keycodes in use.
#[derive(Debug, Default)]
pub struct Spares(
    /// Least recently used first.
    Vec<Binding>,
);

impl Spares {
    /// Forgets what is gone from the keymap.
    pub fn keep(&mut self, keymap: &Keymap) {
        self.0.retain(|binding| {
            keymap.group(binding.keycode, 0).is_some_and(|group| group.keysyms.contains(&binding.keysyms[0]))
        });
    }

    /// A keycode was pressed or released.
    pub fn touch(&mut self, keycode: u8, now: Duration) {
        if let Some(index) = self.0.iter().position(|binding| binding.keycode == keycode) {
            let mut binding = self.0.remove(index);
            binding.used = now;
            self.0.push(binding);
        }
    }

    /// A keycode to bind: one that was never used, else the least recently used one that is not held.
    pub fn free(&self, keymap: &Keymap, held: impl Fn(u8) -> bool, now: Duration) -> Free {
        let used = |keycode: u8| self.0.iter().any(|binding| binding.keycode == keycode);
        if let Some(keycode) = keymap.spares().find(|keycode| !used(*keycode)) {
            return Free::Now(keycode);
        }
        let Some(binding) = self.0.iter().find(|binding| !held(binding.keycode)) else { return Free::Never };
        match (binding.used + REST).saturating_sub(now) {
            Duration::ZERO => Free::Now(binding.keycode),
            wait => Free::In(binding.keycode, wait),
        }
    }

    /// Puts a keysym on this keycode, which [`Spares::free`] has named: what it carries without and with Shift.
    pub fn bind(&mut self, keycode: u8, keysym: u32, now: Duration) -> [u32; 2] {
        let keysyms = both_cases(keysym);
        self.0.retain(|binding| binding.keycode != keycode);
        self.0.push(Binding { keycode, keysyms, used: now });
        keysyms
    }

    /// All of them.
    pub fn keycodes(self) -> impl Iterator<Item = u8> {
        self.0.into_iter().map(|binding| binding.keycode)
    }
}

/// The small and the capital letter of which a keysym is one, so that Shift means what it always does and one keycode
/// serves for both; twice the keysym itself if it has no such companion.
fn both_cases(keysym: u32) -> [u32; 2] {
    let both = Keysym::new(keysym).key_char().and_then(|character| {
        let small = only(character.to_lowercase())?;
        let capital = only(character.to_uppercase())?;
        // Some letters lead to a pair of which they are no part, such as the long s.
        (small != capital && (character == small || character == capital)).then_some((small, capital))
    });
    let Some((small, capital)) = both else { return [keysym; 2] };
    match (keysym_of(small), keysym_of(capital)) {
        (Some(small), Some(capital)) => [small, capital],
        _ => [keysym; 2],
    }
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_comes_with_its_other_case_and_anything_else_alone() {
        assert_eq!(both_cases(0x0100_0436), [0x0100_0436, 0x0100_0416], "ж and Ж");
        assert_eq!(both_cases(0xd6), [0xf6, 0xd6], "Ö");
        assert_eq!(both_cases(0xdf), [0xdf, 0xdf], "ß, whose capital is two letters");
        assert_eq!(both_cases(0x20ac), [0x20ac; 2], "EuroSign");
        assert_eq!(both_cases(0xff20), [0xff20; 2], "Multi_key");
        assert_eq!(both_cases(0x0100_65e5), [0x0100_65e5; 2], "日");
    }
}
