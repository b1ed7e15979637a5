//! The desktop under supervision: it runs, restarts, ends, and takes nothing with it that should stay.

use crate::{
    program::{Access, Folder, Program, children_of, eventually, is_alive},
    xserver::XServer,
};
use nix::sys::signal::{Signal, kill};
use std::{collections::HashMap, os::unix::fs::PermissionsExt};
use vdi_protocol::{phase::Phase, status::Status};

const PORT: &str = "--port=0";

fn environment_of(pid: nix::unistd::Pid) -> HashMap<String, String> {
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let pairs = environment.split('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn xterm_runs_on_a_display_of_its_own_and_sigterm_leaves_nothing_behind() {
    let secret = ("SELKIES_BASIC_AUTH_PASSWORD", "not for the desktop");
    let (mut program, _) =
        Program::ready(&[PORT, "--display-size=1280x720", "--", "xterm", "-e", "sleep 1000"], &[secret]);
    let children = eventually("Xvfb and xterm", || {
        let children = program.children();
        (children.contains_key("Xvfb") && children.contains_key("xterm")).then_some(children)
    });
    program.logged("width=1280 height=720");

    let environment = environment_of(children["xterm"]);
    assert!(environment["DISPLAY"].starts_with(':'));
    assert!(!environment.contains_key(secret.0), "secrets stay with the launcher");
    let cookie = environment["XAUTHORITY"].clone();
    assert_eq!(std::fs::metadata(&cookie).unwrap().permissions().mode() & 0o777, 0o600);
    let stranger = std::process::Command::new("setxkbmap")
        .args(["-display", &environment["DISPLAY"], "-query"])
        .env("XAUTHORITY", "/nonexistent")
        .output()
        .unwrap();
    assert!(!stranger.status.success(), "without the cookie the display is closed");

    let shell = eventually("the shell in the xterm", || children_of(children["xterm"]).into_values().next());
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
    for pid in children.into_values().chain([shell]) {
        eventually("a child's end", || (!is_alive(pid)).then_some(()));
    }
    assert!(!std::path::Path::new(&cookie).exists());
    let rest = program.rest_of_stdout();
    let block = ["Certificate (SHA-256): ", "Viewer token (WHEP): "];
    assert_eq!(rest.len(), block.len(), "stdout holds only the block: {rest:?}");
    assert!(rest.iter().zip(block).all(|(line, name)| line.starts_with(name)), "{rest:?}");
}

#[test]
fn command_that_ends_well_ends_the_session() {
    let mut program = Program::start(&[PORT, "--", "sh", "-c", "sleep 1"], &[]);
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
}

#[test]
fn command_that_keeps_failing_is_given_up_after_three_times() {
    let folder = Folder::new("failing");
    let (starts, termination) = (folder.file("starts"), folder.file("termination"));
    let script = format!("echo once >> {starts}; exit 3");
    let termination_log = format!("--termination-log={termination}");
    let mut program = Program::start(&[PORT, &termination_log, "--", "sh", "-c", &script], &[]);
    assert_eq!(program.wait().code(), Some(13), "{}", program.log());
    assert_eq!(std::fs::read_to_string(starts).unwrap().lines().count(), 3);
    let message = std::fs::read_to_string(termination).unwrap();
    assert!(message.starts_with("DESKTOP_FAILED: sh failed 3 times"), "{message}");
}

#[test]
fn command_that_does_not_exist_is_named_before_anybody_is_invited() {
    let mut program = Program::start(&[PORT, "--", "no-such-desktop"], &[]);
    assert_eq!(program.wait().code(), Some(13), "{}", program.log());
    assert!(program.log().contains("no-such-desktop cannot be started"), "{}", program.log());
    assert_eq!(program.rest_of_stdout(), Vec::<String>::new());
}

/// The session's phase and what it says of it.
fn phase(access: &Access) -> (Phase, Option<String>) {
    let status: Status = serde_json::from_str(&access.get_authorized("/status").body).unwrap();
    (status.phase, status.message)
}

fn frames(access: &Access) -> u64 {
    let metrics = access.get_authorized("/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("vdi_frames_encoded_total "));
    line.expect("the metric is there").parse::<f64>().unwrap() as u64
}

#[test]
fn virtual_display_that_dies_is_started_again_with_its_command_and_captured_anew() {
    let (program, access) = Program::ready(&[PORT, "--", "sleep", "1000"], &[]);
    let (children, before) = (program.children(), frames(&access));
    kill(children["Xvfb"], Signal::SIGKILL).unwrap();
    let again = eventually("another Xvfb and another command", || {
        let again = program.children();
        let fresh = |name| again.get(name).is_some_and(|pid| *pid != children[name]);
        (fresh("Xvfb") && fresh("sleep")).then_some(again)
    });
    eventually("ready", || (phase(&access) == (Phase::Ready, None)).then_some(()));
    eventually("a frame of the new display", || (frames(&access) > before).then_some(()));
    assert!(!is_alive(children["sleep"]), "the command ends with its display");
    assert!(is_alive(again["sleep"]));
    program.logged("has died");
}

#[test]
fn virtual_display_that_keeps_dying_is_a_failure_with_a_name() {
    let (mut program, access) = Program::ready(&[PORT, "--", "sleep", "1000"], &[]);
    for round in 1..=3 {
        let xvfb = program.children()["Xvfb"];
        kill(xvfb, Signal::SIGKILL).unwrap();
        if round < 3 {
            eventually("another Xvfb", || {
                program.children().get("Xvfb").filter(|pid| **pid != xvfb).copied()
            });
            eventually("ready", || (phase(&access).0 == Phase::Ready).then_some(()));
        }
    }
    assert_eq!(program.wait().code(), Some(12), "{}", program.log());
    assert!(program.children().is_empty());
}

#[test]
fn existing_display_that_comes_back_is_streamed_again() {
    let mut server = XServer::start_to_restart();
    let (program, access) = Program::ready(&[PORT], &[("DISPLAY", &server.display)]);
    let before = frames(&access);
    server.kill();
    let message = eventually("the loss to be told", || match phase(&access) {
        (Phase::Starting, message) => message,
        _ => None,
    });
    assert!(message.contains(&server.display) && message.contains("waiting"), "{message}");
    server.start_again();
    eventually("ready", || (phase(&access) == (Phase::Ready, None)).then_some(()));
    eventually("a frame of the new display", || (frames(&access) > before).then_some(()));
    program.logged("captured anew");
}

#[test]
fn existing_display_is_streamed_and_its_death_is_told() {
    // A number of its own: another test's server under it would be streamed on.
    let mut server = XServer::start_to_restart();
    let (mut program, access) =
        Program::ready(&[PORT, "--display-timeout=1"], &[("DISPLAY", &server.display)]);
    let status: Status = serde_json::from_str(&access.get_authorized("/status").body).unwrap();
    assert_eq!(status.display.as_ref(), Some(&server.display));
    assert!(program.children().is_empty(), "no display of our own is started");
    server.kill();
    assert_eq!(program.wait().code(), Some(12), "{}", program.log());
}

#[test]
fn session_can_be_stopped_in_the_moment_in_which_its_display_dies() {
    let mut server = XServer::start();
    let (mut program, _) = Program::ready(&[PORT], &[("DISPLAY", &server.display)]);
    // Before the input thread, which looks once a second, has noticed.
    program.signal(Signal::SIGTERM);
    server.kill();
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
    let mut server = XServer::start();
    let (mut program, _) = Program::ready(&[PORT], &[("DISPLAY", &server.display)]);
    server.kill();
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
}

#[test]
fn session_whose_log_nobody_reads_any_more_ends_when_asked_to() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_vdi-launcher"))
        .args(["--addr=127.0.0.1", PORT, "--display-size=640x480", "--", "sleep", "1000"])
        .stdout(std::process::Stdio::piped())
        .stderr(writer)
        .spawn()
        .unwrap();
    drop(reader);
    let mut first = String::new();
    let stdout = program.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut first).unwrap();
    assert!(first.starts_with("URL: "), "{first}");
    kill(nix::unistd::Pid::from_raw(program.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let status = eventually("its end", || program.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn session_can_be_stopped_before_it_is_ready() {
    let mut program = Program::start(&[PORT, "--", "sleep", "1000"], &[]);
    program.access();
    program.signal(Signal::SIGINT);
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
}
