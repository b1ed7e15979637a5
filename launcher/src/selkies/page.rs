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
    desktop: Option<(u32, u32)>,
    picture: Option<(u32, u32)>,
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
        let scaled = match (self.desktop.map(&side), self.picture.map(&side)) {
            (Some(desktop), Some(picture)) if picture > 0 => value * u64::from(desktop) / u64::from(picture),
            _ => value,
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
            ToPage::Display { width, height } => {
                self.desktop = Some((*width, *height));
                Vec::new()
            }
            ToPage::Quality(Quality { encoder, width, height, .. }) => {
                self.picture = Some((*width, *height)).filter(|(width, height)| *width > 0 && *height > 0);
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
            ToPage::Notice { text, .. } => vec![status(text)],
            ToPage::ControlTaken { .. } => {
                vec![status(
                    "Another page has control of keyboard and mouse now; reload this one to take it back.",
                )]
            }
            ToPage::Ending { limit: Some(limit), seconds } => {
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
mod tests {
    use super::{super::line::read, *};
    use vdi_protocol::{phase::Phase, settings::Choice};

    const NOW: Duration = Duration::from_secs(5);

    fn hear(page: &mut Page, text: &str) -> Vec<Said> {
        page.hear(read(text).unwrap(), NOW).said
    }

    fn button(button: u8, down: bool, x: u16, y: u16) -> Said {
        Said::Input(Input::Button { button, down, x, y })
    }

    fn wheel(dy: i32) -> Said {
        Said::Input(Input::Wheel { dx: 0, dy })
    }

    #[test]
    fn keys_go_as_they_are() {
        let mut page = Page::default();
        assert_eq!(hear(&mut page, "kd,97"), [Said::Input(Input::Key { keysym: 97, down: true })]);
        assert_eq!(hear(&mut page, "ku,97"), [Said::Input(Input::Key { keysym: 97, down: false })]);
        assert_eq!(hear(&mut page, "kr"), [Said::Input(Input::ReleaseAll)]);
    }

    #[test]
    fn a_click_is_a_place_and_a_button_that_goes_down_and_up_once() {
        let mut page = Page::default();
        assert_eq!(
            hear(&mut page, "m,30,40,1,0"),
            [Said::Pointer(Pointing::Motion { seq: 1, x: 30, y: 40 }), button(0, true, 30, 40)]
        );
        assert_eq!(
            hear(&mut page, "m,31,40,1,0"),
            [Said::Pointer(Pointing::Motion { seq: 2, x: 31, y: 40 })]
        );
        assert_eq!(hear(&mut page, "m,31,40,0,0"), [button(0, false, 31, 40)]);
        assert_eq!(hear(&mut page, "m,31,40,0,0"), []);
    }

    #[test]
    fn a_turn_of_the_wheel_is_no_button_and_its_end_is_nothing() {
        let mut page = Page::default();
        assert_eq!(hear(&mut page, "m,0,0,8,3"), [wheel(360)]);
        assert_eq!(hear(&mut page, "m,0,0,0,3"), []);
        assert_eq!(hear(&mut page, "m,0,0,16,1"), [wheel(-120)]);
        assert_eq!(hear(&mut page, "m,0,0,0,1"), []);
        // An older client tells no magnitude, and one that lies turns no further than a hand.
        assert_eq!(hear(&mut page, "m,0,0,8"), [wheel(120)]);
        assert_eq!(hear(&mut page, "m,0,0,0"), []);
        assert_eq!(hear(&mut page, "m,0,0,8,4000000000"), [wheel(6_000)]);
    }

    #[test]
    fn side_buttons_are_buttons_although_they_share_their_bits_with_the_wheel() {
        let mut page = Page::default();
        assert_eq!(hear(&mut page, "m,0,0,8,0"), [button(3, true, 0, 0)]);
        assert_eq!(hear(&mut page, "m,0,0,24,0"), [button(4, true, 0, 0)]);
        assert_eq!(hear(&mut page, "m,0,0,16,0"), [button(3, false, 0, 0)]);
        assert_eq!(hear(&mut page, "m,0,0,0,0"), [button(4, false, 0, 0)]);
    }

    #[test]
    fn the_wheel_turns_while_a_button_is_held() {
        let mut page = Page::default();
        hear(&mut page, "m,0,0,4,0");
        assert_eq!(hear(&mut page, "m,0,0,12,2"), [wheel(240)]);
        assert_eq!(hear(&mut page, "m,0,0,4,2"), []);
        assert_eq!(hear(&mut page, "m,0,0,0,0"), [button(2, false, 0, 0)]);
    }

    #[test]
    fn places_of_a_smaller_picture_are_those_of_the_desktop_and_none_is_outside_of_numbers() {
        let mut page = Page::default();
        page.tell(&ToPage::Display { width: 1920, height: 1080 });
        page.tell(&ToPage::Quality(Quality { width: 960, height: 540, ..Quality::default() }));
        assert_eq!(
            hear(&mut page, "m,480,270,0,0"),
            [Said::Pointer(Pointing::Motion { seq: 1, x: 960, y: 540 })]
        );
        assert_eq!(hear(&mut page, "m,-5,999999999999,0,0").len(), 1);
        assert_eq!(page.at.0, 0);
    }

    #[test]
    fn settings_are_told_at_the_beginning_and_the_encoder_when_it_changes() {
        let mut page = Page::default();
        let mut lines = page.greet(&Greeting { audio_bps: 128_000 });
        let now = Choice { framerate: 60, bitrate_bps: 8_000_000, ..Choice::default() };
        lines.extend(page.tell(&ToPage::Settings(Settings { now, ..Settings::default() })));
        lines.extend(page.tell(&ToPage::Screen(Screen { resizable: true, ..Screen::default() })));
        let lines = lines.join("\n");
        for words in ["framerate,60", "video_bitrate,8000", "audio_bitrate,128000", "resize,True"] {
            assert!(
                lines.contains(&format!(r#"{{"data":{{"action":"{words}"}},"type":"system"}}"#)),
                "{lines}"
            );
        }
        let quality =
            |encoder: &str| ToPage::Quality(Quality { encoder: encoder.into(), ..Quality::default() });
        assert_eq!(page.tell(&quality("x264enc")).len(), 1);
        assert_eq!(page.tell(&quality("x264enc")).len(), 0);
        assert!(page.tell(&quality("nvh264enc"))[0].contains("encoder,nvh264enc"));
    }

    #[test]
    fn window_is_told_with_its_scale_as_long_as_the_desktop_is_to_follow_it() {
        let mut page = Page::default();
        assert_eq!(hear(&mut page, "s,1.5"), []);
        assert_eq!(hear(&mut page, "r,1200x800"), [], "it is not to");
        let viewport =
            |width, height, scale| [Said::Control(FromPage::Viewport(Viewport { width, height, scale }))];
        assert_eq!(hear(&mut page, "_arg_resize,true,1000x600"), viewport(1000, 600, 1.5));
        assert_eq!(hear(&mut page, "s,1"), viewport(1000, 600, 1.0));
        assert_eq!(hear(&mut page, "_arg_resize,false,1000x600"), []);
        page.tell(&ToPage::Screen(Screen { resizable: true, ..Screen::default() }));
        assert_eq!(hear(&mut page, "r,1200x800"), viewport(1200, 800, 1.0));
    }

    #[test]
    fn locked_pointer_tells_how_far_it_has_gone_and_each_lock_begins_anew() {
        let mut page = Page::default();
        let travel = |seq, lock, x, y| Said::Pointer(Pointing::Travel { seq, way: Way { lock, x, y } });
        assert_eq!(hear(&mut page, "m2,5,-3,0,0"), [travel(1, 1, 5, -3)]);
        assert_eq!(hear(&mut page, "m2,5,-3,0,0"), [travel(2, 1, 10, -6)]);
        let down = Input::LockedButton { button: 0, down: true, seq: 2, way: Way { lock: 1, x: 10, y: -6 } };
        assert_eq!(hear(&mut page, "m2,0,0,1,0"), [Said::Input(down)]);
        hear(&mut page, "m,7,7,0,0");
        assert_eq!(hear(&mut page, "m2,1,1,0,0"), [travel(4, 2, 1, 1)]);
    }

    #[test]
    fn client_begins_to_control_each_time_that_it_has_not_before() {
        let mut page = Page::default();
        let mut begins = |role| {
            let (phase, consumers) = (Phase::Streaming, 1);
            page.begins_to_control(&ToPage::Session { phase, reason: None, message: None, role, consumers })
        };
        let roles = [Role::Viewer, Role::Controller, Role::Controller, Role::Viewer, Role::Controller];
        assert_eq!(roles.map(&mut begins), [false, true, false, false, true]);
    }

    #[test]
    fn bit_rate_and_frame_rate_are_wishes_like_those_of_our_own_page() {
        let mut page = Page::default();
        let wished = |wish| [Said::Control(FromPage::Settings(wish))];
        assert_eq!(
            hear(&mut page, "vb,4000"),
            wished(Wish { bitrate_bps: Some(4_000_000), ..Wish::default() })
        );
        assert_eq!(hear(&mut page, "_arg_fps,15"), wished(Wish { framerate: Some(15), ..Wish::default() }));
    }

    #[test]
    fn shapes_have_handles_of_their_own_and_an_invisible_one_says_so() {
        let mut page = Page::default();
        let mut tell = |png: &str| -> Value {
            let cursor = Cursor { png: png.into(), width: 1, height: 1, hotspot_x: 2, hotspot_y: 3 };
            serde_json::from_str(&page.tell(&ToPage::Cursor(cursor))[0]).unwrap()
        };
        let (arrow, hand, none) = (tell("aa"), tell("bb"), tell(""));
        assert_eq!(arrow["data"]["curdata"], "aa");
        assert_eq!(arrow["data"]["hotspot"], json!({ "x": 2, "y": 3 }));
        assert_eq!((&arrow["data"]["override"], &none["data"]["override"]), (&Value::Null, &json!("none")));
        assert_ne!(arrow["data"]["handle"], hand["data"]["handle"]);
        assert_eq!(arrow["data"]["handle"], tell("aa")["data"]["handle"]);
    }

    #[test]
    fn the_answer_to_a_ping_is_half_of_the_way_there_and_back() {
        let mut page = Page::default();
        assert!(page.ping(Duration::from_millis(1_000)).contains(r#""start_time":1.0"#));
        let heard = page.hear(Line::Pong, Duration::from_millis(1_030));
        assert!(heard.answer.unwrap().contains(r#""latency_ms":15.0"#));
        assert_eq!(page.hear(Line::Pong, NOW).answer, None, "nobody had asked");
    }
}
