//! Shell: changes the bit rate of one encoder, on a thread of its own. A driver may hang in a property as it may hang in a
//! frame, and encoders of the processor let a property wait for the frame that they are at: neither the watchdog nor those
//! who speak with consumers may stand there.

use gst_video::VideoInfo;
use std::{
    io,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use super::{
    chain::Chain,
    guard::lock,
    input,
    rate::{Bitrate, FrameRate},
    worker::Wanted,
};

/// Where rates are told; cheap to clone. The thread ends with the last of them.
#[derive(Clone)]
pub struct Throttle {
    rates: mpsc::Sender<(Bitrate, FrameRate)>,
    wanted: Arc<Mutex<Wanted>>,
}

impl Throttle {
    /// Starts the thread.
    pub fn start(chain: Chain, wanted: Arc<Mutex<Wanted>>) -> io::Result<Self> {
        let (rates, told) = mpsc::channel::<(Bitrate, FrameRate)>();
        let name = format!("rate-{}", chain.row.factory);
        thread::Builder::new().name(name).spawn(move || {
            while let Ok(first) = told.recv() {
                let (rate, frame_rate) = told.try_iter().last().unwrap_or(first);
                chain.write_rate(rate);
                chain.follow_vbv(rate, frame_rate);
            }
        })?;
        Ok(Self { rates, wanted })
    }

    /// Has it written, and the buffer that follows it, as soon as the encoder lets it; nobody waits for that.
    pub fn write(&self, rate: Bitrate, info: &VideoInfo) {
        let shape = {
            let mut wanted = lock(&self.wanted);
            wanted.rate = rate;
            wanted.shape.fit(info)
        };
        let frame_rate = input::frame_rate(info).at_most(shape.max_fps);
        // The thread takes them for as long as there is anybody to tell it.
        let _ = self.rates.send((rate, frame_rate));
    }
}
