//! Decision: one Selkies client, its lines in our messages and our messages in its lines. It keeps what the two languages
//! count differently: the mask of buttons, the size of the picture, the answer to a ping.

use super::{
    clipboard::{self, Clipboard},
    gamepads::Gamepads,
    line::{Buttons, Line},
};
use serde_json::{Value, json};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use vdi_protocol::{
    clipboard::Selection,
    control::{Cursor, FromPage, Quality, Role, SessionLimit, ToPage},
    input::{Input, Pointing, Way},
    recording::{Recording, RecordingFailure},
    screen::{Screen, Viewport},
    settings::{Settings, Wish},
};

/// Steps of the wheel in one line that are taken at most; a wild hand turns a dozen.
const MAX_STEPS: u32 = 50;
/// A step of the wheel, as we count.
const STEP: i32 = 120;
/// Pixels of one motion that are taken at most; no hand moves a mouse across more than a few screens between two lines.
const MAX_TRAVEL_PX: i64 = 32_767;
/// Bits that are buttons and nothing else: left, middle, right.
const PLAIN: u32 = 0b111;
/// Bits that are the wheel, or back and forward: which, the magnitude says.
const TWOFOLD: [(u8, i32); 2] = [(3, 1), (4, -1)];

/// What the client has said, in our messages.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// For the channel `input`.
    Input(Input),
    /// For the channel `pointer`.
    Pointer(Pointing),
    /// For the channel `control`.
    Control(FromPage),
    /// For the channel `clipboard`.
    Clipboard(vdi_protocol::clipboard::FromPage),
}

/// What the client adopts when it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Bits per second of sound.
    pub audio_bps: u32,
}

/// One client.
#[derive(Debug, Default)]
pub struct Page {
    /// Buttons that are down, as the client numbers them.
    mask: u32,
    /// The last place of the pointer, in pixels of the desktop.
    at: (u16, u16),
    /// Whether the pointer is locked, and how far it has gone since.
    locked: bool,
    way: Way,
    seq: u32,
    /// The size of the picture, and of the desktop that it was made of.
    picture: Option<[(u32, u32); 2]>,
    encoder: String,
    /// When the ping went that has not been answered.
    pinged: Option<Duration>,
    clipboard: Clipboard,
    gamepads: Gamepads,
    /// Whether it was in control when it was told last.
    controls: bool,
    /// The client's window, in device pixels, and its device pixel ratio.
    window: Option<(u32, u32)>,
    scale: Option<f64>,
    /// Whether the desktop is to follow it.
    follows: bool,
    /// Whether the session was recorded when it was told last.
    recorded: bool,
}

impl Page {
    /// What a line means.
    pub fn hear(&mut self, line: Line, now: Duration) -> Heard {
        let said = match line {
            Line::Key(keysym, down) => vec![Said::Input(Input::Key { keysym, down })],
            Line::ReleaseKeys => {
                self.mask = 0;
                vec![Said::Input(Input::ReleaseAll)]
            }
            Line::Place(x, y, buttons) => self.place(x, y, buttons),
            Line::Travel(dx, dy, buttons) => self.travel(dx, dy, buttons),
            Line::VideoKbps(kbps) => {
                vec![wish(Wish { bitrate_bps: Some(u64::from(kbps) * 1_000), ..Wish::default() })]
            }
            Line::Framerate(framerate) => {
                vec![wish(Wish { framerate: Some(framerate), ..Wish::default() })]
            }
            Line::Scale(scale) => {
                self.scale = Some(scale);
                self.viewport().into_iter().collect()
            }
            Line::Resize(width, height) => {
                self.window = Some((width, height));
                self.viewport().into_iter().collect()
            }
            Line::FollowWindow(follows, window) => {
                self.follows = follows;
                self.window = window.or(self.window);
                self.viewport().into_iter().collect()
            }
            Line::ReadClipboard => {
                let selection = Selection::Clipboard;
                vec![Said::Clipboard(vdi_protocol::clipboard::FromPage::Fetch { selection })]
            }
            Line::WriteClipboard(text) => {
                self.clipboard.copied(&text).into_iter().map(Said::Clipboard).collect()
            }
            Line::Pong => {
                let answer = self.pinged.take().map(|at| now.saturating_sub(at) / 2);
                return Heard { said: Vec::new(), answer: answer.map(latency) };
            }
            // What the browser sees is learnt from RTCP as well.
            line => self.gamepads.hear(&line).into_iter().map(Said::Input).collect(),
        };
        Heard { said, answer: None }
    }

