//! Decision: what the consumers say, for as long as it is fresh, and the worst of it. All viewers share one stream, so
//! it must suit the weakest. Refuses to act on it.

use crate::adaptiveencbin::{feedback::Feedback, rate::Bitrate};
use std::{collections::BTreeMap, time::Duration};

/// A consumer reports once a second; what it said so long ago is no longer so.
const EXPIRY: Duration = Duration::from_secs(5);

/// Consumers that are listened to. A sink serves 16 unless told otherwise.
const MAX_PEERS: usize = 64;

/// Over how long the shortest round trip is looked for. What never got shorter in so long is no queue of ours, or the way
/// itself has changed.
const WAY_MEMORY: Duration = Duration::from_secs(300);

/// A value and when it was said.
type Said<T> = Option<(T, Duration)>;

#[derive(Debug, Default)]
struct Peer {
    estimated_bitrate: Said<Bitrate>,
    round_trip_time: Said<Duration>,
    packet_loss: Said<f64>,
    latency: Said<Duration>,
    queue_delay: Said<Duration>,
    way: Way,
}

/// The length of the way, without queues: the shortest round trip of the last five to ten minutes.
#[derive(Debug, Default)]
struct Way {
    /// The shortest of the current five minutes, and when those began.
    current: Said<Duration>,
    /// The shortest of the five minutes before.
    before: Option<Duration>,
}

impl Way {
    fn hear(&mut self, round_trip: Duration, now: Duration) {
        self.current = match self.current {
            Some((shortest, began)) if now.saturating_sub(began) < WAY_MEMORY => {
                Some((shortest.min(round_trip), began))
            }
            over => {
                self.before = over.map(|(shortest, _)| shortest);
                Some((round_trip, now))
            }
        };
    }

    fn one_way(&self) -> Duration {
        let shortest = self.current.map(|(shortest, _)| shortest).into_iter().chain(self.before).min();
        shortest.unwrap_or_default() / 2
    }
}

impl Peer {
    fn expire(&mut self, now: Duration) {
        fn expire<T>(said: &mut Said<T>, now: Duration) {
            if said.as_ref().is_some_and(|(_, at)| now.saturating_sub(*at) > EXPIRY) {
                *said = None;
            }
        }
        expire(&mut self.estimated_bitrate, now);
        expire(&mut self.round_trip_time, now);
        expire(&mut self.packet_loss, now);
        expire(&mut self.latency, now);
        expire(&mut self.queue_delay, now);
    }

    fn is_silent(&self) -> bool {
        self.estimated_bitrate.is_none()
            && self.round_trip_time.is_none()
            && self.packet_loss.is_none()
            && self.latency.is_none()
            && self.queue_delay.is_none()
    }

    /// The latency without the time that bits need to travel, which no lower quality shortens. A queue is part of it, and is
    /// known sooner, and where a page tells of no frames at all.
    fn avoidable_latency(&self) -> Option<Duration> {
        let shown = self.latency.map(|(latency, _)| latency.saturating_sub(self.way.one_way()));
        shown.max(self.queue_delay.map(|(delay, _)| delay))
    }
}

/// What the consumers say.
#[derive(Debug, Default)]
pub struct Peers {
    by_name: BTreeMap<String, Peer>,
}

impl Peers {
    /// A consumer has spoken. What it does not mention stays as it was, until it expires.
    pub fn hear(&mut self, feedback: &Feedback, now: Duration) {
        if feedback.is_sole {
            self.by_name.retain(|name, _| *name == feedback.consumer);
        }
        if !self.by_name.contains_key(&feedback.consumer) && self.by_name.len() >= MAX_PEERS {
            return;
        }
        fn note<T>(said: &mut Said<T>, value: Option<T>, now: Duration) {
            if let Some(value) = value {
                *said = Some((value, now));
            }
        }
        let peer = self.by_name.entry(feedback.consumer.clone()).or_default();
        note(&mut peer.estimated_bitrate, feedback.estimated_bitrate, now);
        note(&mut peer.round_trip_time, feedback.round_trip_time, now);
        note(&mut peer.packet_loss, feedback.packet_loss, now);
        note(&mut peer.latency, feedback.latency, now);
        note(&mut peer.queue_delay, feedback.queue_delay, now);
        if let Some(round_trip) = feedback.round_trip_time {
            peer.way.hear(round_trip, now);
        }
    }

    /// Forgets what is no longer so.
    pub fn expire(&mut self, now: Duration) {
        self.by_name.retain(|_, peer| {
            peer.expire(now);
            !peer.is_silent()
        });
    }

    /// The lowest estimate.
    pub fn estimated_bitrate(&self) -> Option<Bitrate> {
        self.by_name.values().filter_map(|peer| peer.estimated_bitrate).map(|(rate, _)| rate).min()
    }

    /// The highest loss of those for whom nobody estimates a rate.
    pub fn packet_loss(&self) -> Option<f64> {
        let unknown = self.by_name.values().filter(|peer| peer.estimated_bitrate.is_none());
        unknown.filter_map(|peer| peer.packet_loss).map(|(loss, _)| loss).reduce(f64::max)
    }

