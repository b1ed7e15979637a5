//! Shell: the sockets on which programs find the page's gamepads, by Selkies' joystick interposer: one for each, always there, so
//! that a game that looks for joysticks once finds them whenever a person plugs theirs in. Who may act is asked elsewhere.

pub mod joystick;
mod path;

use joystick::{State, config};
use path::Socket;
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::UnixListener, task::JoinHandle, time::Instant};
use vdi_protocol::{input::Input, limits::MAX_GAMEPADS};

/// Programs that may have one gamepad open. A game has one, and a launcher beside it another.
const MAX_PROGRAMS: usize = 16;
/// Pause after a program could not be accepted: out of file descriptors, most likely, which takes a while.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// What a gamepad is called before one has come: programs know by this name of the xpad driver what its buttons mean.
const NAME: &str = "Microsoft X-Box 360 pad";

/// All gamepads; cheap to clone. One whose socket could not be made takes what it is told, and no program sees it.
#[derive(Debug, Clone)]
pub struct Gamepads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pads: [Mutex<Pad>; MAX_GAMEPADS],
    listening: Mutex<Vec<(Socket, JoinHandle<()>)>>,
    began: Instant,
}

#[derive(Debug)]
struct Pad {
    name: String,
    state: State,
    programs: Vec<UnixStream>,
}

impl Pad {
    /// Nobody has it.
    fn goes(&mut self) -> State {
        NAME.clone_into(&mut self.name);
        State::rest()
    }
}

impl Default for Gamepads {
    fn default() -> Self {
        let pad = |_| Mutex::new(Pad { name: NAME.into(), state: State::rest(), programs: Vec::new() });
        Self(Arc::new(Inner {
            pads: std::array::from_fn(pad),
            listening: Mutex::default(),
            began: Instant::now(),
        }))
    }
}

impl Gamepads {
    /// Listens in a folder, wherever it can: without gamepads there is a desktop still.
    pub fn listen(folder: &Path) -> Self {
        let gamepads = Self::default();
        for index in 0..MAX_GAMEPADS {
            let path = folder.join(format!("selkies_js{index}.sock"));
            match Socket::bind(&path)
                .and_then(|(listener, socket)| Ok((UnixListener::from_std(listener)?, socket)))
            {
                Ok((listener, socket)) => {
                    let accepting = tokio::spawn(accept(gamepads.clone(), index, listener));
                    lock(&gamepads.0.listening).push((socket, accepting));
                }
                Err(error) => {
                    tracing::warn!("gamepad {index} is not for programs: {}: {error}", path.display());
                }
            }
        }
        gamepads
    }

    /// Takes a report. Returns whether somebody has done something.
    pub fn report(&self, report: &Input) -> bool {
        match report {
            Input::GamepadConnected { index, name } => {
                tracing::debug!(index, name, "a gamepad has come");
                self.change(*index, |pad| {
                    name.clone_into(&mut pad.name);
                    State::rest()
                })
            }
            Input::GamepadState { index, gamepad } => self.change(*index, |_| State::of(gamepad)),
            Input::GamepadDisconnected { index } => self.change(*index, Pad::goes),
            _ => false,
        }
    }

    /// Nobody touches any of them: the page does not act any more.
    pub fn release(&self) {
        for index in 0..MAX_GAMEPADS {
            self.change(index as u8, Pad::goes);
        }
    }

    /// Lets go of everything: programs see the gamepads go, and the sockets are removed.
    pub fn stop(&self) {
        self.release();
        for (socket, accepting) in lock(&self.0.listening).drain(..) {
            accepting.abort();
            socket.remove();
        }
        for pad in &self.0.pads {
            lock(pad).programs.clear();
        }
    }

    fn change(&self, index: u8, become_what: impl FnOnce(&mut Pad) -> State) -> bool {
        let Some(pad) = self.0.pads.get(usize::from(index)) else { return false };
        let mut pad = lock(pad);
        let state = become_what(&mut pad);
        let events = state.since(&pad.state, self.time_ms());
        pad.state = state;
        if !events.is_empty() {
            pad.programs.retain_mut(|program| tell(program, &events.concat()));
        }
        !events.is_empty()
    }

    /// Milliseconds as in `js_event`, which wrap around after 49 days.
    fn time_ms(&self) -> u32 {
        self.0.began.elapsed().as_millis() as u32
    }

