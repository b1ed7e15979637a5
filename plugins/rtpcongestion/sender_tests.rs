//! What leaves when, on a clock of the test's own.

use super::*;
use vdi_congestion::Probe;

const BOUNDS: Bounds = Bounds { min: Bitrate::from_kbps(100), max: Bitrate::from_kbps(20_000) };
const START: Bitrate = Bitrate::from_kbps(2000);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn packet(kind: Kind, sequence: u16, bytes: usize) -> Packet<u16> {
    let header = Header { payload_type: 96, sequence, ssrc: 7, bytes: 24, is_numbered: true };
    Packet { kind, header, bytes, item: sequence }
}

fn sender() -> Sender<u16> {
    Sender::new(BOUNDS, START, ms(0))
}

/// Takes turns until a time, each when the one before wants it; what left at which millisecond.
fn run(sender: &mut Sender<u16>, from: u64, until: u64) -> Vec<(u64, u16)> {
    let mut now = ms(from);
    let mut left = Vec::new();
    while now <= ms(until) {
        let turn = sender.turn(now);
        left.extend(turn.send.iter().map(|packet| (now.as_millis() as u64, packet.item)));
        assert!(!turn.send.is_empty() || turn.again > now || turn.news, "a turn for nothing at {now:?}");
        now = turn.again.max(now);
    }
    left
}

#[test]
fn a_frame_of_usual_size_leaves_at_once_and_a_large_one_is_spread() {
    let mut sender = sender();
    (0..2).for_each(|n| assert!(sender.push(packet(Kind::Video, n, 500), ms(0))));
    assert_eq!(run(&mut sender, 0, 1), [(0, 0), (0, 1)]);
    (2..102).for_each(|n| assert!(sender.push(packet(Kind::Video, n, 1200), ms(100))));
    let delay = sender.delay();
    // 1238 bytes each at two megabits and whatever factor.
    assert!(delay > ms(50) && delay < ms(500), "{delay:?}");
    let left = run(&mut sender, 100, 700);
    assert_eq!(left.len(), 100);
    assert!(left.windows(2).all(|pair| pair[0] <= pair[1]));
    let last = left.last().unwrap().0;
    assert!(last >= 140, "a burst of 100 packets was over at {last} ms");
    assert!(sender.is_empty());
}

#[test]
fn sound_does_not_wait_behind_pictures_and_repeats_do_not_wait_behind_new_ones() {
    let mut sender = sender();
    (0..50).for_each(|n| assert!(sender.push(packet(Kind::Video, n, 1200), ms(0))));
    sender.turn(ms(0));
    sender.push(packet(Kind::Retransmission(3), 1000, 1200), ms(0));
    sender.push(packet(Kind::Audio, 2000, 200), ms(0));
    let next: Vec<_> = run(&mut sender, 0, 60).into_iter().map(|(_, item)| item).take(2).collect();
    assert_eq!(next, [2000, 1000]);
}

#[test]
fn what_waits_to_be_repeated_is_repeated_once_and_a_storm_is_cut() {
    let mut sender = sender();
    (0..10).for_each(|n| assert!(sender.push(packet(Kind::Retransmission(5), n, 1200), ms(0))));
    let taken = (0..500_u16).filter(|n| sender.push(packet(Kind::Retransmission(100 + n), *n, 1200), ms(0)));
    let taken = taken.count();
    assert!((10..400).contains(&taken), "{taken} of 500");
    assert_eq!(sender.totals().dropped, 500 - taken as u64);
    assert_eq!(run(&mut sender, 0, 3000).len(), taken + 1);
    assert!(
        sender.push(packet(Kind::Retransmission(5), 1, 1200), ms(3000)),
        "it is forgotten once it has left"
    );
}

#[test]
fn room_is_bounded() {
    let mut sender = sender();
    let room = (0..10_000_u16).filter(|n| sender.push(packet(Kind::Video, *n, 1200), ms(0))).count();
    assert_eq!(room as u64, MAX_QUEUED.bytes() / 1238);
    assert!(sender.push(packet(Kind::Audio, 1, 200), ms(0)), "sound always has some");
    assert!(sender.totals().dropped > 0);
    assert!(sender.turn(ms(0)).key_frame, "what follows cannot be decoded");
    while sender.push(packet(Kind::Video, 1, 1200), ms(0)) {}
    assert!(!sender.turn(ms(0)).key_frame, "once");
    sender.clear();
    assert!(sender.is_empty() && sender.delay() == Duration::ZERO);
}

