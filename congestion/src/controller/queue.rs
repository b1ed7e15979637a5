//! Decision: what to do about a queue that stands: empty it, if it is ours, defend the share, if it is somebody else's.

use super::*;

/// A queue is empty below this.
const EMPTY: Duration = Duration::from_millis(3);
/// What of the rate at which packets come is sent while a queue empties.
const DRAIN: f64 = 0.82;
/// What will have waited for so long was overtaken by what is on the screen.
const HOPELESSLY_LATE: Duration = Duration::from_millis(250);
/// A queue that is gone when the packets are told of that left so soon after the rate went down is not gone because of that: a
/// receiver had no processor for a moment, or a radio no air.
const SPURIOUS: Duration = Duration::from_millis(30);
/// A queue that does not empty so long after it should have is not ours.
const PATIENCE: Duration = Duration::from_millis(400);
/// Against others: growth each second, what is lost before it yields, and what it yields.
const GROWTH_RIVALS: f64 = 0.06;
const RIVALS_LOSS: f64 = 0.01;
const YIELD: f64 = 0.8;
/// What is lost for other reasons makes nobody yield below this share of what the link carried before they came, unless so much is
/// lost that others cannot be the reason.
const LEAST_SHARE: f64 = 0.2;
const MUCH_LOSS: f64 = 0.1;
/// Where so little comes that it makes no rate, a queue says that the estimate is far too high.
const NO_RATE: f64 = 0.5;
/// Below this share of what the link carried before they came it grows faster.
const SMALL_SHARE: f64 = 0.4;

impl Controller {
    /// A queue stands while next to nothing of ours is sent.
    pub(super) fn is_others(&self, now: Duration) -> bool {
        self.is_idle(now) && self.usage.rate(now) < self.estimate.scaled(0.2)
    }

    /// A short queue stands, but all that is sent comes, and most of the estimate is not used: it is not for us to yield.
    pub(super) fn is_spared(&self, now: Duration) -> bool {
        self.is_idle(now)
            && matches!((self.delivery.rate(), self.delivery.sent_rate()), (Some(came), Some(left)) if came >= left.scaled(0.95))
    }

    /// What the link carries, if a queue stands. After a pause that is the rate of what has queued since, and nothing before it.
    fn busy_rate(&self) -> Option<Bitrate> {
        let empty = EMPTY + self.delay.noise();
        let is_queued = |sent, arrived| self.delay.waited(sent, arrived).is_some_and(|waited| waited > empty);
        self.delivery.rate().max(self.delivery.busy_rate(is_queued))
    }

    pub(super) fn overuse(&mut self, now: Duration) {
        let known = self.busy_rate();
        let rate = known.unwrap_or(self.estimate.scaled(NO_RATE));
        self.limit = known.map(|rate| (rate, now)).or(self.limit);
        self.drain =
            Some(Drain { since: now, before: self.estimate, begun_with: None, rate, has_replaced: false });
        self.state = State::Drain;
        self.probing.hold_off(now);
        self.replace_what_is_late(rate, now);
        self.set(self.estimate.min(rate.scaled(DRAIN)));
    }

    /// What has left and was not told of waits behind what stands in the queue, and takes longer to come than it took to leave.
    fn replace_what_is_late(&mut self, rate: Bitrate, now: Duration) {
        let Some(drain) = self.drain.as_mut().filter(|drain| !drain.has_replaced) else { return };
        let on_the_way = self.usage.since(self.told_up_to).at(rate);
        let took = now.saturating_sub(self.told_up_to);
        let late = self.delay.momentary().unwrap_or_default() + on_the_way.saturating_sub(took);
        if late > HOPELESSLY_LATE {
            drain.has_replaced = true;
            self.recovery.replace(now);
        }
    }

