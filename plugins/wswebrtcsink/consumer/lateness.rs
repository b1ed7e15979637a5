//! Decision: which frames are sent to a consumer that does not take them as fast as they come. Late frames are dropped
//! up to a fresh key frame, so that latency which has risen is gone within a second, rather than borne for ever.
//!
//! ```text
//!     late for long, or very late, or a gap in the stream: ask for a key frame; or a pause
//!   Sending ────────────────────────────────────────────────────────▶ Skipping
//!      │ ▲                                                                │  ▲
//!      │ └──────────────────────── a key frame ───────────────────────────┘  │
//!      └──── the pacer holds too much ────▶ Blocked ── it is empty: ask ──────┘
//! ```

use std::time::Duration;

/// A frame that has waited longer is late. A key frame that takes as long to send delays those after it, which is not
/// worth another key frame yet.
pub const LATE: Duration = Duration::from_millis(100);

/// Frames may be late for so long: a burst passes in the meantime.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// A frame that has waited for so long is not sent at all, unless it is a key frame.
pub const TOO_LATE: Duration = Duration::from_millis(400);

/// When what the pacer holds takes longer to leave than this, nothing is put behind it. Frames that are spread as they should be
/// take a few milliseconds; this is what a link that has suddenly become narrow leaves behind.
pub const MOST_AHEAD: Duration = Duration::from_millis(200);

/// And nothing until it takes less than this.
pub const LITTLE_AHEAD: Duration = Duration::from_millis(20);

/// What a key frame takes beyond that is borne up to this: another one instead of it would take as long.
pub const MOST_FOR_KEY: Duration = Duration::from_millis(800);

/// From one key frame that is asked for because of what the pacer holds to the next; each that follows at once takes twice as long.
pub const APART: Duration = Duration::from_millis(500);
/// Up to this.
pub const MOST_APART: Duration = Duration::from_secs(4);

/// A frame whose turn has come.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// It needs no other to be decoded.
    pub is_key: bool,
    /// Something before it is missing.
    pub follows_gap: bool,
    /// Nothing is to be sent now: what was sent before stands in a queue on the way.
    pub paused: bool,
    /// For how long it has waited; `None` if that is not known.
    pub waited: Option<Duration>,
    /// How long the packets that wait before it will take.
    pub ahead: Duration,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent.
    Send,
    /// It is dropped.
    Drop,
    /// It is dropped, and a key frame is asked for.
    DropAndAsk,
}

/// Judges the frames of one consumer. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub struct Lateness {
    /// No frame can be decoded until a key frame comes.
    skipping: bool,
    /// Nothing is sent until the pacer is empty.
    blocked: bool,
    /// Since when every frame has been late.
    late_since: Option<Duration>,
    /// A key frame was sent last: how much was before it.
    before_key: Option<Duration>,
    /// What the last key frame takes to leave, until the pacer is empty again.
    key_time: Duration,
    /// When a key frame was asked for because of what the pacer held, and how long to wait for the next.
    asked: Option<(Duration, Duration)>,
}

impl Lateness {
    /// What becomes of the frame whose turn it is.
    pub fn judge(&mut self, turn: Turn, now: Duration) -> Verdict {
        if turn.paused {
            // Whoever paused asks for the key frame when it is over.
            self.skip();
            return Verdict::Drop;
        }
        if let Some(before) = self.before_key.take() {
            self.key_time = turn.ahead.saturating_sub(before).min(MOST_FOR_KEY);
        }
        if turn.ahead <= LITTLE_AHEAD {
            self.key_time = Duration::ZERO;
        }
        if turn.ahead > if self.blocked { LITTLE_AHEAD } else { MOST_AHEAD + self.key_time } {
            // A key frame would be late as well, and what is between it and the next could not be shown.
            self.skip();
            self.blocked = true;
            return Verdict::Drop;
        }
        if self.blocked && !turn.is_key && !self.may_ask(now) {
            return Verdict::Drop;
        }
        let was_blocked = std::mem::take(&mut self.blocked);
        if turn.is_key {
            // Also a late one: nothing better is under way, and what waits behind it is judged by itself.
            self.skipping = false;
            self.before_key = Some(turn.ahead);
            return Verdict::Send;
        }
        if was_blocked {
            return Verdict::DropAndAsk;
        }
        if self.skipping {
            return Verdict::Drop;
        }
        let waited = turn.waited.unwrap_or_default();
        if waited <= LATE {
            self.late_since = None;
        }
        let since = (waited > LATE).then(|| *self.late_since.get_or_insert(now));
        let too_long = since.is_some_and(|since| now.saturating_sub(since) >= PATIENCE);
        if turn.follows_gap || too_long || waited > TOO_LATE {
            self.skip();
            return Verdict::DropAndAsk;
        }
        Verdict::Send
    }

