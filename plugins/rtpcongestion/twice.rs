//! Decision: which requests for a lost packet are answered twice. A wire that loses one packet of ten loses one
//! retransmission of ten, and each that is lost costs the picture another round trip. Where nothing stands in a queue, a
//! second copy costs as much as is lost, and is wanted only while it is.

use super::probing::Ask;
use std::{collections::VecDeque, time::Duration};
use vdi_congestion::Output;

/// Loss of which one second copy in many comes to nothing.
const WORTH: f64 = 0.03;

/// Where so much is lost, sending more is no answer.
const HOPELESS: f64 = 0.3;

/// A queue this long is one of ours, and its loss too.
const QUEUE: Duration = Duration::from_millis(30);

/// From the first copy to the second: beyond the burst in which neighbours are lost together, and far below a round trip.
const APART: Duration = Duration::from_millis(6);

/// Copies that wait at most; they would be late.
const MOST: usize = 64;

/// The second copies that are to be asked for.
#[derive(Debug, Default)]
pub struct Twice {
    due: VecDeque<(Duration, Ask)>,
}

impl Twice {
    /// The other end has asked for a packet; `waiting` is how long one waits here.
    pub fn requested(&mut self, ask: Ask, output: &Output, waiting: Duration, now: Duration) {
        let is_the_wires = output.queue_delay.unwrap_or_default() < QUEUE && waiting < QUEUE;
        if is_the_wires && (WORTH..HOPELESS).contains(&output.loss) && self.due.len() < MOST {
            self.due.push_back((now.saturating_add(APART), ask));
        }
    }

    /// Those whose time has come.
    pub fn take(&mut self, now: Duration) -> impl Iterator<Item = Ask> {
        let count = self.due.iter().take_while(|(at, _)| *at <= now).count();
        self.due.drain(..count).map(|(_, ask)| ask)
    }

    /// When the next one's comes.
    pub fn next(&self) -> Duration {
        self.due.front().map_or(Duration::MAX, |(at, _)| *at)
    }

    /// None of them is wanted any more.
    pub fn clear(&mut self) {
        self.due.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vdi_congestion::Bitrate;

    const NOW: Duration = Duration::from_secs(1);

    fn output(loss: f64, queue_ms: u64) -> Output {
        let rate = Bitrate::from_kbps(8000);
        Output {
            estimate: rate,
            target: rate,
            pacing_rate: rate,
            queue_delay: Some(Duration::from_millis(queue_ms)),
            round_trip_time: None,
            loss,
            delivered: Some(rate),
        }
    }

    /// How many copies a request brings about.
    fn copies(output: &Output, waiting: Duration) -> usize {
        let mut twice = Twice::default();
        twice.requested(Ask { ssrc: 7, sequence: 1 }, output, waiting, NOW);
        twice.take(NOW + Duration::from_secs(1)).count()
    }

    #[test]
    fn loss_of_the_wire_is_answered_twice_and_other_loss_once() {
        assert_eq!(copies(&output(0.10, 5), Duration::ZERO), 1);
        assert_eq!(copies(&output(0.01, 5), Duration::ZERO), 0, "a round trip more is rare");
        assert_eq!(copies(&output(0.10, 60), Duration::ZERO), 0, "a queue overflows");
        assert_eq!(copies(&output(0.10, 5), Duration::from_millis(60)), 0, "there is more than leaves");
        assert_eq!(copies(&output(0.60, 5), Duration::ZERO), 0, "hardly anything comes through");
    }

    #[test]
    fn second_copy_leaves_a_moment_after_the_first_and_once() {
        let mut twice = Twice::default();
        for sequence in 0..1000 {
            twice.requested(Ask { ssrc: 7, sequence }, &output(0.10, 0), Duration::ZERO, NOW);
        }
        assert_eq!(twice.next(), NOW + APART);
        assert_eq!(twice.take(NOW).count(), 0);
        assert_eq!(twice.take(NOW + APART).count(), MOST, "and no storm comes of it");
        assert_eq!(twice.next(), Duration::MAX);
    }
}
