//! Decision: when a link has carried a packet: at a rate that changes by plan, or by the delivery opportunities of a
//! Mahimahi trace. It knows of no queue.

use std::time::Duration;

/// Bytes of a delivery opportunity of a Mahimahi trace.
pub const OPPORTUNITY_BYTES: u32 = 1500;
/// Steps that a ramp is made of, unless they would be too many.
const RAMP_STEP: Duration = Duration::from_millis(20);
const MAX_RAMP_STEPS: f64 = 10_000.0;

/// What a link carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Capacity {
    /// Everything at once.
    Unlimited,
    /// At rates that hold from a moment on.
    Rates(Rates),
    /// At the moments of a trace.
    Trace(Trace),
}

impl Capacity {
    /// When `bytes` that begin at `start` are through, or `None` if they never are. What it answers is taken: of a
    /// trace's opportunities, the next packet gets what is left.
    pub fn carry(&mut self, start: Duration, bytes: u32) -> Option<Duration> {
        match self {
            Self::Unlimited => Some(start),
            Self::Rates(rates) => rates.carry(start, bytes),
            Self::Trace(trace) => Some(trace.carry(start, bytes)),
        }
    }

    /// The rate that the length of a queue in milliseconds is reckoned with, in bit/s.
    pub fn rate_bps(&self, at: Duration) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Rates(rates) => Some(rates.at(at)),
            Self::Trace(trace) => Some(trace.mean_bps()),
        }
    }
}

/// Rates, each of which holds from its moment until the next one's; the last for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    first_bps: u64,
    changes: Vec<(Duration, u64)>,
}

impl Rates {
    /// One rate.
    pub const fn constant(bps: u64) -> Self {
        Self { first_bps: bps, changes: Vec::new() }
    }

    /// From now on `bps`; to be called in the order of time.
    pub fn then(&mut self, at: Duration, bps: u64) {
        self.changes.push((at, bps));
    }

    /// From the rate at `at` to `bps` in a straight line, made of steps.
    pub fn ramp(&mut self, at: Duration, bps: u64, length: Duration) {
        let from = self.at(at) as f64;
        let steps = (length.as_secs_f64() / RAMP_STEP.as_secs_f64()).ceil().clamp(1.0, MAX_RAMP_STEPS) as u32;
        for step in 0..steps {
            let share = (f64::from(step) + 0.5) / f64::from(steps);
            self.then(at + length * step / steps, (from + (bps as f64 - from) * share) as u64);
        }
        self.then(at + length, bps);
    }

    fn at(&self, at: Duration) -> u64 {
        match self.changes.partition_point(|(from, _)| *from <= at) {
            0 => self.first_bps,
            later => self.changes[later - 1].1,
        }
    }

    fn carry(&self, start: Duration, bytes: u32) -> Option<Duration> {
        let mut at = start;
        let mut left_bits = f64::from(bytes) * 8.0;
        let later = self.changes.partition_point(|(from, _)| *from <= start);
        for (until, _) in &self.changes[later..] {
            let carried = self.at(at) as f64 * (*until - at).as_secs_f64();
            if carried >= left_bits {
                break;
            }
            left_bits -= carried;
            at = *until;
        }
        let bps = self.at(at);
        (bps > 0).then(|| at + Duration::from_secs_f64(left_bits / bps as f64))
    }
}

/// Delivery opportunities that come again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Milliseconds since its beginning, not falling; the last is its length.
    opportunities_ms: Vec<u32>,
    began: Duration,
    /// The opportunity that is used at present, counted from the beginning, and the bytes left of it.
    present: u64,
    left: u32,
}

/// Why a text is no trace.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TraceError {
    /// A line is no number of milliseconds.
    #[error("line {0} of the trace is no number of milliseconds: \"{1}\"")]
    NoNumber(usize, String),
    /// A line is earlier than the one before.
    #[error("line {0} of the trace is earlier than the line before")]
    Backwards(usize),
    /// It would never end, or never carry anything.
    #[error("the trace has no opportunity after its beginning")]
    Empty,
}

impl Trace {
    /// Reads a Mahimahi trace: a line for each opportunity, in milliseconds.
    pub fn read(text: &str, began: Duration) -> Result<Self, TraceError> {
        let mut opportunities_ms: Vec<u32> = Vec::new();
        for (number, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
            let ms = line.parse().map_err(|_| TraceError::NoNumber(number + 1, line.to_owned()))?;
            if opportunities_ms.last().is_some_and(|last| ms < *last) {
                return Err(TraceError::Backwards(number + 1));
            }
            opportunities_ms.push(ms);
        }
        if opportunities_ms.last().is_none_or(|last| *last == 0) {
            return Err(TraceError::Empty);
        }
        Ok(Self { opportunities_ms, began, present: 0, left: OPPORTUNITY_BYTES })
    }

