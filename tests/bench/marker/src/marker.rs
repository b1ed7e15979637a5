//! Decision: the marker: which cells are white for a frame number and a time. Refuses to read it back: that is the
//! browser's side, `tests/bench/latency/marker.ts`, and `golden.json` keeps the two together.
//!
//! Eighty cells in four rows of twenty, most significant bit first: 20 bits of frame number, 44 bits of time in
//! microseconds, and the CRC-16/CCITT-FALSE of those 64. A cell is 8 by 8 pixels, so that one survives chroma that is
//! halved, the coarsest quantiser and a picture that arrives at half its size.

/// Side of a cell.
pub const CELL_PX: usize = 8;
/// Cells in a row.
pub const COLUMNS: usize = 20;
/// Rows of cells.
pub const ROWS: usize = 4;
/// Width of the marker, without border.
pub const WIDTH_PX: usize = COLUMNS * CELL_PX;
/// Height of the marker, without border.
pub const HEIGHT_PX: usize = ROWS * CELL_PX;

const NUMBER_BITS: u32 = 20;
const TIME_BITS: u32 = 44;

/// Whether each cell is white, row by row. Numbers and times that are too large for their bits wrap around.
pub fn cells(number: u64, time_us: u64) -> [bool; COLUMNS * ROWS] {
    let payload = ((number % (1 << NUMBER_BITS)) << TIME_BITS) | (time_us % (1 << TIME_BITS));
    let word = (u128::from(payload) << 16) | u128::from(crc16(&payload.to_be_bytes()));
    let last = COLUMNS * ROWS - 1;
    std::array::from_fn(|cell| (word >> (last - cell)) & 1 == 1)
}

/// The marker as rows of one bit a pixel. A byte is as wide as a cell, so that the order of bits within it is nobody's
/// business.
pub fn bitmap(cells: &[bool; COLUMNS * ROWS]) -> Vec<u8> {
    const { assert!(CELL_PX == u8::BITS as usize) };
    let row = |y: usize| &cells[y / CELL_PX * COLUMNS..][..COLUMNS];
    (0..HEIGHT_PX).flat_map(|y| row(y).iter().map(|&white| if white { 0xff } else { 0 })).collect()
}

/// One row of cells as pixels of four bytes; every row of pixels in it is the same.
pub fn pixels(cells: &[bool]) -> Vec<u8> {
    cells.iter().flat_map(|&white| [if white { 0xff } else { 0 }; CELL_PX * 4]).collect()
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Golden {
        number: u64,
        time_us: u64,
        cells: String,
    }

    #[test]
    fn cells_are_those_that_the_reader_expects() {
        let golden: Vec<Golden> = serde_json::from_str(include_str!("../golden.json")).unwrap();
        assert!(golden.len() >= 4);
        for Golden { number, time_us, cells: expected } in golden {
            let found: String =
                cells(number, time_us).map(|white| if white { '1' } else { '0' }).iter().collect();
            assert_eq!(found, expected, "frame {number} at {time_us}");
        }
    }

    #[test]
    fn the_sum_is_the_one_with_this_name() {
        // The check value of CRC-16/CCITT-FALSE.
        assert_eq!(crc16(b"123456789"), 0x29b1);
    }

    #[test]
    fn bits_and_pixels_show_the_same_cells() {
        let cells = cells(0xabcde, 123_456_789);
        let bits = bitmap(&cells);
        assert_eq!(bits.len(), COLUMNS * HEIGHT_PX);
        for row in 0..ROWS {
            let pixels = pixels(&cells[row * COLUMNS..][..COLUMNS]);
            assert_eq!(pixels.len(), WIDTH_PX * 4);
            for x in 0..WIDTH_PX {
                let white = cells[row * COLUMNS + x / CELL_PX];
                assert_eq!(pixels[x * 4] == 0xff, white);
                assert_eq!(bits[(row * CELL_PX + 3) * COLUMNS + x / 8] == 0xff, white);
            }
        }
    }
}
