//! The board of a session in which everything that it shows changes all the time.

use crate::xserver::XServer;
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use vdi_launcher::{
    board::{Board, Snapshot, Sources},
    config, delivery,
    desktop::DisplayName,
    doctor::Doctor,
    gamepads,
    http::auth::Guard,
    ice::Ice,
    input,
    latency::told::Ways,
    port::{self, tls::Certificate},
    senses::Statuses,
};
use vdi_protocol::status::RecordingStatus;

/// Looks at the board that are taken while it changes.
const LOOKS: usize = 2000;
/// Time for all of them, which take a fraction of a second.
const TIME: Duration = Duration::from_secs(120);

/// Whoever looks at the board while a writer waits for the same figures must not wait for him in turn: both would stand
/// for ever, each on a thread that everybody else needs.
#[test]
fn whoever_looks_while_everything_changes_gets_an_answer() {
    let (done, end) = mpsc::channel();
    std::thread::spawn(move || {
        let workers =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        workers.block_on(look_while_everything_changes());
        let _ = done.send(());
    });
    end.recv_timeout(TIME).expect("every look is answered");
}

async fn look_while_everything_changes() {
    gst::init().unwrap();
    let server = XServer::start();
    let display = DisplayName::new(server.display.clone());
    let (pads, _) = gamepads::Gamepads::open(gamepads::Wanted::Off, Path::new("")).unwrap();
    let (input, thread, _) = input::start(&display, pads, |_| {}).unwrap();
    let (snapshot, snapshots) = watch::channel(Snapshot::default());
    let (audio, audios) = watch::channel(Default::default());
    let (microphone, microphones) = watch::channel(Default::default());
    let (webcam, webcams) = watch::channel(Default::default());
    let (recording, recordings) = watch::channel(RecordingStatus::default());
    let (screen, screens) = watch::channel(Default::default());
    let (ways, all_ways) = watch::channel(Ways::default());
    let board = Board::new(Sources {
        began: Instant::now(),
        display,
        snapshot: snapshots,
        audio: audios,
        senses: Statuses { microphone: microphones, webcam: webcams },
        recording: Some(recordings),
        input: input.clone(),
        screen: screens,
        frames: Arc::default(),
        latency: gst::ElementFactory::make("identity").build().unwrap(),
        ways: all_ways,
        guard: Arc::new(Mutex::new(Guard::new(None, ""))),
        messages: Arc::new(delivery::Counters::default()),
        doctor: Doctor::new(|| unreachable!("nobody asks the doctor")),
        ice: Ice::start(config::Ice::default(), None),
        certificate: Certificate::start(&config::Tls::default()).unwrap(),
        connections: port::Counters::default(),
        turn: None,
    });
    let over = Arc::new(AtomicBool::new(false));
    let changing = over.clone();
    let changes = std::thread::spawn(move || {
        for count in 0.. {
            if changing.load(Relaxed) {
                return count;
            }
            snapshot.send_modify(|_| ());
            ways.send_modify(|now| now.media = [(format!("c{count}"), Default::default())].into());
            screen.send_modify(|_| ());
            audio.send_modify(|_| ());
            microphone.send_modify(|_| ());
            webcam.send_modify(|_| ());
            recording.send_modify(|now| now.files = count);
        }
        0
    });
    for _ in 0..LOOKS {
        let status = board.status().await;
        assert!(status.recording.is_some());
    }
    over.store(true, Relaxed);
    assert!(changes.join().unwrap() > 1, "everything has changed meanwhile");
    input.stop();
    thread.join();
}
