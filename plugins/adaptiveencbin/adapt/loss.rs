//! Decision: the bit rate that loss allows, for as long as nobody estimates the network's: the loss-based controller of
//! draft-ietf-rmcat-gcc-02, section 6, with its numbers. Refuses to know delay.

use crate::adaptiveencbin::rate::Bitrate;
use std::time::Duration;

/// More loss than this lowers the rate.
const HIGH: f64 = 0.1;

/// Less loss than this raises it.
const LOW: f64 = 0.02;

/// What a step up multiplies by.
const UP: f64 = 1.05;

/// Time between two steps: reports come once a second.
const STEP: Duration = Duration::from_secs(1);

/// The rate that loss allows.
#[derive(Debug, Default)]
pub struct Loss {
    /// `None` is no limit.
    allowed: Option<Bitrate>,
    stepped_at: Option<Duration>,
}

impl Loss {
    /// The rate that is allowed of a goal, given the worst fresh report. `floor` is the least that can be used.
    pub fn observe(&mut self, loss: Option<f64>, floor: Bitrate, goal: Bitrate, now: Duration) -> Bitrate {
        let due = self.stepped_at.is_none_or(|then| now.saturating_sub(then) >= STEP);
        let rate = self.allowed.unwrap_or(goal).max(floor).min(goal);
        // Nobody complains: nobody is there, or reports carry no loss.
        let loss = loss.unwrap_or(0.0);
        let next = if !due {
            rate
        } else if loss > HIGH {
            rate.scaled(1.0 - 0.5 * loss).max(floor)
        } else if loss < LOW {
            rate.scaled(UP)
        } else {
            rate
        };
        if due {
            self.stepped_at = Some(now);
        }
        self.allowed = (next < goal).then_some(next);
        next.min(goal)
    }

    /// Someone who knows better has spoken.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Bitrate = Bitrate::from_kbps(500);
    const GOAL: Bitrate = Bitrate::from_kbps(8000);

    fn run(controller: &mut Loss, from_s: u64, losses: &[f64]) -> Vec<u32> {
        let step = |(i, loss): (usize, &f64)| {
            controller.observe(Some(*loss), FLOOR, GOAL, Duration::from_secs(from_s + i as u64)).kbps()
        };
        losses.iter().enumerate().map(step).collect()
    }

    #[test]
    fn high_loss_takes_half_of_itself_and_low_loss_gives_five_per_cent() {
        let mut loss = Loss::default();
        assert_eq!(
            run(&mut loss, 0, &[0.0, 0.2, 0.2, 0.05, 0.1, 0.01]),
            [8000, 7200, 6480, 6480, 6480, 6804]
        );
        assert_eq!(*run(&mut loss, 6, &[0.0; 10]).last().unwrap(), 8000);
    }

    #[test]
    fn it_keeps_between_floor_and_goal() {
        let mut loss = Loss::default();
        assert_eq!(*run(&mut loss, 0, &[1.0; 60]).last().unwrap(), 500);
        assert_eq!(*run(&mut loss, 60, &[0.0; 3600]).last().unwrap(), 8000);
    }

    #[test]
    fn one_report_counts_once_however_often_it_is_looked_at() {
        let mut loss = Loss::default();
        for quarter in 0..4 {
            let rate = loss.observe(Some(0.2), FLOOR, GOAL, Duration::from_millis(quarter * 250));
            assert_eq!(rate.kbps(), 7200);
        }
    }

    #[test]
    fn a_link_too_small_settles_between_the_thresholds() {
        // 4 Mbit/s carry 4 of what is sent, the rest is lost.
        let mut controller = Loss::default();
        let mut rate = GOAL;
        let mut history = Vec::new();
        for second in 0..600 {
            let loss = (1.0 - 4000.0 / f64::from(rate.kbps())).max(0.0);
            rate = controller.observe(Some(loss), FLOOR, GOAL, Duration::from_secs(second));
            history.push(rate.kbps());
        }
        assert!((4000..4450).contains(&rate.kbps()), "{rate:?}");
        assert!(history[60..].iter().all(|kbps| *kbps == rate.kbps()), "it has settled");
    }
}