    /// A program has opened a gamepad: it is told what that is, and how it stands.
    fn open(&self, index: usize, mut program: UnixStream) {
        let Some(pad) = self.0.pads.get(index) else { return };
        let mut pad = lock(pad);
        pad.programs.retain_mut(is_there);
        let mut first = config(&pad.name);
        first.extend(pad.state.initial(self.time_ms()).concat());
        if pad.programs.len() >= MAX_PROGRAMS {
            tracing::warn!(index, "a program cannot open a gamepad that {MAX_PROGRAMS} have open");
        } else if tell(&mut program, &first) {
            tracing::debug!(index, "a program has opened a gamepad");
            pad.programs.push(program);
        }
    }
}

async fn accept(gamepads: Gamepads, index: usize, listener: UnixListener) {
    loop {
        match listener.accept().await.and_then(|(program, _)| program.into_std()) {
            Ok(program) => gamepads.open(index, program),
            Err(error) => {
                tracing::warn!(index, %error, "a program cannot open a gamepad");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Whether a program takes it. One that does not read any more, or has gone, is given up: half an event would shift all that follow.
fn tell(program: &mut UnixStream, bytes: &[u8]) -> bool {
    program.write_all(bytes).is_ok()
}

/// Whether a program still has the gamepad open. What it says, as newer interposers do, is nothing that we need.
fn is_there(program: &mut UnixStream) -> bool {
    match program.read(&mut [0; 64]) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{joystick::CONFIG_BYTES, *};
    use tokio::io::AsyncReadExt;
    use vdi_protocol::gamepad::Gamepad;

    /// A program with its first bytes read: the name that it was told.
    async fn open(path: &Path) -> (tokio::net::UnixStream, String) {
        let mut program = tokio::net::UnixStream::connect(path).await.unwrap();
        let mut first = vec![0; CONFIG_BYTES + 19 * 8];
        program.read_exact(&mut first).await.unwrap();
        (program, String::from_utf8(first.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap())
    }

    /// The next event without its time: value, type, number.
    async fn event(program: &mut tokio::net::UnixStream) -> (i16, u8, u8) {
        let mut event = [0; 8];
        program.read_exact(&mut event).await.unwrap();
        (i16::from_ne_bytes([event[4], event[5]]), event[6], event[7])
    }

    fn pressed(index: u8) -> Input {
        Input::GamepadState { index, gamepad: Gamepad { axes: Vec::new(), buttons: vec![255] } }
    }

    #[tokio::test]
    async fn programs_are_told_of_changes_and_of_the_release() {
        let folder = tempfile::tempdir().unwrap();
        let gamepads = Gamepads::listen(folder.path());
        gamepads.report(&Input::GamepadConnected { index: 1, name: "Pad".into() });
        let (mut program, name) = open(&folder.path().join("selkies_js1.sock")).await;
        let (mut other, other_name) = open(&folder.path().join("selkies_js2.sock")).await;
        assert_eq!((name.as_str(), other_name.as_str()), ("Pad", NAME));
        assert!(gamepads.report(&pressed(1)));
        assert!(!gamepads.report(&pressed(1)), "nothing new");
        assert_eq!(event(&mut program).await, (1, 1, 0));
        gamepads.release();
        assert_eq!(event(&mut program).await, (0, 1, 0));
        gamepads.report(&pressed(2));
        gamepads.report(&Input::GamepadDisconnected { index: 2 });
        assert_eq!(event(&mut other).await, (1, 1, 0));
        assert_eq!(event(&mut other).await, (0, 1, 0));
        gamepads.stop();
        assert_eq!(program.read(&mut [0; 8]).await.unwrap(), 0, "the gamepad has gone");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn program_that_opens_and_closes_leaves_room_and_one_that_never_reads_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let gamepads = Gamepads::listen(folder.path());
        let path = folder.path().join("selkies_js0.sock");
        for _ in 0..3 * MAX_PROGRAMS {
            open(&path).await;
        }
        let (lazy, _) = open(&path).await;
        // More than any socket holds.
        for _ in 0..50_000 {
            gamepads.report(&pressed(0));
            gamepads.report(&Input::GamepadDisconnected { index: 0 });
        }
        assert!(lock(&gamepads.0.pads[0]).programs.is_empty());
        drop(lazy);
        gamepads.stop();
    }
}
