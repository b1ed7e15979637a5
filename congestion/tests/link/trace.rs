//! What a link carries over time. Times count from the start; behind the end a trace begins anew.

use std::time::Duration;
use vdi_congestion::{Bitrate, DataSize};

/// One stretch of time with one rate.
#[derive(Debug, Clone, Copy)]
struct Span {
    begin: Duration,
    rate: Bitrate,
}

/// The rate of a link over time, in steps.
#[derive(Debug, Clone)]
pub struct Trace {
    spans: Vec<Span>,
    length: Duration,
}

impl Trace {
    /// Always the same.
    pub fn constant(rate: Bitrate) -> Self {
        Self::steps(&[(1.0, rate)])
    }

    /// Rates and how many seconds each lasts.
    pub fn steps(steps: &[(f64, Bitrate)]) -> Self {
        let mut begin = Duration::ZERO;
        let mut spans = Vec::new();
        for (seconds, rate) in steps {
            spans.push(Span { begin, rate: *rate });
            begin += Duration::from_secs_f64(*seconds);
        }
        Self { spans, length: begin }
    }

    /// From one rate to another within so many seconds, in steps of 100 ms.
    pub fn ramp(from: Bitrate, to: Bitrate, seconds: f64) -> Self {
        let count = (seconds * 10.0) as u32;
        let at = |step: u32| {
            let share = f64::from(step) / f64::from(count);
            Bitrate::from_bps((from.bps() as f64 + (to.bps() as f64 - from.bps() as f64) * share) as u64)
        };
        Self::steps(&(0..count).map(|step| (0.1, at(step))).collect::<Vec<_>>())
    }

    /// This one, and then that one.
    pub fn then(mut self, next: &Self) -> Self {
        let shifted = next.spans.iter().map(|span| Span { begin: span.begin + self.length, rate: span.rate });
        self.spans.extend(shifted);
        self.length += next.length;
        self
    }

    /// A trace of Mahimahi: on each line the millisecond at which 1500 bytes may leave. Ten milliseconds become one span.
    pub fn mahimahi(text: &str) -> Result<Self, String> {
        const BIN_MS: u64 = 10;
        let mut bins: Vec<u64> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let ms: u64 =
                line.parse().map_err(|_| format!("line {}: {line:?} is no number of ms", number + 1))?;
            let bin = usize::try_from(ms / BIN_MS).map_err(|_| format!("line {}: too late", number + 1))?;
            if bin + 1 < bins.len() {
                return Err(format!("line {}: {ms} ms is before the line above", number + 1));
            }
            bins.resize(bins.len().max(bin + 1), 0);
            bins[bin] += 1;
        }
        if bins.is_empty() {
            return Err("it has no line".into());
        }
        let rate = |packets: &u64| Bitrate::from_bps(packets * 1500 * 8 * 1000 / BIN_MS);
        Ok(Self::steps(
            &bins.iter().map(|packets| (BIN_MS as f64 / 1000.0, rate(packets))).collect::<Vec<_>>(),
        ))
    }

    /// A cell of a mobile network: the rate wanders about a mean within a second or so (Ornstein-Uhlenbeck in its logarithm),
    /// and for moments there is nothing (handovers, deep fades).
    pub fn lte(mean: Bitrate, seconds: f64, random: &mut fastrand::Rng) -> Self {
        const STEP: f64 = 0.02;
        const PULL: f64 = 0.8;
        const SPREAD: f64 = 0.6;
        let mut level = 0.0_f64;
        let mut gap = 0_u32;
        let steps: Vec<_> = (0..(seconds / STEP) as u32)
            .map(|_| {
                level += -PULL * level * STEP + SPREAD * (2.0 * PULL * STEP).sqrt() * normal(random);
                if gap == 0 && random.f64() < STEP / 15.0 {
                    gap = random.u32(3..15);
                }
                let outage = gap > 0;
                gap = gap.saturating_sub(1);
                (STEP, if outage { Bitrate::ZERO } else { mean.scaled(level.clamp(-1.6, 1.0).exp()) })
            })
            .collect();
        Self::steps(&steps)
    }

    /// A wireless LAN: a high rate that others take away for a few milliseconds at a time, and worse for some seconds when
    /// many talk.
    pub fn wifi(best: Bitrate, seconds: f64, random: &mut fastrand::Rng) -> Self {
        let mut steps = Vec::new();
        let mut at = 0.0;
        let mut busy = false;
        let mut change = 0.0;
        while at < seconds {
            if at >= change {
                busy = !busy && random.f64() < 0.4;
                change = at + 1.0 + 5.0 * random.f64();
            }
            let (wait, talk) = if busy { (0.018, 0.006) } else { (0.003, 0.012) };
            let wait = -wait * (1.0 - random.f64()).ln();
            let talk = 0.002 - talk * (1.0 - random.f64()).ln();
            steps.push((wait.min(0.12), Bitrate::ZERO));
            steps.push((talk, best.scaled(0.6 + 0.4 * random.f64())));
            at += wait + talk;
        }
        Self::steps(&steps)
    }

    /// The rate at a time.
    pub fn rate(&self, at: Duration) -> Bitrate {
        let at = self.within(at);
        self.spans[self.index(at)].rate
    }

    /// The mean rate between two times.
    pub fn mean(&self, from: Duration, to: Duration) -> Bitrate {
        const STEP: Duration = Duration::from_millis(10);
        let count = ((to - from).as_secs_f64() / STEP.as_secs_f64()).max(1.0) as u32;
        let sum: u64 = (0..count).map(|step| self.rate(from + STEP * step).bps()).sum();
        Bitrate::from_bps(sum / u64::from(count))
    }

    /// When so much has left that begins to leave at a time.
    pub fn finish(&self, begin: Duration, size: DataSize) -> Duration {
        let mut left = size.bytes() as f64 * 8.0;
        let mut now = begin;
        // A trace that carries nothing at all would never end.
        for _ in 0..1_000_000 {
            let within = self.within(now);
            let index = self.index(within);
            let end = self.spans.get(index + 1).map_or(self.length, |span| span.begin);
            let room = (end - within).max(Duration::from_nanos(1));
            let rate = self.spans[index].rate.bps() as f64;
            let bits = rate * room.as_secs_f64();
            if bits >= left {
                return now + Duration::from_secs_f64(left / rate);
            }
            left -= bits;
            now += room;
        }
        panic!("the trace carries nothing");
    }

    fn within(&self, at: Duration) -> Duration {
        Duration::from_nanos((at.as_nanos() % self.length.as_nanos()) as u64)
    }

    fn index(&self, within: Duration) -> usize {
        self.spans.partition_point(|span| span.begin <= within) - 1
    }
}

/// A number of the standard normal distribution (Box and Muller).
pub fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}
