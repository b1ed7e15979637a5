//! Shell: where programs find the page's gamepads: as devices of the kernel's, where uinput may be used, and on the sockets of
//! Selkies' joystick interposer. A socket is always there; a device comes with the first gamepad in its place, and stays. Who may act
//! is asked elsewhere.

mod device;
pub mod joystick;
mod path;
mod program;
pub mod rumble;

use crate::error::Error;
use device::{Device, Uinput};
pub use device::{Felt, PATH, look as look_at_uinput};
use joystick::{State, config};
use path::Socket;
use program::{Program, Reading, Taken};
use std::{
    io,
    os::unix::net::UnixStream,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    net::UnixListener,
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};
use vdi_protocol::{input::Input, limits::MAX_GAMEPADS, reason::FailureReason};

/// Programs that may have one gamepad open. A game has one, and a launcher beside it another.
const MAX_PROGRAMS: usize = 16;
/// Pause after a program could not be accepted: out of file descriptors, most likely, which takes a while.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// What a gamepad is called before one has come: programs know by this name of the xpad driver what its buttons mean.
const NAME: &str = "Microsoft X-Box 360 pad";

/// How programs are to find them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// On the sockets, and as devices where that is allowed.
    Auto,
    /// As devices, or not at all.
    Uinput,
    /// On the sockets.
    Sockets,
    /// Not at all.
    Off,
}

/// All gamepads; cheap to clone. One for which nothing could be made takes what it is told, and no program sees it.
#[derive(Debug, Clone)]
pub struct Gamepads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pads: [Mutex<Pad>; MAX_GAMEPADS],
    listening: Mutex<Vec<(Socket, JoinHandle<()>)>>,
    uinput: Option<Uinput>,
    /// On which it is waited for programs that read nothing.
    runtime: OnceLock<Handle>,
    began: Instant,
}

#[derive(Debug)]
struct Pad {
    name: String,
    state: State,
    programs: Vec<Program>,
    /// The page whose gamepad it is, for who has it shake.
    player: watch::Sender<Option<String>>,
    /// What programs see of it without the interposer, once somebody had it.
    device: Option<Device>,
    /// Whether the log says why there is none.
    missing: bool,
}

impl Pad {
    fn new() -> Self {
        let player = watch::channel(None).0;
        Self {
            name: NAME.into(),
            state: State::rest(),
            programs: Vec::new(),
            player,
            device: None,
            missing: false,
        }
    }

    /// Nobody has it.
    fn goes(&mut self) -> State {
        NAME.clone_into(&mut self.name);
        self.player.send_if_modified(|player| player.take().is_some());
        State::rest()
    }

    /// This page has it. Its motors are still when it comes, even if it was gone for less time than anybody looked.
    fn comes(&mut self, page: &str) {
        self.player.send_replace(Some(page.to_owned()));
    }

    /// There is a device from now on, if one can be made.
    fn appear(&mut self, uinput: &Uinput, index: u8) {
        if self.device.is_some() {
            return;
        }
        // The name of what a person has plugged in would have games look for other buttons.
        match Device::make(uinput, index, NAME, self.player.subscribe()) {
            Ok(device) => {
                tracing::info!(index, "a gamepad is a device of the kernel's");
                self.device = Some(device);
            }
            // It is tried again when the gamepad comes again.
            Err(error) if !std::mem::replace(&mut self.missing, true) => {
                tracing::warn!(index, %error, "a gamepad is no device of the kernel's");
            }
            Err(_) => {}
        }
    }
}

/// Gamepads that no program finds.
impl Default for Gamepads {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Gamepads {
    /// Makes the ways that are wanted, with the sockets in this folder; what pages are to feel comes out of the receiver. Without
    /// gamepads there is a desktop still, so only who wants devices and nothing else is refused.
    pub fn open(wanted: Wanted, folder: &Path) -> Result<(Self, Option<mpsc::Receiver<Felt>>), Error> {
        let devices = matches!(wanted, Wanted::Auto | Wanted::Uinput).then(Uinput::open);
        let (uinput, felt) = match devices {
            Some(Ok((uinput, felt))) => (Some(uinput), Some(felt)),
            Some(Err(error)) if wanted == Wanted::Uinput => return Err(no_devices(&error)),
            Some(Err(error)) => {
                tracing::info!(
                    "gamepads are sockets alone, since {PATH} cannot be opened for writing: {error}"
                );
                (None, None)
            }
            None => (None, None),
        };
        let gamepads = Self::new(uinput);
        if matches!(wanted, Wanted::Auto | Wanted::Sockets) {
            gamepads.listen(folder);
        }
        Ok((gamepads, felt))
    }

    fn new(uinput: Option<Uinput>) -> Self {
        let pads = std::array::from_fn(|_| Mutex::new(Pad::new()));
        Self(Arc::new(Inner {
            pads,
            listening: Mutex::default(),
            uinput,
            runtime: OnceLock::new(),
            began: Instant::now(),
        }))
    }

