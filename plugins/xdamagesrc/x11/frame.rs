//! Shell: the persistent frame: the captured picture as it was at the last fetch, in memory that the server writes to. Refuses to
//! choose what to fetch.

use super::{
    display::{Display, Sharing},
    memory::Memory,
};
use crate::xdamagesrc::{
    compare::take_over,
    error::Error,
    pixels::{Fetch, Rect, Region},
};
use std::os::fd::OwnedFd;
use x11rb::{
    connection::Connection as _,
    protocol::{
        shm::{ConnectionExt as _, Seg},
        xproto::{ConnectionExt as _, Drawable, ImageFormat},
    },
};

/// Bytes of a pixel.
const PIXEL_BYTES: usize = 4;
/// All planes.
const ALL_PLANES: u32 = !0;

/// Where a frame's pixels are on the server.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// What to read.
    pub drawable: Drawable,
    /// Its column that is the frame's first.
    pub x: i16,
    /// Its line that is the frame's first.
    pub y: i16,
}

/// The picture, and beside it as much room again for parts of it on their way.
#[derive(Debug)]
pub struct Frame {
    memory: Memory,
    segment: Option<Seg>,
    width: u32,
    height: u32,
}

fn coordinate(px: u32) -> i16 {
    i16::try_from(px).unwrap_or(i16::MAX)
}

fn length(px: u32) -> u16 {
    u16::try_from(px).unwrap_or(u16::MAX)
}

impl Frame {
    /// A black one. The best way to share memory that works is kept for the next.
    pub fn new(display: &mut Display, width: u32, height: u32) -> Result<Self, Error> {
        let len = 2 * width as usize * height as usize * PIXEL_BYTES;
        loop {
            let tried = match display.sharing {
                Sharing::Fd => Self::share_fd(display, len),
                Sharing::Segment => Self::share_segment(display, len),
                Sharing::Copies => Ok((Memory::own(len), None)),
            };
            match (tried, display.sharing) {
                (Ok((memory, segment)), _) => return Ok(Self { memory, segment, width, height }),
                (Err(error @ Error::Lost(_)), _) => return Err(error),
                // A server on another machine, or in another container, or of another user.
                (Err(_), Sharing::Fd) => display.sharing = Sharing::Segment,
                (Err(_), Sharing::Segment) => display.sharing = Sharing::Copies,
                (Err(error), Sharing::Copies) => return Err(error),
            }
        }
    }

    fn share_fd(display: &Display, len: usize) -> Result<(Memory, Option<Seg>), Error> {
        let (memory, fd): (Memory, OwnedFd) = Memory::mapped(len)?;
        let segment = display.connection.generate_id()?;
        display.connection.shm_attach_fd(segment, fd, false)?.check()?;
        Ok((memory, Some(segment)))
    }

    fn share_segment(display: &Display, len: usize) -> Result<(Memory, Option<Seg>), Error> {
        let (mut memory, id) = Memory::segment(len)?;
        let segment = display.connection.generate_id()?;
        let attached = display.connection.shm_attach(segment, id, false)?.check();
        memory.forget_name();
        attached?;
        Ok((memory, Some(segment)))
    }

    /// Lets the server forget it. Without this it does when the connection ends.
    pub fn release(self, display: &Display) -> Result<(), Error> {
        if let Some(segment) = self.segment {
            display.connection.shm_detach(segment)?;
        }
        Ok(())
    }

    /// Columns and lines.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Bytes from one line to the next.
    pub fn stride(&self) -> usize {
        self.width as usize * PIXEL_BYTES
    }

    /// All pixels.
    pub fn pixels(&self) -> &[u8] {
        &self.memory[..self.stride() * self.height as usize]
    }

