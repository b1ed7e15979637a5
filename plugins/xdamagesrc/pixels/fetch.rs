//! Decision: which pixels are asked of the X server so that a region becomes current. Refuses to ask: that is the shell's.
//!
//! MIT-SHM writes a rectangle without gaps between its lines. A band of whole lines therefore lands in the persistent
//! frame as it is, while a narrower rectangle lands elsewhere and has to be copied in: its bytes move twice.

use super::{Rect, Region};

/// One request to the X server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// Whole lines, straight into the persistent frame.
    Band {
        /// The first line.
        y: u32,
        /// Lines.
        height: u32,
    },
    /// A rectangle, by way of a buffer beside it. Always smaller than half of the frame.
    Patch(Rect),
}

impl Fetch {
    /// The pixels that it brings.
    pub fn rect(&self, width: u32) -> Rect {
        match *self {
            Self::Band { y, height } => Rect::new(0, y, width, height),
            Self::Patch(rect) => rect,
        }
    }

    /// The cheaper way to a rectangle of a frame.
    fn of(rect: Rect, width: u32) -> Self {
        if u64::from(rect.width) * 2 < u64::from(width) {
            Self::Patch(rect)
        } else {
            Self::Band { y: rect.y, height: rect.height }
        }
    }

    /// What it costs, in pixels moved once.
    fn cost(&self, width: u32) -> u64 {
        let moved = match *self {
            Self::Band { height, .. } => u64::from(width) * u64::from(height),
            Self::Patch(rect) => 2 * rect.area(),
        };
        moved + REQUEST_PX
    }
}

/// What a further request costs besides its pixels, as pixels. With Xvfb the first takes 16 µs, since two processes wake
/// for it; others that are sent with it take 1 µs each, in which 4,000 pixels can be fetched.
const REQUEST_PX: u64 = 4096;

/// What to fetch for a region of a frame, the top first: few requests, few bytes. All are to be sent before the first
/// answer is waited for.
pub fn fetches(region: &Region, width: u32, height: u32) -> Vec<Fetch> {
    let mut region = region.clone();
    region.clip(width, height);
    let mut fetches: Vec<Fetch> = region.rects().iter().map(|rect| Fetch::of(*rect, width)).collect();
    while let Some((one, other, joined)) = best_to_join(&fetches, width) {
        fetches.swap_remove(other);
        fetches[one] = joined;
    }
    let whole = Fetch::Band { y: 0, height };
    if fetches.iter().map(|fetch| fetch.cost(width)).sum::<u64>() > whole.cost(width) {
        return vec![whole];
    }
    fetches.sort_by_key(|fetch| fetch.rect(width).y);
    fetches
}

/// The two requests that gain most by becoming one, and that one.
fn best_to_join(fetches: &[Fetch], width: u32) -> Option<(usize, usize, Fetch)> {
    let pairs = (0..fetches.len()).flat_map(|one| (one + 1..fetches.len()).map(move |other| (one, other)));
    let joined = pairs.filter_map(|(one, other)| {
        let joined = Fetch::of(fetches[one].rect(width).union(&fetches[other].rect(width)), width);
        let apart = fetches[one].cost(width) + fetches[other].cost(width);
        let gain = apart.checked_sub(joined.cost(width)).filter(|gain| *gain > 0)?;
        Some((gain, one, other, joined))
    });
    joined.max_by_key(|(gain, ..)| *gain).map(|(_, one, other, joined)| (one, other, joined))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(rects: &[Rect]) -> Region {
        let mut region = Region::empty();
        rects.iter().for_each(|rect| region.add(*rect));
        region
    }

    #[test]
    fn a_letter_is_a_patch_and_scrolled_text_is_a_band() {
        let letter = Rect::new(100, 200, 9, 18);
        assert_eq!(fetches(&region(&[letter]), 1920, 1080), [Fetch::Patch(letter)]);
        let window = Rect::new(60, 100, 1700, 800);
        assert_eq!(fetches(&region(&[window]), 1920, 1080), [Fetch::Band { y: 100, height: 800 }]);
        assert_eq!(fetches(&Region::full(5000, 5000), 1920, 1080), [Fetch::Band { y: 0, height: 1080 }]);
        assert!(fetches(&Region::empty(), 1920, 1080).is_empty());
    }

    #[test]
    fn near_places_share_a_request_and_distant_ones_do_not() {
        let near = region(&[Rect::new(100, 200, 9, 18), Rect::new(130, 220, 9, 18)]);
        assert_eq!(fetches(&near, 1920, 1080), [Fetch::Patch(Rect::new(100, 200, 39, 38))]);
        let clock = Rect::new(1800, 1060, 100, 16);
        let letter = Rect::new(100, 200, 9, 18);
        assert_eq!(
            fetches(&region(&[clock, letter]), 1920, 1080),
            [Fetch::Patch(letter), Fetch::Patch(clock)]
        );
    }

    proptest! {
        #[test]
        fn every_pixel_of_the_region_within_the_frame_is_fetched_and_nothing_beyond(
            rects in prop::collection::vec((0u32..700, 0u32..500, 1u32..200, 1u32..200), 0..30),
            width in 1u32..640, height in 1u32..480,
        ) {
            let rects: Vec<_> = rects.into_iter().map(|(x, y, w, h)| Rect::new(x, y, w, h)).collect();
            let region = region(&rects);
            let fetches = fetches(&region, width, height);
            let frame = Rect::new(0, 0, width, height);
            for fetch in &fetches {
                prop_assert!(frame.contains(&fetch.rect(width)));
                let is_small = matches!(fetch, Fetch::Band { .. }) || fetch.rect(width).area() * 2 < frame.area();
                prop_assert!(is_small, "{fetch:?}");
            }
            let mut clipped = region;
            clipped.clip(width, height);
            for rect in clipped.rects() {
                prop_assert!(fetches.iter().any(|fetch| fetch.rect(width).contains(rect)), "{rect:?} of {fetches:?}");
            }
            let cost: u64 = fetches.iter().map(|fetch| fetch.cost(width)).sum();
            let whole = Fetch::Band { y: 0, height };
            prop_assert!(cost <= whole.cost(width));
        }
    }
}