    /// Listens in a folder, wherever it can.
    fn listen(&self, folder: &Path) {
        let _ = self.0.runtime.set(Handle::current());
        let mut refused = Vec::new();
        for index in 0..MAX_GAMEPADS {
            let path = folder.join(format!("selkies_js{index}.sock"));
            match Socket::bind(&path)
                .and_then(|(listener, socket)| Ok((UnixListener::from_std(listener)?, socket)))
            {
                Ok((listener, socket)) => {
                    let accepting = tokio::spawn(accept(self.clone(), index, listener));
                    lock(&self.0.listening).push((socket, accepting));
                }
                Err(error) => refused.push((index, format!("{}: {error}", path.display()))),
            }
        }
        if let Some((_, why)) = refused.first() {
            let pads: Vec<_> = refused.iter().map(|(index, _)| index.to_string()).collect();
            tracing::warn!("programs cannot have these gamepads by sockets: {}: {why}", pads.join(", "));
        }
    }

    /// Takes a page's report. Returns whether somebody has done something.
    pub fn report(&self, page: &str, report: &Input) -> bool {
        match report {
            Input::GamepadConnected { index, name } => {
                tracing::debug!(index, name, "a gamepad has come");
                self.change(*index, |pad| {
                    name.clone_into(&mut pad.name);
                    pad.comes(page);
                    if let Some(uinput) = &self.0.uinput {
                        pad.appear(uinput, *index);
                    }
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

    /// Lets go of everything: programs see the gamepads go, and devices and sockets are removed.
    pub fn stop(&self) {
        self.release();
        for (socket, accepting) in lock(&self.0.listening).drain(..) {
            accepting.abort();
            socket.remove();
        }
        for pad in &self.0.pads {
            let mut pad = lock(pad);
            pad.programs.clear();
            pad.device = None;
        }
    }

    fn change(&self, index: u8, become_what: impl FnOnce(&mut Pad) -> State) -> bool {
        let Some(pad) = self.0.pads.get(usize::from(index)) else { return false };
        let mut pad = lock(pad);
        let state = become_what(&mut pad);
        let events = state.since(&pad.state, self.time_ms());
        if events.is_empty() {
            return false;
        }
        if let Some(device) = &pad.device
            && let Err(error) = device.emit(&state.kernel_events_since(&pad.state))
        {
            tracing::warn!(index, %error, "the kernel does not take what a gamepad does");
        }
        pad.state = state;
        let events = events.concat();
        pad.programs.retain_mut(|program| match program.tell(&events) {
            Taken::All => true,
            Taken::Nothing => self.catch_up_with(index, program),
            Taken::Gone => false,
        });
        true
    }

    /// Has a program that is behind told how the gamepad stands as soon as it reads again. Returns whether that can be.
    fn catch_up_with(&self, index: u8, program: &Program) -> bool {
        let Some(runtime) = self.0.runtime.get() else { return false };
        let _inside = runtime.enter();
        let Ok(reading) = program.reading() else { return false };
        tracing::debug!(index, "a program does not read what a gamepad does");
        runtime.spawn(self.clone().catch_up(index, reading));
        true
    }

    async fn catch_up(self, index: u8, reading: Reading) {
        while reading.again().await.is_ok() {
            let Some(pad) = self.0.pads.get(usize::from(index)) else { return };
            let mut pad = lock(pad);
            let standing = pad.state.initial(self.time_ms()).concat();
            let Some(at) = pad.programs.iter().position(|program| reading.is_of(program)) else { return };
            match pad.programs[at].mend(&reading, &standing) {
                Taken::All => return,
                Taken::Nothing => {}
                Taken::Gone => {
                    pad.programs.remove(at);
                    return;
                }
            }
        }
    }

    /// Milliseconds as in `js_event`, which wrap around after 49 days.
    fn time_ms(&self) -> u32 {
        self.0.began.elapsed().as_millis() as u32
    }

    /// A program has opened a gamepad: it is told what that is, and how it stands.
    fn admit(&self, index: usize, socket: UnixStream) {
        let Some(pad) = self.0.pads.get(index) else { return };
        let mut pad = lock(pad);
        pad.programs.retain(Program::is_there);
        let mut first = config(&pad.name);
        first.extend(pad.state.initial(self.time_ms()).concat());
        if pad.programs.len() >= MAX_PROGRAMS {
            tracing::warn!(index, "a program cannot open a gamepad that {MAX_PROGRAMS} have open");
            return;
        }
        let mut program = Program::new(socket);
        if matches!(program.tell(&first), Taken::All) {
            tracing::debug!(index, "a program has opened a gamepad");
            pad.programs.push(program);
        }
    }
}

fn no_devices(error: &io::Error) -> Error {
    let text = format!(
        "--gamepads \"uinput\": {PATH} cannot be opened for writing: {error}; it takes the kernel's module uinput, and the right to \
         write to that file. Accepted without it are auto, sockets and off"
    );
    Error::new(FailureReason::ConfigInvalid, text)
}

async fn accept(gamepads: Gamepads, index: usize, listener: UnixListener) {
    loop {
        match listener.accept().await.and_then(|(program, _)| program.into_std()) {
            Ok(program) => gamepads.admit(index, program),
            Err(error) => {
                tracing::warn!(index, %error, "a program cannot open a gamepad");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
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

    fn sockets(folder: &Path) -> Gamepads {
        Gamepads::open(Wanted::Sockets, folder).unwrap().0
    }

    fn pressed(index: u8) -> Input {
        Input::GamepadState { index, gamepad: Gamepad { axes: Vec::new(), buttons: vec![255] } }
    }

    #[tokio::test]
    async fn programs_are_told_of_changes_and_of_the_release() {
        let folder = tempfile::tempdir().unwrap();
        let gamepads = sockets(folder.path());
        gamepads.report("c1", &Input::GamepadConnected { index: 1, name: "Pad".into() });
        let (mut program, name) = open(&folder.path().join("selkies_js1.sock")).await;
        let (mut other, other_name) = open(&folder.path().join("selkies_js2.sock")).await;
        assert_eq!((name.as_str(), other_name.as_str()), ("Pad", NAME));
        assert!(gamepads.report("c1", &pressed(1)));
        assert!(!gamepads.report("c1", &pressed(1)), "nothing new");
        assert_eq!(event(&mut program).await, (1, 1, 0));
        gamepads.release();
        assert_eq!(event(&mut program).await, (0, 1, 0));
        gamepads.report("c1", &pressed(2));
        gamepads.report("c1", &Input::GamepadDisconnected { index: 2 });
        assert_eq!(event(&mut other).await, (1, 1, 0));
        assert_eq!(event(&mut other).await, (0, 1, 0));
        gamepads.stop();
        assert_eq!(program.read(&mut [0; 8]).await.unwrap(), 0, "the gamepad has gone");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn program_that_opens_and_closes_leaves_room() {
        let folder = tempfile::tempdir().unwrap();
        let gamepads = sockets(folder.path());
        let path = folder.path().join("selkies_js0.sock");
        for _ in 0..3 * MAX_PROGRAMS {
            open(&path).await;
        }
        gamepads.stop();
    }

    /// More than any socket holds; the button is down at the end.
    fn overwhelm(gamepads: &Gamepads) {
        for _ in 0..5_000 {
            gamepads.report("c1", &Input::GamepadDisconnected { index: 0 });
            gamepads.report("c1", &pressed(0));
        }
    }

    #[tokio::test]
    async fn program_that_reads_nothing_for_a_while_is_told_how_the_gamepad_stands_and_hears_what_follows() {
        let folder = tempfile::tempdir().unwrap();
        let gamepads = sockets(folder.path());
        let (mut game, _) = open(&folder.path().join("selkies_js0.sock")).await;
        for _ in 0..2 {
            overwhelm(&gamepads);
            // What had room comes first, and of all the rest where it has led to.
            let initial = loop {
                let event = event(&mut game).await;
                if event.1 & 0x80 != 0 {
                    break event;
                }
            };
            assert_eq!(initial, (1, 0x81, 0));
            for _ in 1..19 {
                assert_eq!(event(&mut game).await.1 & 0x80, 0x80, "the rest of it");
            }
            gamepads.report("c1", &Input::GamepadDisconnected { index: 0 });
            assert_eq!(event(&mut game).await, (0, 1, 0), "and it goes on");
        }
        gamepads.stop();
    }

    #[tokio::test]
    async fn program_that_reads_nothing_hears_that_the_gamepads_go() {
        let folder = tempfile::tempdir().unwrap();
        let gamepads = sockets(folder.path());
        let (mut game, _) = open(&folder.path().join("selkies_js0.sock")).await;
        overwhelm(&gamepads);
        tokio::task::yield_now().await;
        gamepads.stop();
        let mut rest = Vec::new();
        game.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len() % 8, 0);
    }

    #[tokio::test]
    async fn who_wants_no_sockets_gets_none_and_who_cannot_have_devices_is_told_what_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let (gamepads, felt) = Gamepads::open(Wanted::Off, folder.path()).unwrap();
        assert!(gamepads.report("c1", &pressed(0)));
        assert!(felt.is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let error = no_devices(&io::Error::from(io::ErrorKind::PermissionDenied));
        for words in ["/dev/uinput", "permission denied", "auto, sockets and off"] {
            assert!(error.message.contains(words), "{error}");
        }
    }
}
