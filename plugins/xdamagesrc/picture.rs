//! Shell: what is captured, the persistent frame that holds it, and the pointer on top: it is brought up to date here. Refuses to
//! decide when, and to make output of it.

use super::{
    cursor::{CursorImage, Overlay},
    error::Error,
    pixels::{PixelLayout, Rect, Region, fetches},
    x11::{Changed, Display, Doorbell, Frame, Pointer, Selection, Source, Target, Wanted, Watch},
};
use std::sync::Arc;
use x11rb::protocol::xproto::Rectangle;

/// A picture of a display.
pub struct Picture {
    /// Where it comes from.
    pub display: Display,
    target: Target,
    selection: Selection,
    watch: Watch,
    /// The part of the target that is captured.
    area: Rect,
    frame: Frame,
    /// What has changed on the server and is not in the frame.
    missing: Region,
    pointer: Pointer,
    cursor: Option<CursorImage>,
    /// Where the pointer was when it was last asked.
    place: Option<(i32, i32)>,
    overlay: Overlay,
}

/// The part of a rectangle of the target that is in the captured area, relative to that.
fn clipped(rectangle: &Rectangle, area: Rect) -> Rect {
    let span = |first: i16, length: u16, start: u32, all: u32| {
        let first = i64::from(first) - i64::from(start);
        let last = (first + i64::from(length)).clamp(0, i64::from(all));
        let first = first.clamp(0, i64::from(all));
        (first as u32, (last - first) as u32)
    };
    let (x, width) = span(rectangle.x, rectangle.width, area.x, area.width);
    let (y, height) = span(rectangle.y, rectangle.height, area.y, area.height);
    Rect::new(x, y, width, height)
}

impl Picture {
    /// Opens the display and begins to watch; everything is missing.
    pub fn open(
        name: Option<&str>,
        wanted: Wanted,
        selection: Selection,
        bell: &Arc<Doorbell>,
    ) -> Result<Self, Error> {
        let mut display = Display::open(name, wanted, bell)?;
        let target = Target::find(&display, &selection)?;
        display.layout(target.depth, target.visual)?;
        let (width, height) = target.size;
        let (x, y) = selection.start;
        let area = selection.area(width, height).ok_or(Error::Outside { width, height, x, y })?;
        let watch = Watch::start(&display, &target)?;
        let frame = Frame::new(&mut display, area.width, area.height)?;
        Ok(Self {
            display,
            target,
            selection,
            watch,
            area,
            frame,
            missing: Region::full(area.width, area.height),
            pointer: Pointer::default(),
            cursor: None,
            place: None,
            overlay: Overlay::default(),
        })
    }

    /// Columns and lines.
    pub fn size(&self) -> (u32, u32) {
        self.frame.size()
    }

    /// How its pixels are laid out.
    pub fn layout(&self) -> Result<PixelLayout, Error> {
        self.display.layout(self.target.depth, self.target.visual)
    }

    /// Its pixels, and the bytes from one line to the next.
    pub fn pixels(&self) -> (&[u8], usize) {
        (self.frame.pixels(), self.frame.stride())
    }

    /// What is captured.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether nobody tells of changes.
    pub fn must_poll(&self) -> bool {
        matches!(self.watch, Watch::Nothing)
    }

    /// Whether all that is known to have changed is in the frame.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Nothing of the frame is known to be true any more.
    pub fn miss_everything(&mut self) {
        self.missing = Region::full(self.area.width, self.area.height);
    }

    /// Follows another size or visibility of the target. Tells whether the picture has another size.
    pub fn follow(&mut self) -> Result<bool, Error> {
        if self.target.refresh(&self.display)? {
            self.miss_everything();
        }
        let (width, height) = self.target.size;
        // A region that is outside of a screen that has become smaller keeps its last picture.
        let Some(area) = self.selection.area(width, height) else { return Ok(false) };
        let has_size = (area.width, area.height) != (self.area.width, self.area.height);
        self.area = area;
        if has_size {
            let frame = Frame::new(&mut self.display, area.width, area.height)?;
            std::mem::replace(&mut self.frame, frame).release(&self.display)?;
            self.overlay.forget();
            self.miss_everything();
        }
        Ok(has_size)
    }

