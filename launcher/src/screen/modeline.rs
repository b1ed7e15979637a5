//! Decision: the timings of a mode that no monitor has told of (VESA Coordinated Video Timings 1.2, reduced blanking). A
//! virtual display takes anything; a driver for real outputs checks that a monitor could show it.

use crate::config::Size;
use x11rb::protocol::randr::{ModeFlag, ModeInfo};

/// Begin of the names of the modes that are made here, by which they are found again and cleared away.
pub const PREFIX: &str = "vdi-";

/// Frames per second of the mode; a virtual display draws whenever programs do.
const REFRESH_HZ: f64 = 60.0;
/// Columns of the horizontal blanking, of the sync in it, and before the sync (table 3-5).
const H_BLANK: u16 = 160;
const H_SYNC: u16 = 32;
const H_FRONT_PORCH: u16 = 48;
/// Lines before the vertical sync, and least lines after it (the same table).
const V_FRONT_PORCH: u16 = 3;
const V_BACK_PORCH: u16 = 6;
/// Lines of the vertical sync of a shape that is none of the standard's.
const V_SYNC: u16 = 10;
/// Least time of the vertical blanking in microseconds.
const V_BLANK_US: f64 = 460.0;
/// Steps of the pixel clock in Hz.
const CLOCK_STEP_HZ: f64 = 250_000.0;

/// The name of the mode of this size.
pub fn name(size: Size) -> String {
    format!("{PREFIX}{size}")
}

/// The mode, with the length of its name.
pub fn mode(size: Size) -> ModeInfo {
    let Size { width_px, height_px } = size;
    let line_us = (1_000_000.0 / REFRESH_HZ - V_BLANK_US) / f64::from(height_px);
    let blank = ((V_BLANK_US / line_us).floor() as u16 + 1).max(V_FRONT_PORCH + V_SYNC + V_BACK_PORCH);
    let (htotal, vtotal) = (width_px.saturating_add(H_BLANK), height_px.saturating_add(blank));
    let clock_hz = REFRESH_HZ * f64::from(htotal) * f64::from(vtotal);
    let hsync_start = width_px.saturating_add(H_FRONT_PORCH);
    let vsync_start = height_px.saturating_add(V_FRONT_PORCH);
    ModeInfo {
        width: width_px,
        height: height_px,
        dot_clock: ((clock_hz / CLOCK_STEP_HZ).floor() * CLOCK_STEP_HZ) as u32,
        hsync_start,
        hsync_end: hsync_start.saturating_add(H_SYNC),
        htotal,
        vsync_start,
        vsync_end: vsync_start.saturating_add(V_SYNC),
        vtotal,
        // Every name is shorter than 20 characters.
        name_len: name(size).len() as u16,
        mode_flags: ModeFlag::HSYNC_POSITIVE | ModeFlag::VSYNC_NEGATIVE,
        ..ModeInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_are_those_of_the_standard() {
        // `cvt -r 1920 1080`: 138.50 MHz, 1920 1968 2000 2080, 1080 1083 1088 1111; its sync is that of 16:9.
        let mode = mode(Size { width_px: 1920, height_px: 1080 });
        assert_eq!((mode.hsync_start, mode.hsync_end, mode.htotal), (1968, 2000, 2080));
        assert_eq!((mode.vsync_start, mode.vsync_end, mode.vtotal), (1083, 1093, 1111));
        assert_eq!(mode.dot_clock, 138_500_000);
        assert_eq!(usize::from(mode.name_len), "vdi-1920x1080".len());
    }

    #[test]
    fn any_size_shows_about_sixty_frames_a_second() {
        for (width_px, height_px) in [(160, 120), (1002, 2160), (3840, 2160), (8192, 8192)] {
            let mode = mode(Size { width_px, height_px });
            let refresh = f64::from(mode.dot_clock) / f64::from(mode.htotal) / f64::from(mode.vtotal);
            assert!((55.0..=60.0).contains(&refresh), "{width_px}x{height_px}: {refresh}");
        }
    }
}
