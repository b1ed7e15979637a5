//! Somebody else's download on the same link: TCP with a window that grows as CUBIC's does (RFC 9438) and shrinks with loss.

use std::{collections::VecDeque, time::Duration};
use vdi_congestion::DataSize;

/// A segment with its headers.
pub const SEGMENT: DataSize = DataSize::from_bytes(1500);

/// The sender.
#[derive(Debug)]
pub struct Rival {
    window: f64,
    threshold: f64,
    in_flight: u64,
    /// When answers to segments come, in order; `None` for one that was lost, found out with the next that came.
    answers: VecDeque<(Duration, bool)>,
    last_loss: Duration,
    window_at_loss: f64,
    /// From and to when it downloads.
    active: (Duration, Duration),
}

impl Rival {
    /// It downloads between these times.
    pub fn new(from: Duration, to: Duration) -> Self {
        Self {
            window: 10.0,
            threshold: f64::INFINITY,
            in_flight: 0,
            answers: VecDeque::new(),
            last_loss: Duration::ZERO,
            window_at_loss: 10.0,
            active: (from, to),
        }
    }

    /// Whether it sends a segment now.
    pub fn sends(&self, now: Duration) -> bool {
        now >= self.active.0 && now < self.active.1 && (self.in_flight as f64) < self.window
    }

    /// A segment was sent, whose answer comes at a time, or of which is heard at that time that it was lost.
    pub fn sent(&mut self, answer: Duration, is_lost: bool) {
        self.in_flight += 1;
        self.answers.push_back((answer, is_lost));
    }

    /// Reads what has come.
    pub fn poll(&mut self, round_trip: Duration, now: Duration) {
        while let Some((at, is_lost)) = self.answers.front().copied().filter(|(at, _)| *at <= now) {
            self.answers.pop_front();
            self.in_flight -= 1;
            if is_lost {
                if at > self.last_loss + round_trip {
                    self.window_at_loss = self.window;
                    self.window = (self.window * 0.7).max(2.0);
                    self.threshold = self.window;
                    self.last_loss = at;
                }
            } else if self.window < self.threshold {
                self.window += 1.0;
            } else {
                let t = (now - self.last_loss).as_secs_f64();
                let k = (self.window_at_loss * 0.3 / 0.4).cbrt();
                let cubic = 0.4 * (t - k).powi(3) + self.window_at_loss;
                let reno = 1.0 / self.window;
                self.window += ((cubic - self.window) / self.window).clamp(reno, 0.5);
            }
        }
    }
}
