//! Decision: what a gamepad's motors do. The effects that programs have uploaded and play become the strength of both motors over
//! time, as the kernel does it for pads that know no effects (`ff-memless`), and that becomes what a page is told, and when. It
//! reads no clock: times are those since any beginning.

use std::{collections::BTreeMap, time::Duration};
use vdi_protocol::{gamepad::Rumble, limits::MAX_RUMBLE_MS};

/// Effects that a gamepad keeps at a time, as pads of xpad do.
pub const MAX_EFFECTS: u32 = 16;
/// Messages come no sooner after one another: a frame of a browser, which cannot do more. What a game does meanwhile is told then.
const PAUSE: Duration = Duration::from_millis(16);
/// What goes on is told anew so long before it would stop by itself, which is time for a network at its worst.
const AHEAD: Duration = Duration::from_secs(1);
/// Full strength, and full gain.
const FULL: u32 = 0xffff;

/// An effect as a program has uploaded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// The heavy motor, of 65535.
    pub strong: u16,
    /// The light one.
    pub weak: u16,
    /// How long it lasts; none for until it is stopped.
    pub length: Option<Duration>,
    /// Silence before it, each time.
    pub delay: Duration,
}

/// One that is being played.
#[derive(Debug, Clone, Copy)]
struct Run {
    starts: Duration,
    ends: Option<Duration>,
    /// How often it is still to be played, this time included.
    times: i32,
}

impl Run {
    fn new(effect: &Effect, at: Duration, times: i32) -> Self {
        let starts = at + effect.delay;
        Self { starts, ends: effect.length.map(|length| starts + length), times }
    }
}

/// Strength of both motors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Level {
    strong: u16,
    weak: u16,
}

/// What the page knows.
#[derive(Debug, Clone, Copy)]
struct Told {
    level: Level,
    at: Duration,
    until: Duration,
}

/// The motors of one gamepad.
#[derive(Debug)]
pub struct Motors {
    effects: BTreeMap<i16, Effect>,
    runs: BTreeMap<i16, Run>,
    gain: u16,
    told: Option<Told>,
}

impl Default for Motors {
    fn default() -> Self {
        Self { effects: BTreeMap::new(), runs: BTreeMap::new(), gain: u16::MAX, told: None }
    }
}

impl Motors {
    /// A program uploads an effect, or another one in the place of one that may be playing and then begins anew.
    pub fn upload(&mut self, id: i16, effect: Effect, now: Duration) {
        self.effects.insert(id, effect);
        if let Some(run) = self.runs.get_mut(&id) {
            *run = Run::new(&effect, now, run.times);
        }
    }

    /// A program needs an effect no more, or has ended.
    pub fn erase(&mut self, id: i16) {
        self.effects.remove(&id);
        self.runs.remove(&id);
    }

    /// A program plays an effect so many times from now on; 0 stops it.
    pub fn play(&mut self, id: i16, times: i32, now: Duration) {
        match self.effects.get(&id) {
            Some(effect) if times > 0 => self.runs.insert(id, Run::new(effect, now, times)),
            _ => self.runs.remove(&id),
        };
    }

    /// Strength of everything, of 65535.
    pub fn set_gain(&mut self, gain: u16) {
        self.gain = gain;
    }

    /// Who listens knows nothing: it is another one, or the same again. Returns whether the one before it shakes.
    pub fn forget(&mut self, now: Duration) -> bool {
        let told = self.told.take();
        told.is_some_and(|told| told.level != Level::default() && told.until > now)
    }

