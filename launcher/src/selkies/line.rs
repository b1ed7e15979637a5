//! Decision: one line of the Selkies client on its data channel, read into what it means. Every number is held to what can
//! be; a line that does not fit is an error that names what was wrong and what is accepted, and changes nothing.

use base64::{Engine, prelude::BASE64_STANDARD};
use std::{fmt, str::FromStr};

/// Gamepads that a client may have at once, as many as a browser tells of.
pub const MAX_GAMEPADS: u8 = 4;
/// Axes or buttons of a gamepad; the standard mapping has 4 and 17.
const MAX_CONTROLS: u8 = 32;
/// Most pixels of a side that a client may ask for: what X has room for in its coordinates.
const MAX_SIDE_PX: u32 = 16_384;

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A key goes down or up; X keysym.
    Key(u32, bool),
    /// All keys go up.
    ReleaseKeys,
    /// The pointer is here, in pixels of the picture.
    Place(i64, i64, Buttons),
    /// The pointer has moved by so many pixels.
    Travel(i64, i64, Buttons),
    /// Whether the pointer is to be drawn into the picture.
    DrawPointer(bool),
    /// The video's bit rate.
    VideoKbps(u32),
    /// The sound's bit rate.
    AudioBps(u32),
    /// Frames per second.
    Framerate(u32),
    /// Whether the desktop follows the window, and the window's size.
    FollowWindow(bool, Option<(u32, u32)>),
    /// The desktop is to have this size.
    Resize(u32, u32),
    /// Device pixel ratio.
    Scale(f64),
    /// A gamepad has come, with so many axes and buttons.
    GamepadOn { index: u8, name: String, axes: u8, buttons: u8 },
    /// A gamepad has gone.
    GamepadOff(u8),
    /// A button of a gamepad, from 0 to 1.
    GamepadButton { index: u8, button: u8, value: f64 },
    /// An axis of a gamepad, from -1 to 1.
    GamepadAxis { index: u8, axis: u8, value: f64 },
    /// The client wants the desktop's clipboard.
    ReadClipboard,
    /// The desktop's clipboard is to be this text.
    WriteClipboard(String),
    /// The answer to a ping.
    Pong,
    /// What the browser sees: frames per second.
    Fps(f64),
    /// What the browser sees: ms.
    LatencyMs(f64),
    /// The browser's WebRTC statistics as JSON.
    Statistics,
}

/// The buttons of the mouse, as bits numbered as in the DOM, and how far the wheel turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buttons {
    /// Bit 3 and 4 are back and forward, and the wheel down and up as well.
    pub mask: u32,
    /// Steps of the wheel; older clients do not tell.
    pub magnitude: Option<u32>,
}

/// Why a line could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine(String);

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads one line.
pub fn read(text: &str) -> Result<Line, BadLine> {
    let (name, rest) = text.split_once(',').unwrap_or((text, ""));
    let words: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split(',').collect() };
    let fields = Fields { name, words: &words };
    let line = match name {
        "kd" => Line::Key(fields.number(0, "a keysym")?, true),
        "ku" => Line::Key(fields.number(0, "a keysym")?, false),
        "kr" => Line::ReleaseKeys,
        "m" => Line::Place(fields.number(0, "x")?, fields.number(1, "y")?, fields.buttons()?),
        "m2" => Line::Travel(fields.number(0, "dx")?, fields.number(1, "dy")?, fields.buttons()?),
        "p" => Line::DrawPointer(fields.number::<u8>(0, "0 or 1")? != 0),
        "vb" => Line::VideoKbps(fields.number(0, "kbit/s")?),
        "ab" => Line::AudioBps(fields.number(0, "bit/s")?),
        "_arg_fps" => Line::Framerate(fields.number(0, "frames per second")?),
        "_arg_resize" => Line::FollowWindow(fields.flag(0)?, fields.size(1).ok()),
        "r" => {
            let (width, height) = fields.size(0)?;
            Line::Resize(width, height)
        }
        "s" => Line::Scale(fields.within(0, 0.25, 8.0, "a device pixel ratio")?),
        "js" => fields.gamepad()?,
        "cr" => Line::ReadClipboard,
        "cw" => Line::WriteClipboard(fields.text(0)?),
        "pong" => Line::Pong,
        "_f" => Line::Fps(fields.within(0, 0.0, 1_000.0, "frames per second")?),
        "_l" => Line::LatencyMs(fields.within(0, 0.0, 3_600_000.0, "milliseconds")?),
        "_stats_video" | "_stats_audio" => Line::Statistics,
        _ => {
            let known = "kd, ku, kr, m, m2, p, vb, ab, _arg_fps, _arg_resize, r, s, js, cr, cw, pong, _f, _l, _stats_video and _stats_audio";
            return Err(BadLine(format!("\"{}\" is no message; known are {known}", short(name))));
        }
    };
    Ok(line)
}

