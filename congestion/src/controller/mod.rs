//! Decision: what the link carries. It combines the siblings, each of which is one idea.
//!
//! ```text
//!              a queue stands                    it is empty again
//! Increase ─────────────────▶ Drain ───────────────────────────────▶ Hold ──long without a queue, a probe found room──▶ Increase
//!     ▲                         │ it does not empty though all of ours arrives
//!     │                         ▼
//!     └──── the queue goes ── Compete
//! any ──feedback stays away──▶ Silent ──it is back──▶ Hold
//! ```

mod queue;

use crate::{
    Bitrate, Bounds, DataSize, Output, Probe, Report, State,
    delay::QueueDelay,
    delivery::Delivery,
    loss::{self, Loss, Verdict},
    probing::{self, Answer, Probing},
    recovery::Recovery,
    rivals::Rivals,
    round_trips::RoundTrips,
    sequence::{News, Sequence},
    silence::Silence,
    usage::Usage,
};
use std::time::Duration;

/// No packet is larger (RFC 791, 3.1); what says so is not believed.
const LARGEST: DataSize = DataSize::from_bytes(65_535);

/// A queue stands when no packet of a tenth of a second waited less than this, and than another packet takes.
const STANDING: Duration = Duration::from_millis(4);
/// What a noisy link adds to that at most.
const MOST_NOISE: Duration = Duration::from_millis(12);
/// A queue that was told of so often stands.
const CONFIRMED: u32 = 2;

/// What of it is made while a long queue empties. The estimate stays above: the link carries it.
const DRAIN_LONG: f64 = 0.45;
/// A long one.
const LONG: Duration = Duration::from_millis(60);
/// A queue that no packet of the last moment was spared needs no confirmation.
const ALARMING: Duration = Duration::from_millis(15);
/// What of the link's rate is taken when the queue is empty.
const TAKEN: f64 = 0.92;

/// A usual packet.
const PACKET: DataSize = DataSize::from_bytes(1200);
/// Growth each second far from any known limit, and close to it.
const GROWTH_FAR: f64 = 0.15;
const GROWTH_NEAR: f64 = 0.02;
/// A limit is close within this factor.
const NEAR: f64 = 1.1;
/// A limit that was met so long ago is history.
const LIMIT_MEMORY: Duration = Duration::from_secs(20);
/// The estimate grows to so many times what has come of late at most.
const PROVEN: f64 = 1.5;

/// Packets leave so many times as fast as the estimate: a frame shall not wait for the next one's time.
const PACING: f64 = 2.5;
/// The same close to the link's limit: what it cannot carry at once waits here, where it can still be outrun by sound.
const PACING_NEAR: f64 = 1.15;
/// While a queue empties.
const PACING_DRAIN: f64 = 1.05;

/// The estimate never falls below this share of what arrives because of loss, nor because of others.
const ARRIVING: f64 = 0.85;

/// What was sent last has left any queue so long after it would have, by what is known of it.
const LEFT: Duration = Duration::from_millis(100);

/// A controller for one way. Times are durations since any fixed moment of the sender's clock.
#[derive(Debug)]
pub struct Controller {
    bounds: Bounds,
    estimate: Bitrate,
    state: State,
    sequence: Sequence,
    delay: QueueDelay,
    delivery: Delivery,
    loss: Loss,
    probing: Probing,
    usage: Usage,
    recovery: Recovery,
    round_trips: RoundTrips,
    /// The link's rate when a queue stood last, and when that was.
    limit: Option<(Bitrate, Duration)>,
    drain: Option<Drain>,
    /// In how many messages in a row a queue stood.
    standing_for: u32,
    rivals: Option<Rivals>,
    last_update: Duration,
    last_feedback: Option<Duration>,
    silence: Silence,
    /// The other end does not tell of what leaves, and never has.
    is_blind: bool,
    /// When the newest packet left that feedback has told of, and the newest of all.
    told_up_to: Duration,
    last_sent: Duration,
}

