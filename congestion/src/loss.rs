//! Decision: whether lost packets are our own doing. Where there is no queue to see, loss is either the wire's, and sending
//! less helps nobody, or that of a buffer too shallow to be seen or of a policer, and sending less ends it. Which of both is
//! found out by trying: the rate goes down a little, and what was lost before is held against what is lost then.
//!
//! ```text
//! Calm ──loss without a queue──▶ Trial ──as much is lost──▶ Tolerant ──long past, or more is lost──▶ Calm
//!   ▲                              └──much less is lost──▶ (the link's rate is found) ─────────────────┘
//! ```

use crate::{Bitrate, sequence::News};
use std::{collections::VecDeque, time::Duration};

/// Loss is of so long.
const WINDOW: Duration = Duration::from_secs(1);
/// And of so many packets at least.
const LEAST_PACKETS: usize = 50;
/// And of so many at most.
const MOST_PACKETS: usize = 16_384;
/// Below this nothing is done (draft-ietf-rmcat-gcc-02, 6).
pub const HARMLESS: f64 = 0.02;
/// What a trial takes of the rate.
pub const TRIAL: f64 = 0.85;
/// A trial lasts so long beyond a round trip.
const TRIAL_TIME: Duration = Duration::from_millis(500);
/// A wire's loss is believed in for so long.
const TOLERANCE: Duration = Duration::from_secs(20);
/// Above this a picture is beyond help, whatever the reason.
pub const HOPELESS: f64 = 0.35;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Calm,
    Trial { before: f64, since: Duration, rate: Bitrate, delivered: Bitrate },
    Tolerant { loss: f64, until: Duration },
}

/// What to do about loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Nothing.
    Nothing,
    /// Send less for a moment, to find out.
    Try,
    /// It was the wire's: back to this rate.
    Wire(Bitrate),
    /// It was our own: so much comes through.
    Own(Bitrate),
}

/// The packets of late, and what is thought of their loss.
#[derive(Debug)]
pub struct Loss {
    packets: VecDeque<(Duration, bool)>,
    lost: usize,
    phase: Phase,
}

impl Default for Loss {
    fn default() -> Self {
        Self { packets: VecDeque::new(), lost: 0, phase: Phase::Calm }
    }
}

impl Loss {
    /// Feedback tells of a packet.
    pub fn told(&mut self, sent: Duration, news: News) {
        match news {
            News::Arrived => self.packets.push_back((sent, false)),
            News::Lost => {
                self.packets.push_back((sent, true));
                self.lost += 1;
            }
            News::ArrivedLate => {
                if let Some(packet) = self.packets.iter_mut().rev().find(|(at, lost)| *lost && *at == sent) {
                    packet.1 = false;
                    self.lost -= 1;
                }
            }
        }
        while let Some((at, lost)) = self.packets.front().copied()
            && (at + WINDOW < sent || self.packets.len() > MOST_PACKETS)
        {
            self.lost -= usize::from(lost);
            self.packets.pop_front();
        }
    }

    /// The share that was lost; nothing while too few were sent to tell.
    pub fn share(&self) -> f64 {
        if self.packets.len() < LEAST_PACKETS {
            return 0.0;
        }
        self.lost as f64 / self.packets.len() as f64
    }

    fn share_since(&self, since: Duration) -> Option<f64> {
        let after = self.packets.iter().rev().take_while(|(at, _)| *at > since);
        let (all, lost) =
            after.fold((0, 0), |(all, lost), (_, is_lost)| (all + 1, lost + u32::from(*is_lost)));
        (all >= LEAST_PACKETS as u32).then(|| f64::from(lost) / f64::from(all))
    }

    /// Whether a trial goes on.
    pub fn is_trying(&self) -> bool {
        matches!(self.phase, Phase::Trial { .. })
    }

    /// What the wire loses anyway.
    pub fn tolerated(&self) -> f64 {
        match self.phase {
            Phase::Tolerant { loss, .. } => above(loss),
            _ => HARMLESS,
        }
    }

    /// Too little is sent for a trial to tell anything: it is over, and this was the rate before it.
    pub fn give_up(&mut self) -> Option<Bitrate> {
        let Phase::Trial { rate, .. } = self.phase else { return None };
        self.phase = Phase::Calm;
        Some(rate)
    }

    /// Looks at it. `has_queue` says that a queue stands, which makes all loss our own and is dealt with elsewhere.
    pub fn judge(
        &mut self,
        has_queue: bool,
        rate: Bitrate,
        delivered: Option<Bitrate>,
        round_trip: Duration,
        now: Duration,
    ) -> Verdict {
        if has_queue {
            if self.is_trying() {
                self.phase = Phase::Calm;
            }
            return Verdict::Nothing;
        }
        match self.phase {
            Phase::Tolerant { until, .. } if now >= until => self.phase = Phase::Calm,
            Phase::Trial { before, since, rate, delivered } => {
                if now < since + round_trip + TRIAL_TIME {
                    return Verdict::Nothing;
                }
                // What left since then has all come, or been lost, but for the last round trip.
                let Some(after) = self.share_since(since + round_trip / 2) else { return Verdict::Nothing };
                if after > above(before) {
                    // It has grown although less was sent: what was lost before was not yet all that is lost at that rate.
                    self.phase = Phase::Trial { before: after, since: now, rate, delivered };
                    return Verdict::Try;
                }
                if after > threshold(before) {
                    self.phase = Phase::Tolerant { loss: after.max(before), until: now + TOLERANCE };
                    return Verdict::Wire(rate);
                }
                self.phase = Phase::Calm;
                self.packets.clear();
                self.lost = 0;
                return Verdict::Own(delivered);
            }
            _ => {}
        }
        let share = self.share();
        if share > self.tolerated()
            && let Some(delivered) = delivered
        {
            self.phase = Phase::Trial { before: share, since: now, rate, delivered };
            return Verdict::Try;
        }
        Verdict::Nothing
    }

