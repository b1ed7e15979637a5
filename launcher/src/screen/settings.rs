//! Decision: how programs are told of dots per inch: the bytes of the property of an XSETTINGS manager, and lines in the X
//! server's resources. Nothing of one desktop's own.

use super::sizing::PLAIN_DPI;

/// Columns of the pointer at a plain scale, as X cursor themes have it.
const PLAIN_CURSOR_PX: u32 = 24;
/// XSETTINGS counts dots per inch in this part of one.
const DPI_UNIT: u32 = 1024;
/// Type of a setting that is an integer.
const INTEGER: u8 = 0;

/// What programs are told, by the names of XSETTINGS: GTK 3 draws in whole multiples and gives the rest to the text.
pub fn xsettings(dpi: u32) -> [(&'static str, u32); 4] {
    let window_scale = (dpi / PLAIN_DPI).max(1);
    [
        ("Gdk/UnscaledDPI", dpi * DPI_UNIT / window_scale),
        ("Gdk/WindowScalingFactor", window_scale),
        ("Gtk/CursorThemeSize", cursor_px(dpi)),
        ("Xft/DPI", dpi * DPI_UNIT),
    ]
}

fn cursor_px(dpi: u32) -> u32 {
    PLAIN_CURSOR_PX * dpi / PLAIN_DPI
}

/// The property `_XSETTINGS_SETTINGS` with these settings, in little-endian order. `serial` counts its changes.
pub fn property(serial: u32, settings: &[(&str, u32)]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend(serial.to_le_bytes());
    bytes.extend((settings.len() as u32).to_le_bytes());
    for (name, value) in settings {
        bytes.extend([INTEGER, 0]);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(serial.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// The X server's resources with these dots per inch; all other lines stay as they are.
pub fn resources(before: &str, dpi: u32) -> String {
    let ours = [("Xcursor.size", cursor_px(dpi)), ("Xft.dpi", dpi)];
    let is_ours = |line: &str| {
        line.split_once(':').is_some_and(|(name, _)| ours.iter().any(|(our, _)| *our == name.trim()))
    };
    let mut after: String =
        before.split_terminator('\n').filter(|line| !is_ours(line)).flat_map(|line| [line, "\n"]).collect();
    for (name, value) in ours {
        after += &format!("{name}:\t{value}\n");
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(dpi: u32) -> [u32; 4] {
        xsettings(dpi).map(|(_, value)| value)
    }

    #[test]
    fn programs_draw_in_whole_multiples_and_text_takes_the_rest() {
        assert_eq!(values(96), [96 * 1024, 1, 24, 96 * 1024]);
        assert_eq!(values(144), [144 * 1024, 1, 36, 144 * 1024]);
        assert_eq!(values(192), [96 * 1024, 2, 48, 192 * 1024]);
        assert_eq!(values(240), [120 * 1024, 2, 60, 240 * 1024]);
        assert_eq!(values(48), [48 * 1024, 1, 12, 48 * 1024]);
    }

    #[test]
    fn property_is_laid_out_as_the_specification_says() {
        let bytes = property(7, &[("Xft/DPI", 98_304)]);
        let expected = [
            &[0, 0, 0, 0][..],
            &[7, 0, 0, 0],
            &[1, 0, 0, 0],
            &[0, 0, 7, 0],
            b"Xft/DPI\0",
            &[7, 0, 0, 0],
            &[0, 128, 1, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn resources_keep_what_is_not_ours_and_have_ours_once() {
        let before = "*background:\tblack\nXft.dpi:\t96\nXft.dpi.more: 1\n! a remark";
        let once = resources(before, 192);
        assert_eq!(
            once,
            "*background:\tblack\nXft.dpi.more: 1\n! a remark\nXcursor.size:\t48\nXft.dpi:\t192\n"
        );
        assert_eq!(resources(&once, 192), once);
        assert_eq!(resources("", 96), "Xcursor.size:\t24\nXft.dpi:\t96\n");
    }
}