    /// Nothing can be decoded until a key frame comes.
    fn skip(&mut self) {
        *self = Self { skipping: true, asked: self.asked, ..Self::default() };
    }

    /// Whether it is time to ask for a key frame again, noting that it is done.
    fn may_ask(&mut self, now: Duration) -> bool {
        let apart = match self.asked {
            Some((at, apart)) if now < at + apart => return false,
            // It did not last.
            Some((at, apart)) if now < at + 4 * apart => (2 * apart).min(MOST_APART),
            _ => APART,
        };
        self.asked = Some((now, apart));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn delta(waited_ms: u64) -> Turn {
        Turn { waited: Some(ms(waited_ms)), is_key: false, ..KEY }
    }

    const KEY: Turn = Turn {
        is_key: true,
        follows_gap: false,
        paused: false,
        waited: Some(Duration::ZERO),
        ahead: Duration::ZERO,
    };

    #[test]
    fn a_burst_passes() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.judge(KEY, ms(0)), Verdict::Send);
        // A key frame took 200 ms to send; what waited behind it goes out faster than it came.
        for (now, waited) in [(200, 180), (205, 168), (210, 155), (220, 130), (230, 99), (240, 20)] {
            assert_eq!(lateness.judge(delta(waited), ms(now)), Verdict::Send, "at {now} ms");
        }
        // A later one counts from its own beginning.
        assert_eq!(lateness.judge(delta(150), ms(1000)), Verdict::Send);
        assert_eq!(lateness.judge(delta(150), ms(1240)), Verdict::Send);
    }

    #[test]
    fn lateness_that_lasts_ends_with_a_key_frame() {
        let mut lateness = Lateness::default();
        let judged: Vec<_> = (0..20).map(|n| lateness.judge(delta(120), ms(16 * n))).collect();
        // 250 ms of it, at frames of 16 ms.
        let expected: Vec<_> = (0..16).map(|_| Verdict::Send).chain([Verdict::DropAndAsk]).collect();
        assert_eq!(judged[..17], expected);
        assert!(judged[17..].iter().all(|verdict| *verdict == Verdict::Drop));
        assert_eq!(lateness.judge(KEY, ms(400)), Verdict::Send);
        assert_eq!(lateness.judge(delta(120), ms(416)), Verdict::Send, "counted anew");
    }

    #[test]
    fn a_frame_that_is_too_late_is_not_sent() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.judge(delta(401), ms(0)), Verdict::DropAndAsk);
        assert_eq!(lateness.judge(delta(0), ms(10)), Verdict::Drop, "it cannot be decoded");
        let late_key = Turn { waited: Some(ms(900)), ..KEY };
        assert_eq!(lateness.judge(late_key, ms(20)), Verdict::Send);
        assert_eq!(lateness.judge(delta(0), ms(30)), Verdict::Send);
    }

    #[test]
    fn after_a_gap_nothing_is_sent_until_a_key_frame_comes() {
        let mut lateness = Lateness::default();
        let gap = Turn { follows_gap: true, ..delta(0) };
        let turns = [KEY, gap, delta(0), gap, KEY, delta(0)];
        let judged: Vec<_> = turns.into_iter().map(|turn| lateness.judge(turn, ms(0))).collect();
        use Verdict::{Drop, DropAndAsk, Send};
        assert_eq!(judged, [Send, DropAndAsk, Drop, Drop, Send, Send]);
    }

    #[test]
    fn after_a_pause_it_goes_on_with_a_key_frame_of_its_own() {
        let mut lateness = Lateness::default();
        let during = |turn| Turn { paused: true, ..turn };
        let turns = [KEY, during(delta(0)), during(KEY), delta(0), KEY, delta(0)];
        let judged: Vec<_> = turns.into_iter().map(|turn| lateness.judge(turn, ms(0))).collect();
        use Verdict::{Drop, Send};
        assert_eq!(judged, [Send, Drop, Drop, Drop, Send, Send]);
    }

    #[test]
    fn what_the_pacer_cannot_get_rid_of_is_let_out_before_anything_is_put_behind_it() {
        let mut lateness = Lateness::default();
        let behind = |turn, ahead_ms| Turn { ahead: ms(ahead_ms), ..turn };
        use Verdict::{Drop, DropAndAsk, Send};
        for (turn, verdict) in [
            (KEY, Send),
            (delta(0), Send),
            (behind(delta(0), 200), Send),
            (behind(delta(0), 201), Drop),
            (behind(KEY, 120), Drop),
            (behind(delta(0), 21), Drop),
            (behind(delta(0), 20), DropAndAsk),
            (behind(delta(0), 0), Drop),
            (behind(KEY, 0), Send),
            (behind(delta(0), 100), Send),
        ] {
            assert_eq!(lateness.judge(turn, ms(0)), verdict, "{turn:?}");
        }
    }

    #[test]
    fn a_key_frame_that_takes_long_is_not_replaced_by_another() {
        let mut lateness = Lateness::default();
        let behind = |turn, ahead_ms| Turn { ahead: ms(ahead_ms), ..turn };
        // It takes 500 ms to leave; what comes after it waits behind it.
        assert_eq!(lateness.judge(behind(KEY, 10), ms(0)), Verdict::Send);
        for (at, ahead) in [(16, 510), (100, 480), (400, 300), (700, 15)] {
            assert_eq!(lateness.judge(behind(delta(0), ahead), ms(at)), Verdict::Send, "at {at} ms");
        }
        assert_eq!(lateness.judge(behind(delta(0), 210), ms(800)), Verdict::Drop, "that time is over");
    }

    /// A link on which every key frame blocks it again: when one is asked for, in ms.
    #[test]
    fn where_key_frames_do_not_help_they_are_asked_for_ever_less_often() {
        let mut lateness = Lateness::default();
        let (mut asked, mut key_due, mut busy_until) = (Vec::new(), Some(0), 0);
        for at in (0..20_000).step_by(20) {
            let is_key = key_due.is_some_and(|due| at >= due);
            let turn = if is_key { KEY } else { delta(0) };
            match lateness.judge(Turn { ahead: ms(u64::saturating_sub(busy_until, at)), ..turn }, ms(at)) {
                Verdict::Send if is_key => (key_due, busy_until) = (None, at + 1500),
                Verdict::DropAndAsk => {
                    asked.push(at);
                    key_due = Some(at + 20);
                }
                _ => {}
            }
        }
        let apart: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(apart.iter().skip(3).all(|apart| *apart >= 3000), "{apart:?}");
        assert!(!apart.is_empty());
    }

    #[test]
    fn without_a_clock_nothing_is_late() {
        let mut lateness = Lateness::default();
        let unknown = Turn { waited: None, ..delta(0) };
        assert!((0..100).all(|n| lateness.judge(unknown, ms(16 * n)) == Verdict::Send));
    }

    /// A link that carries four frames while five come: how long frames wait, and how often it is reset.
    #[test]
    fn on_a_link_that_is_too_slow_the_wait_is_bounded() {
        let mut lateness = Lateness::default();
        let (mut link_free, mut worst, mut asked, mut key_due) = (0, 0, 0, None);
        for n in 0..3600u64 {
            let came = 16 * n;
            // A key frame comes 50 ms after it was asked for, and takes four times as long to send.
            let is_key = key_due.is_some_and(|due| came >= due);
            let turn_at = came.max(link_free);
            let waited = turn_at - came;
            let turn = Turn { is_key, ..delta(waited) };
            match lateness.judge(turn, ms(turn_at)) {
                Verdict::Send => {
                    worst = worst.max(waited);
                    link_free = turn_at + if is_key { 80 } else { 20 };
                    if is_key {
                        key_due = None;
                    }
                }
                Verdict::Drop => {}
                Verdict::DropAndAsk => {
                    asked += 1;
                    key_due = Some(turn_at + 50);
                }
            }
        }
        assert!(worst <= 200, "a frame waited for {worst} ms");
        // Each is sent, is late after 150 ms, and is borne with for 250 ms.
        assert!((20..=120).contains(&asked), "{asked} key frames in a minute");
    }
}
