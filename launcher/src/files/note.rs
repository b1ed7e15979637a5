//! Wire: what is noted of an upload beside its bytes, so that a launcher that is started anew knows what it is. It takes nothing of it
//! on trust: programs of the desktop can write there as well.

use super::name::is_name;
use serde::{Deserialize, Serialize};

/// Longest note: each byte of the names of a path as deep as any, written as JSON writes the longest.
pub const MAX_BYTES: u64 = 64 * 1024;
/// Digits of an upload's number.
const ID_DIGITS: usize = 32;

/// What an upload is to become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The folder below the shared one.
    pub folder: Vec<String>,
    /// The name that it is to have.
    pub name: String,
    /// How long it will be.
    pub length: u64,
}

impl Note {
    /// Reads one; `None` for what we would not have written.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let note: Self = serde_json::from_slice(bytes).ok()?;
        (is_name(&note.name) && note.folder.iter().all(|name| is_name(name))).then_some(note)
    }

    /// As it is written.
    pub fn write(&self) -> Vec<u8> {
        // Strings and a number can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Whether this can be the number of an upload, which is its name on the disk as well.
pub fn is_id(id: &str) -> bool {
    id.len() == ID_DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What the note of an upload is called.
pub fn name_of(id: &str) -> String {
    format!("{id}{SUFFIX}")
}

/// The upload whose note has this name.
pub fn id_of(name: &str) -> Option<&str> {
    name.strip_suffix(SUFFIX)
}

const SUFFIX: &str = ".json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_comes_back_as_it_was_and_one_that_leads_elsewhere_is_none() {
        let note = Note { folder: vec!["a b".into()], name: "ü.txt".into(), length: 7 };
        assert_eq!(Note::read(&note.write()), Some(note.clone()));
        for bad in ["..", "a/b", "/etc/passwd", ".bashrc", "", "a\0"] {
            let name = Note { name: bad.into(), ..note.clone() };
            let folder = Note { folder: vec![bad.into()], ..note.clone() };
            assert_eq!((Note::read(&name.write()), Note::read(&folder.write())), (None, None), "{bad}");
        }
        assert_eq!(Note::read(b"{}"), None);
    }

    #[test]
    fn number_of_an_upload_is_no_path() {
        assert!(is_id("0123456789abcdef0123456789abcdef"));
        for bad in ["", "..", "../../../../../../../etc/passwd/x", "0123456789ABCDEF0123456789abcdef"] {
            assert!(!is_id(bad), "{bad}");
        }
        assert_eq!(id_of(&name_of("7")), Some("7"));
    }
}
