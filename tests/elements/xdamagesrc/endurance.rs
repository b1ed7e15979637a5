//! Ten thousand frames: neither the process nor the server grows.

use super::{desktop::Desktop, stream::Stream};
use std::{fs, process::Command, time::Instant};

const FRAMES: u64 = 10_000;
/// After the first thousand every buffer, table and thread is there.
const WARM: u64 = 1000;
/// What allocators may keep for themselves; one frame that is lost each time would be 2,000 times as much.
const SLACK_KIB: u64 = 2048;
/// Set in the process that does it.
const MARK: &str = "XDAMAGESRC_ENDURANCE";

fn resident_kib(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn run() {
    let desktop = Desktop::start("320x240x24", &[]);
    let server = desktop.pid().to_string();
    let properties = "show-pointer=true settle-time=0 sharpen-frames=1 keepalive-interval=0";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=I420,framerate=1000/1");
    let began = Instant::now();
    let mut before = None;
    for frame in 0..FRAMES {
        let x = (frame % 300) as i16;
        desktop.fill(desktop.root, frame as u32, &[(x, 10, 16, 16), (300 - x, 200, 9, 9)]);
        if frame % 7 == 0 {
            desktop.point(x, 100);
        }
        stream.frame();
        if frame == WARM {
            before = Some((resident_kib("self"), resident_kib(&server), descriptors()));
        }
    }
    let (own, servers, open) = before.unwrap();
    let (own_now, servers_now) = (resident_kib("self"), resident_kib(&server));
    eprintln!(
        "{FRAMES} frames in {:?}: {own} to {own_now} KiB, server {servers} to {servers_now}",
        began.elapsed()
    );
    assert!(own_now <= own + SLACK_KIB, "{own} KiB have become {own_now}");
    assert!(servers_now <= servers + SLACK_KIB, "the server's {servers} KiB have become {servers_now}");
    assert_eq!(descriptors(), open);
    assert!(stream.stat("frames") >= FRAMES);
    // Nor does a start and a stop leave anything.
    let cycle = || {
        stream.set_state(gst::State::Null).unwrap();
        stream.play();
        stream.frame();
    };
    (0..5).for_each(|_| cycle());
    let open = descriptors();
    (0..20).for_each(|_| cycle());
    assert_eq!(descriptors(), open);
}

#[test]
fn ten_thousand_frames_leave_no_trace() {
    if std::env::var_os(MARK).is_some() {
        return run();
    }
    // In a process of its own: other tests run in this one.
    let name = "xdamagesrc::endurance::ten_thousand_frames_leave_no_trace";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("10000 frames"), "{text}");
}
