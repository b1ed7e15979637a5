//! Shell: the X display: one window that covers it, a shared memory file for pictures, and the four ways to change what
//! is shown. Everything of one change is in one write, the marker last. It refuses displays without MIT-SHM, and others
//! than those with four bytes a pixel.

use crate::{marker, picture::Picture};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::{fs::File, os::unix::fs::FileExt};
use x11rb::{
    connection::Connection,
    errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError},
    protocol::{
        Event,
        shm::{self, ConnectionExt as _},
        xproto::{ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat, WindowClass},
    },
    rust_connection::RustConnection,
};

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No display, or it refuses.
    #[error("cannot connect to the X display: {0}")]
    Connect(#[from] ConnectError),
    /// The connection has broken.
    #[error("the X display is gone: {0}")]
    Connection(#[from] ConnectionError),
    /// A request failed.
    #[error("the X display refuses: {0}")]
    Reply(#[from] ReplyError),
    /// No identifier is left.
    #[error("the X display refuses: {0}")]
    Id(#[from] ReplyOrIdError),
    /// A request whose answer nobody waited for failed.
    #[error("the X display reports an error: {0}")]
    Late(String),
    /// It is another kind of display.
    #[error("the X display has {depth} bits of {bytes} bytes a pixel; this client draws 24 of 4")]
    Format { depth: u8, bytes: u8 },
    /// Memory for pictures.
    #[error("no shared memory for pictures: {0}")]
    Memory(#[from] std::io::Error),
}

/// Where a picture lies in the shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    offset: u32,
    width: u16,
    height: u16,
}

/// A place on the display.
pub type Place = (usize, usize);

/// The display.
pub struct Screen {
    conn: RustConnection,
    window: u32,
    gc: u32,
    segment: u32,
    memory: File,
    stored_bytes: u32,
    /// Pictures that the server has been asked to copy and has not told of.
    pending: u32,
    /// Columns of the display.
    pub width: usize,
    /// Its rows.
    pub height: usize,
}

const BYTES_PER_PIXEL: u8 = 4;

impl Screen {
    /// Covers the display in DISPLAY with a window, and hides the pointer, which is in nobody's original.
    pub fn open() -> Result<Self, Error> {
        let (conn, number) = x11rb::connect(None)?;
        let root = &conn.setup().roots[number];
        let (width, height, depth) = (root.width_in_pixels, root.height_in_pixels, root.root_depth);
        let bits =
            conn.setup().pixmap_formats.iter().find(|format| format.depth == depth).map(|f| f.bits_per_pixel);
        let bytes = bits.unwrap_or(0) / 8;
        if depth != 24 || bytes != BYTES_PER_PIXEL {
            return Err(Error::Format { depth, bytes });
        }
        let (parent, black, white) = (root.root, root.black_pixel, root.white_pixel);
        let (window, gc, segment) = (conn.generate_id()?, conn.generate_id()?, conn.generate_id()?);

        let (shape, none) = (conn.generate_id()?, conn.generate_id()?);
        conn.create_pixmap(1, shape, parent, 1, 1)?;
        let bit = conn.generate_id()?;
        conn.create_gc(bit, shape, &CreateGCAux::new().foreground(0))?;
        conn.poly_point(x11rb::protocol::xproto::CoordMode::ORIGIN, shape, bit, &[Default::default()])?;
        conn.create_cursor(none, shape, shape, 0, 0, 0, 0, 0, 0, 0, 0)?;

        let values = CreateWindowAux::new().override_redirect(1).background_pixel(black).cursor(none);
        conn.create_window(0, window, parent, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &values)?;
        // Without exposures: a copy within the window is told of by nobody.
        let values = CreateGCAux::new().foreground(white).background(black).graphics_exposures(0);
        conn.create_gc(gc, window, &values)?;
        conn.map_window(window)?.check()?;

        let memory =
            File::from(memfd_create("pictures", MFdFlags::MFD_CLOEXEC).map_err(std::io::Error::from)?);
        let (width, height) = (usize::from(width), usize::from(height));
        Ok(Self { conn, window, gc, segment, memory, stored_bytes: 0, pending: 0, width, height })
    }

    /// The window that covers the display.
    pub fn window(&self) -> u32 {
        self.window
    }

    /// Adds a picture to the shared memory.
    pub fn store(&mut self, picture: &Picture) -> Result<Stored, Error> {
        let offset = self.stored_bytes;
        self.memory.write_all_at(&picture.bytes, offset.into())?;
        let too_much = |_| std::io::Error::from(std::io::ErrorKind::StorageFull);
        self.stored_bytes += u32::try_from(picture.bytes.len()).map_err(too_much)?;
        let [width, height] = [picture.width, picture.height].map(|px| u16::try_from(px).unwrap_or(u16::MAX));
        Ok(Stored { offset, width, height })
    }

    /// Shows the server what has been stored.
    pub fn share(&self) -> Result<(), Error> {
        self.conn.shm_attach_fd(self.segment, self.memory.try_clone()?, true)?.check()?;
        Ok(())
    }

    /// Changes a stored picture: the marker becomes part of it.
    pub fn write_marker(
        &self,
        picture: Stored,
        (x, y): Place,
        cells: &[bool; marker::COLUMNS * marker::ROWS],
    ) -> Result<(), Error> {
        for (row, cells) in cells.chunks_exact(marker::COLUMNS).enumerate() {
            let pixels = marker::pixels(cells);
            for line in 0..marker::CELL_PX {
                let pixel = (y + row * marker::CELL_PX + line) * usize::from(picture.width) + x;
                let at = u64::from(picture.offset) + (pixel * usize::from(BYTES_PER_PIXEL)) as u64;
                self.memory.write_all_at(&pixels, at)?;
            }
        }
        Ok(())
    }

    /// Draws a stored picture. The server says when it has copied it.
    pub fn put_stored(&mut self, picture: Stored, (x, y): Place) -> Result<(), Error> {
        let Stored { offset, width, height } = picture;
        let format = ImageFormat::Z_PIXMAP.into();
        self.conn.shm_put_image(
            self.window,
            self.gc,
            width,
            height,
            0,
            0,
            width,
            height,
            x as i16,
            y as i16,
            24,
            format,
            true,
            self.segment,
            offset,
        )?;
        self.pending += 1;
        Ok(())
    }

    /// Draws a small picture that the request itself carries.
    pub fn put(&self, picture: &Picture, (x, y): Place) -> Result<(), Error> {
        let (width, height) = (picture.width as u16, picture.height as u16);
        let format = ImageFormat::Z_PIXMAP;
        let (window, gc) = (self.window, self.gc);
        self.conn.put_image(format, window, gc, width, height, x as i16, y as i16, 0, 24, &picture.bytes)?;
        Ok(())
    }

    /// Moves what is on the display upwards.
    pub fn scroll(&self, (x, y): Place, width: usize, height: usize, by: usize) -> Result<(), Error> {
        let (left, upper, lower) = (x as i16, y as i16, (y + by) as i16);
        let (width, height) = (width as u16, (height - by) as u16);
        self.conn.copy_area(self.window, self.window, self.gc, left, lower, left, upper, width, height)?;
        Ok(())
    }

    /// Draws the marker.
    pub fn put_marker(
        &self,
        (x, y): Place,
        cells: &[bool; marker::COLUMNS * marker::ROWS],
    ) -> Result<(), Error> {
        let (width, height) = (marker::WIDTH_PX as u16, marker::HEIGHT_PX as u16);
        let (window, gc, bits) = (self.window, self.gc, marker::bitmap(cells));
        let format = ImageFormat::XY_BITMAP;
        self.conn.put_image(format, window, gc, width, height, x as i16, y as i16, 0, 1, &bits)?;
        Ok(())
    }

    /// Hands everything since the last time to the server.
    pub fn flush(&self) -> Result<(), Error> {
        Ok(self.conn.flush()?)
    }

    /// Pictures that the server has not copied yet.
    pub fn pending(&mut self) -> Result<u32, Error> {
        while let Some(event) = self.conn.poll_for_event()? {
            match event {
                Event::ShmCompletion(shm::CompletionEvent { .. }) => {
                    self.pending = self.pending.saturating_sub(1)
                }
                Event::Error(error) => return Err(Error::Late(format!("{error:?}"))),
                _ => {}
            }
        }
        Ok(self.pending)
    }

    /// Waits until the server has done all that it was asked for.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.conn.get_input_focus()?.reply()?;
        self.pending()?;
        Ok(())
    }
}
