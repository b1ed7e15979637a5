//! Decision: what is known of earlier proofs, for how long that is believed, and how it reads in a file that processes
//! of one boot share. Refuses to read a clock or a file: time comes as an argument, since the boot.

use serde::{Deserialize, Serialize};
use std::{collections::HashMap, time::Duration};

use super::{
    proof::Outcome,
    select::{Reason, Rejection},
};

/// Results kept. A session sees a handful of sizes; a client that resizes for ever must not fill the memory.
const MAX_RESULTS: usize = 256;

/// A driver can be replaced without a boot, so what another process has proven is not believed for ever.
const PROVEN_ELSEWHERE: Duration = Duration::from_secs(12 * 3600);

/// A session limit or a restarting driver passes.
const TRANSIENT: Duration = Duration::from_secs(60);

/// What needs a person is put right by one.
const LASTING: Duration = Duration::from_secs(600);

/// Layout of the file.
const FORMAT: u32 = 1;

/// What a result holds for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Factory name.
    pub factory: String,
    /// What implements it: type, plugin file, its version and age.
    pub implementation: String,
    /// The row's facts, as a fingerprint: other settings are another encoder.
    pub row: String,
    /// The devices that there were.
    pub devices: String,
    /// The input.
    pub caps: String,
}

/// Where a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Here,
    Elsewhere,
}

#[derive(Debug, Clone)]
struct Result {
    /// Since the boot.
    found_at: Duration,
    is_hardware: bool,
    origin: Origin,
    outcome: Outcome,
}

