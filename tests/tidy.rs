//! Decision: what every file of the tree has to look like, checked on the tree itself.
//!
//! Each rule is a pure function from names and text to complaints, with tests of its own that show it can complain; the
//! one shell below, `the_tree_is_tidy`, walks the files and prints every complaint at once. It reads no git data, so a
//! checkout without history, an archive and a dirty tree are judged alike.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, fs, path::Path};

/// Lines above which a source file is asked why.
const MAX_LINES: usize = 500;
/// Lines of an example: it has to fit into a head.
const MAX_EXAMPLE_LINES: usize = 100;

/// Files that may be longer than [`MAX_LINES`], each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Folders that other tools fill.
const NOT_OURS: &[&str] = &["target", "build", "node_modules", "dist", ".git"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["core", "common", "utils", "util", "helpers", "helper", "manager", "misc", "lib"];

/// Extensions of the files that people write here, and that rules about text apply to.
const SOURCE: &[&str] = &["rs", "ts", "css", "html", "sh", "py", "c", "h"];

/// The first line of a Rust file says what the file is for.
fn opening_line(path: &str, text: &str) -> Option<String> {
    (path.ends_with(".rs") && !text.starts_with("//! "))
        .then(|| format!("{path}: begins with no `//!` line that says what the file is for"))
}

/// Long files have a reason.
fn length(path: &str, text: &str, reasons: &[(&str, &str)]) -> Option<String> {
    let lines = text.lines().count();
    let limit = if path.starts_with("examples/") {
        MAX_EXAMPLE_LINES
    } else if reasons.iter().any(|(long, _)| *long == path) {
        return None;
    } else {
        MAX_LINES
    };
    (lines > limit).then(|| format!("{path}: {lines} lines, over {limit}"))
}

/// Work that is left undone is an issue, not a comment; a test that never runs is no test.
fn leftovers(path: &str, text: &str) -> Vec<String> {
    // Spelled in halves, so that this file does not complain about itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("#[ign", "ore")];
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for mark in marks.iter().filter(|mark| has_word(line, mark)) {
            complaints.push(format!("{path}:{}: {mark}", number + 1));
        }
    }
    complaints
}

/// Whether `word` stands in `line` and is no part of a longer word (`XXXXXX` in a file name template is one).
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(|c| c.is_alphanumeric() || c == '_')
    })
}

/// A folder is named after what is in it.
fn folder_name(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    EMPTY_NAMES.contains(&name).then(|| format!("{path}/: the name says nothing about what is inside"))
}

/// The README's tree names exactly the folders at the top.
///
/// The tree is the fenced block that contains `Cargo.toml`; a folder is a line that starts with `name/`.
fn tree_in_readme(readme: &str, folders: &BTreeSet<String>) -> Vec<String> {
    let Some(tree) = readme.split("```").skip(1).step_by(2).find(|block| block.contains("Cargo.toml")) else {
        return vec!["README.md: has no fenced tree that names Cargo.toml".to_owned()];
    };
    let named: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next().filter(|_| !line.starts_with(' ')))
        .filter_map(|word| word.strip_suffix('/').map(str::to_owned))
        .collect();
    let missing = folders.difference(&named).map(|name| format!("README.md: the tree lacks {name}/"));
    let stale = named
        .difference(folders)
        .map(|name| format!("README.md: the tree names {name}/, which is not there"));
    missing.chain(stale).collect()
}

/// The targets of a Markdown text's links that point into the tree, without their anchors.
fn relative_links(markdown: &str) -> Vec<String> {
    let mut fenced = false;
    let mut links = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            links.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        }
    }
    let inside =
        |link: &&str| !link.contains("://") && !link.starts_with('#') && !link.starts_with("mailto:");
    links.into_iter().filter(inside).map(|link| link.split('#').next().unwrap_or(link).to_owned()).collect()
}

/// Every relative link of a Markdown file leads to something; `exists` tells of a path relative to the file's folder.
fn dead_links(path: &str, markdown: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let dead = relative_links(markdown).into_iter().filter(|link| !exists(link));
    dead.map(|link| format!("{path}: the link to {link} leads nowhere")).collect()
}

