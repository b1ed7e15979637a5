//! Decision: by what a session and a browser are known: the secret by which a consumer goes on with its session, and the
//! name that a browser gives itself. Random bytes are an argument.

use std::fmt;
use subtle::ConstantTimeEq;
use vdi_protocol::{
    limits::MAX_CLIENT_BYTES,
    signalling::{Continued, ErrorCode},
};

/// 128 random bits: nobody guesses them within the life of a session.
pub const BYTES: usize = 16;

/// A consumer's secret.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The secret that these random bytes make.
    pub fn of(random: [u8; BYTES]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// As it stands on the wire.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether this is the secret. How long that takes tells nothing of it: its length is no secret.
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is said of a session that is not there; whether its name or its secret is wrong is not said.
pub fn unknown(session: &Continued) -> (ErrorCode, String) {
    let name: String = session.consumer.chars().take(MAX_CLIENT_BYTES).collect();
    (ErrorCode::UnknownConsumer, format!("there is no session \"{name}\" to go on with"))
}

/// Whether a browser may call itself so.
pub fn is_client(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_CLIENT_BYTES).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_text_is_the_secret_and_no_log_shows_it() {
        let token = Token::of([0xa5; BYTES]);
        assert_eq!(token.text(), "a5".repeat(BYTES));
        assert!(token.is(&"a5".repeat(BYTES)));
        for wrong in ["", "a5", &"A5".repeat(BYTES), &"a5".repeat(BYTES + 1), &"a4".repeat(BYTES)] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(!format!("{token:?}").contains("a5"));
    }
}
