//! Decision: when to send a consumer nothing for a moment, because what was sent before stands in a queue on the way: in a
//! TCP socket, in a router. A link with little to spare takes many times as long to work that off as it took to pile up;
//! with nothing more coming it is gone at once, and a key frame goes on from there. Refuses to read a clock.
//!
//! A queue shows as frames that all take longer on the network than the quickest of the last seconds. A link that is too
//! slow for good is no business of this policy, but of the encoder's adaptation, which needs to see the latency for a
//! while: it rests between two pauses.

use std::time::Duration;

/// How much longer than the quickest frames may take.
const LIMIT: Duration = Duration::from_millis(150);

/// For how long all frames must have taken longer. What a page finds when it wakes has come at one moment.
const LASTING: Duration = Duration::from_millis(150);

/// A queue that will be gone by itself within this time is left alone: a pause costs as much, and a key frame.
const SOON: Duration = Duration::from_millis(400);

/// The longest pause: who is further behind than that is not brought back by waiting.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Rest after a pause; doubled when the next follows at once, up to [`MAX_REST`].
const REST: Duration = Duration::from_secs(5);

/// The longest rest.
const MAX_REST: Duration = Duration::from_secs(60);

/// Half of the time in which a frame is the quickest.
const MEMORY: Duration = Duration::from_secs(5);

/// The quickest way over the network that was seen lately.
#[derive(Debug, Clone, Copy)]
struct Floor {
    since: Duration,
    present: Duration,
    before: Duration,
}

/// How much longer than the quickest a frame has taken, and when it came.
#[derive(Debug, Clone, Copy)]
struct Excess {
    came: Duration,
    excess: Duration,
}

/// Frames that have taken too long, one after another.
#[derive(Debug, Clone, Copy)]
struct Late {
    first: Excess,
    last: Excess,
}

/// The way of a frame over the network.
#[derive(Debug, Clone, Copy)]
pub struct Crossing {
    /// When it was sent.
    pub sent: Duration,
    /// How long it took to the consumer.
    pub took: Duration,
    /// How wrong that may be.
    pub uncertainty: Duration,
}

/// Watches the network's queue to one consumer. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub struct Backlog {
    floor: Option<Floor>,
    /// Those that came last, if all have taken too long.
    late: Option<Late>,
    /// When the last pause ended: frames of before say nothing new.
    paused_until: Duration,
    /// No frame has come in time since.
    in_vain: bool,
    /// Rest after it.
    rest: Duration,
}

impl Backlog {
    /// Frames have come, as is known `now`. For how long nothing is to be sent from now on, if anything.
    pub fn crossed(&mut self, crossings: impl Iterator<Item = Crossing>, now: Duration) -> Option<Duration> {
        for crossing in crossings {
            self.note(crossing);
        }
        let Late { first, last } = self.late?;
        if last.came.saturating_sub(first.came) < LASTING {
            return None;
        }
        if self.in_vain {
            // It did not stand in a queue: the way has become longer, and that is the measure from now on.
            (self.floor, self.late, self.in_vain) = (None, None, false);
            return None;
        }
        let rested_for = now.saturating_sub(self.paused_until);
        if rested_for < self.rest || is_gone_soon(first, last) {
            return None;
        }
        self.rest = if rested_for < 2 * self.rest { (2 * self.rest).min(MAX_REST) } else { REST };
        let pause = last.excess.min(MAX_PAUSE);
        (self.paused_until, self.late, self.in_vain) = (now + pause, None, true);
        Some(pause)
    }

    fn note(&mut self, Crossing { sent, took, uncertainty }: Crossing) {
        if sent < self.paused_until {
            return;
        }
        let came = sent + took;
        let excess = Excess { came, excess: took - self.floor(took, came) };
        if excess.excess <= LIMIT + 2 * uncertainty {
            (self.late, self.in_vain) = (None, false);
        } else {
            self.late.get_or_insert(Late { first: excess, last: excess }).last = excess;
        }
    }

    /// The quickest frame lately, this one included.
    fn floor(&mut self, took: Duration, came: Duration) -> Duration {
        let floor = self.floor.get_or_insert(Floor { since: came, present: took, before: took });
        if came.saturating_sub(floor.since) > MEMORY {
            *floor = Floor { since: came, present: took, before: floor.present };
        }
        floor.present = floor.present.min(took);
        floor.present.min(floor.before)
    }
}

