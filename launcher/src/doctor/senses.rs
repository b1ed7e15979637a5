//! Decision: what was seen of sound, microphone, webcam and gamepads, as checks in plain words. A session works without any of
//! them, so that most of what is missing is a warning. Refuses to look at anything itself.

use super::{
    devices::{DeviceFacts, Devices},
    rules::{With, capital, check},
};
use crate::{
    audio::server::REMEDY,
    config::Webcam,
    gamepads::{PATH, Wanted},
    webcam::NO_DEVICE,
};
use vdi_protocol::doctor::{Check, CheckName, Outcome};

const LATE: &str = "It was not looked at in time.";

/// All four.
pub fn checks(devices: &Devices, facts: Option<&DeviceFacts>) -> [Check; 4] {
    let Some(facts) = facts else {
        return [CheckName::Sound, CheckName::Microphone, CheckName::Webcam, CheckName::Gamepads]
            .map(|name| check(name, Outcome::Skipped, LATE));
    };
    [sound(devices, facts), microphone(devices, facts), webcam(devices, facts), gamepads(devices, facts)]
}

/// What programs play, and whether it can be captured.
fn sound(devices: &Devices, facts: &DeviceFacts) -> Check {
    let done = |outcome, message: String| check(CheckName::Sound, outcome, message);
    let place = devices.sound.place();
    if let Err(why) = &facts.sound {
        return done(Outcome::Warning, sentence(why)).because("NO_SOUND_SERVER").advise(sentence(REMEDY));
    }
    match &facts.sink {
        Ok(sink) if is_sink(sink) => done(
            Outcome::Passed,
            format!("The sound server at {place} answers; programs play to {sink}, which is captured."),
        ),
        Ok(_) => done(
            Outcome::Warning,
            format!("The sound server at {place} answers, and has no sink that programs could play to."),
        )
        .because("NO_SINK")
        .advise(
            "Give it one that needs no hardware: `pactl load-module module-null-sink sink_name=desktop`.",
        ),
        Err(_) => done(Outcome::Passed, format!("The sound server at {place} answers.")),
    }
}

/// PulseAudio's and PipeWire's ways to say that there is none.
fn is_sink(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('@')
}

/// What programs record from.
fn microphone(devices: &Devices, facts: &DeviceFacts) -> Check {
    let done = |outcome, message: &str| check(CheckName::Microphone, outcome, message);
    if !devices.microphone {
        return done(Outcome::Skipped, "It is switched off by --enable-microphone=false.");
    }
    if facts.sound.is_err() {
        return done(Outcome::Warning, "Programs have no microphone, since no sound server answers.")
            .because("NO_SOUND_SERVER")
            .advise(sentence(REMEDY));
    }
    let missing = match (&facts.microphone, &facts.sink) {
        (Some(own), _) if own.running => {
            return done(Outcome::Passed, "Programs record from vdi-microphone.");
        }
        (Some(own), _) => own.message.clone().unwrap_or_else(|| "it is being made".into()),
        (None, Err(why)) => why.clone(),
        (None, Ok(_)) => {
            return done(
                Outcome::Passed,
                "The sound server can be given a source, from which programs record.",
            );
        }
    };
    done(Outcome::Warning, &format!("Programs have no microphone: {}.", missing.trim_end_matches('.')))
        .because("NO_MICROPHONE")
        .advise("It takes `pactl` (package pulseaudio-utils) and a sound server on this machine with module-pipe-source.")
}