    pub(super) fn drain(&mut self, standing: Duration, now: Duration) {
        let (rate, busy) = (self.delivery.rate(), self.busy_rate());
        let Some(drain) = &mut self.drain else { return };
        if standing < EMPTY + self.delay.noise() {
            let (rate, before) = (drain.rate, drain.before);
            let is_ours = self.told_up_to > drain.since + SPURIOUS;
            self.drain = None;
            self.state = State::Hold;
            if !is_ours {
                self.limit = None;
                return self.set(self.estimate.max(before));
            }
            self.set(self.estimate.max(rate.scaled(TAKEN)));
            self.probing.hold_off(now);
            return;
        }
        let response = self.round_trips.least().unwrap_or_default() + Duration::from_millis(150);
        if now < drain.since + response {
            // What is told of left before the rate went down. All of it went through the full queue: this is the link's rate.
            if let Some(rate) = busy {
                drain.rate = rate;
                self.limit = Some((rate, now));
                self.replace_what_is_late(rate, now);
                self.set(rate.scaled(DRAIN));
            }
            return;
        }
        let from = *drain.begun_with.get_or_insert(standing);
        let Some(rate) = rate else {
            if now > drain.since + 2 * response && standing > from + STANDING {
                let rate = drain.rate.scaled(NO_RATE);
                *drain = Drain { since: now, begun_with: None, rate, ..*drain };
                self.set(self.estimate.scaled(NO_RATE));
            }
            return;
        };
        let Some(sent) = self.delivery.sent_rate() else { return };
        let expected = from.mul_f64(1.0 / (1.0 - DRAIN)) + PATIENCE;
        if rate < sent.scaled(0.95) && standing > from + STANDING {
            // The link carries less than it did.
            *drain = Drain { since: now, begun_with: None, rate, ..*drain };
            self.limit = Some((rate, now));
            self.set(self.estimate.min(rate.scaled(DRAIN)));
        } else if now > drain.since + response + expected && rate >= sent.scaled(0.95) {
            if standing <= from.mul_f64(0.6) {
                // It empties, if slowly.
                (drain.since, drain.begun_with) = (now.saturating_sub(response), Some(standing));
                return;
            }
            // All of ours arrives, and the queue does not care: it is somebody else's.
            let (rate, before) = (drain.rate, drain.before);
            self.drain = None;
            self.rivals = Some(Rivals::new(standing, before, now));
            self.state = State::Compete;
            self.set(self.estimate.max(rate));
        }
    }

    /// Others keep the queue full. The share is defended as they defend theirs: it grows until packets are lost.
    pub(super) fn compete(&mut self, standing: Duration, elapsed: Duration, now: Duration) {
        let is_idle = self.is_idle(now);
        let Some(rivals) = &mut self.rivals else { return };
        if rivals.have_gone(standing, STANDING + self.delay.noise(), now) {
            self.rivals = None;
            self.state = State::Hold;
            return;
        }
        let delivered = self.delivery.rate().unwrap_or(self.estimate);
        let sent = self.delivery.sent_rate().unwrap_or(delivered);
        if rivals.is_outgrown(standing) && delivered < sent.scaled(0.95) {
            // What is more than theirs is ours.
            self.rivals = None;
            return self.overuse(now);
        }
        let lost = self.loss.share();
        if lost > RIVALS_LOSS {
            if rivals.may_yield(self.round_trips.least().unwrap_or_default(), now) {
                let left = self.estimate.min(delivered).scaled(YIELD).max(delivered.scaled(ARRIVING));
                let least =
                    if lost < MUCH_LOSS { rivals.before().scaled(LEAST_SHARE) } else { Bitrate::ZERO };
                self.set(left.max(least).min(self.estimate));
            }
        } else if !is_idle {
            let mut grown = self.estimate.scaled(1.0 + GROWTH_RIVALS * elapsed.as_secs_f64());
            if self.estimate < rivals.before().scaled(SMALL_SHARE) {
                // As TCP does it, by a packet each round trip, half as fast.
                let round_trip = self.round_trips.least().unwrap_or_default() + standing;
                let packet = PACKET.per(round_trip).unwrap_or_default();
                let added = packet.scaled(0.5 * elapsed.as_secs_f64() / round_trip.as_secs_f64().max(0.02));
                grown = grown.max(self.estimate + added);
            }
            self.set(grown.min(delivered.scaled(PROVEN).max(self.estimate)));
        }
    }
}
