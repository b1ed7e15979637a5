//! Setup: the words by which a link is described, on the command line and on standard input, as in
//! `rate=30M queue=300ms delay=20ms`. It reads no trace itself.
//!
//! | word | what it says |
//! |---|---|
//! | `rate=4M`, `rate=none` | bit/s, with k or M; `none` is no limit |
//! | `rate=30M,10s:1500k,20s:30M` | changes, each so long after now |
//! | `rate=4M..12M/10s` | a straight line to another rate |
//! | `trace=FILE` | the opportunities of a Mahimahi trace instead |
//! | `queue=300ms`, `queue=64kB` | where the queue ends: in time at the present rate, or in bytes |
//! | `codel=on` | whether CoDel keeps it short |
//! | `delay=20ms`, `jitter=5ms`, `reorder=1%` | on the way behind it |
//! | `loss=10%`, `burst=8` | what is lost by chance, and how many in a row on average |

use crate::{
    capacity::{Capacity, Rates, Trace, TraceError},
    link::{Limit, Shape},
};
use std::{path::Path, time::Duration};

/// The longest queue or step of a plan.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The longest delay or jitter.
const LONGEST_WAY: Duration = Duration::from_secs(10);
/// The longest burst, in packets.
const LONGEST_BURST: f64 = 10_000.0;

/// Why words describe no link.
#[derive(Debug, thiserror::Error)]
pub enum WordsError {
    /// It has no `=`, or nobody knows it.
    #[error(
        "what is \"{0}\"? known are rate, trace, queue, codel, delay, jitter, reorder, loss and burst, each with = and a value"
    )]
    Unknown(String),
    /// The value fits nothing.
    #[error("{word}=\"{value}\": expected {expected}")]
    Value {
        /// Which word.
        word: String,
        /// What it has.
        value: String,
        /// What it should have.
        expected: &'static str,
    },
    /// The trace cannot be read.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The trace is none.
    #[error("{0}: {1}")]
    Trace(String, TraceError),
}

/// What `before` becomes with these words; what they do not name stays. `read` gets the text of a trace's file.
pub fn shape(
    before: &Shape,
    words: &str,
    now: Duration,
    read: impl Fn(&Path) -> std::io::Result<String>,
) -> Result<Shape, WordsError> {
    let mut shape = before.clone();
    for pair in words.split_whitespace() {
        let (word, value) = pair.split_once('=').ok_or_else(|| WordsError::Unknown(pair.to_owned()))?;
        let or = |expected| WordsError::Value { word: word.to_owned(), value: value.to_owned(), expected };
        match word {
            "rate" => {
                shape.capacity =
                    capacity(value, now).ok_or_else(|| or("bit/s such as 1500k, or a plan of them"))?;
            }
            "trace" => {
                let text =
                    read(Path::new(value)).map_err(|error| WordsError::File(value.to_owned(), error))?;
                let trace =
                    Trace::read(&text, now).map_err(|error| WordsError::Trace(value.to_owned(), error))?;
                shape.capacity = Capacity::Trace(trace);
            }
            "queue" => {
                shape.limit =
                    limit(value).ok_or_else(|| or("a time such as 300ms, or bytes such as 64kB"))?;
            }
            "codel" => shape.codel = switch(value).ok_or_else(|| or("on or off"))?,
            "delay" => shape.delay = way(value).ok_or_else(|| or("a time of at most 10 s"))?,
            "jitter" => shape.jitter = way(value).ok_or_else(|| or("a time of at most 10 s"))?,
            "reorder" => shape.reorder = share(value).ok_or_else(|| or("a share such as 1%"))?,
            "loss" => shape.loss.share = share(value).ok_or_else(|| or("a share such as 10%"))?,
            "burst" => shape.loss.burst = burst(value).ok_or_else(|| or("a number of packets, 1 or more"))?,
            _ => return Err(WordsError::Unknown(pair.to_owned())),
        }
    }
    Ok(shape)
}

fn capacity(value: &str, now: Duration) -> Option<Capacity> {
    if value == "none" {
        return Some(Capacity::Unlimited);
    }
    if let Some((from, rest)) = value.split_once("..") {
        let (to, length) = rest.split_once('/')?;
        let mut rates = Rates::constant(bps(from)?);
        rates.ramp(now, bps(to)?, time(length)?);
        return Some(Capacity::Rates(rates));
    }
    let mut steps = value.split(',');
    let mut rates = Rates::constant(bps(steps.next()?)?);
    let mut last = Duration::ZERO;
    for step in steps {
        let (after, rate) = step.split_once(':')?;
        let after = time(after).filter(|after| *after > last)?;
        rates.then(now + after, bps(rate)?);
        last = after;
    }
    Some(Capacity::Rates(rates))
}