/// Where programs see a camera.
fn webcam(devices: &Devices, facts: &DeviceFacts) -> Check {
    let done = |outcome, message: &str| check(CheckName::Webcam, outcome, message);
    if devices.webcam == Webcam::Off {
        return done(Outcome::Skipped, "It is switched off by --webcam=off.");
    }
    let load = "Load the kernel module v4l2loopback (`modprobe v4l2loopback exclusive_caps=1 card_label=Webcam`), with a device for \
                each session, and let this user write it (often by the group video).";
    match &facts.webcam {
        Ok(path) if path.as_os_str().is_empty() => done(Outcome::Passed, "Programs find a camera."),
        Ok(path) => done(Outcome::Passed, &format!("Programs can find a camera at {}.", path.display())),
        // Most machines have none, and nobody has asked for one.
        Err(why) if devices.webcam == Webcam::Auto && why == NO_DEVICE => done(
            Outcome::Skipped,
            "This machine has no device of v4l2loopback, in which programs would see a camera.",
        )
        .advise(load),
        Err(why) => {
            done(Outcome::Warning, &format!("Programs have no webcam: {}.", why.trim_end_matches('.')))
                .because("NO_WEBCAM")
                .advise(load)
        }
    }
}

/// How programs find gamepads.
fn gamepads(devices: &Devices, facts: &DeviceFacts) -> Check {
    let done = |outcome, message: String| check(CheckName::Gamepads, outcome, message);
    let folder = devices.sockets.display();
    let sockets = "on the sockets of Selkies' joystick interposer";
    let rights = format!(
        "Load the kernel module uinput, and let this user write {PATH} (a rule of udev, or a device given to the container); or \
         choose --gamepads=sockets."
    );
    let no_uinput = |outcome, then: &str| {
        let why = facts.uinput.as_ref().err().map_or("", String::as_str);
        done(outcome, format!("{PATH} cannot be opened for writing ({why}): {then}."))
            .because("NO_UINPUT")
            .advise(rights.clone())
    };
    let no_sockets = |why: &str| {
        done(
            Outcome::Warning,
            format!("No socket can be made in {folder} ({why}): no program finds gamepads there."),
        )
        .because("NO_SOCKETS")
        .advise("Name a folder that this user may write to with --js-socket-path.")
    };
    match (devices.gamepads, &facts.uinput, &facts.sockets) {
        (Wanted::Off, ..) => done(Outcome::Skipped, "They are switched off by --gamepads=off.".into()),
        (Wanted::Auto | Wanted::Uinput, Ok(()), _) => {
            done(Outcome::Passed, format!("{PATH} can be written to: gamepads are devices of the kernel's."))
        }
        (Wanted::Uinput, Err(_), _) => {
            no_uinput(Outcome::Failed, "a session with --gamepads=uinput does not start")
        }
        (Wanted::Auto, Err(_), Ok(())) => no_uinput(
            Outcome::Warning,
            &format!("programs find gamepads {sockets} alone, and without rumble"),
        ),
        (Wanted::Auto, Err(_), Err(_)) => no_uinput(Outcome::Warning, "no program finds gamepads"),
        (Wanted::Sockets, _, Ok(())) => {
            done(Outcome::Passed, format!("Programs find gamepads {sockets}, in {folder}."))
        }
        (Wanted::Sockets, _, Err(why)) => no_sockets(why),
    }
}