    /// Forgets all.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// More loss than this is more than before, and not chance.
fn above(loss: f64) -> f64 {
    (1.5 * loss).max(loss + HARMLESS)
}

/// In a trial more loss than this is the wire's: half-way from what was lost before, of which the wire loses as much at any
/// rate, to what a limit leaves, which lets the same amount through as before.
fn threshold(before: f64) -> f64 {
    let of_a_limit = (1.0 - (1.0 - before) / TRIAL).max(0.0);
    (before + of_a_limit) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Bitrate = Bitrate::from_kbps(10_000);
    const ROUND_TRIP: Duration = Duration::from_millis(40);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A thousand packets a second, of which each n-th is lost, up to a time; what was done.
    fn lose(loss: &mut Loss, each: u64, from: u64, to: u64) -> Vec<Verdict> {
        let mut done = Vec::new();
        for at in from..to {
            loss.told(ms(at), if at % each == 0 { News::Lost } else { News::Arrived });
            if at % 50 == 0 {
                let verdict = loss.judge(false, RATE, Some(RATE.scaled(0.9)), ROUND_TRIP, ms(at));
                if verdict != Verdict::Nothing {
                    done.push(verdict);
                }
            }
        }
        done
    }

    #[test]
    fn a_little_is_harmless() {
        assert_eq!(lose(&mut Loss::default(), 100, 0, 5000), []);
    }

    #[test]
    fn what_is_lost_at_a_lower_rate_too_is_the_wires_and_is_borne() {
        let mut loss = Loss::default();
        assert_eq!(lose(&mut loss, 10, 0, 5000), [Verdict::Try, Verdict::Wire(RATE)]);
        assert!(loss.tolerated() > 0.1);
        assert_eq!(lose(&mut loss, 10, 5000, 15_000), [], "for a while");
        assert!(lose(&mut loss, 4, 15_000, 17_000).contains(&Verdict::Try), "but not more of it");
    }

    #[test]
    fn what_ends_with_a_lower_rate_was_our_own() {
        let mut loss = Loss::default();
        assert_eq!(lose(&mut loss, 10, 0, 100), [Verdict::Try]);
        assert_eq!(lose(&mut loss, 1000, 101, 2000), [Verdict::Own(RATE.scaled(0.9))]);
    }

    /// A thousand packets a second at the full rate, of which a share gets through whatever is sent; what was done.
    fn police(loss: &mut Loss, limit: f64, to: u64) -> Vec<Verdict> {
        let (mut done, mut through, mut offered) = (Vec::new(), 0.0, 0.0);
        for at in 0..to {
            let rate: f64 = if loss.is_trying() { TRIAL } else { 1.0 };
            // At a lower rate packets are fewer.
            offered += rate;
            if offered >= 1.0 {
                offered -= 1.0;
                through += (limit / rate).min(1.0);
                let passes = through >= 1.0;
                through -= f64::from(u8::from(passes));
                loss.told(ms(at), if passes { News::Arrived } else { News::Lost });
            }
            if at % 50 == 0 {
                let verdict = loss.judge(false, RATE, Some(RATE.scaled(limit)), ROUND_TRIP, ms(at));
                if verdict != Verdict::Nothing {
                    done.push(verdict);
                }
            }
        }
        done
    }

    #[test]
    fn a_limit_far_below_what_is_sent_is_a_limit() {
        for limit in [0.9, 0.8, 0.67, 0.5] {
            let verdicts = police(&mut Loss::default(), limit, 900);
            assert_eq!(verdicts[..2], [Verdict::Try, Verdict::Own(RATE.scaled(limit))], "{limit}");
        }
    }

    #[test]
    fn loss_that_grows_in_a_trial_is_tried_again() {
        let mut loss = Loss::default();
        assert_eq!(lose(&mut loss, 25, 0, 100), [Verdict::Try]);
        // A probe had raised the rate a moment before.
        assert_eq!(lose(&mut loss, 4, 101, 700), [Verdict::Try]);
        assert_eq!(lose(&mut loss, 10, 701, 1300)[0], Verdict::Own(RATE.scaled(0.9)));
    }

    #[test]
    fn loss_with_a_queue_is_the_queues() {
        let mut loss = Loss::default();
        for at in 0..1000 {
            loss.told(ms(at), if at % 5 == 0 { News::Lost } else { News::Arrived });
            assert_eq!(loss.judge(true, RATE, Some(RATE), ROUND_TRIP, ms(at)), Verdict::Nothing);
        }
        assert!((loss.share() - 0.2).abs() < 0.01);
    }

    #[test]
    fn what_came_late_was_not_lost() {
        let mut loss = Loss::default();
        (0..100).for_each(|at| loss.told(ms(at), News::Lost));
        (0..100).for_each(|at| loss.told(ms(at), News::ArrivedLate));
        assert_eq!(loss.share(), 0.0);
    }
}
