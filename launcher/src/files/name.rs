//! Decision: which names and paths are taken from outside, and under which name a file is kept where there is one of the
//! same name already.

use percent_encoding::percent_decode_str;

/// Longest name of a file (NAME_MAX of Linux' file systems).
pub const MAX_NAME_BYTES: usize = 255;
/// Folders below the shared one that are gone into.
const MAX_DEPTH: usize = 32;
/// Tries for a name that is free: who has so many copies of a file has other worries.
pub const MAX_COPIES: u32 = 1000;

/// Whether a name is one of a file: no way out of its folder, nothing hidden (`.bashrc` is run, and what is on its way is
/// hidden too), nothing that a terminal would act on.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with('.')
        && !name.contains('/')
        && !name.chars().any(char::is_control)
}

/// The names of a path as it stands in a URL, from the shared folder on. Each is decoded by itself, so that a slash in
/// disguise stays in a name, which it spoils.
pub fn path(encoded: &str) -> Option<Vec<String>> {
    let encoded = encoded.trim_end_matches('/');
    if encoded.is_empty() {
        return Some(Vec::new());
    }
    let names: Option<Vec<String>> = encoded
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8().ok().map(String::from))
        .map(|name| name.filter(|name| is_name(name)))
        .collect();
    names.filter(|names| names.len() <= MAX_DEPTH)
}

/// The name that is tried after so many that are taken: `report.pdf`, `report (1).pdf`, …
pub fn copy(name: &str, number: u32) -> String {
    if number == 0 {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let suffix = format!(" ({number}){extension}");
    let mut end = stem.len().min(MAX_NAME_BYTES.saturating_sub(suffix.len()));
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &stem[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_leads_out_of_the_folder() {
        for bad in [
            "..",
            "../x",
            "a/../b",
            "%2e%2e/x",
            "a/%2e%2e",
            "%2E%2e%2fetc",
            "a%2fb",
            "//etc/passwd",
            "/etc",
            "a//b",
            ".",
            ".bashrc",
            ".vdi-uploads/x",
            "a%00b",
            "a\u{7}b",
            "%ff",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
        assert_eq!(path(""), Some(vec![]));
        assert_eq!(path("a/b%20c/%C3%BC.txt"), Some(vec!["a".into(), "b c".into(), "ü.txt".into()]));
        assert_eq!(path("a/"), Some(vec!["a".into()]));
        assert_eq!(path(&"a/".repeat(MAX_DEPTH + 1)), None);
    }

    #[test]
    fn copies_are_counted_before_the_extension_and_fit() {
        assert_eq!(copy("report.pdf", 0), "report.pdf");
        assert_eq!(copy("report.pdf", 2), "report (2).pdf");
        assert_eq!(copy("Makefile", 1), "Makefile (1)");
        let long = format!("{}.txt", "ü".repeat(125));
        assert!(is_name(&copy(&long, 999)) && copy(&long, 999).ends_with(" (999).txt"));
        assert!(is_name(&copy(&format!("a.{}", "x".repeat(253)), 1)) || copy("a", 1) == "a (1)");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_in_the_folder(encoded in ".{0,60}") {
            for name in path(&encoded).unwrap_or_default() {
                prop_assert!(name != ".." && name != "." && !name.contains('/') && !name.contains('\0'));
            }
        }
    }
}
