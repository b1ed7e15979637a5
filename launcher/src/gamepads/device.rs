//! Shell: a gamepad as a device of the kernel's, by uinput: what programs read of it is told to the kernel, and what they have its
//! motors do is told to the page whose gamepad it is. The ioctls are the evdev crate's.

use super::{
    joystick::{AXES, BUTTONS, KernelEvent},
    lock,
    rumble::{Effect, MAX_EFFECTS, Motors},
};
use evdev::{
    AbsInfo, AbsoluteAxisCode, AttributeSet, BusType, EventSummary, FFEffectCode, FFEffectData, FFEffectKind,
    InputEvent, InputId, KeyCode, UInputCode, UinputAbsSetup, uinput::VirtualDevice,
};
use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::unix::AsyncFd,
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};
use vdi_protocol::gamepad::Rumble;

/// Where devices are made; the evdev crate knows no other place.
pub const PATH: &str = "/dev/uinput";
/// What xpad calls the pad, and what it is on the bus: programs know by these what its buttons mean.
const VENDOR: u16 = 0x045e;
const PRODUCT: u16 = 0x028e;
const VERSION: u16 = 0x0114;
/// Messages that may wait for a page: two for each gamepad, since none is sent while another waits.
const WAITING: usize = 8;

/// What a page is to be told: its name, and what the motors do.
pub type Felt = (String, Rumble);

/// How devices are made; there is none where uinput cannot be used.
#[derive(Debug)]
pub struct Uinput {
    runtime: Handle,
    felt: mpsc::Sender<Felt>,
}

impl Uinput {
    /// Looks whether devices can be made. What is felt of them comes out of the receiver.
    pub fn open() -> io::Result<(Self, mpsc::Receiver<Felt>)> {
        look()?;
        let (felt, messages) = mpsc::channel(WAITING);
        Ok((Self { runtime: Handle::current(), felt }, messages))
    }
}

/// Whether devices can be made here, and if not, why.
pub fn look() -> io::Result<()> {
    fs::OpenOptions::new().read(true).write(true).open(PATH).map(|_| ())
}

/// A device that programs see until this is dropped.
#[derive(Debug)]
pub struct Device {
    kernel: Arc<Mutex<VirtualDevice>>,
    feeling: JoinHandle<()>,
}

impl Device {
    /// Makes the device of a gamepad; `player` tells the page whose gamepad it is, if any.
    pub fn make(
        uinput: &Uinput,
        index: u8,
        name: &str,
        player: watch::Receiver<Option<String>>,
    ) -> io::Result<Self> {
        let kernel = build(name)?;
        // Another name for the same open file: this one is waited on, and the lock is for the ioctls.
        let readable = kernel.as_fd().try_clone_to_owned()?;
        rustix::io::ioctl_fionbio(&readable, true)?;
        let kernel = Arc::new(Mutex::new(kernel));
        let feeler = Feeler {
            index,
            kernel: kernel.clone(),
            player,
            felt: uinput.felt.clone(),
            motors: Motors::default(),
            began: Instant::now(),
        };
        let feeling = uinput.runtime.spawn(async move {
            if let Err(error) = feeler.feel(readable).await {
                tracing::warn!(index, %error, "what programs have a gamepad's motors do cannot be read any more");
            }
        });
        Ok(Self { kernel, feeling })
    }

    /// What has happened. The kernel takes it at once, without waiting for anybody.
    pub fn emit(&self, events: &[KernelEvent]) -> io::Result<()> {
        let events: Vec<_> =
            events.iter().map(|(kind, code, value)| InputEvent::new(*kind, *code, *value)).collect();
        lock(&self.kernel).emit(&events)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.feeling.abort();
    }
}

/// A file that tells when it can be read.
#[allow(unsafe_code, reason = "tokio's other ways are deprecated")]
fn registered(file: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned file stays open, and the same, until it is dropped.
    Ok(unsafe { AsyncFd::register(file) }?)
}

fn build(name: &str) -> io::Result<VirtualDevice> {
    let effects: AttributeSet<_> = [
        FFEffectCode::FF_RUMBLE,
        // As pads of xpad do: what shakes evenly is shown as rumble.
        FFEffectCode::FF_PERIODIC,
        FFEffectCode::FF_SQUARE,
        FFEffectCode::FF_TRIANGLE,
        FFEffectCode::FF_SINE,
        FFEffectCode::FF_GAIN,
    ]
    .into_iter()
    .collect();
    let buttons: AttributeSet<_> = BUTTONS.iter().map(|(_, code)| KeyCode::new(*code)).collect();
    let mut builder = VirtualDevice::builder()?
        .name(name)
        .input_id(InputId::new(BusType::BUS_USB, VENDOR, PRODUCT, VERSION))
        .with_keys(&buttons)?
        .with_ff(&effects)?
        .with_ff_effects_max(MAX_EFFECTS);
    for (source, code) in AXES {
        let range = source.range();
        let info = AbsInfo::new(0, range.least, range.greatest, range.fuzz, range.flat, 0);
        builder = builder.with_absolute_axis(&UinputAbsSetup::new(AbsoluteAxisCode(code.into()), info))?;
    }
    builder.build()
}

/// Who has the motors of one gamepad do what programs want.
struct Feeler {
    index: u8,
    kernel: Arc<Mutex<VirtualDevice>>,
    player: watch::Receiver<Option<String>>,
    felt: mpsc::Sender<Felt>,
    motors: Motors,
    began: Instant,
}