/// A number that is at least 0, and what stands behind it.
fn number(value: &str) -> Option<(f64, &str)> {
    let end = value.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(value.len());
    Some((value[..end].parse().ok()?, &value[end..]))
}

fn bps(value: &str) -> Option<u64> {
    let (number, unit) = number(value)?;
    let factor = match unit {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        _ => return None,
    };
    Some((number * factor).round() as u64)
}

fn time(value: &str) -> Option<Duration> {
    let (number, unit) = number(value)?;
    let factor = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * factor).ok().filter(|time| *time <= LONGEST)
}

fn way(value: &str) -> Option<Duration> {
    time(value).filter(|time| *time <= LONGEST_WAY)
}

fn limit(value: &str) -> Option<Limit> {
    match number(value)? {
        (bytes, "B") => Some(Limit::Bytes(bytes as u64)),
        (bytes, "kB") => Some(Limit::Bytes((bytes * 1e3) as u64)),
        _ => time(value).map(Limit::Time),
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn share(value: &str) -> Option<f64> {
    let (number, unit) = number(value)?;
    let share = match unit {
        "" => number,
        "%" => number / 100.0,
        _ => return None,
    };
    (share < 1.0).then_some(share)
}

fn burst(value: &str) -> Option<f64> {
    number(value)
        .filter(|(number, unit)| unit.is_empty() && (1.0..=LONGEST_BURST).contains(number))
        .map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Loss;

    fn read(words: &str) -> Result<Shape, WordsError> {
        shape(&Shape::default(), words, Duration::from_secs(5), |path| match path.to_str() {
            Some("lte.trace") => Ok("1\n2\n".to_owned()),
            Some("bad.trace") => Ok("what\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        })
    }

    #[test]
    fn words_say_what_a_link_is_like_and_the_rest_stays() {
        let found =
            read("rate=1500k queue=300ms codel=on delay=20ms jitter=2.5ms reorder=1% loss=10% burst=8")
                .unwrap();
        let expected = Shape {
            capacity: Capacity::Rates(Rates::constant(1_500_000)),
            limit: Limit::Time(Duration::from_millis(300)),
            codel: true,
            delay: Duration::from_millis(20),
            jitter: Duration::from_micros(2500),
            reorder: 0.01,
            loss: Loss { share: 0.1, burst: 8.0 },
        };
        assert_eq!(found, expected);
        let later = shape(&found, "loss=0 queue=64kB", Duration::ZERO, |_| unreachable!()).unwrap();
        let loss = Loss { share: 0.0, ..expected.loss };
        assert_eq!(later, Shape { limit: Limit::Bytes(64_000), loss, ..expected });
        assert_eq!(read("rate=none").unwrap(), Shape::default());
    }

    #[test]
    fn a_plan_begins_when_it_is_said() {
        let at =
            |words: &str, seconds: u64| read(words).unwrap().capacity.rate_bps(Duration::from_secs(seconds));
        let steps = "rate=30M,10s:1500k,20s:30M";
        assert_eq!([5, 14, 15, 24, 25].map(|s| at(steps, s).unwrap() / 100_000), [300, 300, 15, 15, 300]);
        let ramp = "rate=4M..12M/8s";
        assert_eq!([5, 9, 13].map(|s| at(ramp, s).unwrap() / 100_000), [40, 80, 120]);
        // Two opportunities in 2 ms.
        assert_eq!(at("trace=lte.trace", 5), Some(12_000_000));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_name() {
        for words in [
            "rate",
            "speed=3M",
            "rate=fast",
            "rate=-1",
            "rate=1M..2M",
            "rate=1M,5s:2M,5s:3M",
            "rate=1M,2M:5s",
            "queue=3",
            "codel=yes",
            "delay=11s",
            "delay=5",
            "jitter=x",
            "loss=100%",
            "loss=-1%",
            "burst=0.5",
            "trace=none.trace",
            "trace=bad.trace",
            "rate=1M..2M/9999999s",
        ] {
            let error = read(words).map(|_| ()).unwrap_err().to_string();
            let name = words.split('=').next().unwrap();
            assert!(error.contains(name) || error.contains(".trace"), "{words}: {error}");
        }
    }
}
