//! The wire: a gamepad of the page, in the standard mapping of the W3C's Gamepad specification.

use crate::limits::{MAX_GAMEPAD_AXES, MAX_GAMEPAD_BUTTONS, MAX_GAMEPAD_NAME_CHARS, MAX_GAMEPADS};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// All that a gamepad says at a time, so that nothing of it can stick. What is not told is at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gamepad {
    /// From -32767 to 32767; at most [`MAX_GAMEPAD_AXES`].
    #[serde(deserialize_with = "axes")]
    pub axes: Vec<i16>,
    /// Pressure from 0 to 255; at most [`MAX_GAMEPAD_BUTTONS`].
    #[serde(deserialize_with = "buttons")]
    pub buttons: Vec<u8>,
}

/// What the motors of a gamepad do from now on; both at 0 stop them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rumble {
    /// The page's gamepad, below [`MAX_GAMEPADS`].
    #[serde(deserialize_with = "index")]
    pub index: u8,
    /// The heavy motor, of 65535.
    pub strong: u16,
    /// The light one, of 65535.
    pub weak: u16,
    /// After this many milliseconds they stop by themselves; at most [`crate::limits::MAX_RUMBLE_MS`].
    pub duration_ms: u32,
}

fn axes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i16>, D::Error> {
    at_most(Vec::deserialize(deserializer)?, MAX_GAMEPAD_AXES, "axes")
}

fn buttons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    at_most(Vec::deserialize(deserializer)?, MAX_GAMEPAD_BUTTONS, "buttons")
}

fn at_most<T, E: serde::de::Error>(list: Vec<T>, most: usize, what: &str) -> Result<Vec<T>, E> {
    if list.len() > most {
        return Err(E::custom(format!("{} {what} are over the limit of {most}", list.len())));
    }
    Ok(list)
}

pub(crate) fn index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let index = u8::deserialize(deserializer)?;
    if usize::from(index) >= MAX_GAMEPADS {
        return Err(D::Error::custom(format!(
            "there is no gamepad {index}: they are numbered from 0 to {}",
            MAX_GAMEPADS - 1
        )));
    }
    Ok(index)
}

pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.chars().count() {
        chars if chars > MAX_GAMEPAD_NAME_CHARS => Err(D::Error::custom(format!(
            "a name of {chars} characters is over the limit of {MAX_GAMEPAD_NAME_CHARS}"
        ))),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use crate::input::Input;

    #[test]
    fn what_no_gamepad_has_is_refused_with_what_is_accepted() {
        let buttons = vec!["0"; 18].join(",");
        let table = [
            (r#"{"type":"gamepadDisconnected","index":4}"#.into(), "from 0 to 3"),
            (r#"{"type":"gamepadState","index":0,"axes":[0,0,0,0,0],"buttons":[]}"#.into(), "limit of 4"),
            (
                format!(r#"{{"type":"gamepadState","index":0,"axes":[],"buttons":[{buttons}]}}"#),
                "limit of 17",
            ),
            (r#"{"type":"gamepadState","index":0,"axes":[],"buttons":[256]}"#.into(), "256"),
            (r#"{"type":"gamepadState","index":0,"axes":[40000],"buttons":[]}"#.into(), "40000"),
            (
                format!(r#"{{"type":"gamepadConnected","index":0,"name":"{}"}}"#, "ж".repeat(129)),
                "limit of 128",
            ),
        ];
        for (text, words) in table {
            let error = serde_json::from_str::<Input>(&text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