fn sentence(words: &str) -> String {
    format!("{}.", capital(words.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SoundServer;
    use vdi_protocol::status::MicrophoneStatus;

    fn wanted() -> Devices {
        Devices {
            sound: SoundServer { name: Some("unix:/run/pulse".into()), own: String::new() },
            microphone: true,
            webcam: Webcam::Auto,
            gamepads: Wanted::Auto,
            sockets: "/tmp".into(),
        }
    }

    fn all_is_well() -> DeviceFacts {
        DeviceFacts {
            sound: Ok(()),
            sink: Ok("desktop".into()),
            microphone: None,
            webcam: Ok("/dev/video10".into()),
            uinput: Ok(()),
            sockets: Ok(()),
        }
    }

    fn found(devices: &Devices, facts: &DeviceFacts) -> Vec<(Outcome, Option<String>)> {
        let checks = checks(devices, Some(facts));
        for check in &checks {
            assert!(check.message.ends_with('.'), "{check:?}");
            assert_eq!(
                check.reason.is_some(),
                matches!(check.outcome, Outcome::Warning | Outcome::Failed),
                "{check:?}"
            );
            assert!(
                check.reason.is_none() || check.advice.as_ref().is_some_and(|advice| advice.ends_with('.')),
                "{check:?}"
            );
        }
        checks.into_iter().map(|check| (check.outcome, check.reason)).collect()
    }

    fn warned(reason: &str) -> (Outcome, Option<String>) {
        (Outcome::Warning, Some(reason.into()))
    }

    #[test]
    fn what_is_there_passes_and_what_is_switched_off_is_skipped() {
        assert_eq!(found(&wanted(), &all_is_well()), [const { (Outcome::Passed, None) }; 4]);
        let off = Devices { microphone: false, webcam: Webcam::Off, gamepads: Wanted::Off, ..wanted() };
        assert_eq!(found(&off, &all_is_well())[1..], [const { (Outcome::Skipped, None) }; 3]);
        let late = checks(&wanted(), None);
        assert!(late.iter().all(|check| check.outcome == Outcome::Skipped && check.message == LATE));
    }

    #[test]
    fn sound_server_that_is_missing_is_the_cause_of_both_and_a_sink_and_pactl_have_words_of_their_own() {
        let gone = DeviceFacts {
            sound: Err("no PulseAudio at x: refused".into()),
            sink: Err("none".into()),
            ..all_is_well()
        };
        assert_eq!(found(&wanted(), &gone)[..2], [warned("NO_SOUND_SERVER"), warned("NO_SOUND_SERVER")]);
        let no_sink = DeviceFacts { sink: Ok("@DEFAULT_SINK@".into()), ..all_is_well() };
        assert_eq!(found(&wanted(), &no_sink)[0], warned("NO_SINK"));
        let no_pactl = DeviceFacts { sink: Err("pactl cannot be started".into()), ..all_is_well() };
        assert_eq!(found(&wanted(), &no_pactl)[..2], [(Outcome::Passed, None), warned("NO_MICROPHONE")]);
        let own = MicrophoneStatus { running: false, message: Some("pactl load-module: Failure".into()) };
        let failed = DeviceFacts { microphone: Some(own), ..all_is_well() };
        assert_eq!(found(&wanted(), &failed)[1], warned("NO_MICROPHONE"));
    }

    #[test]
    fn webcam_that_nobody_asked_for_may_be_missing_and_one_that_was_named_or_is_locked_may_not() {
        let without = |why: &str| DeviceFacts { webcam: Err(why.into()), ..all_is_well() };
        assert_eq!(found(&wanted(), &without(NO_DEVICE))[2], (Outcome::Skipped, None));
        assert_eq!(found(&wanted(), &without("/dev/video0 may not be opened"))[2], warned("NO_WEBCAM"));
        let named = Devices { webcam: Webcam::Device("/dev/video9".into()), ..wanted() };
        assert_eq!(found(&named, &without("there is no /dev/video9"))[2], warned("NO_WEBCAM"));
    }

    #[test]
    fn gamepads_without_uinput_are_sockets_unless_devices_alone_were_asked_for() {
        let facts = DeviceFacts { uinput: Err("Permission denied".into()), ..all_is_well() };
        assert_eq!(found(&wanted(), &facts)[3], warned("NO_UINPUT"));
        let devices = Devices { gamepads: Wanted::Uinput, ..wanted() };
        assert_eq!(found(&devices, &facts)[3], (Outcome::Failed, Some("NO_UINPUT".into())));
        let sockets = Devices { gamepads: Wanted::Sockets, ..wanted() };
        assert_eq!(found(&sockets, &facts)[3], (Outcome::Passed, None));
        let locked = DeviceFacts { sockets: Err("Permission denied".into()), ..facts };
        assert_eq!(found(&sockets, &locked)[3], warned("NO_SOCKETS"));
        assert_eq!(found(&wanted(), &locked)[3], warned("NO_UINPUT"));
    }
}
