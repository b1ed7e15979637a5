//! Decision: what pages and programs of the desktop give the launcher: copied things both ways, resources, gamepads and their motors.

use crate::text;
use std::{sync::Arc, time::Duration};
use vdi_launcher::{
    clipboard::{
        content::{self, Content, MIMES},
        transfer::{Incoming, Outgoing, Progress},
    },
    gamepads::{
        joystick::{self, State},
        rumble::{Effect, Motors},
    },
    screen::settings,
};
use vdi_protocol::{
    clipboard::{FromPage, Mime, PIECE_BYTES, Selection, WINDOW_BYTES},
    input::Input,
    limits::{MAX_DATA_BYTES, MAX_RUMBLE_MS},
    parse,
};

/// What a page says on its channel, a message a line, while something of 1 MB is on its way to it.
pub fn clipboard(data: &[u8]) {
    const MAX: u64 = 100_000;
    let large = Arc::new(Content([(Mime::Text, vec![b'x'; 1_000_000])].into()));
    let (mut outgoing, first) = Outgoing::begin(1, Selection::Clipboard, large);
    let mut pieces = first.len() as u64 - 1;
    let mut acknowledged = 0;
    let mut incoming: Option<Incoming> = None;
    for line in text(data).split('\n') {
        match parse::message::<FromPage>(line, MAX_DATA_BYTES) {
            Ok(FromPage::Offer(offer)) => incoming = Incoming::begin(&offer, MAX).ok(),
            Ok(FromPage::Piece { id, data }) => {
                let Some(coming) = incoming.as_mut().filter(|coming| coming.id() == id) else { continue };
                match coming.piece(&data) {
                    Ok(Progress::Received(bytes)) => assert!(bytes < MAX),
                    Ok(Progress::Complete(content)) => {
                        assert!(content.bytes() <= MAX);
                        let text = content.0.iter().filter(|(mime, _)| **mime != Mime::Png);
                        assert!(text.into_iter().all(|(_, bytes)| std::str::from_utf8(bytes).is_ok()));
                        incoming = None;
                    }
                    Err(_) => incoming = None,
                }
            }
            Ok(FromPage::Received { id, bytes }) => {
                pieces += outgoing.received(id, bytes).len() as u64;
                let sent = (pieces * PIECE_BYTES as u64).min(1_000_000);
                if id == 1 && bytes <= sent {
                    acknowledged = bytes.max(acknowledged);
                }
                assert!(sent <= 1_000_000 && sent - acknowledged <= WINDOW_BYTES + PIECE_BYTES as u64);
            }
            _ => {}
        }
    }
}

/// What a program gives for a selection: the first byte says under which of the names.
pub fn selection(data: &[u8]) {
    let Some((first, given)) = data.split_first() else { return };
    let names =
        MIMES.into_iter().flat_map(|mime| content::targets(mime).iter().map(move |name| (mime, *name)));
    let names: Vec<_> = names.collect();
    let (mime, name) = names[usize::from(*first) % names.len()];
    if let Some(read) = content::read(mime, name, given.to_vec()) {
        assert!(!read.is_empty(), "nothing is not offered");
        if mime != Mime::Png {
            let text = std::str::from_utf8(&read).expect("browsers take UTF-8");
            assert!(!text.ends_with('\0'));
            assert_eq!(content::latin1(&read).len(), text.chars().count());
        }
        assert_eq!(content::check(mime, read.clone()).as_ref(), Some(&read), "what goes out may come back");
    }
    let all = Content(MIMES.into_iter().map(|mime| (mime, given.to_vec())).collect());
    let limit = usize::from(*first) + 1;
    let mut whole = Vec::new();
    while (whole.len() as u64) < all.bytes() {
        let piece = all.piece(whole.len() as u64, limit);
        assert!((1..=limit).contains(&piece.len()));
        whole.extend(piece);
    }
    assert_eq!(whole, given.repeat(MIMES.len()));
}

/// The resources that stand on the X server.
pub fn resources(data: &[u8]) {
    let text = text(data);
    let once = settings::resources(text, 144);
    assert_eq!(settings::resources(&once, 144), once, "the second time nothing changes");
    assert!(once.ends_with("Xcursor.size:\t36\nXft.dpi:\t144\n"));
}

/// What pages tell of gamepads, a message a line; other lines are what a program has the motors do, four bytes a step.
pub fn gamepad(data: &[u8]) {
    let mut before = State::rest();
    let mut motors = Motors::default();
    let mut now = Duration::ZERO;
    for line in data.split(|byte| *byte == b'\n') {
        match parse::message::<Input>(text(line), MAX_DATA_BYTES) {
            Ok(Input::GamepadConnected { name, .. }) => {
                let config = joystick::config(&name);
                assert_eq!(config.len(), joystick::CONFIG_BYTES);
                let end = config.iter().position(|byte| *byte == 0).expect("a name ends");
                assert!(name.as_bytes().starts_with(&config[..end]) || name.contains('\0'));
            }
            Ok(Input::GamepadState { gamepad, .. }) => {
                let state = State::of(&gamepad);
                assert!(state.since(&state, 0).is_empty());
                assert_eq!(state.since(&before, 7).len(), state.kernel_events_since(&before).len());
                before = state;
            }
            _ => line.chunks_exact(4).for_each(|step| shake(&mut motors, &mut now, step)),
        }
    }
}

fn shake(motors: &mut Motors, now: &mut Duration, step: &[u8]) {
    let &[what, id, a, b] = step else { return };
    let id = i16::from(id % 20);
    let number = u16::from_be_bytes([a, b]);
    match what % 6 {
        0 => {
            let length = (a > 0).then(|| Duration::from_millis(a.into()));
            let delay = Duration::from_millis(u64::from(b) * 4);
            motors.upload(id, Effect { strong: number, weak: !number, length, delay }, *now);
        }
        1 => motors.erase(id),
        2 => motors.play(id, i32::from(number), *now),
        3 => motors.set_gain(number),
        4 => *now += Duration::from_millis(number.into()),
        _ => {
            motors.forget(*now);
        }
    }
    let (message, again) = motors.tell(0, *now);
    assert!(again.is_none_or(|again| again > *now), "it has to go on");
    assert!(message.is_none_or(|message| message.duration_ms <= MAX_RUMBLE_MS));
}
