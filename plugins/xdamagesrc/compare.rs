//! Decision: what has changed between two pictures, for servers that do not tell. Refuses to fetch them.

use super::pixels::{Rect, Region};

/// Lines and columns of a tile; what has changed is told tile by tile.
const TILE_LINES: usize = 32;
const TILE_BYTES: usize = 64 * PIXEL_BYTES;
const PIXEL_BYTES: usize = 4;

/// Makes `known` the same as `new` and adds the tiles that were not to `changed`. Both have lines of `stride` bytes.
pub fn take_over(known: &mut [u8], new: &[u8], stride: usize, changed: &mut Region) {
    if stride == 0 {
        return;
    }
    let rows = known.chunks_mut(TILE_LINES * stride).zip(new.chunks(TILE_LINES * stride));
    for (row, (known, new)) in rows.enumerate() {
        if known == new {
            continue;
        }
        let lines = known.len() / stride;
        for left in (0..stride).step_by(TILE_BYTES) {
            let right = (left + TILE_BYTES).min(stride);
            let mut differs = false;
            for line in 0..lines {
                let at = line * stride + left..line * stride + right;
                if known[at.clone()] != new[at.clone()] {
                    known[at.clone()].copy_from_slice(&new[at]);
                    differs = true;
                }
            }
            if differs {
                let px = |bytes: usize| (bytes / PIXEL_BYTES) as u32;
                changed.add(Rect::new(px(left), (row * TILE_LINES) as u32, px(right - left), lines as u32));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_pixel_that_differs_is_told_and_taken_over(
            width in 1_usize..200, height in 1_usize..100,
            places in prop::collection::vec((0_usize..200, 0_usize..100), 0..8),
        ) {
            let stride = width * PIXEL_BYTES;
            let mut known = vec![0; stride * height];
            let mut new = known.clone();
            let places: Vec<_> = places.into_iter().filter(|(x, y)| *x < width && *y < height).collect();
            for (x, y) in &places {
                new[y * stride + x * PIXEL_BYTES] = 1;
            }
            let mut changed = Region::empty();
            take_over(&mut known, &new, stride, &mut changed);
            prop_assert_eq!(known, new);
            prop_assert_eq!(changed.is_empty(), places.is_empty());
            for (x, y) in places {
                let pixel = Rect::new(x as u32, y as u32, 1, 1);
                prop_assert!(changed.rects().iter().any(|rect| rect.contains(&pixel)));
            }
        }
    }
}
