//! Decision: where the last frames are on their way to one consumer, by RTP timestamp. Pages belong to others: what they
//! tell of frames is held to what can be. Refuses to read a clock: time is an argument, and that of the sink's clock.

use crate::{
    latency::way::Way,
    stage::{Stage, Stamps},
};
use std::collections::VecDeque;
use vdi_protocol::{
    latency::{FrameReport, FrameReports},
    limits::MAX_FRAME_REPORTS,
};

/// Frames that are remembered: two seconds of 120. Pages tell of a frame within a quarter of a second and the round trip.
const MAX_FRAMES: usize = 256;

/// Frames that may be in the payloader at once. It makes all packets of one before it takes the next.
const MAX_ENTERED: usize = 8;

/// A page whose clock may be wrong by more knows nothing of its frames: that is a round trip of a second.
pub const MAX_UNCERTAINTY: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// Browsers tell when a frame will be on the screen: some refreshes ahead at most.
const MAX_AHEAD: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// One frame that was made into packets.
#[derive(Debug)]
struct Frame {
    rtp_timestamp: u32,
    stamps: Stamps,
    /// Whether statistics count it.
    counts: bool,
    /// Whether the page has told of it.
    told: bool,
}

/// A frame that a page has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// When it was where; what the page told is held to what can be.
    pub stamps: Stamps,
    /// From the first of them to the last.
    pub way: Way,
}

/// The last frames on their way to one consumer.
#[derive(Debug, Default)]
pub struct Frames {
    /// Those that the payloader has got: PTS, stamps, and whether statistics count them.
    entered: VecDeque<(Option<gst::ClockTime>, Stamps, bool)>,
    packetised: VecDeque<Frame>,
}

impl Frames {
    /// The payloader gets a frame. One that does not count is a repeat, on whose way nobody waits.
    pub fn entered(&mut self, pts: Option<gst::ClockTime>, stamps: Stamps, counts: bool) {
        if self.entered.len() == MAX_ENTERED {
            self.entered.pop_front();
        }
        self.entered.push_back((pts, stamps, counts));
    }

    /// The last packet of the frame with this PTS is made.
    pub fn packetised(&mut self, pts: Option<gst::ClockTime>, rtp_timestamp: u32, now: gst::ClockTime) {
        let Some(index) = self.entered.iter().rposition(|(entered, ..)| *entered == pts || pts.is_none())
        else {
            return;
        };
        // Those before it have left nothing.
        let Some((_, mut stamps, counts)) = self.entered.drain(..=index).next_back() else { return };
        stamps.set(Stage::Packetised, now);
        if self.packetised.len() == MAX_FRAMES {
            self.packetised.pop_front();
        }
        self.packetised.push_back(Frame { rtp_timestamp, stamps, counts, told: false });
    }

    /// The last packet of a frame is given to the network. The way so far of a frame that counts.
    pub fn sent(&mut self, rtp_timestamp: u32, now: gst::ClockTime) -> Option<Way> {
        let frame = self.find(rtp_timestamp)?;
        if frame.stamps.get(Stage::Sent).is_some() {
            return None;
        }
        frame.stamps.set(Stage::Sent, now);
        Way::of(&frame.stamps).filter(|_| frame.counts)
    }

    /// The page tells of frames. Those that are believed and count.
    pub fn reported(&mut self, reports: &FrameReports, now: gst::ClockTime) -> Vec<Shown> {
        let uncertainty = time(reports.uncertainty_us);
        if uncertainty > MAX_UNCERTAINTY {
            return Vec::new();
        }
        let believed = |report: &FrameReport| {
            let frame = self.find(report.rtp_timestamp)?;
            let stamps = (!frame.told).then(|| held(&frame.stamps, report, uncertainty, now)).flatten()?;
            frame.told = true;
            Way::of(&stamps).filter(|_| frame.counts).map(|way| Shown { stamps, way })
        };
        reports.frames.iter().take(MAX_FRAME_REPORTS).filter_map(believed).collect()
    }

    /// The youngest of this RTP timestamp, which wraps around after half a day.
    fn find(&mut self, rtp_timestamp: u32) -> Option<&mut Frame> {
        self.packetised.iter_mut().rev().find(|frame| frame.rtp_timestamp == rtp_timestamp)
    }
}

/// A time of the page's; what is too large for one is the end of time.
fn time(us: u64) -> gst::ClockTime {
    us.checked_mul(1000).map_or(gst::ClockTime::MAX, gst::ClockTime::from_nseconds)
}