/// A queue that is being emptied.
#[derive(Debug, Clone, Copy)]
struct Drain {
    since: Duration,
    /// The estimate before.
    before: Bitrate,
    /// The queue when the lower rate had come through.
    begun_with: Option<Duration>,
    rate: Bitrate,
    /// A key frame has been asked for.
    has_replaced: bool,
}

impl Controller {
    /// Begins with an estimate that nothing speaks for yet.
    pub fn new(bounds: Bounds, start: Bitrate, now: Duration) -> Self {
        let mut controller = Self {
            bounds,
            estimate: start,
            state: State::Increase,
            sequence: Sequence::default(),
            delay: QueueDelay::default(),
            delivery: Delivery::default(),
            loss: Loss::default(),
            probing: Probing::new(now),
            usage: Usage::default(),
            recovery: Recovery::default(),
            round_trips: RoundTrips::default(),
            limit: None,
            drain: None,
            standing_for: 0,
            rivals: None,
            last_update: now,
            last_feedback: None,
            silence: Silence::default(),
            is_blind: false,
            told_up_to: Duration::ZERO,
            last_sent: now,
        };
        controller.set(start);
        controller
    }

    /// Other bounds. They count at once.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.set(self.estimate);
    }

    /// Packets leave that nobody will tell of: the other end has not agreed to it. What is not known limits nothing.
    pub fn nobody_tells(&mut self) {
        self.is_blind = self.last_feedback.is_none();
    }

    /// A packet has left that the other end has agreed to tell of.
    pub fn sent(&mut self, size: DataSize, at: Duration) {
        let size = size.min(LARGEST);
        self.usage.sent(size, at);
        self.probing.sent(size, at);
        self.silence.sent(at);
        self.last_sent = self.last_sent.max(at);
    }

    /// One message of transport-wide feedback has come.
    pub fn feedback(&mut self, reports: &[Report], now: Duration) {
        let mut is_news = false;
        for report in reports {
            let report = &Report { size: report.size.min(LARGEST), ..*report };
            let Some(news) = self.sequence.news(report, now) else { continue };
            is_news = true;
            self.told_up_to = self.told_up_to.max(report.sent);
            self.loss.told(report.sent, news);
            self.probing.told(report.sent, report.arrived, report.size);
            match news {
                News::Lost if report.is_picture => self.recovery.lost(report.sequence, report.size, now),
                News::ArrivedLate => self.recovery.came(report.sequence),
                _ => {}
            }
            if let (Some(arrived), News::Arrived) = (report.arrived, news) {
                self.delay.arrived(report.sent, arrived);
                self.delivery.arrived(report.sent, arrived, report.size);
                self.round_trips.heard(now - report.sent, now);
            }
        }
        if !is_news {
            return;
        }
        self.last_feedback = Some(now);
        self.is_blind = false;
        self.silence.heard(now);
        if self.state == State::Silent {
            self.resume(now);
        }
        self.delivery.note(now);
        self.update(now);
    }

    /// Time passes; to be called each 25 ms or so. A probe that is wanted is told once.
    pub fn poll(&mut self, now: Duration) -> Option<Probe> {
        self.listen(now);
        self.look_after_silence(now);
        let may_ask = match self.state {
            State::Increase | State::Hold => !self.loss.is_trying() && self.standing_for == 0,
            State::Drain | State::Compete | State::Silent => false,
        };
        if !may_ask || self.last_feedback.is_none() {
            return None;
        }
        self.probing.poll(self.estimate, self.bounds.max, self.is_idle(now), now)
    }

    /// Whether a key frame is wanted, since so much was lost that it is quicker than sending that again. Told once.
    pub fn wants_key_frame(&mut self, now: Duration) -> bool {
        let (rate, round_trip) = (self.estimate, self.round_trip());
        self.recovery.wants_key_frame(rate, round_trip, now)
    }

    /// Whether the link has become so narrow that what waits to leave is not worth sending any more: a key frame will be wanted
    /// within a moment.
    pub fn is_replacing(&self) -> bool {
        self.recovery.is_replacing()
    }

    /// A key frame is next to leave. Whether it is to, instead of what was lost and waits, or is itself too large for what the link
    /// has become, and the next one is waited for.
    pub fn key_frame_comes(&mut self, now: Duration) -> bool {
        self.recovery.key_frame_comes(now)
    }

    /// What it has come to.
    pub fn output(&self) -> Output {
        let pacing = match self.state {
            // Bursts would lose what the trial is about.
            State::Increase if self.loss.is_trying() => PACING_NEAR,
            State::Increase => PACING,
            State::Hold | State::Compete | State::Silent => PACING_NEAR,
            State::Drain => PACING_DRAIN,
        };
        let target = match self.drain {
            Some(drain) if self.delay.standing().is_some_and(|standing| standing > LONG) => {
                drain.rate.scaled(DRAIN_LONG).min(self.estimate).max(self.bounds.min)
            }
            _ => self.estimate,
        };
        // Whoever never tells anything is not throttled on a guess.
        let pacing_rate =
            if self.is_blind { self.bounds.max.scaled(PACING) } else { self.estimate.scaled(pacing) };
        Output {
            estimate: self.estimate,
            target,
            pacing_rate,
            queue_delay: self.delay.standing(),
            round_trip_time: self.round_trips.least(),
            loss: self.loss.share(),
            delivered: self.delivery.rate(),
        }
    }

    /// What limits the estimate.
    pub fn state(&self) -> State {
        self.state
    }

    fn set(&mut self, estimate: Bitrate) {
        self.estimate = estimate.max(self.bounds.min).min(self.bounds.max);
    }

    /// The sender leaves most of the estimate unused: nothing can be learned of what it would carry.
    fn is_idle(&self, now: Duration) -> bool {
        self.usage.rate(now) < self.estimate.scaled(0.6)
    }

    fn threshold(&self) -> Duration {
        STANDING + PACKET.at(self.estimate) + (2 * self.delay.noise()).min(MOST_NOISE)
    }

    fn round_trip(&self) -> Duration {
        self.round_trips.least().unwrap_or(Duration::from_millis(100))
    }

    fn update(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.last_update).min(Duration::from_millis(250));
        self.last_update = now;
        if self.loss.share() > loss::HOPELESS && !self.is_idle(now) {
            let factor = 1.0 - 0.5 * elapsed.as_secs_f64();
            let arriving = self.delivery.rate().unwrap_or_default().scaled(ARRIVING);
            self.set(self.estimate.scaled(factor).max(arriving.min(self.estimate)));
        }
        let Some(standing) = self.delay.standing() else { return };
        let has_queue = standing > self.threshold();
        self.standing_for = if has_queue { self.standing_for + 1 } else { 0 };
        if let Some(answer) = self.probing.answer(self.estimate, self.told_up_to, now) {
            self.answered(answer, now);
        }
        match self.state {
            State::Silent => {}
            State::Drain => self.drain(standing, now),
            State::Compete => self.compete(standing, elapsed, now),
            State::Increase | State::Hold => {
                let alarming = self.threshold() + ALARMING;
                let is_alarming = self.delay.momentary().is_some_and(|moment| moment > alarming);
                let stands = is_alarming || (self.standing_for >= CONFIRMED && !self.is_spared(now));
                if stands && !self.is_others(now) {
                    self.overuse(now);
                } else {
                    self.grow(standing, has_queue, elapsed, now);
                }
            }
        }
    }

    fn grow(&mut self, standing: Duration, has_queue: bool, elapsed: Duration, now: Duration) {
        if standing < STANDING {
            self.delay.learn(standing);
        }
        if self.is_idle(now) {
            // What is lost of next to nothing tells of nobody's fault.
            if let Some(rate) = self.loss.give_up() {
                self.set(self.estimate.max(rate));
            }
            return;
        }
        match self.loss.judge(has_queue, self.estimate, self.delivery.rate(), self.round_trip(), now) {
            Verdict::Nothing => {}
            Verdict::Try => {
                self.probing.hold_off(now);
                return self.set(self.estimate.scaled(loss::TRIAL));
            }
            Verdict::Wire(rate) => return self.set(self.estimate.max(rate)),
            Verdict::Own(delivered) => {
                self.limit = Some((delivered, now));
                self.state = State::Hold;
                self.probing.limited(now);
                // The trial's own rate was carried.
                return self.set(self.estimate.max(delivered.scaled(TAKEN)));
            }
        }
        let is_well = !has_queue && !self.loss.is_trying() && self.loss.share() <= self.loss.tolerated();
        if let (true, Some(rate), Some(sent)) = (is_well, self.delivery.rate(), self.delivery.sent_rate()) {
            // So much left, and so much came, without a queue: the link carries it.
            let proven = rate.min(sent).scaled(TAKEN);
            if proven > self.estimate {
                self.limit = self.limit.filter(|(limit, _)| *limit > proven);
                self.set(proven);
            }
        }
        if self.loss.is_trying() || has_queue {
            return;
        }
        self.state = self.state_of_growth(now);
        let near = self.state != State::Increase;
        let growth = if near { GROWTH_NEAR } else { GROWTH_FAR };
        let grown = self.estimate.scaled(1.0 + growth * elapsed.as_secs_f64());
        // A packet for each round trip and message at least (draft-ietf-rmcat-gcc-02, 5.5): of a low rate a share is next to nothing.
        let packet = PACKET.per(self.round_trip() + Duration::from_millis(100));
        let grown = grown.max(self.estimate + packet.unwrap_or_default().scaled(elapsed.as_secs_f64()));
        let proven = self.delivery.peak().map_or(self.estimate, |peak| peak.scaled(PROVEN));
        self.set(grown.min(proven.max(self.estimate)));
    }

    fn state_of_growth(&self, now: Duration) -> State {
        let is_near = self
            .limit
            .is_some_and(|(limit, at)| now < at + LIMIT_MEMORY && self.estimate < limit.scaled(NEAR));
        if is_near { State::Hold } else { State::Increase }
    }

    fn answered(&mut self, answer: Answer, now: Duration) {
        match answer {
            Answer::Room(rate) if rate > self.estimate => {
                self.set(rate);
                self.limit = None;
                if self.state == State::Hold {
                    self.state = State::Increase;
                }
            }
            Answer::Limit(rate) => {
                self.limit = Some((rate.scaled(1.0 / probing::TRUST), now));
                self.set(self.estimate.max(rate.scaled(TAKEN)));
            }
            Answer::Room(_) | Answer::Nothing => {}
        }
    }

    /// Notes when feedback stays away.
    fn listen(&mut self, now: Duration) {
        if !self.silence.is_due(self.round_trip(), now) {
            return;
        }
        // Each time that long again, half of it.
        self.state = State::Silent;
        (self.drain, self.rivals) = (None, None);
        self.set(self.estimate.scaled(0.5));
    }

    /// A screen that has come to rest leaves its last packets as all that is known of a queue, which has emptied since.
    fn look_after_silence(&mut self, now: Duration) {
        let standing = self.delay.standing().unwrap_or_default();
        if standing == Duration::ZERO || now < self.last_sent + standing + self.round_trip() + LEFT {
            return;
        }
        self.delay.emptied();
        self.standing_for = 0;
        if let Some(drain) = self.drain.take() {
            self.state = State::Hold;
            self.set(self.estimate.max(drain.rate.scaled(TAKEN)));
            self.probing.hold_off(now);
        }
    }

    /// Feedback is back.
    fn resume(&mut self, now: Duration) {
        self.state = State::Hold;
        self.standing_for = 0;
        // It may have slept, moved, or come to another way.
        self.delay.forget();
        self.loss.forget();
        self.probing.hold_off(now);
    }
}