    /// What the page is to be told now of its gamepad `index`, and when this is to be asked again.
    pub fn tell(&mut self, index: u8, now: Duration) -> (Option<Rumble>, Option<Duration>) {
        self.go_on(now);
        let level = self.level(now);
        let change = self.next_change(now);
        let news = match self.told {
            // It has stopped by itself.
            Some(told) if told.until <= now && level == Level::default() => {
                self.told = None;
                false
            }
            Some(told) if told.level == level && level == Level::default() => false,
            Some(told) if told.level == level => told.until <= now + AHEAD && change != Some(told.until),
            Some(_) => true,
            None => level != Level::default(),
        };
        if let Some(pause) = self.told.map(|told| told.at + PAUSE).filter(|pause| news && now < *pause) {
            return (None, Some(pause));
        }
        if news {
            let longest = now + Duration::from_millis(MAX_RUMBLE_MS.into());
            let until = change.map_or(longest, |change| change.min(longest));
            self.told = Some(Told { level, at: now, until });
        }
        let message = news.then(|| match level {
            Level { strong: 0, weak: 0 } => Rumble { index, ..Rumble::default() },
            Level { strong, weak } => {
                let until = self.told.map_or(now, |told| told.until);
                // At most MAX_RUMBLE_MS.
                Rumble { index, strong, weak, duration_ms: (until - now).as_millis() as u32 }
            }
        });
        // Whatever ends at its next change is told of what comes then; the rest anew in time.
        let anew = self.told.filter(|told| told.level != Level::default() && change != Some(told.until));
        let anew = anew.map(|told| told.until.saturating_sub(AHEAD).max(now + PAUSE));
        (message, [change, anew].into_iter().flatten().min())
    }

    /// Ends what is over, and begins again what is to be repeated.
    fn go_on(&mut self, now: Duration) {
        let effects = &self.effects;
        self.runs.retain(|id, run| {
            while let (Some(ends), Some(effect)) = (run.ends.filter(|ends| *ends <= now), effects.get(id)) {
                if run.times <= 1 {
                    return false;
                }
                *run = Run::new(effect, ends, run.times - 1);
            }
            true
        });
    }

    fn level(&self, now: Duration) -> Level {
        let playing = self.runs.iter().filter(|(_, run)| run.starts <= now);
        let effects: Vec<_> = playing.filter_map(|(id, _)| self.effects.get(id)).collect();
        let sum = |motor: fn(&Effect) -> u16| {
            let strength = |effect: &&Effect| u32::from(motor(effect)) * u32::from(self.gain) / FULL;
            // There are sixteen at most, and the sum is held to 65535.
            effects.iter().map(strength).sum::<u32>().min(FULL) as u16
        };
        Level { strong: sum(|effect| effect.strong), weak: sum(|effect| effect.weak) }
    }