    /// Takes the list of what is damaged.
    pub fn look(&mut self) -> Result<(), Error> {
        if let Changed::Places(places) = self.watch.take(&self.display)? {
            places.iter().for_each(|place| self.missing.add(clipped(place, self.area)));
        }
        Ok(())
    }

    /// Asks to be told of changes of the pointer's picture and of its motion, or no longer.
    pub fn watch_pointer(&mut self, shape: bool, motion: bool) -> Result<(), Error> {
        self.pointer.watch(&self.display, shape, motion)
    }

    /// Asks what the pointer looks like.
    pub fn learn_cursor(&mut self) -> Result<(), Error> {
        self.cursor = self.pointer.image(&self.display)?;
        Ok(())
    }

    /// What the pointer looks like, if that is known.
    pub fn cursor(&self) -> Option<&CursorImage> {
        self.cursor.as_ref()
    }

    /// Whether the pointer is elsewhere than at the last fetch.
    pub fn has_pointer_moved(&self) -> Result<bool, Error> {
        Ok(self.pointer.place(&self.display, self.target.window)? != self.place)
    }

    fn source(&self) -> Option<Source> {
        let (width, height) = self.target.size;
        let is_inside = self.area.right() <= width && self.area.bottom() <= height;
        let (drawable, border) = self.target.source.filter(|_| is_inside)?;
        let coordinate = |px: u32| border.saturating_add(i16::try_from(px).unwrap_or(i16::MAX));
        Some(Source { drawable, x: coordinate(self.area.x), y: coordinate(self.area.y) })
    }

    /// Brings the frame up to date, with or without pointer. Adds to `changed` what is different in it now, also where the server
    /// refuses; gives the pixels that came over.
    pub fn fetch(&mut self, show_pointer: bool, changed: &mut Region) -> Result<u64, Error> {
        self.place = if show_pointer { self.pointer.place(&self.display, self.target.window)? } else { None };
        let layout = self.layout()?;
        let stride = self.frame.stride();
        let (width, height) = self.frame.size();
        let cursor = self.cursor.take();
        let shown = cursor.as_ref().zip(self.place).map(|(cursor, (x, y))| {
            (cursor, (x.saturating_sub_unsigned(self.area.x), y.saturating_sub_unsigned(self.area.y)))
        });
        let has_moved = self.overlay.differs(shown, width, height);
        let add_pointer = |overlay: &Overlay, changed: &mut Region| {
            if has_moved && let Some(rect) = overlay.rect() {
                changed.add(rect);
            }
        };
        add_pointer(&self.overlay, changed);
        self.overlay.lift(self.frame.pixels_mut(), stride);
        let fetched = self.fetch_missing(changed);
        // Even where the server has refused: a frame must not leave without its pointer.
        if let Some((cursor, at)) = shown {
            self.overlay.lay(cursor, at, self.frame.pixels_mut(), stride, layout);
        }
        add_pointer(&self.overlay, changed);
        self.cursor = cursor;
        fetched
    }

    fn fetch_missing(&mut self, changed: &mut Region) -> Result<u64, Error> {
        let Some(source) = self.source() else {
            // It is all missing when it is shown again.
            self.missing.clear();
            return Ok(0);
        };
        let (width, height) = self.frame.size();
        let fetched = if self.watch.knows_places() {
            let fetches = fetches(&self.missing, width, height);
            self.frame.fetch(&self.display, source, &fetches)?
        } else {
            self.frame.fetch_and_compare(&self.display, source, changed)?
        };
        changed.unite(&self.missing);
        self.missing.clear();
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_relative_to_the_region_and_never_beyond_it() {
        let area = Rect::new(100, 50, 200, 100);
        let clipped = |x, y, width, height| clipped(&Rectangle { x, y, width, height }, area);
        assert_eq!(clipped(110, 60, 20, 10), Rect::new(10, 10, 20, 10));
        assert_eq!(clipped(-5, -5, 115, 60), Rect::new(0, 0, 10, 5));
        assert_eq!(clipped(290, 140, 60_000, 60_000), Rect::new(190, 90, 10, 10));
        assert!(clipped(0, 0, 100, 300).is_empty());
        assert!(clipped(400, 0, 100, 300).is_empty());
    }
}
