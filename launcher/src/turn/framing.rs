//! Decision: where one message ends and the next begins on a stream (RFC 8656, 12.5): STUN messages by their length,
//! ChannelData by its length, rounded up to four bytes. What is neither ends the connection.

use super::wire::{COOKIE, STUN_HEADER};

/// Largest message that is taken. A relayed packet is what a network carries, 1,500 bytes and less; the rest is room for
/// tests of the network.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// What the beginning of the received bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A message of `message` bytes; the next begins after `total`.
    Complete {
        /// Its length without padding.
        message: usize,
        /// Its length with padding.
        total: usize,
    },
    /// More has to come.
    Partial,
    /// No message begins so.
    Garbage,
}

/// Looks at the beginning of what has been received.
pub fn next(received: &[u8]) -> Frame {
    let Some(&first) = received.first() else { return Frame::Partial };
    if first >= 0x80 {
        return Frame::Garbage;
    }
    let &[_, _, high, low, ..] = received else { return Frame::Partial };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (message, total) = if first >= 0x40 {
        (4 + length, 4 + length.next_multiple_of(4))
    } else {
        let cookie = &received[4..received.len().min(8)];
        if !COOKIE.starts_with(cookie) || !length.is_multiple_of(4) {
            return Frame::Garbage;
        }
        (STUN_HEADER + length, STUN_HEADER + length)
    };
    match total {
        _ if message > MAX_MESSAGE => Frame::Garbage,
        _ if received.len() < total => Frame::Partial,
        _ => Frame::Complete { message, total },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn channel_data(length: u16) -> Vec<u8> {
        let mut bytes = vec![0x40, 1];
        bytes.extend(length.to_be_bytes());
        bytes.resize(4 + usize::from(length).next_multiple_of(4), 7);
        bytes
    }

    #[test]
    fn channel_data_of_an_odd_length_is_followed_by_its_padding() {
        for (length, message, total) in [(0, 4, 4), (1, 5, 8), (3, 7, 8), (4, 8, 8), (1201, 1205, 1208)] {
            let bytes = channel_data(length);
            assert_eq!(next(&bytes), Frame::Complete { message, total });
            assert_eq!(next(&bytes[..total - 1]), Frame::Partial, "the padding counts");
        }
    }

    #[test]
    fn a_stun_message_is_as_long_as_it_says() {
        let mut bytes = vec![0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42];
        bytes.resize(28, 0);
        for end in 0..28 {
            assert_eq!(next(&bytes[..end]), Frame::Partial, "{end}");
        }
        assert_eq!(next(&bytes), Frame::Complete { message: 28, total: 28 });
    }

    #[test]
    fn garbage_is_seen_as_early_as_it_can_be() {
        assert_eq!(next(&[0x80]), Frame::Garbage);
        assert_eq!(next(b"\x16\x03\x01"), Frame::Partial);
        assert_eq!(next(b"\x16\x03\x01\x02\x00"), Frame::Garbage, "no cookie");
        assert_eq!(next(&[0, 1, 0, 7]), Frame::Garbage, "attributes are multiples of four bytes");
        assert_eq!(next(&[0x40, 1, 0xff, 0xff]), Frame::Garbage, "larger than anything that is taken");
    }

    proptest! {
        #[test]
        fn a_frame_never_reaches_beyond_what_was_received(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Frame::Complete { message, total } = next(&bytes) {
                prop_assert!(0 < message && message <= total && total <= bytes.len());
            }
        }
    }
}
