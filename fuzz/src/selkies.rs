//! Decision: the dialect of the Selkies client: its lines, one after the other, and its signalling.

use crate::text;
use std::time::Duration;
use vdi_launcher::selkies::{
    line,
    page::{Page, Said},
    signalling,
};
use vdi_protocol::{
    clipboard, control, input,
    limits::{MAX_DATA_BYTES, MAX_SIGNALLING_BYTES},
    parse,
    signalling::{FromConsumer, ToConsumer},
};

/// Characters of the words that a bad line is answered with.
const MAX_WORDS: usize = 400;

/// Lines of the client, and between them what it is told: our JSON after a `<`. What it says in our messages is what our own page
/// could have said.
pub fn lines(data: &[u8]) {
    let mut page = Page::default();
    let mut now = Duration::ZERO;
    for text in text(data).split('\n') {
        now += Duration::from_millis(100);
        if let Some(told) = text.strip_prefix('<') {
            tell(&mut page, told, now);
            continue;
        }
        match line::read(text) {
            Ok(line) => page.hear(line, now).said.iter().for_each(holds),
            Err(error) => assert!(error.to_string().chars().count() <= MAX_WORDS, "{error}"),
        }
    }
}

fn tell(page: &mut Page, told: &str, now: Duration) {
    if let Ok(message) = parse::message::<control::ToPage>(told, MAX_DATA_BYTES) {
        page.tell(&message);
        page.begins_to_control(&message);
    }
    if let Ok(message) = parse::message::<clipboard::ToPage>(told, MAX_DATA_BYTES) {
        page.hear_clipboard(&message);
    }
    page.ping(now);
}

fn holds(said: &Said) {
    let (text, read) = match said {
        Said::Input(said) => {
            let text = serde_json::to_string(said).unwrap();
            let read = parse::message::<input::Input>(&text, MAX_DATA_BYTES).map(Said::Input);
            (text, read)
        }
        Said::Pointer(said) => {
            let text = serde_json::to_string(said).unwrap();
            let read = parse::message::<input::Pointing>(&text, MAX_DATA_BYTES).map(Said::Pointer);
            (text, read)
        }
        Said::Control(said) => {
            let text = serde_json::to_string(said).unwrap();
            let read = parse::message::<control::FromPage>(&text, MAX_DATA_BYTES).map(Said::Control);
            (text, read)
        }
        Said::Clipboard(said) => {
            let text = serde_json::to_string(said).unwrap();
            let read = parse::message::<clipboard::FromPage>(&text, MAX_DATA_BYTES).map(Said::Clipboard);
            (text, read)
        }
    };
    assert!(read.as_ref() == Ok(said), "our own page could not have said {text}: {read:?}");
}

/// Lines of the client's signalling, and ours to it.
pub fn signalling(data: &[u8]) {
    let text = text(data);
    if let Ok(hello) = signalling::hello(text) {
        assert!(hello.window.scale.is_none_or(|scale| (0.25..=8.0).contains(&scale)));
    }
    if let Ok(said) = signalling::said(text) {
        assert!(matches!(said, FromConsumer::Answer { .. } | FromConsumer::Ice(_)), "{said:?}");
    }
    if let Ok(message) = parse::message::<ToConsumer>(text, MAX_SIGNALLING_BYTES) {
        signalling::told(&message);
    }
}
