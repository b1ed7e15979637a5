//! Shell: what one encoding session holds: its encoder, its buffers, and how far it is. Handles are numbers, so that a
//! stale one is an error and no crash. Refuses more than it was given: sizes, formats and memory are checked.

use super::api::{
    self, Config, FORMAT_IYUV, FORMAT_NV12, FORMAT_YV12, H264_OUTPUT_AUD, H264_REPEAT_HEADERS,
    InitializeParams, RC_ZERO_REORDER_DELAY, status,
};
use crate::{
    encoder::{AccessUnit, Backend, Picture, Settings, Wish},
    log, memory,
};
use std::{
    collections::BTreeMap,
    ffi::c_void,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// A picture in device memory, in one of the 4:2:0 formats.
#[derive(Debug, Clone, Copy)]
pub struct Surface {
    pub address: usize,
    pub pitch: usize,
    pub height: usize,
    pub format: u32,
}

impl Surface {
    /// Bytes of a 4:2:0 picture with this pitch.
    pub fn bytes(&self) -> usize {
        self.pitch * self.height * 3 / 2
    }

    /// Copies the visible part out, or fails if the surface is not where and what it says.
    fn read(&self, width: usize, height: usize, picture: &mut Picture) -> Option<()> {
        if width > self.pitch || height > self.height {
            return None;
        }
        memory::with(self.address, self.bytes(), |bytes| {
            let (luma, chroma) = bytes.split_at(self.pitch * self.height);
            copy_rows(luma, self.pitch, width, &mut picture.y);
            let (u, v) = (&mut picture.u, &mut picture.v);
            match self.format {
                FORMAT_NV12 => {
                    for (row, line) in chroma.chunks(self.pitch).take(height / 2).enumerate() {
                        let at = row * width / 2;
                        for (column, pair) in line[..width].chunks_exact(2).enumerate() {
                            (u[at + column], v[at + column]) = (pair[0], pair[1]);
                        }
                    }
                    Some(())
                }
                FORMAT_IYUV | FORMAT_YV12 => {
                    let (first, second) = chroma.split_at(chroma.len() / 2);
                    let (u_plane, v_plane) =
                        if self.format == FORMAT_IYUV { (first, second) } else { (second, first) };
                    copy_rows(u_plane, self.pitch / 2, width / 2, u);
                    copy_rows(v_plane, self.pitch / 2, width / 2, v);
                    Some(())
                }
                _ => None,
            }
        })?
    }
}

fn copy_rows(from: &[u8], pitch: usize, width: usize, to: &mut [u8]) {
    for (source, target) in from.chunks(pitch).zip(to.chunks_mut(width)) {
        target.copy_from_slice(&source[..width]);
    }
}

/// A frame that is ready to be fetched.
#[derive(Debug, Default)]
pub struct Output {
    pub unit: AccessUnit,
    pub frame: u32,
    pub timestamp: u64,
    pub duration: u64,
}

/// What changes while a session lives.
#[derive(Default)]
pub struct State {
    pub backend: Option<Backend>,
    picture: Picture,
    /// Buffers that the session made, or that were registered with it, by handle.
    pub surfaces: BTreeMap<usize, Surface>,
    /// Mapped handle → registered handle.
    pub mapped: BTreeMap<usize, usize>,
    pub outputs: BTreeMap<usize, Output>,
    frames: u32,
}

/// One session.
pub struct Session {
    pub number: u64,
    /// Pictures that somebody tried to encode, refused ones too: what faults are counted by.
    pub asked: AtomicU64,
    /// The same for outputs that somebody tried to fetch.
    pub fetched: AtomicU64,
    state: Mutex<State>,
}

static SESSIONS: Mutex<BTreeMap<usize, Arc<Session>>> = Mutex::new(BTreeMap::new());
static OPENED: AtomicUsize = AtomicUsize::new(0);
/// Handles of sessions and buffers. They begin high enough to be no small number by accident.
static HANDLES: AtomicUsize = AtomicUsize::new(0x5e55_0000);

fn sessions() -> MutexGuard<'static, BTreeMap<usize, Arc<Session>>> {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new handle.
pub fn handle() -> *mut c_void {
    std::ptr::without_provenance_mut(HANDLES.fetch_add(0x10, Ordering::Relaxed))
}

/// Sessions that are open in this process.
pub fn open_sessions() -> usize {
    sessions().len()
}

/// Which open of the process the next one is, from 1.
pub fn count_open() -> u64 {
    OPENED.fetch_add(1, Ordering::Relaxed) as u64 + 1
}

/// Opens a session and gives its handle.
pub fn open(number: u64) -> *mut c_void {
    let handle = handle();
    let session =
        Session { number, asked: AtomicU64::new(0), fetched: AtomicU64::new(0), state: Mutex::default() };
    sessions().insert(handle as usize, Arc::new(session));
    log::line(format_args!("open session={number}"));
    handle
}

/// The session behind a handle.
pub fn find(handle: *mut c_void) -> Option<Arc<Session>> {
    sessions().get(&(handle as usize)).cloned()
}

/// Closes a session; false if there is none.
pub fn close(handle: *mut c_void) -> bool {
    let Some(session) = sessions().remove(&(handle as usize)) else { return false };
    let frames = session.state().frames;
    log::line(format_args!("close session={} frames={frames}", session.number));
    true
}

impl Session {
    /// What changes.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts, or starts anew with other settings.
    pub fn initialize(&self, init: &InitializeParams, config: &Config) -> i32 {
        if init.codec != api::CODEC_H264 || config.frame_interval_p > 1 {
            // Pictures are never reordered here.
            return status::UNSUPPORTED_PARAM;
        }
        let settings = settings(init, config);
        let mut state = self.state();
        let Ok(backend) = Backend::new(settings) else { return status::INVALID_PARAM };
        state.backend = Some(backend);
        state.picture = Picture::new(settings.width, settings.height);
        self.log("init", init, config, "");
        status::SUCCESS
    }

    /// Changes what can be changed while frames flow, and starts anew where it cannot or is told to.
    pub fn reconfigure(&self, init: &InitializeParams, config: &Config, reset: bool, idr: bool) -> i32 {
        let wanted = settings(init, config);
        let mut state = self.state();
        let Some(backend) = state.backend.as_mut() else { return status::ENCODER_NOT_INITIALIZED };
        let soft = Settings { bitrate: wanted.bitrate, gop: wanted.gop, ..*backend.settings() };
        if wanted != soft && !reset {
            return status::UNSUPPORTED_PARAM;
        }
        if reset || idr || wanted != soft {
            let Ok(fresh) = Backend::new(wanted) else { return status::INVALID_PARAM };
            *backend = fresh;
            state.picture = Picture::new(wanted.width, wanted.height);
        } else {
            backend.set_bitrate(wanted.bitrate);
            backend.set_gop(wanted.gop);
        }
        let extra = format!(" reset={} idr={}", u8::from(reset), u8::from(idr));
        self.log("reconfigure", init, config, &extra);
        status::SUCCESS
    }

    fn log(&self, event: &str, init: &InitializeParams, config: &Config, extra: &str) {
        let rate = &config.rate_control;
        let flag = |flags: u32, bit: u32| u8::from(flags & bit != 0);
        log::line(format_args!(
            "{event} session={} preset={} tuning={} rc={} bitrate={} max-bitrate={} vbv={} gop={} interval-p={} \
             size={}x{} fps={}/{} profile={} aud={} repeat-headers={} zero-reorder={}{extra}",
            self.number,
            api::name_of(&api::LEGACY_PRESETS, init.preset),
            init.tuning,
            api::rate_control(rate.mode),
            rate.average_bitrate,
            rate.max_bitrate,
            rate.vbv_buffer_size,
            config.gop_length,
            config.frame_interval_p,
            init.width,
            init.height,
            init.frame_rate[0],
            init.frame_rate[1],
            api::name_of(&api::PROFILES, config.profile),
            flag(config.h264.flags, H264_OUTPUT_AUD),
            flag(config.h264.flags, H264_REPEAT_HEADERS),
            flag(rate.flags, RC_ZERO_REORDER_DELAY),
        ));
    }
}

impl State {
    /// Encodes what lies in a surface into an output.
    pub fn encode(&mut self, input: usize, output: usize, wish: Wish, timestamp: u64, duration: u64) -> i32 {
        let registered = self.mapped.get(&input).copied().unwrap_or(input);
        let Some(surface) = self.surfaces.get(&registered) else { return status::RESOURCE_NOT_MAPPED };
        let Some(backend) = self.backend.as_mut() else { return status::ENCODER_NOT_INITIALIZED };
        let (width, height) = (backend.settings().width as usize, backend.settings().height as usize);
        if surface.read(width, height, &mut self.picture).is_none() {
            return status::INVALID_PARAM;
        }
        let Some(output) = self.outputs.get_mut(&output) else { return status::INVALID_PARAM };
        let Ok(unit) = backend.encode(&self.picture, wish) else { return status::GENERIC };
        *output = Output { unit, frame: self.frames, timestamp, duration };
        self.frames += 1;
        status::SUCCESS
    }
}

fn settings(init: &InitializeParams, config: &Config) -> Settings {
    let [numerator, denominator] = init.frame_rate;
    Settings {
        width: init.width,
        height: init.height,
        // A variable rate has no number; 60 is what screens do.
        frame_rate: if numerator == 0 || denominator == 0 {
            60.0
        } else {
            numerator as f32 / denominator as f32
        },
        profile: api::name_of(&api::PROFILES, config.profile),
        bitrate: config.rate_control.average_bitrate,
        gop: config.gop_length,
        repeat_headers: config.h264.flags & H264_REPEAT_HEADERS != 0,
        aud: config.h264.flags & H264_OUTPUT_AUD != 0,
    }
}