    /// All pixels, to draw upon.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        let len = self.stride() * self.height as usize;
        &mut self.memory[..len]
    }

    fn offset(&self, rect: Rect) -> usize {
        rect.y as usize * self.stride() + rect.x as usize * PIXEL_BYTES
    }

    /// Makes these parts current. All requests leave together, so that it takes one answer's time. Gives the pixels moved.
    pub fn fetch(&mut self, display: &Display, source: Source, fetches: &[Fetch]) -> Result<u64, Error> {
        let Some(segment) = self.segment else {
            return self.fetch_copies(display, source, fetches);
        };
        let connection = &display.connection;
        let mut room = self.pixels().len();
        let mut moved_px = 0;
        let mut asked = Vec::with_capacity(fetches.len());
        let mut patches = Vec::new();
        for fetch in fetches {
            let mut rect = fetch.rect(self.width);
            let len = rect.area() as usize * PIXEL_BYTES;
            let at = match fetch {
                Fetch::Patch(_) if room + len <= self.memory.len() => {
                    patches.push((rect, room));
                    room += len;
                    room - len
                }
                // No room beside the frame: its whole lines have theirs.
                Fetch::Patch(_) => {
                    rect = Rect::new(0, rect.y, self.width, rect.height);
                    self.offset(rect)
                }
                Fetch::Band { .. } => self.offset(rect),
            };
            moved_px += rect.area();
            asked.push(connection.shm_get_image(
                source.drawable,
                source.x.saturating_add(coordinate(rect.x)),
                source.y.saturating_add(coordinate(rect.y)),
                length(rect.width),
                length(rect.height),
                ALL_PLANES,
                ImageFormat::Z_PIXMAP.into(),
                segment,
                u32::try_from(at).unwrap_or(u32::MAX),
            )?);
        }
        for asked in asked {
            asked.reply()?;
        }
        for (rect, from) in patches {
            let (stride, line, to) = (self.stride(), rect.width as usize * PIXEL_BYTES, self.offset(rect));
            for y in 0..rect.height as usize {
                self.memory.copy_within(from + y * line..from + (y + 1) * line, to + y * stride);
            }
        }
        Ok(moved_px)
    }

    fn fetch_copies(&mut self, display: &Display, source: Source, fetches: &[Fetch]) -> Result<u64, Error> {
        let mut asked = Vec::with_capacity(fetches.len());
        for fetch in fetches {
            let rect = fetch.rect(self.width);
            let cookie = display.connection.get_image(
                ImageFormat::Z_PIXMAP,
                source.drawable,
                source.x.saturating_add(coordinate(rect.x)),
                source.y.saturating_add(coordinate(rect.y)),
                length(rect.width),
                length(rect.height),
                ALL_PLANES,
            )?;
            asked.push((rect, cookie));
        }
        let mut moved_px = 0;
        for (rect, cookie) in asked {
            let data = cookie.reply()?.data;
            let (stride, line, to) = (self.stride(), rect.width as usize * PIXEL_BYTES, self.offset(rect));
            for (y, pixels) in data.chunks_exact(line).take(rect.height as usize).enumerate() {
                self.memory[to + y * stride..][..line].copy_from_slice(pixels);
            }
            moved_px += rect.area();
        }
        Ok(moved_px)
    }

    /// Makes everything current, and tells what has changed by comparison. Gives the pixels moved.
    pub fn fetch_and_compare(
        &mut self,
        display: &Display,
        source: Source,
        changed: &mut Region,
    ) -> Result<u64, Error> {
        let (width, height, stride) = (self.width, self.height, self.stride());
        let pixels = stride * height as usize;
        if let Some(segment) = self.segment {
            let asked = display.connection.shm_get_image(
                source.drawable,
                source.x,
                source.y,
                length(width),
                length(height),
                ALL_PLANES,
                ImageFormat::Z_PIXMAP.into(),
                segment,
                u32::try_from(pixels).unwrap_or(u32::MAX),
            )?;
            asked.reply()?;
            let (known, new) = self.memory.split_at_mut(pixels);
            take_over(known, new, stride, changed);
        } else {
            let asked = display.connection.get_image(
                ImageFormat::Z_PIXMAP,
                source.drawable,
                source.x,
                source.y,
                length(width),
                length(height),
                ALL_PLANES,
            )?;
            let new = asked.reply()?.data;
            take_over(&mut self.memory[..pixels], &new, stride, changed);
        }
        Ok(u64::from(width) * u64::from(height))
    }
}