struct Fields<'a> {
    name: &'a str,
    words: &'a [&'a str],
}

impl Fields<'_> {
    fn bad(&self, index: usize, wanted: &str) -> BadLine {
        let given = self.words.get(index).map_or("nothing".into(), |word| format!("\"{}\"", short(word)));
        BadLine(format!("{}: field {} has to be {wanted}, not {given}", self.name, index + 1))
    }

    fn word(&self, index: usize, wanted: &str) -> Result<&str, BadLine> {
        self.words.get(index).copied().ok_or_else(|| self.bad(index, wanted))
    }

    fn number<T: FromStr>(&self, index: usize, wanted: &str) -> Result<T, BadLine> {
        self.word(index, wanted)?.trim().parse().map_err(|_| self.bad(index, wanted))
    }

    fn within(&self, index: usize, least: f64, most: f64, wanted: &str) -> Result<f64, BadLine> {
        let value: f64 = self.number(index, wanted)?;
        let wanted = || format!("{wanted} from {least} to {most}");
        if (least..=most).contains(&value) { Ok(value) } else { Err(self.bad(index, &wanted())) }
    }

    fn below(&self, index: usize, limit: u8, wanted: &str) -> Result<u8, BadLine> {
        let value: u8 = self.number(index, wanted)?;
        if value < limit { Ok(value) } else { Err(self.bad(index, &format!("{wanted} below {limit}"))) }
    }

    fn flag(&self, index: usize) -> Result<bool, BadLine> {
        match self.word(index, "true or false")?.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.bad(index, "true or false")),
        }
    }

    fn size(&self, index: usize) -> Result<(u32, u32), BadLine> {
        let wanted = format!("a size such as 1920x1080, of 1 to {MAX_SIDE_PX} pixels");
        let size = self.word(index, &wanted)?.split_once('x');
        let side = |text: &str| text.parse().ok().filter(|side| (1..=MAX_SIDE_PX).contains(side));
        let size = size.and_then(|(width, height)| Some((side(width)?, side(height)?)));
        size.ok_or_else(|| self.bad(index, &wanted))
    }

    fn buttons(&self) -> Result<Buttons, BadLine> {
        let magnitude = match self.words.get(3) {
            Some(_) => Some(self.number(3, "a magnitude")?),
            None => None,
        };
        Ok(Buttons { mask: self.number(2, "a mask of buttons")?, magnitude })
    }

    fn text(&self, index: usize) -> Result<String, BadLine> {
        let wanted = "UTF-8 text in base64";
        let encoded = self.words.get(index).copied().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| self.bad(index, wanted))?;
        String::from_utf8(bytes).map_err(|_| self.bad(index, wanted))
    }

    fn gamepad(&self) -> Result<Line, BadLine> {
        let index = || self.below(1, MAX_GAMEPADS, "the number of a gamepad");
        let control = |at| self.below(at, MAX_CONTROLS, "the number of an axis or a button");
        match self.word(0, "c, d, b or a")? {
            "c" => Ok(Line::GamepadOn {
                index: index()?,
                name: self.text(2)?,
                axes: self.below(3, MAX_CONTROLS + 1, "a number of axes")?,
                buttons: self.below(4, MAX_CONTROLS + 1, "a number of buttons")?,
            }),
            "d" => Ok(Line::GamepadOff(index()?)),
            "b" => {
                let value = self.within(3, 0.0, 1.0, "a value")?;
                Ok(Line::GamepadButton { index: index()?, button: control(2)?, value })
            }
            "a" => {
                let value = self.within(3, -1.0, 1.0, "a value")?;
                Ok(Line::GamepadAxis { index: index()?, axis: control(2)?, value })
            }
            _ => Err(self.bad(0, "c, d, b or a")),
        }
    }
}