    /// The longest latency, each without its way.
    pub fn avoidable_latency(&self) -> Option<Duration> {
        self.by_name.values().filter_map(Peer::avoidable_latency).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn from(consumer: &str) -> Feedback {
        Feedback { consumer: consumer.into(), ..Feedback::default() }
    }

    #[test]
    fn the_worst_that_is_fresh_counts() {
        let mut peers = Peers::default();
        let rate = |kbps| Some(Bitrate::from_kbps(kbps));
        peers.hear(&Feedback { estimated_bitrate: rate(9000), latency: Some(ms(30)), ..from("a") }, s(0));
        peers.hear(&Feedback { estimated_bitrate: rate(2000), latency: Some(ms(80)), ..from("b") }, s(1));
        assert_eq!((peers.estimated_bitrate(), peers.avoidable_latency()), (rate(2000), Some(ms(80))));
        peers.hear(&Feedback { estimated_bitrate: rate(9500), ..from("a") }, s(5));
        peers.expire(s(6));
        assert_eq!((peers.estimated_bitrate(), peers.avoidable_latency()), (rate(2000), Some(ms(80))));
        peers.expire(ms(6001));
        assert_eq!((peers.estimated_bitrate(), peers.avoidable_latency()), (rate(9500), None));
        peers.expire(s(11));
        assert_eq!(peers.estimated_bitrate(), None);
        assert!(peers.by_name.is_empty());
    }

    #[test]
    fn who_counts_alone_is_not_held_back_by_what_others_have_said() {
        let mut peers = Peers::default();
        let rate = |kbps| Some(Bitrate::from_kbps(kbps));
        peers.hear(&Feedback { estimated_bitrate: rate(400), latency: Some(ms(900)), ..from("slow") }, s(0));
        peers.hear(&Feedback { estimated_bitrate: rate(9000), is_sole: true, ..from("controller") }, s(1));
        assert_eq!((peers.estimated_bitrate(), peers.avoidable_latency()), (rate(9000), None));
    }

    #[test]
    fn the_way_is_no_fault_of_the_picture() {
        let mut peers = Peers::default();
        // Half of 240 ms is the way; 40 ms are left. Then a queue of 100 ms builds up on it.
        peers.hear(&Feedback { round_trip_time: Some(ms(240)), latency: Some(ms(160)), ..from("far") }, s(0));
        assert_eq!(peers.avoidable_latency(), Some(ms(40)));
        peers.hear(&Feedback { round_trip_time: Some(ms(340)), latency: Some(ms(260)), ..from("far") }, s(1));
        assert_eq!(peers.avoidable_latency(), Some(ms(140)));
    }

    #[test]
    fn a_way_that_became_longer_is_taken_for_what_it_is_within_ten_minutes() {
        let mut way = Way::default();
        for second in 0..400 {
            way.hear(ms(20), s(second));
        }
        for second in 400..899 {
            way.hear(ms(200), s(second));
        }
        assert_eq!(way.one_way(), ms(10));
        way.hear(ms(200), s(900));
        assert_eq!(way.one_way(), ms(100));
        way.hear(ms(40), s(901));
        assert_eq!(way.one_way(), ms(20), "a shorter one counts at once");
    }

    #[test]
    fn a_queue_counts_before_a_page_shows_it_and_not_twice() {
        let mut peers = Peers::default();
        peers.hear(&Feedback { queue_delay: Some(ms(130)), ..from("a") }, s(0));
        assert_eq!(peers.avoidable_latency(), Some(ms(130)));
        peers.hear(&Feedback { latency: Some(ms(180)), ..from("a") }, s(1));
        assert_eq!(peers.avoidable_latency(), Some(ms(180)));
        peers.expire(ms(5500));
        assert_eq!(peers.avoidable_latency(), Some(ms(180)), "the page has spoken since");
    }

    #[test]
    fn loss_is_left_to_the_estimator_where_there_is_one() {
        let mut peers = Peers::default();
        let estimated = Some(Bitrate::from_kbps(3000));
        peers.hear(&Feedback { packet_loss: Some(0.3), estimated_bitrate: estimated, ..from("a") }, s(0));
        assert_eq!(peers.packet_loss(), None);
        peers.hear(&Feedback { packet_loss: Some(0.1), ..from("b") }, s(0));
        peers.hear(&Feedback { packet_loss: Some(0.2), ..from("c") }, s(0));
        assert_eq!(peers.packet_loss(), Some(0.2));
    }

    #[test]
    fn a_crowd_is_not_listened_to_without_end() {
        let mut peers = Peers::default();
        for i in 0..1000 {
            peers.hear(&Feedback { latency: Some(ms(10)), ..from(&i.to_string()) }, s(0));
        }
        assert_eq!(peers.by_name.len(), MAX_PEERS);
        peers.hear(&Feedback { latency: Some(ms(20)), ..from("0") }, s(0));
        assert_eq!(peers.avoidable_latency(), Some(ms(20)), "those that are known are still heard");
    }
}