    fn period_ms(&self) -> u64 {
        u64::from(*self.opportunities_ms.last().unwrap_or(&1))
    }

    fn mean_bps(&self) -> u64 {
        self.opportunities_ms.len() as u64 * u64::from(OPPORTUNITY_BYTES) * 8 * 1000 / self.period_ms()
    }

    fn time_of(&self, opportunity: u64) -> Duration {
        let count = self.opportunities_ms.len() as u64;
        let within = self.opportunities_ms[(opportunity % count) as usize];
        self.began + Duration::from_millis(opportunity / count * self.period_ms() + u64::from(within))
    }

    /// The first opportunity that is not before `at`.
    fn first_since(&self, at: Duration) -> u64 {
        let since = at.saturating_sub(self.began);
        let round = (since.as_millis() as u64 / self.period_ms()).saturating_sub(1);
        let count = self.opportunities_ms.len() as u64;
        let mut opportunity = round * count;
        while self.time_of(opportunity + count - 1) < at {
            opportunity += count;
        }
        while self.time_of(opportunity) < at {
            opportunity += 1;
        }
        opportunity
    }

    fn carry(&mut self, start: Duration, bytes: u32) -> Duration {
        if self.time_of(self.present) < start {
            self.present = self.first_since(start);
            self.left = OPPORTUNITY_BYTES;
        }
        let mut needed = bytes;
        while needed > self.left {
            needed -= self.left;
            self.present += 1;
            self.left = OPPORTUNITY_BYTES;
        }
        self.left -= needed;
        self.time_of(self.present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_rate_takes_its_time_for_each_byte() {
        let mut link = Capacity::Rates(Rates::constant(1_500_000));
        // 1,500 bytes are 12,000 bits.
        assert_eq!(link.carry(ms(100), 1500), Some(ms(108)));
        assert_eq!(Capacity::Unlimited.carry(ms(100), 1500), Some(ms(100)));
    }

    #[test]
    fn a_packet_that_meets_a_change_goes_at_both_rates() {
        let mut rates = Rates::constant(12_000_000);
        rates.then(ms(10), 1_200_000);
        // Half of it in half a millisecond, the other half at a tenth of the rate.
        assert_eq!(Capacity::Rates(rates).carry(ms(9) + ms(1) / 2, 1500), Some(ms(15)));
    }

    #[test]
    fn an_outage_holds_a_packet_until_it_ends() {
        let mut rates = Rates::constant(0);
        assert_eq!(Capacity::Rates(rates.clone()).carry(ms(1), 1500), None);
        rates.then(ms(700), 12_000_000);
        assert_eq!(Capacity::Rates(rates).carry(ms(1), 1500), Some(ms(701)));
    }

    #[test]
    fn a_ramp_carries_what_its_middle_would() {
        let mut rates = Rates::constant(2_000_000);
        rates.ramp(ms(1000), 10_000_000, ms(2000));
        // 6 Mbit/s for two seconds are 1.5 MB.
        let through = Capacity::Rates(rates.clone()).carry(ms(1000), 1_500_000);
        assert!(through.is_some_and(|at| at > ms(2999) && at < ms(3001)), "{through:?}");
        assert_eq!([ms(0), ms(5000)].map(|at| rates.at(at)), [2_000_000, 10_000_000]);
    }

    #[test]
    fn opportunities_carry_1500_bytes_each_and_are_lost_when_unused() {
        let trace = Trace::read("10\n10\n30\n40\n", ms(0)).unwrap();
        let mut link = Capacity::Trace(trace);
        // Three small packets share an opportunity; the fourth takes the rest of it and some of the next, of the same moment.
        assert_eq!([400; 3].map(|bytes| link.carry(ms(1), bytes)), [Some(ms(10)); 3]);
        assert_eq!(link.carry(ms(10), 1000), Some(ms(10)));
        // What is left of it is of no use later.
        assert_eq!(link.carry(ms(11), 100), Some(ms(30)));
        assert_eq!(link.carry(ms(30), 3000), Some(ms(50)));
        // Its second round is 10 after 40: 50, 50, 70, 80; and far ahead: 4,000,050.
        assert_eq!(link.carry(ms(4_000_041), 1500), Some(ms(4_000_050)));
        assert_eq!(link.rate_bps(ms(0)), Some(4 * 12_000 * 1000 / 40));
    }

    #[test]
    fn a_text_that_is_no_trace_is_refused_with_the_line() {
        assert_eq!(Trace::read("1\nx\n", ms(0)), Err(TraceError::NoNumber(2, "x".to_owned())));
        assert_eq!(Trace::read("5\n4\n", ms(0)), Err(TraceError::Backwards(2)));
        assert_eq!(Trace::read("0\n0\n", ms(0)), Err(TraceError::Empty));
        assert_eq!(Trace::read("\n", ms(0)), Err(TraceError::Empty));
    }
}
