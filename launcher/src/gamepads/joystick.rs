//! Decision: a gamepad of the page as the joystick that Linux programs know: the state of one becomes that of the other, and
//! two states become the events between them: those of `linux/joystick.h`, which the sockets carry, and those of `linux/input.h`,
//! which the kernel takes. It opens nothing.
//!
//! Browsers tell gamepads in the W3C's standard mapping (17 buttons, 4 axes, triggers as buttons with a pressure). Linux has them
//! as the xpad driver does: 11 buttons and 8 axes, of which two are the triggers and two the directional pad.

use vdi_protocol::gamepad::Gamepad;

/// Buttons in xpad's order, as (number in the standard mapping, code of `linux/input-event-codes.h`).
pub const BUTTONS: [(usize, u16); 11] = [
    (0, 0x130),  // BTN_A
    (1, 0x131),  // BTN_B
    (2, 0x133),  // BTN_X
    (3, 0x134),  // BTN_Y
    (4, 0x136),  // BTN_TL
    (5, 0x137),  // BTN_TR
    (8, 0x13a),  // BTN_SELECT
    (9, 0x13b),  // BTN_START
    (16, 0x13c), // BTN_MODE
    (10, 0x13d), // BTN_THUMBL
    (11, 0x13e), // BTN_THUMBR
];

/// Where an axis comes from, by numbers in the standard mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An axis of the page's.
    Axis(usize),
    /// The pressure on a button: all of the axis.
    Trigger(usize),
    /// Two buttons that pull to either side: negative, positive.
    Hat(usize, usize),
}

/// Axes in xpad's order, with their codes.
pub const AXES: [(Source, u8); 8] = [
    (Source::Axis(0), 0x00),     // ABS_X
    (Source::Axis(1), 0x01),     // ABS_Y
    (Source::Trigger(6), 0x02),  // ABS_Z
    (Source::Axis(2), 0x03),     // ABS_RX
    (Source::Axis(3), 0x04),     // ABS_RY
    (Source::Trigger(7), 0x05),  // ABS_RZ
    (Source::Hat(14, 15), 0x10), // ABS_HAT0X
    (Source::Hat(12, 13), 0x11), // ABS_HAT0Y
];

/// Least and greatest value of an axis; what is in the middle is 0.
const REACH: i16 = 32767;

/// How an axis is described to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Least value.
    pub least: i32,
    /// Greatest value.
    pub greatest: i32,
    /// What it trembles by.
    pub fuzz: i32,
    /// What is still the middle, to either side.
    pub flat: i32,
}

impl Source {
    /// What xpad says of it.
    pub fn range(self) -> Range {
        match self {
            Source::Axis(_) => Range { least: -32768, greatest: 32767, fuzz: 16, flat: 128 },
            Source::Trigger(_) => Range { least: 0, greatest: 255, fuzz: 0, flat: 0 },
            Source::Hat(..) => Range { least: -1, greatest: 1, fuzz: 0, flat: 0 },
        }
    }

    /// A value in the range of `linux/joystick.h`, which has one for all.
    fn stretched(self, value: i16) -> i16 {
        match self {
            Source::Axis(_) => value,
            // From 0 to 255 over the whole axis; the products stay far below the bounds of i32.
            Source::Trigger(_) => (i32::from(value) * 65534 / 255 - i32::from(REACH)) as i16,
            Source::Hat(..) => value * REACH,
        }
    }
}
/// Pressure from which a button counts as pressed, of 255.
const PRESSED: u8 = 128;

/// `type` of an event of `linux/input.h`.
const EV_KEY: u16 = 0x01;
const EV_ABS: u16 = 0x03;
/// `type` of an event of `linux/joystick.h`.
const JS_EVENT_BUTTON: u8 = 0x01;
const JS_EVENT_AXIS: u8 = 0x02;
/// Set on events that tell what was so before the program came.
const JS_EVENT_INIT: u8 = 0x80;

/// An event of `linux/input.h`: type, code, value.
pub type KernelEvent = (u16, u16, i32);

/// The joystick's state: buttons and axes in xpad's order, each axis in its own range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    buttons: [bool; BUTTONS.len()],
    axes: [i16; AXES.len()],
}

impl State {
    /// Nobody touches it.
    pub fn rest() -> Self {
        Self::of(&Gamepad::default())
    }

