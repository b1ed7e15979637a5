//! Decision: a set of pixels as a short list of rectangles. Owns the arithmetic; refuses to grow without bound: beyond
//! [`Region::MAX_RECTS`] it takes pixels in that nobody named, and never loses one that somebody did.

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// The leftmost column.
    pub x: u32,
    /// The topmost line.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Lines.
    pub height: u32,
}

impl Rect {
    /// The rectangle at a place, of a size. What would lie beyond the largest coordinate is cut off.
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        let most_width = u32::MAX - x;
        let most_height = u32::MAX - y;
        Self {
            x,
            y,
            width: if width < most_width { width } else { most_width },
            height: if height < most_height { height } else { most_height },
        }
    }

    const fn between(left: u32, top: u32, right: u32, bottom: u32) -> Self {
        Self { x: left, y: top, width: right.saturating_sub(left), height: bottom.saturating_sub(top) }
    }

    /// The first column to the right of it.
    pub const fn right(&self) -> u32 {
        self.x.saturating_add(self.width)
    }

    /// The first line below it.
    pub const fn bottom(&self) -> u32 {
        self.y.saturating_add(self.height)
    }

    /// Its pixels.
    pub const fn area(&self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// Whether it has no pixel.
    pub const fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Whether all of the other's pixels are its own.
    pub fn contains(&self, other: &Self) -> bool {
        self.intersection(other) == *other
    }

    /// The pixels of both; may be empty.
    pub fn intersection(&self, other: &Self) -> Self {
        Self::between(
            self.x.max(other.x),
            self.y.max(other.y),
            self.right().min(other.right()),
            self.bottom().min(other.bottom()),
        )
    }

    /// The smallest rectangle that has both.
    pub fn union(&self, other: &Self) -> Self {
        Self::between(
            self.x.min(other.x),
            self.y.min(other.y),
            self.right().max(other.right()),
            self.bottom().max(other.bottom()),
        )
    }

    /// The part within a frame, grown so that it begins and ends between blocks of 2 by 2 pixels, which share a colour
    /// in 4:2:0. `width` and `height` are the frame's; an odd last line or column is left out, for it has no block.
    pub fn even_within(&self, width: u32, height: u32) -> Self {
        let even = |end: u32, limit: u32| end.saturating_add(1).min(limit) & !1;
        Self::between(self.x & !1, self.y & !1, even(self.right(), width), even(self.bottom(), height))
    }
}

/// Two rectangles become one when the pixels between them are at most this part of theirs.
const WASTE_DIVISOR: u64 = 8;

/// A set of pixels: disjoint rectangles, not many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Region {
    rects: Vec<Rect>,
}

impl Region {
    /// The most rectangles that it keeps apart. A desktop seldom changes in more places within one frame, and each
    /// costs the X server a request and an addition a comparison with all others.
    pub const MAX_RECTS: usize = 16;

    /// No pixel.
    pub const fn empty() -> Self {
        Self { rects: Vec::new() }
    }

    /// All pixels of a frame.
    pub fn full(width: u32, height: u32) -> Self {
        let mut region = Self::empty();
        region.add(Rect::new(0, 0, width, height));
        region
    }

    /// Adds the pixels of a rectangle.
    pub fn add(&mut self, rect: Rect) {
        if rect.is_empty() || self.rects.iter().any(|have| have.contains(&rect)) {
            return;
        }
        let mut added = rect;
        // Whatever it touches or nearly touches becomes one with it; what has grown may touch others.
        while let Some(index) = self.rects.iter().position(|have| belong_together(have, &added)) {
            added = added.union(&self.rects.swap_remove(index));
        }
        self.rects.push(added);
        if self.rects.len() > Self::MAX_RECTS {
            self.join_the_cheapest_pair();
        }
    }

    /// Adds all pixels of another.
    pub fn unite(&mut self, other: &Self) {
        for rect in &other.rects {
            self.add(*rect);
        }
    }

    /// Drops what lies outside of a frame.
    pub fn clip(&mut self, width: u32, height: u32) {
        let frame = Rect::new(0, 0, width, height);
        for rect in &mut self.rects {
            *rect = rect.intersection(&frame);
        }
        self.rects.retain(|rect| !rect.is_empty());
    }

    /// Drops all pixels. Keeps the memory.
    pub fn clear(&mut self) {
        self.rects.clear();
    }