/// All files and folders below `folder`, as paths relative to `root` with `/`; folders end in `/`.
fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        // A link may lead out of the tree.
        let kind = entry.file_type()?;
        if kind.is_dir() && !NOT_OURS.contains(&entry.file_name().to_str().unwrap()) {
            found.push(format!("{name}/"));
            walk(root, &path, found)?;
        } else if kind.is_file() {
            found.push(name);
        }
    }
    Ok(())
}

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(root, root, &mut found).unwrap();
    let mut complaints = Vec::new();

    for path in &found {
        if let Some(folder) = path.strip_suffix('/') {
            complaints.extend(folder_name(folder));
            continue;
        }
        let extension = path.rsplit('.').next().unwrap_or_default();
        let is_source = SOURCE.contains(&extension);
        if !is_source && extension != "md" {
            continue;
        }
        let text = fs::read_to_string(root.join(path)).unwrap_or_else(|err| panic!("{path}: {err}"));
        complaints.extend(leftovers(path, &text));
        if is_source {
            complaints.extend(opening_line(path, &text));
            complaints.extend(length(path, &text, LONG_FILES));
        } else {
            let folder = root.join(path).parent().unwrap().to_owned();
            complaints.extend(dead_links(path, &text, |link| folder.join(link).exists()));
        }
    }

    let top = found.iter().filter_map(|path| path.strip_suffix('/')).filter(|path| !path.contains('/'));
    let folders = top.filter(|name| !name.starts_with('.')).map(str::to_owned).collect();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    complaints.extend(tree_in_readme(&readme, &folders));

    for (path, reason) in LONG_FILES {
        let lines = fs::read_to_string(root.join(path)).map_or(0, |text| text.lines().count());
        if lines <= MAX_LINES || reason.is_empty() {
            complaints.push(format!(
                "tests/tidy.rs: {path} needs no entry in LONG_FILES any more, or lacks a reason"
            ));
        }
    }

    assert!(found.len() > 30, "only {} files were looked at", found.len());
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn rust_file_without_an_opening_line_is_named() {
    assert_eq!(opening_line("a.rs", "//! Wire: what is said.\n"), None);
    assert_eq!(opening_line("a.sh", "#!/bin/sh\n"), None);
    assert!(opening_line("a.rs", "use std::fs;\n").unwrap().starts_with("a.rs:"));
    assert!(opening_line("a.rs", "").is_some());
}

#[test]
fn long_file_needs_a_reason_and_an_example_has_no_excuse() {
    let text = "x\n".repeat(MAX_LINES + 1);
    let reasons = [("plugins/long.rs", "a table"), ("examples/long.rs", "a table")];
    assert_eq!(length("plugins/a.rs", &"x\n".repeat(MAX_LINES), &reasons), None);
    assert!(length("plugins/a.rs", &text, &reasons).is_some());
    assert_eq!(length("plugins/long.rs", &text, &reasons), None);
    assert!(length("examples/long.rs", &text, &reasons).is_some());
    assert!(length("examples/a.py", &"x\n".repeat(MAX_EXAMPLE_LINES + 1), &[]).is_some());
}

#[test]
fn leftovers_are_found_as_words() {
    let mark = concat!("TO", "DO");
    assert_eq!(leftovers("a.rs", &format!("fine\n// {mark}: later")), [format!("a.rs:2: {mark}")]);
    assert_eq!(leftovers("a.rs", concat!("    #[ign", "ore = \"slow\"]")).len(), 1);
    assert_eq!(leftovers("a.sh", concat!("mktemp a.XX", "XXXX")), Vec::<String>::new());
}

#[test]
fn folder_with_an_empty_name_is_named() {
    assert!(folder_name("web/src/utils").is_some());
    assert_eq!(folder_name("web/src/input"), None);
}

#[test]
fn tree_must_name_exactly_the_folders_that_are_there() {
    let readme = "# x\n```\nnot the tree\n```\ntext\n```\nCargo.toml  setup\nplugins/    media\n  inner/    x\nold/  gone\n```\n";
    let folders = ["plugins", "web"].map(str::to_owned).into();
    let complaints = tree_in_readme(readme, &folders);
    assert_eq!(
        complaints,
        ["README.md: the tree lacks web/", "README.md: the tree names old/, which is not there"]
    );
    assert_eq!(tree_in_readme("no tree", &folders).len(), 1);
}

#[test]
fn dead_links_are_found_outside_fences_only() {
    let text = "[a](b.md) [c](d/#part) ![p](gone.svg)\n[w](https://example.org) [h](#here)\n```\n[x](not-a-link)\n```\n";
    assert_eq!(relative_links(text), ["b.md", "d/", "gone.svg"]);
    assert_eq!(
        dead_links("x.md", text, |link| link != "gone.svg"),
        ["x.md: the link to gone.svg leads nowhere"]
    );
}
