//! Decision: what the source has done, as numbers. Refuses to measure.

use std::time::Duration;

/// Totals since the element was started.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Frames that have left because of damage.
    pub damaged: u64,
    /// Frames that were the same as the one before.
    pub repeated: u64,
    /// Pixels that had changed.
    pub damaged_px: u64,
    /// Pixels that came over from the server.
    pub fetched_px: u64,
    /// Pixels that were converted.
    pub converted_px: u64,
    /// Time for fetching.
    pub fetch_time: Duration,
    /// Time for converting.
    pub convert_time: Duration,
    /// Whether memory is shared with the server.
    pub shm: bool,
    /// Whether it tells of damage.
    pub damage: bool,
    /// Whether it has regions and cursors.
    pub xfixes: bool,
}

impl Stats {
    /// As the property shows it.
    pub fn structure(&self) -> gst::Structure {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        gst::Structure::builder("application/x-vdi-capture-stats")
            .field("frames", self.damaged + self.repeated)
            .field("frames-damaged", self.damaged)
            .field("frames-repeated", self.repeated)
            .field("damaged-pixels", self.damaged_px)
            .field("fetched-pixels", self.fetched_px)
            .field("converted-pixels", self.converted_px)
            .field("total-fetch-time", ns(self.fetch_time))
            .field("total-convert-time", ns(self.convert_time))
            .field("shm", self.shm)
            .field("damage", self.damage)
            .field("xfixes", self.xfixes)
            .build()
    }
}
