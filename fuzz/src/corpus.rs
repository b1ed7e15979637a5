//! Decision: the inputs worth keeping as text, one a line, so that a change of them can be read: printable ASCII as it is, the rest
//! as in Rust's byte strings.

use std::{collections::BTreeSet, fmt::Write};

/// Lines of these inputs.
pub fn write(inputs: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for input in inputs {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", input.escape_ascii());
    }
    text
}

/// Bytes of one file: a corpus that nobody can read is kept by nobody.
pub const MAX_BYTES: usize = 24 * 1024;

/// What is kept, and as many of these, the shortest first, as there is room for. What somebody has put there stays.
pub fn with(kept: &str, mut inputs: Vec<Vec<u8>>) -> String {
    let mut text = kept.to_owned();
    let known: BTreeSet<&str> = kept.lines().collect();
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    for line in inputs.iter().map(|input| write(std::slice::from_ref(input))) {
        if !known.contains(line.trim_end_matches('\n')) && text.len() + line.len() <= MAX_BYTES {
            text += &line;
        }
    }
    text
}

/// The inputs of these lines, or the number of the first line that is none.
pub fn read(text: &str) -> Result<Vec<Vec<u8>>, usize> {
    text.lines().enumerate().map(|(number, line)| input(line.as_bytes()).ok_or(number + 1)).collect()
}

fn input(mut line: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(line.len());
    while let [first, rest @ ..] = line {
        let (byte, rest) = match (first, rest) {
            (b'\\', [b'n', rest @ ..]) => (b'\n', rest),
            (b'\\', [b'r', rest @ ..]) => (b'\r', rest),
            (b'\\', [b't', rest @ ..]) => (b'\t', rest),
            (b'\\', [quoted @ (b'\\' | b'\'' | b'"'), rest @ ..]) => (*quoted, rest),
            (b'\\', [b'x', high, low, rest @ ..]) => {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                (u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?, rest)
            }
            (b'\\', _) => return None,
            (plain, rest) => (*plain, rest),
        };
        bytes.push(byte);
        line = rest;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_comes_back_from_its_line() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let inputs = vec![all, Vec::new(), b"{\"type\":\"ready\"}\n\\x".to_vec()];
        assert_eq!(read(&write(&inputs)), Ok(inputs));
    }

    #[test]
    fn what_is_kept_stays_and_the_shortest_come_to_it_while_there_is_room() {
        let inputs = vec![b"ccc".to_vec(), b"a".to_vec(), b"bb".to_vec(), vec![b'x'; MAX_BYTES]];
        assert_eq!(with("zzz\nbb\n", inputs), "zzz\nbb\na\nccc\n");
    }

    #[test]
    fn line_that_is_none_is_named() {
        for bad in ["\\", "\\q", "\\x1", "\\xzz"] {
            assert_eq!(read(&format!("good\n{bad}\n")), Err(2), "{bad}");
        }
    }
}