    /// What a page tells. What it does not tell is at rest.
    pub fn of(pad: &Gamepad) -> Self {
        let pressure = |button: usize| pad.buttons.get(button).copied().unwrap_or(0);
        let axis = |(source, _): (Source, u8)| match source {
            Source::Axis(axis) => pad.axes.get(axis).copied().unwrap_or(0).max(-REACH),
            Source::Trigger(button) => pressure(button).into(),
            Source::Hat(negative, positive) => {
                let pull = |button| i16::from(pressure(button) >= PRESSED);
                pull(positive) - pull(negative)
            }
        };
        Self { buttons: BUTTONS.map(|(button, _)| pressure(button) >= PRESSED), axes: AXES.map(axis) }
    }

    /// What happened between an earlier state and this one, in events of `linux/joystick.h`.
    pub fn since(&self, before: &Self, time_ms: u32) -> Vec<[u8; 8]> {
        let buttons = self.buttons.iter().zip(&before.buttons).enumerate();
        let buttons = buttons
            .filter(|(_, (now, before))| now != before)
            .map(|(number, (now, _))| event(time_ms, i16::from(*now), JS_EVENT_BUTTON, number));
        let axes = self.stretched().zip(before.stretched()).enumerate();
        let axes = axes
            .filter(|(_, (now, before))| now != before)
            .map(|(number, (now, _))| event(time_ms, now, JS_EVENT_AXIS, number));
        buttons.chain(axes).collect()
    }

    /// The same as the kernel takes it.
    pub fn kernel_events_since(&self, before: &Self) -> Vec<KernelEvent> {
        let buttons = BUTTONS.iter().zip(self.buttons.iter().zip(&before.buttons));
        let buttons = buttons
            .filter(|(_, (now, before))| now != before)
            .map(|((_, code), (now, _))| (EV_KEY, *code, i32::from(*now)));
        let axes = AXES.iter().zip(self.axes.iter().zip(&before.axes));
        let axes = axes
            .filter(|(_, (now, before))| now != before)
            .map(|((_, code), (now, _))| (EV_ABS, u16::from(*code), i32::from(*now)));
        buttons.chain(axes).collect()
    }

    /// What a program is told that has just opened the joystick.
    pub fn initial(&self, time_ms: u32) -> Vec<[u8; 8]> {
        let buttons =
            self.buttons.iter().enumerate().map(|(number, now)| {
                event(time_ms, i16::from(*now), JS_EVENT_BUTTON | JS_EVENT_INIT, number)
            });
        let axes = self.stretched().enumerate();
        let axes = axes.map(|(number, now)| event(time_ms, now, JS_EVENT_AXIS | JS_EVENT_INIT, number));
        buttons.chain(axes).collect()
    }

    fn stretched(&self) -> impl Iterator<Item = i16> {
        AXES.iter().zip(self.axes).map(|((source, _), value)| source.stretched(value))
    }
}

/// `struct js_event`: time in milliseconds, value, type, number, in the machine's byte order.
fn event(time_ms: u32, value: i16, kind: u8, number: usize) -> [u8; 8] {
    let [t0, t1, t2, t3] = time_ms.to_ne_bytes();
    let [v0, v1] = value.to_ne_bytes();
    // There are eleven numbers at most.
    [t0, t1, t2, t3, v0, v1, kind, number as u8]
}

/// Lengths of the interposer's `js_config_t`: the name, and how many buttons and axes its maps have room for.
const NAME_BYTES: usize = 255;
const MAP_BUTTONS: usize = 512;
const MAP_AXES: usize = 64;
/// The whole of it: the name is followed by a byte that aligns the numbers.
pub const CONFIG_BYTES: usize = NAME_BYTES + 1 + 2 + 2 + 2 * MAP_BUTTONS + MAP_AXES;