impl Feeler {
    async fn feel(mut self, readable: OwnedFd) -> io::Result<()> {
        let readable = registered(readable)?;
        // Whoever has plugged it in is there already.
        let mut player = self.player.borrow_and_update().clone();
        loop {
            let now = self.now();
            // Time goes on for the effects of a gamepad without a page, too.
            let (message, again) = self.motors.tell(self.index, now);
            match (&player, message) {
                (Some(page), Some(message)) => self.say(page, message).await,
                (None, Some(_)) => {
                    self.motors.forget(now);
                }
                _ => {}
            }
            let again = again.map_or(Duration::from_secs(3600), |at| at.saturating_sub(self.now()));
            tokio::select! {
                ready = readable.readable() => {
                    let mut ready = ready?;
                    match self.read() {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                        other => other?,
                    }
                }
                changed = self.player.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let next = self.player.borrow_and_update().clone();
                    let shakes = self.motors.forget(self.now());
                    if let Some(page) = player.filter(|page| shakes && next.as_ref() != Some(page)) {
                        self.say(&page, Rumble { index: self.index, ..Rumble::default() }).await;
                    }
                    player = next;
                }
                () = tokio::time::sleep(again) => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A page that takes nothing lets the next message be of what holds then.
    async fn say(&self, page: &str, message: Rumble) {
        // The session that listens has ended otherwise, and nobody is to be told.
        let _ = self.felt.send((page.to_owned(), message)).await;
    }

    /// Takes what programs have done, and answers those that wait for it.
    fn read(&mut self) -> io::Result<()> {
        let now = self.now();
        let mut kernel = lock(&self.kernel);
        let events: Vec<_> = kernel.fetch_events()?.collect();
        for event in events {
            match event.destructure() {
                EventSummary::UInput(event, UInputCode::UI_FF_UPLOAD, _) => {
                    // The answer is given when this is dropped. The kernel has given up what nobody answered in time, and
                    // those after it wait still.
                    let mut upload = match kernel.process_ff_upload(event) {
                        Ok(upload) => upload,
                        Err(error) => {
                            tracing::debug!(index = self.index, %error, "an effect is not taken");
                            continue;
                        }
                    };
                    match effect(&upload.effect()) {
                        Some(effect) => self.motors.upload(upload.effect_id(), effect, now),
                        None => upload.set_retval(-(nix::errno::Errno::EINVAL as i32)),
                    }
                }
                EventSummary::UInput(event, UInputCode::UI_FF_ERASE, _) => {
                    match kernel.process_ff_erase(event) {
                        // The kernel numbers them from 0 to 15.
                        Ok(erase) => self.motors.erase(erase.effect_id() as i16),
                        Err(error) => tracing::debug!(index = self.index, %error, "an effect is not erased"),
                    }
                }
                EventSummary::ForceFeedback(_, FFEffectCode::FF_GAIN, gain) => {
                    self.motors.set_gain(gain.clamp(0, i32::from(u16::MAX)) as u16);
                }
                EventSummary::ForceFeedback(_, FFEffectCode(id), times) => {
                    self.motors.play(id as i16, times, now);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What the kernel has of an effect in our terms. A wave shakes both motors by its height, as in `ff-memless`.
fn effect(data: &FFEffectData) -> Option<Effect> {
    let (strong, weak) = match data.kind {
        FFEffectKind::Rumble { strong_magnitude, weak_magnitude } => (strong_magnitude, weak_magnitude),
        FFEffectKind::Periodic { magnitude, .. } => {
            let height = magnitude.unsigned_abs().saturating_mul(2);
            (height, height)
        }
        _ => return None,
    };
    let milliseconds = |ms: u16| Duration::from_millis(ms.into());
    let length = Some(milliseconds(data.replay.length)).filter(|length| !length.is_zero());
    Some(Effect { strong, weak, length, delay: milliseconds(data.replay.delay) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use evdev::{FFEnvelope, FFReplay, FFTrigger, FFWaveform};

    fn of(kind: FFEffectKind, length: u16) -> Option<Effect> {
        let replay = FFReplay { length, delay: 20 };
        effect(&FFEffectData { direction: 0, trigger: FFTrigger::default(), replay, kind })
    }

    #[test]
    fn rumble_and_waves_are_effects_and_nothing_else() {
        let delay = Duration::from_millis(20);
        assert_eq!(
            of(FFEffectKind::Rumble { strong_magnitude: 7, weak_magnitude: 8 }, 0),
            Some(Effect { strong: 7, weak: 8, length: None, delay })
        );
        let envelope = FFEnvelope { attack_length: 0, attack_level: 0, fade_length: 0, fade_level: 0 };
        let wave = |magnitude| FFEffectKind::Periodic {
            waveform: FFWaveform::Sine,
            period: 10,
            magnitude,
            offset: 0,
            phase: 0,
            envelope,
        };
        let length = Some(Duration::from_millis(300));
        for (magnitude, strength) in
            [(0x4000, 0x8000), (-0x4000, 0x8000), (0x7fff, 0xfffe), (i16::MIN, 0xffff)]
        {
            let shaken = Some(Effect { strong: strength, weak: strength, length, delay });
            assert_eq!(of(wave(magnitude), 300), shaken);
        }
        assert_eq!(of(FFEffectKind::Constant { level: 1, envelope }, 300), None);
    }
}
