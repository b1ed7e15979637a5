//! Bad options, and what cannot work from the start: words, exit codes, termination messages.

use crate::program::{Folder, Program};
use std::net::TcpListener;

/// Runs it to its end: exit code, log, termination message.
fn fails(name: &str, arguments: &[&str]) -> (i32, String, String) {
    let folder = Folder::new(name);
    let termination = folder.file("termination");
    let arguments: Vec<_> = [format!("--termination-log={termination}")]
        .into_iter()
        .chain(arguments.iter().map(ToString::to_string))
        .collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut program = Program::start(&arguments, &[]);
    let code = program.wait().code().expect("it exits by itself");
    (code, program.log(), std::fs::read_to_string(termination).unwrap())
}

#[test]
fn every_wrong_value_is_reported_at_once() {
    let wrong =
        ["--port=x", "--framerate=0", "--encoder=x266enc", "--enable-basic-auth=perhaps", "--", "true"];
    let (code, log, message) = fails("values", &wrong);
    assert_eq!(code, 2, "{log}");
    for text in [&log, &message] {
        for part in [
            r#"--port "x""#,
            r#"--framerate "0""#,
            r#"--encoder "x266enc""#,
            r#"--enable-basic-auth "perhaps""#,
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
    assert!(message.starts_with("CONFIG_INVALID: "), "{message}");
    assert!(message.contains("accepted is auto, ") && message.contains("x264enc"), "{message}");
}

#[test]
fn unknown_flag_is_refused_with_its_name() {
    let (code, log, message) = fails("flag", &["--frobnicate"]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "CONFIG_INVALID: --frobnicate: there is no such option; `vdi-launcher --help` lists the options\n"
    );
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("--frobnicate") && log.contains("CONFIG_INVALID"), "{log}");
    assert!(!log.contains("session"), "there was none: {log}");
}

#[test]
fn wrong_option_is_told_in_the_form_that_the_log_is_to_have() {
    let (_, log, _) = fails("json", &["--log-format=json", "--port=x", "--framerate=0"]);
    let reasons: Vec<_> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["reason"].clone())
        .collect();
    assert_eq!(reasons, ["CONFIG_INVALID", "CONFIG_INVALID"], "{log}");
}

#[test]
fn display_that_nobody_serves_is_named_with_exit_code_12() {
    let (code, log, message) = fails("display", &["--port=0", "--display=:987"]);
    assert_eq!(code, 12, "{log}");
    assert!(message.starts_with("DISPLAY_UNAVAILABLE: ") && message.contains(":987"), "{message}");
}

#[test]
fn no_display_at_all_is_explained() {
    let (code, log, message) = fails("none", &["--port=0"]);
    assert_eq!(code, 12, "{log}");
    assert!(message.contains("DISPLAY is not set") && message.contains("vdi-launcher -- xterm"), "{message}");
}

#[test]
fn port_that_is_taken_is_named_with_exit_code_14() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (code, log, message) = fails("port", &[&format!("--port={port}"), "--display=:987"]);
    assert_eq!(code, 14, "{log}");
    assert!(
        message.starts_with("PORT_UNAVAILABLE: ") && message.contains(&format!("127.0.0.1:{port}")),
        "{message}"
    );
    assert!(message.contains("--port takes another port"), "{message}");
}

#[test]
fn required_hardware_that_is_missing_fails_with_its_reason() {
    let hardware = gstvdi::adaptiveencbin::table::ENCODERS.iter().filter(|row| row.hardware);
    gst::init().unwrap();
    if hardware.into_iter().any(|row| gst::ElementFactory::find(row.factory).is_some()) {
        eprintln!("this machine has a hardware encoder; there is nothing to miss");
        return;
    }
    let (code, log, message) =
        fails("hardware", &["--port=0", "--encoder-policy=require-hardware", "--", "sleep", "100"]);
    assert_eq!(code, 10, "{log}");
    assert!(message.starts_with("GPU_INIT_ERROR: "), "{message}");
}

#[test]
fn options_without_effect_get_one_notice() {
    let (_, log, _) = fails("notice", &["--debug-cursors", "--gpu-id=0", "--port=0"]);
    let notices: Vec<_> = log.lines().filter(|line| line.contains("without effect")).collect();
    assert_eq!(notices.len(), 1, "{log}");
    assert!(notices[0].contains("--debug-cursors") && notices[0].contains("--gpu-id"), "{log}");
}