/// What Selkies' joystick interposer reads first: the joystick's name, its numbers of buttons and axes, and their codes.
pub fn config(name: &str) -> Vec<u8> {
    let mut bytes = vec![0; NAME_BYTES + 1];
    // The last byte stays the 0 that ends a name, and no character is cut in two.
    let ends = name.char_indices().map(|(at, character)| at + character.len_utf8());
    let length = ends.take_while(|end| *end < NAME_BYTES).last().unwrap_or(0);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    bytes.extend((BUTTONS.len() as u16).to_ne_bytes());
    bytes.extend((AXES.len() as u16).to_ne_bytes());
    let codes = BUTTONS.iter().map(|(_, code)| *code).chain(std::iter::repeat(0)).take(MAP_BUTTONS);
    bytes.extend(codes.flat_map(u16::to_ne_bytes));
    bytes.extend(AXES.iter().map(|(_, code)| *code).chain(std::iter::repeat(0)).take(MAP_AXES));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pad(axes: &[i16], pressed: &[(usize, u8)]) -> Gamepad {
        let mut buttons = vec![0; 17];
        for (button, pressure) in pressed {
            buttons[*button] = *pressure;
        }
        Gamepad { axes: axes.to_vec(), buttons }
    }

    fn stretched(state: &State) -> Vec<i16> {
        state.stretched().collect()
    }

    #[test]
    fn at_rest_sticks_are_in_the_middle_and_triggers_at_their_least() {
        let rest = State::rest();
        assert_eq!(rest.buttons, [false; 11]);
        assert_eq!(rest.axes, [0; 8]);
        assert_eq!(stretched(&rest), [0, 0, -32767, 0, 0, -32767, 0, 0]);
    }

    #[test]
    fn standard_mapping_becomes_that_of_xpad() {
        let state = State::of(&pad(&[1, -2, 3, i16::MIN], &[(0, 255), (8, 200), (16, 128), (9, 127)]));
        assert_eq!(stretched(&state), [1, -2, -32767, 3, -32767, -32767, 0, 0]);
        let pressed: Vec<_> = (0..11).filter(|button| state.buttons[*button]).collect();
        assert_eq!(pressed, [0, 6, 8], "A, select and the logo");
    }

    #[test]
    fn triggers_use_their_whole_way_and_the_directional_pad_is_a_hat() {
        let axes = |pressed: &[(usize, u8)]| stretched(&State::of(&pad(&[], pressed)));
        assert_eq!(axes(&[(6, 128)])[2], 128);
        assert_eq!(axes(&[(6, 255), (7, 0)])[2..6], [32767, 0, 0, -32767]);
        assert_eq!(axes(&[(14, 255), (12, 255)])[6..], [-32767, -32767], "left and up");
        assert_eq!(axes(&[(15, 255), (13, 255)])[6..], [32767, 32767], "right and down");
        assert_eq!(axes(&[(14, 255), (15, 255)])[6..], [0, 0], "both at once are none");
    }

    #[test]
    fn only_changes_are_events_and_all_is_told_at_first() {
        let rest = State::rest();
        let now = State::of(&pad(&[-32767, 0, 0, 0], &[(1, 255)]));
        let events = now.since(&rest, 0x0102_0304);
        let time = 0x0102_0304u32.to_ne_bytes();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0][..4], time);
        assert_eq!(events[0][4..], [1i16.to_ne_bytes()[0], 1i16.to_ne_bytes()[1], 1, 1]);
        assert_eq!(events[1][6..], [2, 0]);
        assert_eq!(i16::from_ne_bytes([events[1][4], events[1][5]]), -32767);
        assert_eq!(now.since(&now, 0), Vec::<[u8; 8]>::new());
        let initial = now.initial(0);
        assert_eq!(initial.len(), 19);
        assert!(initial.iter().all(|event| event[6] & 0x80 != 0));
    }

    #[test]
    fn kernel_is_told_of_changes_in_the_ranges_of_xpad() {
        let rest = State::rest();
        let now = State::of(&pad(&[-32767, 0, 0, 9], &[(1, 255), (7, 200), (12, 255)]));
        let events = [(1, 0x131, 1), (3, 0, -32767), (3, 4, 9), (3, 5, 200), (3, 0x11, -1)];
        assert_eq!(now.kernel_events_since(&rest), events);
        assert_eq!(now.kernel_events_since(&now), []);
        let back = [(1, 0x131, 0), (3, 0, 0), (3, 4, 0), (3, 5, 0), (3, 0x11, 0)];
        assert_eq!(rest.kernel_events_since(&now), back);
        for (source, _) in AXES {
            let Range { least, greatest, .. } = source.range();
            assert!(least < greatest);
        }
    }

    #[test]
    fn config_has_the_layout_of_the_interposers_struct() {
        let bytes = config("Xbox 360 Gamepad!");
        assert_eq!((bytes.len(), CONFIG_BYTES), (1348, 1348));
        assert_eq!(&bytes[..18], b"Xbox 360 Gamepad!\0");
        let number = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!((number(256), number(258)), (11, 8));
        assert_eq!((number(260), number(280), number(282)), (0x130, 0x13e, 0));
        assert_eq!(bytes[1284..1293], [0, 1, 2, 3, 4, 5, 0x10, 0x11, 0]);
        assert_eq!(config(&"x".repeat(300))[253..256], [b'x', 0, 0], "a name ends");
        assert_eq!(config(&"ж".repeat(300))[252..256], *"ж\0\0".as_bytes(), "and is no half character");
    }
}
