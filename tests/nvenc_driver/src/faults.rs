//! Shell: the faults that hold now, read anew at each call that can fail, so that a test may change them while frames
//! flow. The grammar and when a fault strikes are pure.
//!
//! ```text
//! no-device            no CUDA device, and NVML counts none       cuda-init=CODE     cuInit fails
//! no-engine            a device, but no encoder on it (open: 2)   max-version=8.0    what the driver supports at most
//! create-instance=CODE the encoder's interface is refused         sessions=K/CODE    K sessions, the next gets CODE
//! open=CODE            sessions are refused                       preset=CODE        presets have no configuration
//! init=CODE            InitializeEncoder fails                    reconfigure=CODE   ReconfigureEncoder fails
//! encode=CODE          EncodePicture fails                        lock=CODE          LockBitstream fails
//! busy=CODE            EncodePicture fails (18) where it retries  lost               every call fails: the device is gone
//! hang-encode=MS       EncodePicture takes so long, or `forever`  hang-lock=MS       the same for LockBitstream
//! hang-init=MS         the same for cuInit                        hang-preset=MS     and for presets' configuration
//! dyn-bitrate=0        no bit rate change without a new session
//! ```
//! `@N` behind a value: from the Nth on (frames of a session, or sessions opened by the process). `#N`: at the Nth only.
//! `*K`: at most K times in the process's life, counted anew when the words change.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Always,
    From(u64),
    At(u64),
}

/// One word: `name=value@N*K`.
#[derive(Debug, Clone, PartialEq)]
struct Fault {
    name: String,
    value: String,
    when: When,
    times: u64,
}

impl Fault {
    fn parse(word: &str) -> Self {
        let (word, times) = split_number(word, '*');
        let (word, at) = split_number(word, '#');
        let (word, from) = split_number(word, '@');
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let when = match (at, from) {
            (Some(n), _) => When::At(n),
            (None, Some(n)) => When::From(n),
            (None, None) => When::Always,
        };
        Self { name: name.into(), value: value.into(), when, times: times.unwrap_or(u64::MAX) }
    }

    fn holds_at(&self, count: u64) -> bool {
        match self.when {
            When::Always => true,
            When::From(n) => count >= n,
            When::At(n) => count == n,
        }
    }
}

fn split_number(word: &str, mark: char) -> (&str, Option<u64>) {
    match word.rsplit_once(mark).map(|(rest, number)| (rest, number.parse().ok())) {
        Some((rest, Some(number))) => (rest, Some(number)),
        _ => (word, None),
    }
}

/// The words that hold, and how often each has struck.
#[derive(Debug, Default)]
struct Book {
    words: String,
    faults: Vec<Fault>,
    struck: HashMap<String, u64>,
    lost: bool,
}

impl Book {
    /// Begins anew when the words are others than before.
    fn read(&mut self, words: String) {
        if words != self.words {
            self.faults = words.split_whitespace().map(Fault::parse).collect();
            self.words = words;
            self.struck.clear();
            self.lost = false;
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.name == name).map(|fault| fault.value.as_str())
    }

    /// The value of the fault if it strikes at this count; counts that it did.
    fn strike(&mut self, name: &str, count: u64) -> Option<String> {
        let fault = self.faults.iter().find(|fault| fault.name == name && fault.holds_at(count))?;
        let struck = self.struck.entry(name.to_owned()).or_default();
        if *struck >= fault.times {
            return None;
        }
        *struck += 1;
        Some(fault.value.clone())
    }

    /// A device that is lost stays lost until the words change.
    fn lost_at(&mut self, count: u64) -> bool {
        self.lost |= self.strike("lost", count).is_some();
        self.lost
    }
}

static BOOK: Mutex<Option<Book>> = Mutex::new(None);

fn with<T>(use_it: impl FnOnce(&mut Book) -> T) -> T {
    let words = std::env::var_os("NVENC_SIM_CONTROL")
        .and_then(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_else(|| std::env::var("NVENC_SIM").unwrap_or_default());
    let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let book = book.get_or_insert_with(Book::default);
    book.read(words);
    use_it(book)
}

/// Whether `name` stands among the words.
pub fn is_set(name: &str) -> bool {
    with(|book| book.value(name).is_some())
}

/// The value of `name`, if it stands among the words, whenever it strikes.
pub fn value(name: &str) -> Option<String> {
    with(|book| book.value(name).map(str::to_owned))
}

/// The status code of the fault `name` if it strikes at `count`. It is logged.
pub fn code(name: &str, count: u64) -> Option<i32> {
    let value = with(|book| book.strike(name, count))?;
    crate::log::line(format_args!("fault {name}={value} at={count}"));
    value.parse().ok()
}

/// Whether the device is gone. `frame` is the caller's place in its session, 0 where there is none.
pub fn lost(frame: u64) -> bool {
    with(|book| book.lost_at(frame))
}

/// Waits as long as the fault `name` says, if it strikes at `count`.
pub fn hang(name: &str, count: u64) {
    let Some(value) = with(|book| book.strike(name, count)) else { return };
    crate::log::line(format_args!("fault {name}={value} at={count}"));
    match value.parse() {
        Ok(ms) => std::thread::sleep(Duration::from_millis(ms)),
        Err(_) => loop {
            std::thread::park();
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(words: &str) -> Book {
        let mut book = Book::default();
        book.read(words.into());
        book
    }

    #[test]
    fn a_fault_strikes_from_a_count_on_at_a_count_or_always() {
        let mut book = book("encode=20@30 lock=5#2\ninit=8");
        let strikes = |book: &mut Book, name, count| book.strike(name, count);
        assert_eq!(strikes(&mut book, "encode", 29), None);
        assert_eq!(strikes(&mut book, "encode", 30).as_deref(), Some("20"));
        assert_eq!(strikes(&mut book, "encode", 31).as_deref(), Some("20"));
        assert_eq!(strikes(&mut book, "lock", 1), None);
        assert_eq!(strikes(&mut book, "lock", 2).as_deref(), Some("5"));
        assert_eq!(strikes(&mut book, "lock", 3), None);
        assert_eq!(strikes(&mut book, "init", 0).as_deref(), Some("8"));
        assert_eq!(strikes(&mut book, "preset", 0), None);
    }

    #[test]
    fn a_fault_strikes_at_most_so_often_until_the_words_change() {
        let mut book = book("encode=20@3*2");
        assert_eq!([2, 3, 4, 5].map(|n| book.strike("encode", n).is_some()), [false, true, true, false]);
        book.read("encode=20@3*2".into());
        assert_eq!(book.strike("encode", 6), None);
        book.read("encode=20*1".into());
        assert!(book.strike("encode", 7).is_some());
    }

    #[test]
    fn a_lost_device_stays_lost_until_the_words_change() {
        let mut book = book("lost@10");
        assert_eq!([9, 10, 1].map(|n| book.lost_at(n)), [false, true, true]);
        book.read(String::new());
        assert!(!book.lost_at(11));
    }
}