/// A frame's stamps with what the page tells of it, held between its departure and its presentation; `None` if it was
/// presented before it left, or will be in a future that nobody knows.
fn held(
    stamps: &Stamps,
    report: &FrameReport,
    uncertainty: gst::ClockTime,
    now: gst::ClockTime,
) -> Option<Stamps> {
    let (_, left) = stamps.known().last()?;
    let presented = time(report.presented_us);
    if presented.saturating_add(uncertainty) < left || presented > now + uncertainty + MAX_AHEAD {
        return None;
    }
    let presented = presented.max(left);
    let mut stamps = *stamps;
    let mut before = left;
    for (stage, at) in [(Stage::Received, report.received_us), (Stage::Decoded, report.decoded_us)] {
        if let Some(at) = at {
            before = time(at).clamp(before, presented);
            stamps.set(stage, before);
        }
    }
    stamps.set(Stage::Presented, presented);
    Some(stamps)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(ms)
    }

    /// A frame that was captured at `at` and sent 10 ms later.
    fn send(frames: &mut Frames, rtp_timestamp: u32, at: u64) -> Option<Way> {
        let mut stamps = Stamps::default();
        stamps.set(Stage::Captured, ms(at));
        stamps.set(Stage::Encoded, ms(at + 8));
        frames.entered(Some(ms(at)), stamps, true);
        frames.packetised(Some(ms(at)), rtp_timestamp, ms(at + 9));
        frames.sent(rtp_timestamp, ms(at + 10))
    }

    fn told(frames: &[FrameReport]) -> FrameReports {
        FrameReports { uncertainty_us: 1000, frames: frames.to_vec() }
    }

    fn presented(rtp_timestamp: u32, at_ms: u64) -> FrameReport {
        FrameReport { rtp_timestamp, presented_us: at_ms * 1000, ..FrameReport::default() }
    }

    fn totals(shown: &[Shown]) -> Vec<u64> {
        shown.iter().map(|one| one.way.total_ns() / 1_000_000).collect()
    }

    #[test]
    fn a_frame_is_followed_to_the_screen() {
        let mut frames = Frames::default();
        let sent = send(&mut frames, 90_000, 100).unwrap();
        assert_eq!(sent.total_ns(), 10_000_000);
        let report = FrameReport {
            rtp_timestamp: 90_000,
            received_us: Some(112_000),
            decoded_us: Some(116_500),
            presented_us: 121_500,
        };
        let way = frames.reported(&told(&[report]), ms(300))[0].way;
        let legs: Vec<_> = way.legs().map(|(stage, ns)| (stage.leg().unwrap(), ns / 1000)).collect();
        let expected = [
            ("encode", 8_000),
            ("packetise", 1_000),
            ("send", 1_000),
            ("network", 2_000),
            ("decode", 4_500),
            ("present", 5_000),
        ];
        assert_eq!(legs, expected);
        assert_eq!(way.total_ns(), 21_500_000);
    }

    #[test]
    fn a_frame_is_told_of_once_and_unknown_ones_never_were() {
        let mut frames = Frames::default();
        send(&mut frames, 7, 100);
        let report = told(&[presented(7, 120), presented(7, 125), presented(8, 120)]);
        assert_eq!(totals(&frames.reported(&report, ms(300))), [20]);
        assert_eq!(frames.reported(&report, ms(300)), []);
        assert_eq!(frames.sent(8, ms(300)), None);
        assert_eq!(frames.sent(7, ms(300)), None, "a frame that was sent again left when it left first");
    }

    #[test]
    fn reports_may_come_in_any_order() {
        let mut frames = Frames::default();
        for n in 0..5 {
            send(&mut frames, 1500 * n, 100 + 16 * u64::from(n));
        }
        let report = told(&[3, 0, 4, 1, 2].map(|n| presented(1500 * n, 130 + 16 * u64::from(n))));
        assert_eq!(totals(&frames.reported(&report, ms(400))), [30; 5]);
    }

    #[test]
    fn rtp_timestamps_wrap_around() {
        let mut frames = Frames::default();
        for n in 0..4u32 {
            send(&mut frames, (u32::MAX - 2000).wrapping_add(1500 * n), 100 + 16 * u64::from(n));
        }
        let report = told(
            &[0, 1, 2, 3]
                .map(|n: u32| presented((u32::MAX - 2000).wrapping_add(1500 * n), 125 + 16 * u64::from(n))),
        );
        assert_eq!(totals(&frames.reported(&report, ms(300))), [25; 4]);
        // Half a day later the same timestamps come again, and mean the new frames.
        send(&mut frames, u32::MAX - 2000, 47_000_000);
        let report = told(&[presented(u32::MAX - 2000, 47_000_033)]);
        assert_eq!(totals(&frames.reported(&report, ms(47_000_100))), [33]);
    }

    #[test]
    fn a_consumer_that_connects_anew_has_no_frames_of_its_past() {
        let mut frames = Frames::default();
        send(&mut frames, 7, 100);
        assert_eq!(Frames::default().reported(&told(&[presented(7, 120)]), ms(300)), []);
        assert_eq!(totals(&frames.reported(&told(&[presented(7, 120)]), ms(300))), [20]);
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let mut frames = Frames::default();
        for n in 0..5 {
            send(&mut frames, n, 100);
        }
        let lies = [
            presented(0, 108), // before it was sent, by more than the clocks may differ
            presented(1, 402), // 102 ms ahead of now, where 101 are allowed
            presented(2, u64::MAX / 1000),
            presented(3, 109), // before it was sent, as far as the clocks tell
            presented(4, 401),
        ];
        assert_eq!(totals(&frames.reported(&told(&lies), ms(300))), [10, 301]);
        let mut frames = Frames::default();
        send(&mut frames, 0, 100);
        let vague = FrameReports { uncertainty_us: 500_001, frames: vec![presented(0, 120)] };
        assert_eq!(frames.reported(&vague, ms(300)), [], "a clock that may be wrong by half a second");
        let endless = FrameReports { uncertainty_us: u64::MAX, frames: vec![presented(0, 120)] };
        assert_eq!(frames.reported(&endless, ms(300)), []);
    }

    #[test]
    fn times_at_the_page_are_held_between_departure_and_presentation() {
        let mut frames = Frames::default();
        send(&mut frames, 7, 100);
        let report = FrameReport {
            rtp_timestamp: 7,
            received_us: Some(0),
            decoded_us: Some(u64::MAX),
            presented_us: 120_000,
        };
        let way = frames.reported(&told(&[report]), ms(300))[0].way;
        assert_eq!(way.leg(Stage::Received), Some(0));
        assert_eq!((way.leg(Stage::Decoded), way.leg(Stage::Presented)), (Some(10_000_000), Some(0)));
    }

    #[test]
    fn repeats_are_followed_and_not_counted() {
        let mut frames = Frames::default();
        let mut stamps = Stamps::default();
        stamps.set(Stage::Captured, ms(100));
        frames.entered(Some(ms(100)), stamps, false);
        frames.packetised(Some(ms(100)), 7, ms(101));
        assert_eq!(frames.sent(7, ms(102)), None);
        assert_eq!(frames.reported(&told(&[presented(7, 120)]), ms(300)), []);
    }

    #[test]
    fn a_frame_of_which_no_packet_was_made_is_passed_over() {
        let mut frames = Frames::default();
        for at in [100, 116, 132] {
            let mut stamps = Stamps::default();
            stamps.set(Stage::Captured, ms(at));
            frames.entered(Some(ms(at)), stamps, true);
        }
        frames.packetised(Some(ms(116)), 7, ms(120));
        assert_eq!(frames.sent(7, ms(121)).unwrap().total_ns(), 5_000_000);
        // A payloader that sets no timestamps: the youngest it is.
        frames.packetised(None, 8, ms(140));
        assert_eq!(frames.sent(8, ms(142)).unwrap().total_ns(), 10_000_000);
        frames.packetised(Some(ms(100)), 9, ms(150));
        assert_eq!(frames.sent(9, ms(151)), None);
    }

    #[test]
    fn it_remembers_so_many_frames_and_reads_so_many_reports() {
        let mut frames = Frames::default();
        for n in 0..10_000 {
            frames.entered(Some(ms(n)), Stamps::default(), true);
            send(&mut frames, n as u32, 1000 + n);
        }
        assert_eq!((frames.packetised.len(), frames.entered.len()), (MAX_FRAMES, 0));
        let flood: Vec<_> = (9_900..10_000).map(|n| presented(n, 1020 + u64::from(n))).collect();
        assert_eq!(frames.reported(&told(&flood), ms(12_000)).len(), MAX_FRAME_REPORTS);
    }
}