    fn next_change(&self, now: Duration) -> Option<Duration> {
        let times = self.runs.values().flat_map(|run| [Some(run.starts), run.ends]);
        times.flatten().filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn effect(strong: u16, weak: u16, length_ms: u32) -> Effect {
        Effect { strong, weak, length: (length_ms > 0).then(|| MS * length_ms), delay: Duration::ZERO }
    }

    /// What is told until a time, as milliseconds, strong, weak, duration.
    fn told(motors: &mut Motors, from_ms: u32, to_ms: u32) -> Vec<(u32, u16, u16, u32)> {
        let mut told = Vec::new();
        let mut at = MS * from_ms;
        while at < MS * to_ms {
            let (message, again) = motors.tell(0, at);
            told.extend(message.map(|m| (at.as_millis() as u32, m.strong, m.weak, m.duration_ms)));
            let Some(again) = again else { break };
            assert!(again > at, "it has to go on");
            at = again;
        }
        told
    }

    #[test]
    fn effect_is_told_once_with_its_duration_and_ends_by_itself() {
        let mut motors = Motors::default();
        motors.upload(0, effect(0xffff, 0x4000, 250), Duration::ZERO);
        assert_eq!(told(&mut motors, 0, 100), [], "not before it is played");
        motors.play(0, 1, MS * 100);
        assert_eq!(told(&mut motors, 100, 10_000), [(100, 0xffff, 0x4000, 250)]);
    }

    #[test]
    fn effect_that_is_stopped_or_erased_stops_the_motors() {
        for stop in [|motors: &mut Motors| motors.play(3, 0, MS * 50), |motors: &mut Motors| motors.erase(3)]
        {
            let mut motors = Motors::default();
            motors.upload(3, effect(1, 0, 1000), Duration::ZERO);
            motors.play(3, 1, Duration::ZERO);
            assert_eq!(told(&mut motors, 0, 1), [(0, 1, 0, 1000)]);
            stop(&mut motors);
            assert_eq!(told(&mut motors, 50, 10_000), [(50, 0, 0, 0)]);
        }
    }

    #[test]
    fn endless_effect_is_told_anew_before_the_page_would_stop() {
        let mut motors = Motors::default();
        motors.upload(0, effect(9, 9, 0), Duration::ZERO);
        motors.play(0, 1, Duration::ZERO);
        let anew = [(0, 9, 9, 5000), (4000, 9, 9, 5000), (8000, 9, 9, 5000)];
        assert_eq!(told(&mut motors, 0, 10_000), anew);
    }

    #[test]
    fn delay_and_repeats_are_kept() {
        let mut motors = Motors::default();
        motors.upload(0, Effect { delay: MS * 100, ..effect(7, 0, 200) }, Duration::ZERO);
        motors.play(0, 3, Duration::ZERO);
        assert_eq!(told(&mut motors, 0, 10_000), [(100, 7, 0, 200), (400, 7, 0, 200), (700, 7, 0, 200)]);
    }

    #[test]
    fn effects_add_up_to_full_strength_at_most_and_gain_is_for_all() {
        let mut motors = Motors::default();
        motors.upload(0, effect(0xc000, 0x1000, 1000), Duration::ZERO);
        motors.upload(1, effect(0xc000, 0x1000, 500), Duration::ZERO);
        motors.play(0, 1, Duration::ZERO);
        motors.play(1, 1, Duration::ZERO);
        assert_eq!(told(&mut motors, 0, 400), [(0, 0xffff, 0x2000, 500)]);
        assert_eq!(told(&mut motors, 500, 501), [(500, 0xc000, 0x1000, 500)]);
        motors.set_gain(0x7fff);
        assert_eq!(told(&mut motors, 600, 601), [(600, 0x5fff, 0x07ff, 400)]);
        motors.set_gain(0);
        assert_eq!(told(&mut motors, 700, 701), [(700, 0, 0, 0)]);
    }

    #[test]
    fn game_that_changes_its_mind_all_the_time_is_told_once_a_frame_and_its_last_word_counts() {
        let mut motors = Motors::default();
        let mut messages = Vec::new();
        for ms in 0..160 {
            motors.upload(0, effect(ms as u16 + 1, 0, 1000), MS * ms);
            motors.play(0, 1, MS * ms);
            messages.extend(motors.tell(0, MS * ms).0);
        }
        assert_eq!(messages.len(), 10);
        motors.play(0, 0, MS * 160);
        assert_eq!(told(&mut motors, 160, 1000), [(160, 0, 0, 0)]);
        motors.play(0, 1, MS * 161);
        assert_eq!(motors.tell(0, MS * 161), (None, Some(MS * 176)));
    }

    #[test]
    fn who_comes_while_it_shakes_is_told_and_the_one_before_has_to_be_stilled() {
        let mut motors = Motors::default();
        motors.upload(0, effect(5, 6, 1000), Duration::ZERO);
        motors.play(0, 1, Duration::ZERO);
        assert!(!motors.forget(Duration::ZERO), "nobody knows anything");
        assert_eq!(told(&mut motors, 0, 1).len(), 1);
        assert!(motors.forget(MS * 300));
        assert_eq!(told(&mut motors, 300, 301), [(300, 5, 6, 700)]);
        assert!(!motors.forget(MS * 1000), "it has ended by itself");
    }

    #[test]
    fn unknown_effects_are_nothing_and_one_that_is_changed_while_it_plays_begins_anew() {
        let mut motors = Motors::default();
        motors.play(7, 1, Duration::ZERO);
        assert_eq!(motors.tell(0, Duration::ZERO), (None, None));
        motors.upload(0, effect(5, 6, 1000), Duration::ZERO);
        motors.play(0, 1, Duration::ZERO);
        assert_eq!(told(&mut motors, 0, 1), [(0, 5, 6, 1000)]);
        motors.upload(0, effect(8, 8, 1000), MS * 600);
        assert_eq!(told(&mut motors, 600, 5000), [(600, 8, 8, 1000)]);
    }
}
