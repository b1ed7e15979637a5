//! Decision: which of the frames that pages send go to the decoder: those of the page in control, from a key frame on and without a
//! gap, and none that is larger than a camera's picture has to be. Frames are VP8 (RFC 6386, 9.1).

/// Largest picture that is decoded: Full HD, either way up. What a page sends must not cost more than a camera does.
const MAX_LONG_PX: u16 = 1920;
/// The same of its shorter edge.
const MAX_SHORT_PX: u16 = 1088;

/// What is to be done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to the decoder.
    Decode,
    /// It does not.
    Drop,
    /// It does not, and nothing will before a key frame, for which the page is to be asked.
    DropAndAsk,
}

/// Whose frames are decoded, and whether the decoder can go on with the next.
#[derive(Debug, Default)]
pub struct Gate {
    controller: Option<String>,
    /// All frames since a key frame have gone to the decoder.
    is_whole: bool,
}

impl Gate {
    /// Only this page's frames count from now on.
    pub fn set_controller(&mut self, page: Option<&str>) {
        *self = Self { controller: page.map(str::to_owned), is_whole: false };
    }

    /// Whether this page's frames count.
    pub fn is_of(&self, page: &str) -> bool {
        self.controller.as_deref() == Some(page)
    }

    /// The decoder cannot go on.
    pub fn broken(&mut self) {
        self.is_whole = false;
    }

    /// A page has sent this frame; `is_full`: the decoder takes no more for now.
    pub fn judge(&mut self, page: &str, frame: &[u8], is_full: bool) -> Verdict {
        if !self.is_of(page) {
            return Verdict::Drop;
        }
        let was_whole = std::mem::take(&mut self.is_whole);
        match Header::read(frame) {
            Some(Header::Key(width, height))
                if width.max(height) > MAX_LONG_PX || width.min(height) > MAX_SHORT_PX =>
            {
                // Another key frame would be as large.
                Verdict::Drop
            }
            Some(header) if !is_full && (was_whole || header != Header::Delta) => {
                self.is_whole = true;
                Verdict::Decode
            }
            _ => Verdict::DropAndAsk,
        }
    }
}

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// It can be decoded alone, and has this width and height.
    Key(u16, u16),
    /// It cannot.
    Delta,
}

impl Header {
    fn read(frame: &[u8]) -> Option<Self> {
        match *frame {
            [tag, ..] if tag & 1 == 1 => Some(Self::Delta),
            [_, _, _, 0x9d, 0x01, 0x2a, width_low, width_high, height_low, height_high, ..] => {
                // Two bits above each tell how a player may scale it.
                let size = |low, high| u16::from_le_bytes([low, high]) & 0x3fff;
                Some(Self::Key(size(width_low, width_high), size(height_low, height_high)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Decode, Drop, DropAndAsk};

    const DELTA: &[u8] = &[0x11, 0, 0];

    fn key(width: u16, height: u16) -> Vec<u8> {
        let mut frame = vec![0x10, 0, 0, 0x9d, 0x01, 0x2a];
        frame.extend(width.to_le_bytes());
        // The scaling bits are none of the height.
        frame.extend((height | 0x4000).to_le_bytes());
        frame
    }

    fn gate(page: &str) -> Gate {
        let mut gate = Gate::default();
        gate.set_controller(Some(page));
        gate
    }

    #[test]
    fn only_the_controllers_frames_are_decoded_and_nobody_else_is_asked_for_any() {
        assert_eq!(Gate::default().judge("anna", &key(640, 480), false), Drop);
        let mut gate = gate("anna");
        assert_eq!(gate.judge("bert", &key(640, 480), false), Drop);
        assert_eq!(gate.judge("bert", DELTA, false), Drop);
        assert_eq!(gate.judge("anna", &key(640, 480), false), Decode);
        gate.judge("bert", DELTA, true);
        assert_eq!(gate.judge("anna", DELTA, false), Decode, "what another page sends makes no gap");
    }

    #[test]
    fn decoding_begins_with_a_key_frame_and_again_after_a_gap() {
        let mut gate = gate("anna");
        assert_eq!(gate.judge("anna", DELTA, false), DropAndAsk);
        assert_eq!(gate.judge("anna", &key(1280, 720), false), Decode);
        assert_eq!(gate.judge("anna", DELTA, false), Decode);
        assert_eq!(gate.judge("anna", DELTA, true), DropAndAsk);
        assert_eq!(gate.judge("anna", DELTA, false), DropAndAsk);
        assert_eq!(gate.judge("anna", &key(1280, 720), false), Decode);
        gate.broken();
        assert_eq!(gate.judge("anna", DELTA, false), DropAndAsk);
    }

    #[test]
    fn who_takes_control_begins_with_a_key_frame() {
        let mut gate = gate("anna");
        gate.judge("anna", &key(640, 480), false);
        gate.set_controller(Some("bert"));
        assert_eq!(gate.judge("anna", DELTA, false), Drop);
        assert_eq!(gate.judge("bert", DELTA, false), DropAndAsk);
        gate.set_controller(None);
        assert_eq!(gate.judge("bert", &key(640, 480), false), Drop);
    }

    #[test]
    fn pictures_larger_than_a_cameras_are_not_decoded_and_noise_is_none() {
        let mut gate = gate("anna");
        assert_eq!(gate.judge("anna", &key(1920, 1080), false), Decode);
        assert_eq!(gate.judge("anna", &key(1080, 1920), false), Decode);
        for (width, height) in [(3840, 2160), (16383, 16), (1920, 1920)] {
            assert_eq!(gate.judge("anna", &key(width, height), false), Drop);
            assert_eq!(gate.judge("anna", DELTA, false), DropAndAsk);
        }
        for noise in [&[][..], &[0x10, 0, 0], &[0; 20]] {
            assert_eq!(gate.judge("anna", noise, false), DropAndAsk);
        }
    }
}
