//! Decision: which frames are encoded when fewer are wanted than come in. Those that are not are dropped before they
//! are converted, so they cost nothing.

use gst::ClockTime;

/// Thins a stream of frames.
#[derive(Debug, Default)]
pub struct Pacer {
    max_fps: Option<u32>,
    due: Option<ClockTime>,
}

impl Pacer {
    /// The most frames per second to let through; `None` for all. Returns whether that is another limit than before.
    pub fn limit(&mut self, max_fps: Option<u32>) -> bool {
        let is_other = self.max_fps != max_fps;
        if is_other {
            self.max_fps = max_fps;
            self.due = None;
        }
        is_other
    }

    /// Whether the frame of this running time is encoded.
    pub fn admits(&mut self, running_time: ClockTime) -> bool {
        let Some(max_fps) = self.max_fps.filter(|&fps| fps > 0) else { return true };
        let interval = ClockTime::SECOND / u64::from(max_fps);
        let Some(due) = self.due else {
            self.due = Some(running_time + interval);
            return true;
        };
        // A source that starts again is ahead of nothing.
        let went_back = running_time + interval * 2 < due;
        // Timestamps of real sources shake; a quarter of the interval is half a frame of twice the rate.
        if running_time + interval / 4 < due && !went_back {
            return false;
        }
        // After a pause the beat begins anew; otherwise it goes on, so that shaking does not add up.
        let is_late = went_back || running_time > due + interval;
        self.due = Some(if is_late { running_time } else { due } + interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(max_fps: Option<u32>, times_us: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut pacer = Pacer::default();
        pacer.limit(max_fps);
        times_us.into_iter().filter(|&us| pacer.admits(ClockTime::from_useconds(us))).collect()
    }

    fn sixty(frames: u64) -> impl Iterator<Item = u64> {
        (0..frames).map(|n| n * 1_000_000 / 60)
    }

    #[test]
    fn without_a_limit_every_frame_passes() {
        assert_eq!(admitted(None, sixty(60)).len(), 60);
        assert_eq!(admitted(Some(60), sixty(60)).len(), 60);
        assert_eq!(admitted(Some(120), sixty(60)).len(), 60);
    }

    #[test]
    fn half_the_rate_is_every_second_frame() {
        let expected: Vec<_> = sixty(60).step_by(2).collect();
        assert_eq!(admitted(Some(30), sixty(60)), expected);
    }

    #[test]
    fn other_rates_come_out_on_average() {
        for fps in [10, 15, 20, 25, 40, 45, 50] {
            let frames = admitted(Some(fps), sixty(600)).len() as i64;
            assert!((frames - 10 * i64::from(fps)).abs() <= 2, "{fps}: {frames} in ten seconds");
        }
    }

    #[test]
    fn shaking_timestamps_do_not_change_the_rate() {
        let shaking = sixty(600).enumerate().map(|(n, us)| us + 5000 * (n as u64 * 7 % 3));
        let frames = admitted(Some(30), shaking).len() as i64;
        assert!((frames - 300).abs() <= 3, "{frames}");
    }

    #[test]
    fn a_source_with_fewer_frames_keeps_them_all_and_a_pause_is_no_debt() {
        assert_eq!(admitted(Some(30), [0, 100_000, 200_000, 5_000_000, 5_016_000, 5_034_000]).len(), 5);
    }

    #[test]
    fn a_source_that_starts_again_is_not_held_back() {
        assert_eq!(admitted(Some(30), [9_000_000, 0, 33_334]), [9_000_000, 0, 33_334]);
    }
}