#[test]
fn a_burst_asks_for_what_was_sent_and_sends_what_it_gets_but_not_more() {
    let mut sender = sender();
    (0..20).for_each(|n| assert!(sender.push(packet(Kind::Video, n, 1200), ms(0))));
    run(&mut sender, 0, 1000);
    let probe = Probe { rate: Bitrate::from_kbps(8000), size: DataSize::from_bytes(3 * 1240) };
    sender.begin(probe, ms(1000));
    let asks = std::mem::take(&mut sender.ask);
    assert_eq!(asks.iter().map(|ask| ask.sequence).collect::<Vec<_>>(), [19, 18, 17, 16]);
    for (n, ask) in asks.iter().enumerate() {
        sender.push(packet(Kind::Retransmission(ask.sequence), 500 + n as u16, 1202), ms(1000));
    }
    let left = run(&mut sender, 1000, 1100);
    let items: Vec<_> = left.iter().map(|(_, item)| *item).collect();
    assert_eq!(items, [500, 501, 502], "three make the size");
    // 1240 bytes at 8 Mbit/s take 1.24 ms each, whatever the pacing rate is; the first five milliseconds are free.
    assert!(left.iter().all(|(at, _)| *at <= 1005), "{left:?}");
    assert_eq!(sender.totals().padding.bytes(), 3 * 1240);
    assert_eq!(sender.totals().probes, 1);
}

#[test]
fn pictures_that_wait_make_the_burst_themselves() {
    let mut sender = sender();
    (0..40).for_each(|n| assert!(sender.push(packet(Kind::Video, n, 1200), ms(0))));
    let probe = Probe { rate: Bitrate::from_kbps(20_000), size: DataSize::from_bytes(30 * 1238) };
    sender.begin(probe, ms(0));
    assert_eq!(sender.ask, []);
    let left = run(&mut sender, 0, 16);
    assert!(left.len() >= 30, "37 kB at 20 Mbit/s take 15 ms: {left:?}");
    assert_eq!(sender.totals().padding, DataSize::ZERO);
}

#[test]
fn much_that_was_lost_is_replaced_by_a_key_frame_and_not_sent_again() {
    let mut sender = sender();
    let report = |n: u16, arrived: Option<u64>| Report {
        sequence: n,
        sent: ms(u64::from(n)),
        arrived: arrived.map(ms),
        size: on_the_wire(1200),
        is_picture: true,
    };
    let all: Vec<_> =
        (0..200_u16).map(|n| report(n, (!(20..190).contains(&n)).then_some(u64::from(n) + 1000))).collect();
    for n in 0..200 {
        assert!(sender.push(packet(Kind::Video, 65_500_u16.wrapping_add(n), 1200), ms(u64::from(n))));
    }
    run(&mut sender, 200, 1500);
    sender.feedback(&all, ms(1500));
    assert!(sender.turn(ms(1500)).key_frame);
    assert!(!sender.turn(ms(1500)).key_frame, "once");
    // As long as it has not come, what was lost is worth sending again.
    assert!(sender.push(packet(Kind::Retransmission(65_530), 0, 1200), ms(1500)));
    assert_eq!(run(&mut sender, 1500, 1500).len(), 1);
    sender.key_frame_comes(ms(1501));
    // What is older than it is not sent again; what came after it is.
    assert!(sender.push(packet(Kind::Retransmission(65_530), 1, 1200), ms(1501)));
    assert!(sender.is_empty());
    assert!(sender.push(packet(Kind::Video, 164, 1200), ms(1501)));
    assert!(sender.push(packet(Kind::Retransmission(164), 2, 1200), ms(1502)));
    assert_eq!(run(&mut sender, 1502, 1600).len(), 2);
}

