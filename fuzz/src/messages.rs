//! Decision: the JSON of pages, consumers and brokers, and what the operator reads of launchers.

use crate::text;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use vdi_protocol::{
    broker, clipboard, control, doctor, input,
    limits::{MAX_DATA_BYTES, MAX_SIGNALLING_BYTES},
    parse, people, session_limits, signalling, status,
};

/// Characters of the words that a bad message is answered with.
const MAX_WORDS: usize = 400;

/// What comes over WebSockets and data channels.
pub fn messages(data: &[u8]) {
    let text = text(data);
    same::<signalling::FromConsumer>(text, MAX_SIGNALLING_BYTES);
    same::<signalling::ToConsumer>(text, MAX_SIGNALLING_BYTES);
    same::<broker::FromBroker>(text, MAX_SIGNALLING_BYTES);
    same::<broker::ToBroker>(text, MAX_SIGNALLING_BYTES);
    same::<control::FromPage>(text, MAX_DATA_BYTES);
    same::<control::ToPage>(text, MAX_DATA_BYTES);
    same::<clipboard::FromPage>(text, MAX_DATA_BYTES);
    same::<clipboard::ToPage>(text, MAX_DATA_BYTES);
    same::<input::Input>(text, MAX_DATA_BYTES);
    same::<input::Pointing>(text, MAX_DATA_BYTES);
    same::<people::ToPointer>(text, MAX_DATA_BYTES);
}

/// What the operator reads: a launcher's `/status`, what its doctor says, and the limits that the launcher reads in turn.
pub fn reports(data: &[u8]) {
    let text = text(data);
    same::<status::Status>(text, MAX_SIGNALLING_BYTES);
    same::<doctor::Report>(text, MAX_SIGNALLING_BYTES);
    same::<session_limits::SessionLimits>(text, MAX_SIGNALLING_BYTES);
}

/// What is read is written so that it is read as the same; what is not is refused in few words.
fn same<T: Serialize + DeserializeOwned + Debug>(text: &str, limit: usize) {
    match parse::message::<T>(text, limit) {
        Ok(message) => {
            let written = serde_json::to_string(&message).expect("a message can be written");
            let again: T = serde_json::from_str(&written).expect("what is written can be read");
            let rewritten = serde_json::to_string(&again).expect("a message can be written");
            assert_eq!(written, rewritten, "{message:?}");
        }
        Err(error) => assert!(error.to_string().chars().count() <= MAX_WORDS, "{error}"),
    }
}
