//! Decision, in tests: what becomes of packets on links of worked-out figures.

use super::*;
use crate::capacity::{Rates, Trace};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn rate(bps: u64) -> Shape {
    Shape { capacity: Capacity::Rates(Rates::constant(bps)), ..Shape::default() }
}

/// Sends packets of 1,500 bytes, numbered, one at each of these times, and waits for the last.
fn send(link: &mut Link<usize>, times: impl IntoIterator<Item = Duration>) -> Vec<Outcome<usize>> {
    let mut outcomes = Vec::new();
    for (load, arrived) in times.into_iter().enumerate() {
        outcomes.extend(std::iter::from_fn(|| link.take(arrived)));
        link.offer(Packet { load, bytes: 1500, arrived });
    }
    while let Some(next) = link.next() {
        outcomes.extend(std::iter::from_fn(|| link.take(next)));
    }
    outcomes
}

/// One each so often, so many.
fn every(interval: Duration, count: u32) -> impl Iterator<Item = Duration> {
    (0..count).map(move |number| interval * number)
}

fn count(outcomes: &[Outcome<usize>], fate: Fate) -> usize {
    outcomes.iter().filter(|one| one.fate == fate).count()
}

fn most_waited(outcomes: &[Outcome<usize>]) -> Duration {
    outcomes.iter().map(Outcome::waited).max().unwrap()
}

#[test]
fn a_packet_on_an_empty_link_takes_its_own_length_and_the_delay() {
    let mut link = Link::new(Shape { delay: ms(20), ..rate(12_000_000) }, 1);
    let outcomes = send(&mut link, [ms(5)]);
    assert_eq!((outcomes[0].due, outcomes[0].waited()), (ms(26), ms(0)));
}

#[test]
fn twice_what_a_link_carries_fills_its_queue_and_half_of_it_is_dropped() {
    // 12 Mbit/s are a packet each millisecond; the queue holds 100 of them.
    let mut link = Link::new(rate(12_000_000), 1);
    let outcomes = send(&mut link, every(ms(1) / 2, 4000));
    assert_eq!(outcomes.len(), 4000);
    let dropped = count(&outcomes, Fate::QueueFull);
    assert!((1890..=1910).contains(&dropped), "{dropped}");
    let waited = most_waited(&outcomes);
    assert!(waited > ms(99) && waited <= ms(101), "{waited:?}");
    // Not one faster than the link.
    let due: Vec<Duration> =
        outcomes.iter().filter(|one| one.fate == Fate::Delivered).map(|one| one.due).collect();
    assert!(due.windows(2).all(|pair| pair[1] - pair[0] >= ms(1)));
}

#[test]
fn a_link_that_narrows_and_opens_again_carries_what_waits_at_each_rate() {
    let mut link = Link::new(Shape { limit: Limit::Bytes(1 << 20), ..rate(12_000_000) }, 1);
    for load in 0..10 {
        link.offer(Packet { load, bytes: 1500, arrived: ms(0) });
    }
    // At 2.5 ms two are through and the third is half. Of its other half four fifths take 4 ms at a tenth of the rate, and
    // the rest takes 2 ms at a twentieth; the fourth has had a quarter when the link opens again.
    for (us, bps) in [(2500, 1_200_000), (6500, 600_000), (13_500, 12_000_000)] {
        let shape = Shape { capacity: Capacity::Rates(Rates::constant(bps)), ..link.shape().clone() };
        link.change(shape, Duration::from_micros(us));
    }
    let due: Vec<u128> = std::iter::from_fn(|| link.take(ms(1000))).map(|one| one.due.as_micros()).collect();
    assert_eq!(due, [1000, 2000, 8500, 14_250, 15_250, 16_250, 17_250, 18_250, 19_250, 20_250]);
}

#[test]
fn an_outage_carries_nothing_and_loses_nothing_that_fits() {
    let mut link = Link::new(Shape { limit: Limit::Bytes(1 << 20), ..rate(0) }, 1);
    for load in 0..5 {
        link.offer(Packet { load, bytes: 1500, arrived: ms(load) });
    }
    assert_eq!(link.next(), None);
    assert!(link.take(ms(999)).is_none());
    link.change(rate(12_000_000), ms(1000));
    let due: Vec<Duration> = std::iter::from_fn(|| link.take(ms(2000))).map(|one| one.due).collect();
    assert_eq!(due, [1001, 1002, 1003, 1004, 1005].map(ms));
}

