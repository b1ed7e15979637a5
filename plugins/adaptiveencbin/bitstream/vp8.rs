//! Decision: what a VP8 frame is (RFC 6386, 9.1).

use super::{Contents, Stream};

const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// Looks at a frame's header.
pub fn inspect(bytes: &[u8]) -> Contents {
    let &[tag, _, _, ref rest @ ..] = bytes else { return Contents::default() };
    let (is_key, version) = (tag & 1 == 0, (tag >> 1) & 7);
    let stream = match rest {
        // 14 bits of size, 2 bits that ask the player to scale.
        &[a, b, c, width_low, width_high, height_low, height_high, ..]
            if is_key && [a, b, c] == START_CODE =>
        {
            let size = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
            Some(Stream {
                width: size(width_low, width_high),
                height: size(height_low, height_high),
                profiles: ["0", "1", "2", "3"].get(usize::from(version)).copied().into_iter().collect(),
                profile: version.to_string(),
                max_reorder: 0,
            })
        }
        _ => None,
    };
    Contents { slices: 1, is_key: is_key && stream.is_some(), is_bidirectional: false, stream }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_says_its_size() {
        let contents = inspect(&[0x50, 0x10, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00, 0]);
        assert!(contents.is_key);
        let stream = contents.stream.unwrap();
        assert_eq!((stream.width, stream.height, stream.profiles), (320, 240, vec!["0"]));
    }

    #[test]
    fn other_frames_and_garbage_are_no_key_frames() {
        assert_eq!(inspect(&[0x51, 0, 0, 1]), Contents { slices: 1, ..Contents::default() });
        assert!(!inspect(&[0x50, 0x10, 0x00, 1, 2, 3, 0x40, 0x01, 0xf0, 0x00]).is_key);
        assert_eq!(inspect(&[0x50]), Contents::default());
    }
}