/// Whether a queue that goes on to shrink as it does is gone soon.
fn is_gone_soon(first: Excess, last: Excess) -> bool {
    let shrunk = first.excess.saturating_sub(last.excess).as_secs_f64();
    let left = last.excess.as_secs_f64();
    left * last.came.saturating_sub(first.came).as_secs_f64() <= SOON.as_secs_f64() * shrunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A link with a queue that drops nothing, and a page that tells four times a second what has come.
    struct Link {
        backlog: Option<Backlog>,
        /// Time that a frame occupies the link, and its way besides.
        frame: Duration,
        way: Duration,
        free: Duration,
        untold: VecDeque<(Duration, Duration)>,
        held_until: Duration,
        /// When each frame came, and how long it took.
        came: Vec<(Duration, Duration)>,
        pauses: Vec<(Duration, Duration)>,
    }

    impl Link {
        fn new(backlog: Option<Backlog>, frame_us: u64) -> Self {
            Self {
                backlog,
                frame: Duration::from_micros(frame_us),
                way: ms(10),
                free: Duration::ZERO,
                untold: VecDeque::new(),
                held_until: Duration::ZERO,
                came: Vec::new(),
                pauses: Vec::new(),
            }
        }

        /// Sixty frames a second; `change` may do anything to the link at the time it is given.
        fn run(&mut self, until: Duration, change: impl Fn(&mut Self, u64)) {
            for n in 0.. {
                let now = Duration::from_micros(16_667 * n);
                if now >= until {
                    return;
                }
                change(self, n);
                if now >= self.held_until {
                    let left = now.max(self.free) + self.frame;
                    self.free = left;
                    let came = left + self.way;
                    self.untold.push_back((now, came));
                    self.came.push((came, came - now));
                }
                if n % 15 == 0 {
                    self.report(now);
                }
            }
        }

        fn report(&mut self, now: Duration) {
            let known = self.untold.iter().take_while(|(_, came)| *came + self.way <= now).count();
            let told = self.untold.drain(..known);
            let crossings = told.map(|(sent, came)| Crossing { sent, took: came - sent, uncertainty: ms(1) });
            if let Some(pause) = self.backlog.as_mut().and_then(|one| one.crossed(crossings, now)) {
                self.held_until = now + pause;
                self.pauses.push((now, pause));
            }
        }

        /// When frames began to take less than `limit` for good, after `from`.
        fn calm_after(&self, from: Duration, limit: Duration) -> Duration {
            let late = self.came.iter().rev().find(|(_, took)| *took > limit);
            late.map_or(Duration::ZERO, |(came, _)| came.saturating_sub(from))
        }
    }

    /// After 3 s the link stands still for 600 ms.
    fn stall(link: &mut Link, n: u64) {
        if n == 180 {
            link.free = ms(3600);
        }
    }

    #[test]
    fn what_has_piled_up_while_the_link_stood_still_is_gone_within_a_second() {
        // It carries a tenth more than is sent.
        let mut left_alone = Link::new(None, 15_000);
        left_alone.run(ms(20_000), stall);
        assert!(left_alone.calm_after(ms(3600), ms(60)) > ms(4000));
        let mut link = Link::new(Some(Backlog::default()), 15_000);
        link.run(ms(20_000), stall);
        let calm = link.calm_after(ms(3600), ms(60));
        assert!(calm < ms(1000), "after {calm:?}");
        assert_eq!(link.pauses.len(), 1, "{:?}", link.pauses);
    }

    #[test]
    fn a_link_with_much_to_spare_is_left_to_itself() {
        // It carries three times as much as is sent.
        let mut link = Link::new(Some(Backlog::default()), 5_500);
        link.run(ms(20_000), stall);
        assert_eq!(link.pauses, []);
        let calm = link.calm_after(ms(3600), ms(60));
        assert!(calm < ms(500), "after {calm:?}");
    }

    #[test]
    fn a_link_that_is_too_slow_for_good_is_left_to_the_adaptation() {
        // It carries four frames while five are sent.
        let mut link = Link::new(Some(Backlog::default()), 20_833);
        link.run(ms(120_000), |_, _| ());
        assert!((2..=6).contains(&link.pauses.len()), "{:?}", link.pauses);
        let rests = link.pauses.windows(2).map(|two| two[1].0 - two[0].0);
        assert!(
            rests.clone().all(|rest| rest >= REST) && rests.max().unwrap() > 4 * REST,
            "{:?}",
            link.pauses
        );
    }

    #[test]
    fn a_way_that_has_become_longer_is_paused_for_once() {
        let mut link = Link::new(Some(Backlog::default()), 5_000);
        link.run(ms(60_000), |link, n| {
            if n == 300 {
                link.way = ms(310);
            }
        });
        assert_eq!(link.pauses.len(), 1, "{:?}", link.pauses);
    }

    #[test]
    fn what_a_page_finds_when_it_wakes_is_no_queue() {
        let mut backlog = Backlog::default();
        let mut cross = |sent, came| {
            let crossing = Crossing { sent: ms(sent), took: ms(came - sent), uncertainty: ms(1) };
            backlog.crossed([crossing].into_iter(), ms(came + 50))
        };
        assert!((0..60).all(|n| cross(16 * n, 16 * n + 12).is_none()));
        // Five seconds of sleep: what the socket held is read at once.
        assert!((60..90).all(|n| cross(16 * n, 6000).is_none()));
        assert!((375..500).all(|n| cross(16 * n, 16 * n + 12).is_none()));
    }

    #[test]
    fn what_may_be_an_error_of_the_clocks_is_none() {
        let mut backlog = Backlog::default();
        for n in 0..600_u64 {
            // The page aligns its clock anew, and is off by 200 ms from then on.
            let took = if n < 300 { ms(10) } else { ms(210) };
            let crossing = Crossing { sent: ms(16 * n), took, uncertainty: ms(110) };
            assert_eq!(backlog.crossed([crossing].into_iter(), ms(16 * n) + took), None);
        }
    }
}