/// How long a result is believed.
fn lifetime(result: &Result) -> Duration {
    let is_time_out =
        matches!(&result.outcome, Outcome::Rejected(rejection) if rejection.reason == Reason::TimeOut);
    match &result.outcome {
        Outcome::Proven if result.origin == Origin::Elsewhere => PROVEN_ELSEWHERE,
        Outcome::Proven => Duration::MAX,
        // Software that was late was slow, and is tried again at once.
        Outcome::Rejected(_) if is_time_out && !result.is_hardware => Duration::ZERO,
        // Each hang costs this process a thread.
        Outcome::Rejected(_) if is_time_out && result.origin == Origin::Here => Duration::MAX,
        Outcome::Rejected(_) if is_time_out => LASTING,
        Outcome::Rejected(rejection) if rejection.reason.is_transient() => TRANSIENT,
        Outcome::Rejected(_) => LASTING,
        Outcome::Cancelled => Duration::ZERO,
    }
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Cache {
    results: HashMap<Key, Result>,
    /// Factories, and when everything older about them was forgotten.
    forgotten: HashMap<String, Duration>,
}

impl Cache {
    /// What is known, and how old it is.
    pub fn get(&self, key: &Key, now: Duration) -> Option<(Outcome, Duration)> {
        let result = self.results.get(key)?;
        let age = now.saturating_sub(result.found_at);
        if age >= lifetime(result) {
            return None;
        }
        let mut outcome = result.outcome.clone();
        if let Outcome::Rejected(rejection) = &mut outcome {
            rejection.age = age;
        }
        Some((outcome, age))
    }

    /// Keeps what was found out here and now. The oldest result makes room.
    pub fn insert(&mut self, key: Key, is_hardware: bool, outcome: Outcome, now: Duration) {
        if outcome != Outcome::Cancelled {
            self.put(key, Result { found_at: now, is_hardware, origin: Origin::Here, outcome });
        }
    }

    fn put(&mut self, key: Key, result: Result) {
        if self.results.len() >= MAX_RESULTS && !self.results.contains_key(&key) {
            let oldest = self.results.iter().min_by_key(|(_, result)| result.found_at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.results.remove(&oldest);
            }
        }
        self.results.insert(key, result);
    }

    /// Everything about this factory, here or in a file, that was found out before now.
    pub fn forget(&mut self, factory: &str, now: Duration) {
        self.results.retain(|key, _| key.factory != factory);
        self.forgotten.insert(factory.to_owned(), now);
    }

    /// Takes from another cache what is newer and was not forgotten.
    pub fn merge(&mut self, other: Self) {
        for (key, result) in other.results {
            let is_forgotten =
                self.forgotten.get(&key.factory).is_some_and(|since| result.found_at <= *since);
            let is_newer = self.results.get(&key).is_none_or(|known| known.found_at < result.found_at);
            if is_newer && !is_forgotten {
                self.put(key, result);
            }
        }
    }

    /// The file's text. What is believed no longer is left out.
    pub fn to_json(&self, boot: &str, now: Duration) -> String {
        let is_current = |result: &Result| now.saturating_sub(result.found_at) < lifetime(result);
        let mut results: Vec<_> =
            self.results.iter().filter(|(_, result)| is_current(result)).map(Entry::new).collect();
        results.sort_by_key(|entry| entry.found_at_ms);
        let file = File { format: FORMAT, boot: boot.to_owned(), results };
        // Strings and numbers can always be written.
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }

    /// What a file says, if it is of this boot and whole; else nothing.
    pub fn from_json(text: &str, boot: &str) -> Self {
        let mut cache = Self::default();
        match serde_json::from_str::<File>(text) {
            Ok(file) if file.format == FORMAT && file.boot == boot => {
                for entry in file.results {
                    if let Some(result) = entry.result() {
                        cache.put(entry.key, result);
                    }
                }
            }
            _ => {}
        }
        cache
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    boot: String,
    results: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: Key,
    hardware: bool,
    found_at_ms: u64,
    /// `proven`, or the reason of a rejection.
    outcome: String,
    #[serde(default)]
    message: String,
}

const PROVEN: &str = "proven";

impl Entry {
    fn new((key, result): (&Key, &Result)) -> Self {
        let (outcome, message) = match &result.outcome {
            Outcome::Rejected(rejection) => (rejection.reason.as_str(), rejection.message.clone()),
            _ => (PROVEN, String::new()),
        };
        Self {
            key: key.clone(),
            hardware: result.is_hardware,
            found_at_ms: u64::try_from(result.found_at.as_millis()).unwrap_or(u64::MAX),
            outcome: outcome.to_owned(),
            message,
        }
    }

    /// None for a reason that another version may know.
    fn result(&self) -> Option<Result> {
        let outcome = if self.outcome == PROVEN {
            Outcome::Proven
        } else {
            let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == self.outcome)?;
            Outcome::Rejected(Rejection::new(reason, &self.message))
        };
        Some(Result {
            found_at: Duration::from_millis(self.found_at_ms),
            is_hardware: self.hardware,
            origin: Origin::Elsewhere,
            outcome,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "6f1b";
    const DAY: Duration = Duration::from_secs(86_400);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn key(factory: &str) -> Key {
        let text = String::new;
        Key {
            factory: factory.into(),
            implementation: text(),
            row: text(),
            devices: text(),
            caps: "video/x-raw".into(),
        }
    }

    fn rejected(reason: Reason) -> Outcome {
        Outcome::Rejected(Rejection::new(reason, "words"))
    }

    /// Whether a result of hardware or software, found out at second 100, is believed at `then`.
    fn is_believed(is_hardware: bool, outcome: Outcome, then: Duration) -> [bool; 2] {
        let mut here = Cache::default();
        here.insert(key("enc"), is_hardware, outcome, at(100));
        let elsewhere = Cache::from_json(&here.to_json(BOOT, at(100)), BOOT);
        [here, elsewhere].map(|cache| cache.get(&key("enc"), then).is_some())
    }

    #[test]
    fn success_is_believed_here_for_ever_and_elsewhere_for_half_a_day() {
        assert_eq!(is_believed(true, Outcome::Proven, at(99) + DAY / 2), [true, true]);
        assert_eq!(is_believed(true, Outcome::Proven, at(100) + DAY / 2), [true, false]);
        assert_eq!(is_believed(true, Outcome::Proven, 400 * DAY), [true, false]);
    }

    #[test]
    fn what_passes_is_believed_for_a_minute_and_what_lasts_for_ten() {
        for (reason, seconds) in [(Reason::SessionLimit, 60), (Reason::MissingCapability, 600)] {
            assert_eq!(is_believed(true, rejected(reason), at(99 + seconds)), [true, true], "{reason:?}");
            assert_eq!(is_believed(true, rejected(reason), at(100 + seconds)), [false, false], "{reason:?}");
        }
    }

    #[test]
    fn a_hang_is_believed_for_ever_by_the_process_that_lost_a_thread_and_slow_software_never() {
        assert_eq!(is_believed(true, rejected(Reason::TimeOut), at(699)), [true, true]);
        assert_eq!(is_believed(true, rejected(Reason::TimeOut), at(700)), [true, false]);
        assert_eq!(is_believed(false, rejected(Reason::TimeOut), at(100)), [false, false]);
    }

    #[test]
    fn a_rejection_knows_its_age() {
        let mut cache = Cache::default();
        cache.insert(key("enc"), true, rejected(Reason::NoDevice), at(100));
        let (outcome, age) = cache.get(&key("enc"), at(130)).unwrap();
        assert_eq!(age, at(30));
        let Outcome::Rejected(rejection) = outcome else { panic!("a rejection") };
        assert_eq!((rejection.reason, rejection.age), (Reason::NoDevice, at(30)));
    }

    #[test]
    fn another_input_plugin_driver_or_row_is_another_encoder() {
        let mut cache = Cache::default();
        cache.insert(key("enc"), true, Outcome::Proven, at(0));
        let others = [
            Key { caps: "video/x-raw, width=2".into(), ..key("enc") },
            Key { implementation: "GstEnc 1.24".into(), ..key("enc") },
            Key { devices: "nvidia0".into(), ..key("enc") },
            Key { row: "1".into(), ..key("enc") },
        ];
        assert!(others.iter().all(|other| cache.get(other, at(1)).is_none()));
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut cache = Cache::default();
        for n in 0..MAX_RESULTS as u64 + 1 {
            cache.insert(key(&n.to_string()), false, Outcome::Proven, at(n));
        }
        assert_eq!(cache.results.len(), MAX_RESULTS);
        assert!(cache.get(&key("0"), at(300)).is_none() && cache.get(&key("1"), at(300)).is_some());
    }

    #[test]
    fn what_was_forgotten_does_not_come_back_from_a_file_but_what_is_newer_does() {
        let mut elsewhere = Cache::default();
        elsewhere.insert(key("enc"), true, rejected(Reason::NoDevice), at(100));
        let text = elsewhere.to_json(BOOT, at(100));
        let mut cache = Cache::from_json(&text, BOOT);
        cache.forget("enc", at(100));
        cache.merge(Cache::from_json(&text, BOOT));
        assert!(cache.get(&key("enc"), at(101)).is_none());

        elsewhere.insert(key("enc"), true, Outcome::Proven, at(110));
        cache.merge(Cache::from_json(&elsewhere.to_json(BOOT, at(110)), BOOT));
        assert_eq!(cache.get(&key("enc"), at(111)), Some((Outcome::Proven, at(1))));
    }

    #[test]
    fn what_is_older_does_not_replace_what_is_known() {
        let (mut old, mut cache) = (Cache::default(), Cache::default());
        old.insert(key("enc"), true, rejected(Reason::NoDevice), at(10));
        cache.insert(key("enc"), true, Outcome::Proven, at(20));
        cache.merge(old);
        assert_eq!(cache.get(&key("enc"), at(20)), Some((Outcome::Proven, at(0))));
    }

    #[test]
    fn a_file_of_another_boot_and_a_broken_one_are_empty() {
        let mut cache = Cache::default();
        cache.insert(key("enc"), true, Outcome::Proven, at(1));
        let text = cache.to_json(BOOT, at(1));
        assert_eq!(Cache::from_json(&text, BOOT).results.len(), 1);
        assert_eq!(Cache::from_json(&text, "another").results.len(), 0);
        for broken in
            ["", "{", "[]", &text[..text.len() / 2], &text.replace("\"format\": 1", "\"format\": 2")]
        {
            assert_eq!(Cache::from_json(broken, BOOT).results.len(), 0, "{broken}");
        }
        let unknown = text.replace(PROVEN, "of-the-future");
        assert_eq!(Cache::from_json(&unknown, BOOT).results.len(), 0);
    }
}
