//! Decision: what was copied, in the forms that browsers know; and how those are called on an X display.

use std::collections::BTreeMap;
use vdi_protocol::clipboard::{Item, Mime};

/// Names of a form on an X display, the best first. We offer all of them and ask for the first that is there.
pub fn targets(mime: Mime) -> &'static [&'static str] {
    match mime {
        Mime::Text => &["text/plain;charset=utf-8", "UTF8_STRING", "STRING", "TEXT"],
        Mime::Html => &["text/html"],
        Mime::Png => &["image/png"],
    }
}

/// All forms, in the order in which they are asked for: where the limit has no room for all, text comes first.
pub const MIMES: [Mime; 3] = [Mime::Text, Mime::Html, Mime::Png];

/// Everything that was copied at once, each form as its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content(pub BTreeMap<Mime, Vec<u8>>);

impl Content {
    /// Bytes of all forms together.
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|bytes| bytes.len() as u64).sum()
    }

    /// As an offer tells it.
    pub fn items(&self) -> Vec<Item> {
        self.0.iter().map(|(mime, bytes)| Item { mime: *mime, bytes: bytes.len() as u64 }).collect()
    }

    /// So many bytes from a place on, as if all forms stood one after the other.
    pub fn piece(&self, from: u64, limit: usize) -> Vec<u8> {
        let mut skipped = usize::try_from(from).unwrap_or(usize::MAX);
        let mut piece = Vec::with_capacity(limit);
        for bytes in self.0.values() {
            let begin = skipped.min(bytes.len());
            skipped -= begin;
            let end = bytes.len().min(begin + limit - piece.len());
            piece.extend_from_slice(&bytes[begin..end]);
        }
        piece
    }

    /// The bytes that belong under a target's name.
    pub fn of_target(&self, target: &str) -> Option<(&Vec<u8>, Mime)> {
        let mime = MIMES.into_iter().find(|mime| targets(*mime).contains(&target))?;
        self.0.get(&mime).map(|bytes| (bytes, mime))
    }
}

/// What a program gave under this name, as browsers want it; `None` if it is not what the name says.
pub fn read(mime: Mime, target: &str, bytes: Vec<u8>) -> Option<Vec<u8>> {
    if bytes.is_empty() {
        return None;
    }
    match mime {
        Mime::Png => bytes.starts_with(PNG_SIGNATURE).then_some(bytes),
        // Some programs end it with a zero, which no text has.
        Mime::Text | Mime::Html => {
            let mut text = match bytes.as_slice() {
                [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
                [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
                _ if target == "STRING" => bytes.iter().map(|byte| char::from(*byte)).collect(),
                _ => match String::from_utf8(bytes) {
                    Ok(text) => text,
                    Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
                },
            };
            text.truncate(text.trim_end_matches('\0').len());
            (!text.is_empty()).then(|| text.into_bytes())
        }
    }
}

/// The first bytes of every PNG (PNG Specification, 5.2).
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

/// What a page sent as this form, as programs on the display want it; `None` if it is not what its type says.
pub fn check(mime: Mime, bytes: Vec<u8>) -> Option<Vec<u8>> {
    match mime {
        Mime::Png => bytes.starts_with(PNG_SIGNATURE).then_some(bytes),
        Mime::Text | Mime::Html => String::from_utf8(bytes).ok().map(String::into_bytes),
    }
}

/// What a target that only knows Latin-1 gets of a text; what that lacks is a question mark (ICCCM, 2.6.2, STRING).
pub fn latin1(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(parts: &[(Mime, &[u8])]) -> Content {
        Content(parts.iter().map(|(mime, bytes)| (*mime, bytes.to_vec())).collect())
    }

    #[test]
    fn pieces_run_over_the_borders_of_forms() {
        let content = content(&[(Mime::Text, b"abc"), (Mime::Html, b"defg")]);
        assert_eq!(content.piece(0, 5), b"abcde");
        assert_eq!(content.piece(5, 5), b"fg");
        assert_eq!(content.piece(7, 5), b"");
        assert_eq!(content.bytes(), 7);
    }

    #[test]
    fn text_of_old_and_of_odd_programs_becomes_utf_8() {
        let text = |target, bytes: &[u8]| read(Mime::Text, target, bytes.to_vec());
        assert_eq!(text("UTF8_STRING", "größe".as_bytes()), Some("größe".into()));
        assert_eq!(text("STRING", b"gr\xf6\xdfe"), Some("größe".into()));
        assert_eq!(text("UTF8_STRING", b"end\0"), Some(b"end".to_vec()));
        assert_eq!(text("UTF8_STRING", b"a\xffb"), Some("a\u{fffd}b".into()));
        assert_eq!(text("UTF8_STRING", b""), None);
        let html = read(Mime::Html, "text/html", b"\xff\xfe<\0b\0>\0".to_vec());
        assert_eq!(html, Some(b"<b>".to_vec()), "Firefox gives UTF-16");
    }

    #[test]
    fn what_is_no_png_is_no_picture() {
        assert_eq!(read(Mime::Png, "image/png", b"GIF89a".to_vec()), None);
        assert_eq!(check(Mime::Png, b"GIF89a".to_vec()), None);
        assert!(check(Mime::Png, b"\x89PNG\r\n\x1a\n...".to_vec()).is_some());
        assert_eq!(check(Mime::Text, b"\xff".to_vec()), None);
    }

    #[test]
    fn programs_that_know_latin_1_only_get_what_that_has() {
        assert_eq!(latin1("größe €".as_bytes()), b"gr\xf6\xdfe ?");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for mime in MIMES {
                for target in targets(mime) {
                    let _ = read(mime, target, bytes.clone());
                }
                let _ = check(mime, bytes.clone());
            }
        }
    }
}
