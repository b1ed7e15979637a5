//! The wire: reading a JSON message with an error that names what was wrong and what is accepted.

use serde::de::DeserializeOwned;

/// Why a message could not be read. The text is sent back to the peer, so it quotes no more than a few bytes of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The message is larger than its channel allows.
    #[error("message of {bytes} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Size of the message.
        bytes: usize,
        /// Largest accepted size.
        limit: usize,
    },
    /// The message is no JSON, or no message of this channel.
    #[error("malformed message: {0}")]
    Malformed(String),
}

/// Reads one message of at most `limit` bytes.
pub fn message<T: DeserializeOwned>(text: &str, limit: usize) -> Result<T, ParseError> {
    if text.len() > limit {
        return Err(ParseError::TooLarge { bytes: text.len(), limit });
    }
    serde_json::from_str(text).map_err(|err| {
        let mut reason = err.to_string();
        if let Some((cut, _)) = reason.char_indices().nth(MAX_REASON_CHARS) {
            reason.truncate(cut);
            reason.push('…');
        }
        ParseError::Malformed(reason)
    })
}

/// serde quotes the offending value; this keeps the echo short.
const MAX_REASON_CHARS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signalling::FromConsumer;
    use proptest::prelude::*;

    #[test]
    fn unknown_type_is_named_together_with_the_accepted_ones() {
        let err = message::<FromConsumer>(r#"{"type":"dance"}"#, 100).unwrap_err().to_string();
        assert!(err.contains("dance") && err.contains("hello") && err.contains("answer"), "{err}");
    }

    #[test]
    fn oversized_message_is_refused_before_it_is_parsed() {
        let text = format!(r#"{{"type":"bye","x":"{}"}}"#, "x".repeat(200));
        assert_eq!(
            message::<FromConsumer>(&text, 100),
            Err(ParseError::TooLarge { bytes: text.len(), limit: 100 })
        );
    }

    #[test]
    fn the_echo_of_a_bad_message_is_short() {
        let text = format!(r#"{{"type":"{}"}}"#, "ü".repeat(5_000));
        let err = message::<FromConsumer>(&text, 100_000).unwrap_err().to_string();
        assert!(err.chars().count() < 400, "{} characters", err.chars().count());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,200}") {
            let _ = message::<FromConsumer>(&text, 1_000);
            let _ = message::<crate::input::Input>(&text, 1_000);
            let _ = message::<crate::input::Pointing>(&text, 1_000);
            let _ = message::<crate::control::FromPage>(&text, 1_000);
            let _ = message::<crate::broker::FromBroker>(&text, 1_000);
            let _ = message::<crate::clipboard::FromPage>(&text, 1_000);
        }
    }
}