#[test]
fn a_relay_that_wakes_late_plays_the_same_link() {
    let times: Vec<Duration> = every(Duration::from_micros(700), 500).collect();
    let prompt = send(&mut Link::new(rate(12_000_000), 1), times.clone());
    let mut link = Link::new(rate(12_000_000), 1);
    let mut late = Vec::new();
    for (index, arrived) in times.into_iter().enumerate() {
        // It hears of packets, and asks what is due, only every 30 ms.
        link.offer(Packet { load: index, bytes: 1500, arrived });
        if index % 43 == 0 {
            late.extend(std::iter::from_fn(|| link.take(arrived)));
        }
    }
    late.extend(std::iter::from_fn(|| link.take(ms(10_000))));
    let facts = |all: &[Outcome<usize>]| {
        let mut facts: Vec<_> = all.iter().map(|one| (one.packet.load, one.due, one.fate)).collect();
        facts.sort_unstable_by_key(|one| one.0);
        format!("{facts:?}")
    };
    assert_eq!(facts(&late), facts(&prompt));
}

#[test]
fn codel_keeps_the_queue_of_a_greedy_sender_short_where_drop_tail_lets_it_stand() {
    let shape = Shape { limit: Limit::Time(ms(1000)), ..rate(12_000_000) };
    // A tenth more than it carries, for 20 s.
    let times = || every(Duration::from_micros(909), 22_000);
    let tail = send(&mut Link::new(shape.clone(), 1), times());
    let codel = send(&mut Link::new(Shape { codel: true, ..shape }, 1), times());
    let last_waited = |outcomes: &[Outcome<usize>]| {
        let delivered: Vec<&Outcome<usize>> =
            outcomes.iter().filter(|one| one.fate == Fate::Delivered).collect();
        let tenth = &delivered[delivered.len() * 9 / 10..];
        tenth.iter().map(|one| one.waited()).sum::<Duration>() / tenth.len() as u32
    };
    assert!(last_waited(&tail) > ms(900), "{:?}", last_waited(&tail));
    assert!(last_waited(&codel) < ms(100), "{:?}", last_waited(&codel));
    assert!(count(&codel, Fate::Codel) > 1000);
}

#[test]
fn jitter_keeps_the_order_and_reordering_does_not() {
    let order = |outcomes: &[Outcome<usize>]| {
        outcomes.windows(2).all(|pair| pair[0].packet.load < pair[1].packet.load)
    };
    let jittery = Shape { delay: ms(10), jitter: ms(8), ..rate(12_000_000) };
    let outcomes = send(&mut Link::new(jittery.clone(), 3), every(ms(2), 1000));
    assert!(order(&outcomes));
    let late: Vec<Duration> = outcomes.iter().map(|one| one.due - one.packet.arrived - ms(11)).collect();
    assert!(late.iter().all(|late| *late <= ms(8)));
    assert!(late.iter().filter(|late| **late > ms(4)).count() > 400);

    let outcomes = send(&mut Link::new(Shape { reorder: 0.01, ..jittery }, 3), every(ms(2), 1000));
    assert_eq!(outcomes.len(), 1000);
    assert!(!order(&outcomes));
}

#[test]
fn what_chance_takes_has_been_carried_before() {
    let shape = Shape { loss: Loss { share: 0.1, burst: 1.0 }, ..rate(12_000_000) };
    let outcomes = send(&mut Link::new(shape, 9), every(ms(1), 10_000));
    let lost = count(&outcomes, Fate::Lost);
    assert!((900..1100).contains(&lost), "{lost}");
    // The link is full, and the losses make no room: nobody waits less for them.
    assert_eq!(count(&outcomes, Fate::QueueFull), 0);
    assert_eq!(outcomes.last().map(|one| one.due), Some(ms(10_000)));
}

#[test]
fn a_trace_decides_when_packets_pass() {
    let trace = Trace::read("5\n25\n25\n50\n", ms(0)).unwrap();
    let shape = Shape { capacity: Capacity::Trace(trace), delay: ms(1), ..Shape::default() };
    let outcomes = send(&mut Link::new(shape, 1), [ms(0); 5]);
    let due: Vec<Duration> = outcomes.iter().map(|one| one.due).collect();
    assert_eq!(due, [6, 26, 26, 51, 56].map(ms));
}

#[test]
fn every_packet_ends_exactly_once_whatever_the_link_is() {
    let mut link = Link::new(
        Shape {
            limit: Limit::Bytes(20_000),
            codel: true,
            delay: ms(30),
            jitter: ms(20),
            reorder: 0.05,
            loss: Loss { share: 0.05, burst: 4.0 },
            ..rate(6_000_000)
        },
        7,
    );
    let outcomes = send(&mut link, every(ms(1), 5000));
    let mut loads: Vec<usize> = outcomes.iter().map(|one| one.packet.load).collect();
    loads.sort_unstable();
    assert_eq!(loads, (0..5000).collect::<Vec<_>>());
    assert!(outcomes.iter().all(|one| one.due >= one.started && one.started >= one.packet.arrived));
    assert_eq!((link.queued_bytes(), link.next()), (0, None));
}
