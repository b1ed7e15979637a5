//! What was found before, held against every target again: an ordinary test, without instruments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, fs, path::Path};
use vdi_fuzz::{TARGETS, corpus};

#[test]
fn whatever_was_found_before_holds() {
    for kind in ["corpus", "regressions"] {
        for (name, target) in TARGETS {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(format!("{name}.txt"));
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let inputs = corpus::read(&text).unwrap_or_else(|line| panic!("{}:{line}", path.display()));
            for (number, input) in inputs.iter().enumerate() {
                let held = std::panic::catch_unwind(|| target(input));
                assert!(held.is_ok(), "{}:{}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn every_target_has_a_corpus_that_can_be_read_and_every_corpus_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let named: BTreeSet<String> = TARGETS.iter().map(|(name, _)| format!("{name}.txt")).collect();
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.metadata().unwrap().len() <= corpus::MAX_BYTES as u64, "{}", entry.path().display());
        there.insert(entry.file_name().into_string().unwrap());
    }
    assert_eq!(there, named);
}