/// Enough of a bad word to know it again.
fn short(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn buttons(mask: u32, magnitude: Option<u32>) -> Buttons {
        Buttons { mask, magnitude }
    }

    #[test]
    fn lines_of_the_contract_are_read() {
        let table = [
            ("kd,65307", Line::Key(65_307, true)),
            ("ku,16777431", Line::Key(16_777_431, false)),
            ("kr", Line::ReleaseKeys),
            ("m,960,540,1,0", Line::Place(960, 540, buttons(1, Some(0)))),
            ("m,0,0,8", Line::Place(0, 0, buttons(8, None))),
            ("m2,-12,7,0,0", Line::Travel(-12, 7, buttons(0, Some(0)))),
            ("p,1", Line::DrawPointer(true)),
            ("vb,8000", Line::VideoKbps(8_000)),
            ("ab,128000", Line::AudioBps(128_000)),
            ("_arg_fps,30", Line::Framerate(30)),
            ("_arg_resize,true,1280x720", Line::FollowWindow(true, Some((1280, 720)))),
            ("_arg_resize,False", Line::FollowWindow(false, None)),
            ("r,2560x1440", Line::Resize(2560, 1440)),
            ("s,1.25", Line::Scale(1.25)),
            ("js,c,0,UGFk,4,17", Line::GamepadOn { index: 0, name: "Pad".into(), axes: 4, buttons: 17 }),
            ("js,d,3", Line::GamepadOff(3)),
            ("js,b,1,16,0.5", Line::GamepadButton { index: 1, button: 16, value: 0.5 }),
            ("js,a,0,3,-1", Line::GamepadAxis { index: 0, axis: 3, value: -1.0 }),
            ("cr", Line::ReadClipboard),
            ("cw,R3LDvMOfZSwgbmV4dA==", Line::WriteClipboard("Grüße, next".into())),
            ("pong,1700000000.125", Line::Pong),
            ("_f,59.9", Line::Fps(59.9)),
            ("_l,17", Line::LatencyMs(17.0)),
            ("_stats_video,[{\"id\":\"a,b\"}]", Line::Statistics),
        ];
        for (text, line) in table {
            assert_eq!(read(text), Ok(line), "{text}");
        }
    }

    #[test]
    fn bad_lines_say_what_was_wrong_and_what_is_accepted() {
        let table = [
            ("", "known are kd"),
            ("dance,1", "dance"),
            ("kd,x", "field 1 has to be a keysym, not \"x\""),
            ("kd,-1", "a keysym"),
            ("m,1,2", "field 3 has to be a mask of buttons, not nothing"),
            ("m,1e3,2,0,0", "field 1"),
            ("r,0x5", "1920x1080"),
            ("r,99999x5", "16384"),
            ("s,NaN", "from 0.25 to 8"),
            ("js,b,4,0,1", "below 4"),
            ("js,b,0,0,7", "from 0 to 1"),
            ("js,z,0", "c, d, b or a"),
            ("cw,***", "base64"),
            ("cw,/w==", "UTF-8"),
        ];
        for (text, words) in table {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(kd|m|m2|js|r|cw|_arg_resize|s|.{0,6}),?.{0,80}") {
            let _ = read(&text);
        }
    }
}