    /// The window as the desktop is to follow it, once it is known and unless it is not to.
    fn viewport(&self) -> Option<Said> {
        let (width, height) = self.window.filter(|_| self.follows)?;
        let scale = self.scale.unwrap_or(1.0);
        Some(Said::Control(FromPage::Viewport(Viewport { width, height, scale })))
    }

    /// The pointer, and whatever has changed of its buttons.
    fn place(&mut self, x: i64, y: i64, buttons: Buttons) -> Vec<Said> {
        self.locked = false;
        let at = (self.scaled(x, |size| size.0), self.scaled(y, |size| size.1));
        let mut said = Vec::new();
        if at != self.at {
            self.at = at;
            self.seq = self.seq.wrapping_add(1);
            said.push(Said::Pointer(Pointing::Motion { seq: self.seq, x: at.0, y: at.1 }));
        }
        said.extend(self.pressed(buttons));
        said
    }

    /// The locked pointer has moved, and whatever has changed of its buttons.
    fn travel(&mut self, dx: i64, dy: i64, buttons: Buttons) -> Vec<Said> {
        if !self.locked {
            self.locked = true;
            self.way = Way { lock: self.way.lock.wrapping_add(1), x: 0, y: 0 };
        }
        let far = |d: i64| i32::try_from(d.clamp(-MAX_TRAVEL_PX, MAX_TRAVEL_PX)).unwrap_or(0);
        self.way.x = self.way.x.wrapping_add(far(dx));
        self.way.y = self.way.y.wrapping_add(far(dy));
        let mut said = Vec::new();
        if (dx, dy) != (0, 0) {
            self.seq = self.seq.wrapping_add(1);
            said.push(Said::Pointer(Pointing::Travel { seq: self.seq, way: self.way }));
        }
        said.extend(self.pressed(buttons));
        said
    }

    fn pressed(&mut self, buttons: Buttons) -> Vec<Said> {
        let Buttons { mask, magnitude } = buttons;
        let (x, y) = self.at;
        let mut said = Vec::new();
        let (locked, seq, way) = (self.locked, self.seq, self.way);
        let press = |button: u8, down| {
            Said::Input(if locked {
                Input::LockedButton { button, down, seq, way }
            } else {
                Input::Button { button, down, x, y }
            })
        };
        for button in 0..3_u8 {
            let bit = 1 << button;
            if (mask ^ self.mask) & bit != 0 {
                said.push(press(button, mask & bit != 0));
            }
        }
        let mut held = mask & PLAIN;
        for (button, direction) in TWOFOLD {
            let bit = 1 << button;
            let (was, is) = (self.mask & bit != 0, mask & bit != 0);
            match (was, is, magnitude) {
                // A button turns no wheel.
                (false, true, Some(0)) => {
                    held |= bit;
                    said.push(press(button, true));
                }
                (false, true, magnitude) => {
                    let steps = magnitude.unwrap_or(1).clamp(1, MAX_STEPS).cast_signed();
                    said.push(Said::Input(Input::Wheel { dx: 0, dy: direction * STEP * steps }));
                }
                (true, false, _) => said.push(press(button, false)),
                (true, true, _) => held |= bit,
                // The end of a step: nothing was held.
                (false, false, _) => {}
            }
        }
        self.mask = held;
        said
    }

    /// A coordinate of the picture, which may be smaller than the desktop, on the desktop.
    fn scaled(&self, value: i64, side: impl Fn((u32, u32)) -> u32) -> u16 {
        let value = u64::try_from(value).unwrap_or(0).min(u64::from(u16::MAX));
        let scaled = match self.picture.map(|sizes| sizes.map(&side)) {
            Some([picture, desktop]) => value * u64::from(desktop) / u64::from(picture),
            None => value,
        };
        u16::try_from(scaled).unwrap_or(u16::MAX)
    }

    /// The client's channel is open.
    pub fn greet(&mut self, greeting: &Greeting) -> Vec<String> {
        vec![action(&format!("audio_bitrate,{}", greeting.audio_bps))]
    }

