//! Decision: the client's gamepads, of which it tells one button or one axis at a time, as ours, which tell all of it. Buttons and
//! axes that the standard mapping lacks are dropped.

use super::line::Line;
use vdi_protocol::{
    gamepad::Gamepad,
    input::Input,
    limits::{MAX_GAMEPAD_AXES, MAX_GAMEPAD_BUTTONS, MAX_GAMEPAD_NAME_CHARS, MAX_GAMEPADS},
};

/// What is known of each.
#[derive(Debug)]
pub struct Gamepads([Gamepad; MAX_GAMEPADS]);

impl Default for Gamepads {
    fn default() -> Self {
        Self(std::array::from_fn(|_| rest()))
    }
}

fn rest() -> Gamepad {
    Gamepad { axes: vec![0; MAX_GAMEPAD_AXES], buttons: vec![0; MAX_GAMEPAD_BUTTONS] }
}

impl Gamepads {
    /// What a line means; nothing if it changes none of them.
    pub fn hear(&mut self, line: &Line) -> Option<Input> {
        match line {
            Line::GamepadOn { index, name, .. } => {
                *self.0.get_mut(usize::from(*index))? = rest();
                let name = name.chars().take(MAX_GAMEPAD_NAME_CHARS).collect();
                Some(Input::GamepadConnected { index: *index, name })
            }
            Line::GamepadOff(index) => {
                *self.0.get_mut(usize::from(*index))? = rest();
                Some(Input::GamepadDisconnected { index: *index })
            }
            Line::GamepadButton { index, button, value } => {
                let gamepad = self.0.get_mut(usize::from(*index))?;
                // The line was held to 0 and 1.
                *gamepad.buttons.get_mut(usize::from(*button))? = (value * 255.0).round() as u8;
                Some(Input::GamepadState { index: *index, gamepad: gamepad.clone() })
            }
            Line::GamepadAxis { index, axis, value } => {
                let gamepad = self.0.get_mut(usize::from(*index))?;
                // The line was held to -1 and 1.
                *gamepad.axes.get_mut(usize::from(*axis))? = (value * 32_767.0).round() as i16;
                Some(Input::GamepadState { index: *index, gamepad: gamepad.clone() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::line::read, *};

    fn hear(gamepads: &mut Gamepads, text: &str) -> Option<Input> {
        gamepads.hear(&read(text).unwrap())
    }

    fn state(heard: Option<Input>) -> (u8, Vec<i16>, Vec<usize>) {
        let Some(Input::GamepadState { index, gamepad }) = heard else { panic!("{heard:?}") };
        let pressed = (0..gamepad.buttons.len()).filter(|button| gamepad.buttons[*button] > 0).collect();
        (index, gamepad.axes, pressed)
    }

    #[test]
    fn each_line_of_a_gamepad_becomes_all_of_it() {
        let mut gamepads = Gamepads::default();
        let connected = Input::GamepadConnected { index: 1, name: "Pad".into() };
        assert_eq!(hear(&mut gamepads, "js,c,1,UGFk,4,17"), Some(connected));
        assert_eq!(state(hear(&mut gamepads, "js,b,1,16,1")), (1, vec![0; 4], vec![16]));
        assert_eq!(state(hear(&mut gamepads, "js,a,1,3,-1")), (1, vec![0, 0, 0, -32_767], vec![16]));
        assert_eq!(state(hear(&mut gamepads, "js,b,1,16,0")), (1, vec![0, 0, 0, -32_767], vec![]));
        assert_eq!(
            state(hear(&mut gamepads, "js,b,0,0,0.5")),
            (0, vec![0; 4], vec![0]),
            "the other is its own"
        );
        assert_eq!(hear(&mut gamepads, "js,d,1"), Some(Input::GamepadDisconnected { index: 1 }));
        assert_eq!(state(hear(&mut gamepads, "js,b,1,2,1")), (1, vec![0; 4], vec![2]), "nothing has stuck");
    }

    #[test]
    fn what_the_standard_mapping_lacks_is_dropped_and_a_long_name_is_cut() {
        let mut gamepads = Gamepads::default();
        assert_eq!(hear(&mut gamepads, "js,b,0,17,1"), None);
        assert_eq!(hear(&mut gamepads, "js,a,0,4,1"), None);
        assert_eq!(hear(&mut gamepads, "kd,97"), None);
        let line = Line::GamepadOn { index: 0, name: "ж".repeat(500), axes: 4, buttons: 17 };
        let Some(Input::GamepadConnected { name, .. }) = gamepads.hear(&line) else { panic!() };
        assert_eq!(name.chars().count(), MAX_GAMEPAD_NAME_CHARS);
    }
}