#[test]
fn what_a_lossy_wire_has_lost_is_asked_for_twice_while_the_sender_is_well() {
    let mut sender = sender();
    let tell = |sender: &mut Sender<u16>, from: u16, each: u16| {
        for n in from..from + 400 {
            sender.push(packet(Kind::Video, n, 200), ms(u64::from(n)));
            sender.turn(ms(u64::from(n)));
        }
        let reports: Vec<_> = (from..from + 400)
            .map(|n| Report {
                sequence: n,
                sent: ms(u64::from(n)),
                arrived: (n % each != 0).then_some(ms(u64::from(n) + 20)),
                size: on_the_wire(200),
                is_picture: true,
            })
            .collect();
        sender.feedback(&reports, ms(u64::from(from) + 430));
        let now = ms(u64::from(from) + 431);
        sender.turn(now);
        sender.requested(Ask { ssrc: 7, sequence: from }, now);
        assert!(sender.turn(now).ask.is_empty(), "the first copy is the retransmission sender's");
        sender.turn(now + ms(10)).ask
    };
    assert_eq!(tell(&mut sender, 0, 10), [Ask { ssrc: 7, sequence: 0 }]);
    assert_eq!(tell(&mut sender, 2000, 1000), [], "nothing to speak of is lost any more");
}

#[test]
fn packets_that_nobody_has_agreed_to_tell_of_are_not_throttled() {
    let mut sender = sender();
    for n in 0..600_u16 {
        let mut packet = packet(Kind::Video, n, 2400);
        packet.header.is_numbered = false;
        sender.push(packet, ms(u64::from(n)));
    }
    // 20 Mbit/s, five times what the start would let pass.
    let left = run(&mut sender, 0, 700);
    assert_eq!(left.len(), 600, "{:?}", sender.output());
}

#[test]
fn feedback_that_was_agreed_on_and_never_comes_lowers_the_estimate_to_its_floor() {
    let mut sender = sender();
    for n in 0..10_000_u16 {
        sender.push(packet(Kind::Video, n, 100), ms(u64::from(n)));
        sender.turn(ms(u64::from(n)));
    }
    assert_eq!(sender.output().estimate, BOUNDS.min);
}

/// A link that suddenly carries a tenth: packets leave each ms, and from the 100th on they come each 10 ms.
#[test]
fn what_waits_for_a_link_that_has_narrowed_gives_way_to_a_key_frame() {
    let mut sender = sender();
    let (mut asked, mut told) = (None, 0_u16);
    let come = |n: u16| u64::from(n) + u64::from(n.saturating_sub(100)) * 9 + 20;
    for at in 0..400_u16 {
        let now = ms(u64::from(at));
        sender.push(packet(Kind::Video, at, 1200), now);
        for left in sender.turn(now).send {
            assert!(asked.is_none(), "{} leaves before the key frame", left.item);
        }
        if at % 50 == 49 && asked.is_none() {
            let arrived: Vec<_> = (told..=at).take_while(|n| come(*n) <= u64::from(at)).collect();
            told += arrived.len() as u16;
            let report = |n: &u16| Report {
                sequence: *n,
                sent: ms(u64::from(*n)),
                arrived: Some(ms(come(*n))),
                size: on_the_wire(1200),
                is_picture: true,
            };
            sender.feedback(&arrived.iter().map(report).collect::<Vec<_>>(), now);
            sender.turn(now);
            asked = (sender.totals().replaced > 0 || sender.is_awaiting_key_frame(now)).then_some(at);
        }
    }
    assert!(asked.is_some_and(|at| at < 300), "{asked:?}");
    assert!(sender.is_empty());
    sender.key_frame_comes(ms(400));
    assert!(sender.push(packet(Kind::Video, 5000, 1200), ms(400)));
    assert!(!sender.is_empty());
}

#[test]
fn a_silent_sender_looks_around_rarely_and_one_that_is_used_often() {
    let mut sender = sender();
    sender.push(packet(Kind::Video, 0, 100), ms(0));
    let turns = |sender: &mut Sender<u16>, from: u64, until: u64| {
        let (mut now, mut turns) = (ms(from), 0);
        while now < ms(until) {
            now = sender.turn(now).again.max(now + Duration::from_micros(1));
            turns += 1;
        }
        turns
    };
    assert!((30..=90).contains(&turns(&mut sender, 0, 1000)));
    turns(&mut sender, 1000, 9000);
    assert!(turns(&mut sender, 9000, 10_000) <= 30);
}