    /// Our message in its lines.
    pub fn tell(&mut self, message: &ToPage) -> Vec<String> {
        match message {
            // Both sizes come together: the size of the desktop that is told by itself may be ahead of the picture's or
            // behind it, and the pointer would jump meanwhile.
            ToPage::Quality(Quality { encoder, source_width, source_height, width, height, .. }) => {
                let sizes = [(*width, *height), (*source_width, *source_height)];
                self.picture =
                    Some(sizes).filter(|sizes| sizes.iter().all(|(width, height)| *width > 0 && *height > 0));
                let changed = !encoder.is_empty() && *encoder != self.encoder;
                self.encoder.clone_from(encoder);
                changed.then(|| action(&format!("encoder,{encoder}"))).into_iter().collect()
            }
            ToPage::Settings(Settings { now, .. }) => vec![
                action(&format!("framerate,{}", now.framerate)),
                action(&format!("video_bitrate,{}", now.bitrate_bps / 1_000)),
            ],
            ToPage::Screen(Screen { resizable, .. }) => {
                self.follows = *resizable;
                vec![action(if *resizable { "resize,True" } else { "resize,False" })]
            }
            ToPage::Cursor(cursor) => vec![shape(cursor)],
            ToPage::Session { message: Some(words), .. } => vec![status(words)],
            ToPage::Notice(notice) => vec![status(&notice.text)],
            ToPage::Recording(Recording { running, .. }) => {
                let words = ["The session is recorded no more.", "The session is being recorded."];
                let changed = std::mem::replace(&mut self.recorded, *running) != *running;
                changed.then(|| status(words[usize::from(*running)])).into_iter().collect()
            }
            ToPage::RecordingFailed { reason } => {
                let why = match reason {
                    RecordingFailure::DiskFull => "the disk is full",
                    RecordingFailure::TooLarge => "it is as large as it may be",
                    RecordingFailure::NotWritable => "its folder cannot be written to",
                    RecordingFailure::Failed => "something went wrong",
                };
                vec![status(&format!("The recording has ended: {why}."))]
            }
            ToPage::ControlTaken { .. } => {
                vec![status(
                    "Another page has control of keyboard and mouse now; reload this one to take it back.",
                )]
            }
            ToPage::Ending { limit: Some(limit), seconds, .. } => {
                let why = match limit {
                    SessionLimit::Timeout => "its longest time is over",
                    SessionLimit::Idle => "nobody uses it",
                    SessionLimit::Disconnected => "nobody is connected",
                };
                vec![status(&format!("The session ends in {seconds:.0} s, since {why}."))]
            }
            _ => Vec::new(),
        }
    }

    /// Whether this message makes it the controller, which it was not.
    pub fn begins_to_control(&mut self, message: &ToPage) -> bool {
        let ToPage::Session { role, .. } = message else { return false };
        let controls = *role == Role::Controller;
        let before = std::mem::replace(&mut self.controls, controls);
        controls && !before
    }

    /// Our message of the clipboard in its lines, and what is to be answered.
    pub fn hear_clipboard(&mut self, message: &vdi_protocol::clipboard::ToPage) -> clipboard::Heard {
        self.clipboard.hear(message)
    }

    /// A second has passed.
    pub fn ping(&mut self, now: Duration) -> String {
        // One that was not answered is given up: the next tells as much.
        self.pinged = Some(now);
        line("ping", &json!({ "start_time": now.as_secs_f64() }))
    }
}

/// What came of a line.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    /// In our messages.
    pub said: Vec<Said>,
    /// A line for the client.
    pub answer: Option<String>,
}

/// A line of this type.
pub fn line(kind: &str, data: &Value) -> String {
    json!({ "type": kind, "data": data }).to_string()
}

fn wish(wish: Wish) -> Said {
    Said::Control(FromPage::Settings(wish))
}

fn action(words: &str) -> String {
    line("system", &json!({ "action": words }))
}

fn status(words: &str) -> String {
    line("pipeline", &json!({ "status": words }))
}

fn latency(one_way: Duration) -> String {
    line("latency_measurement", &json!({ "latency_ms": one_way.as_secs_f64() * 1_000.0 }))
}

/// The pointer's shape. The client keeps shapes by their handle, so each picture has its own.
fn shape(cursor: &Cursor) -> String {
    let mut hasher = DefaultHasher::new();
    (cursor.png.as_str(), cursor.hotspot_x, cursor.hotspot_y).hash(&mut hasher);
    // What JavaScript holds exactly, and never 0.
    let handle = (hasher.finish() >> 12) | 1;
    let hidden = cursor.png.is_empty().then_some("none");
    let hotspot = json!({ "x": cursor.hotspot_x, "y": cursor.hotspot_y });
    line(
        "cursor",
        &json!({ "curdata": cursor.png, "handle": handle, "override": hidden, "hotspot": hotspot }),
    )
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