    /// Whether it has no pixel.
    pub fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }

    /// Its rectangles: disjoint, in no order.
    pub fn rects(&self) -> &[Rect] {
        &self.rects
    }

    /// Its pixels.
    pub fn area(&self) -> u64 {
        self.rects.iter().map(Rect::area).sum()
    }

    /// The smallest rectangle that has all of it.
    pub fn bounds(&self) -> Option<Rect> {
        self.rects.iter().copied().reduce(|all, rect| all.union(&rect))
    }

    fn join_the_cheapest_pair(&mut self) {
        let count = self.rects.len();
        let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other)));
        let cheapest = pairs.min_by_key(|&(one, other)| {
            let (one, other) = (self.rects[one], self.rects[other]);
            one.union(&other).area() - one.area() - other.area()
        });
        if let Some((one, other)) = cheapest {
            // The later of the two goes first: the earlier keeps its place.
            let other = self.rects.swap_remove(other);
            let one = self.rects.swap_remove(one);
            self.add(one.union(&other));
        }
    }
}

/// Rectangles that overlap, and those whose common frame has little beside them.
fn belong_together(one: &Rect, other: &Rect) -> bool {
    if !one.intersection(other).is_empty() {
        return true;
    }
    let both = one.area() + other.area();
    one.union(other).area() - both <= both / WASTE_DIVISOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIDE: u32 = 64;

    fn rect() -> impl Strategy<Value = Rect> {
        (0..SIDE, 0..SIDE, 0..SIDE / 4, 0..SIDE / 4)
            .prop_map(|(x, y, width, height)| Rect::new(x, y, width, height))
    }

    fn has(region: &Region, x: u32, y: u32) -> bool {
        region.rects().iter().any(|rect| rect.contains(&Rect::new(x, y, 1, 1)))
    }

    proptest! {
        #[test]
        fn no_pixel_is_lost_none_is_counted_twice_and_the_list_stays_short(rects in prop::collection::vec(rect(), 0..60)) {
            let mut region = Region::empty();
            for rect in &rects {
                region.add(*rect);
                prop_assert!(region.rects().len() <= Region::MAX_RECTS);
            }
            let mut pixels = 0;
            for (x, y) in (0..SIDE * 2).flat_map(|x| (0..SIDE * 2).map(move |y| (x, y))) {
                let wanted = rects.iter().any(|rect| rect.contains(&Rect::new(x, y, 1, 1)));
                prop_assert!(!wanted || has(&region, x, y), "{x}, {y} of {rects:?} is not in {region:?}");
                pixels += u64::from(has(&region, x, y));
            }
            prop_assert_eq!(pixels, region.area());
            let bounds = rects.iter().filter(|rect| !rect.is_empty()).copied().reduce(|all, rect| all.union(&rect));
            prop_assert_eq!(region.bounds(), bounds);
        }

        #[test]
        fn clipping_keeps_just_what_is_within(rects in prop::collection::vec(rect(), 0..20), width in 1..SIDE, height in 1..SIDE) {
            let mut region = Region::empty();
            rects.iter().for_each(|rect| region.add(*rect));
            let mut clipped = region.clone();
            clipped.clip(width, height);
            for (x, y) in (0..SIDE * 2).flat_map(|x| (0..SIDE * 2).map(move |y| (x, y))) {
                prop_assert_eq!(has(&clipped, x, y), has(&region, x, y) && x < width && y < height);
            }
        }
    }

    #[test]
    fn distant_places_stay_apart_and_near_ones_become_one() {
        let mut region = Region::empty();
        region.add(Rect::new(10, 10, 8, 16));
        region.add(Rect::new(1800, 1000, 8, 16));
        assert_eq!(region.area(), 2 * 8 * 16);
        region.add(Rect::new(18, 10, 8, 16));
        assert_eq!(region.rects().len(), 2);
        assert_eq!(region.area(), 3 * 8 * 16);
        region.add(Rect::new(0, 0, 1920, 1080));
        assert_eq!(region, Region::full(1920, 1080));
    }

    #[test]
    fn rectangles_at_the_end_of_the_numbers_do_no_harm() {
        let rect = Rect::new(u32::MAX - 1, u32::MAX - 1, 5, 5);
        assert_eq!((rect.width, rect.height), (1, 1));
        let mut region = Region::empty();
        region.add(rect);
        region.clip(1920, 1080);
        assert!(region.is_empty());
        assert_eq!(Rect::new(3, 5, u32::MAX, u32::MAX).even_within(7, 9), Rect::new(2, 4, 4, 4));
        assert!(Rect::new(6, 0, 1, 1).even_within(7, 9).is_empty());
    }
}
