//! Shell: changes the bit rate of one encoder, on a thread of its own. A driver may hang in a property as it may hang in a
//! frame, and encoders of the processor let a property wait for the frame that they are at: neither the watchdog nor those
//! who speak with consumers may stand there.

use gst_video::VideoInfo;
use std::{
    io,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use super::{chain::Chain, guard::lock, input, rate::Bitrate, worker::Wanted};

/// Where rates are told; cheap to clone. The thread ends with the last of them.
#[derive(Clone)]
pub struct Throttle {
    bell: mpsc::Sender<()>,
    wanted: Arc<Mutex<Wanted>>,
}

impl Throttle {
    /// Starts the thread.
    pub fn start(chain: Chain, wanted: Arc<Mutex<Wanted>>) -> io::Result<Self> {
        let (bell, rung) = mpsc::channel::<()>();
        let (name, latest) = (format!("rate-{}", chain.row.factory), wanted.clone());
        thread::Builder::new().name(name).spawn(move || {
            while rung.recv().is_ok() {
                rung.try_iter().for_each(drop);
                chain.write_rate(lock(&latest).rate);
                // It may have waited for the encoder, and the format may be another one now.
                let now = *lock(&latest);
                chain.follow_vbv(now.rate, now.frame_rate);
            }
        })?;
        Ok(Self { bell, wanted })
    }

    /// Has it written, and the buffer that follows it, as soon as the encoder lets it; nobody waits for that.
    pub fn write(&self, rate: Bitrate, info: &VideoInfo) {
        {
            let mut wanted = lock(&self.wanted);
            wanted.rate = rate;
            wanted.frame_rate = input::frame_rate(info).at_most(wanted.shape.fit(info).max_fps);
        }
        // The thread listens for as long as there is anybody to tell it.
        let _ = self.bell.send(());
    }
}
