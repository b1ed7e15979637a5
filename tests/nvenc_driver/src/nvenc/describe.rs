//! Shell: the functions that tell what the device can do: codecs, profiles, formats, presets, capabilities. The device is
//! much like a Turing card, without what is not simulated: look-ahead, 4:4:4, HEVC.

use super::{
    api::{
        self, CapsParam, Config, FORMAT_IYUV, FORMAT_NV12, FORMAT_YV12, Guid, LEGACY_PRESETS, PROFILES,
        PresetConfig, status,
    },
    entry::{guarded, put},
};
use crate::faults;
use std::ffi::{c_int, c_void};

/// The order in which GStreamer 1.22 reads them, by position: any other order mislabels them.
const FORMATS: [u32; 3] = [FORMAT_NV12, FORMAT_YV12, FORMAT_IYUV];

/// Numbers of capabilities, as the C header counts them.
mod caps {
    pub const MAX_B_FRAMES: u32 = 0;
    pub const RATE_CONTROL_MODES: u32 = 1;
    pub const CABAC: u32 = 7;
    pub const ADAPTIVE_TRANSFORM: u32 = 8;
    pub const LEVEL_MAX: u32 = 13;
    pub const LEVEL_MIN: u32 = 14;
    pub const WIDTH_MAX: u32 = 16;
    pub const HEIGHT_MAX: u32 = 17;
    pub const DYNAMIC_RESOLUTION: u32 = 19;
    pub const DYNAMIC_BITRATE: u32 = 20;
    pub const CUSTOM_VBV: u32 = 26;
    pub const MACROBLOCKS_MAX: u32 = 31;
    pub const MACROBLOCKS_PER_SECOND_MAX: u32 = 32;
    pub const WIDTH_MIN: u32 = 45;
    pub const HEIGHT_MIN: u32 = 46;
    pub const ENGINES: u32 = 49;
}

fn capability(number: u32) -> c_int {
    match number {
        caps::MAX_B_FRAMES => 4,
        // CBR, VBR, constant QP and the two-pass variants.
        caps::RATE_CONTROL_MODES => 0x3b,
        caps::CABAC
        | caps::ADAPTIVE_TRANSFORM
        | caps::CUSTOM_VBV
        | caps::DYNAMIC_RESOLUTION
        | caps::ENGINES => 1,
        caps::DYNAMIC_BITRATE => c_int::from(faults::value("dyn-bitrate").as_deref() != Some("0")),
        caps::LEVEL_MAX => 51,
        caps::LEVEL_MIN => 10,
        caps::WIDTH_MAX | caps::HEIGHT_MAX => 4096,
        caps::MACROBLOCKS_MAX => 65_536,
        caps::MACROBLOCKS_PER_SECOND_MAX => 983_040,
        caps::WIDTH_MIN => 145,
        caps::HEIGHT_MIN => 49,
        _ => 0,
    }
}

/// Copies a list to where the caller wants it, as far as there is room.
unsafe fn put_list<T: Copy>(list: &[T], out: *mut T, room: u32, count: *mut u32) -> i32 {
    if out.is_null() {
        return status::INVALID_PTR;
    }
    let copied = list.len().min(room as usize);
    // SAFETY: the caller's array has room for `room` elements.
    unsafe {
        std::ptr::copy_nonoverlapping(list.as_ptr(), out, copied);
        put(count, copied as u32)
    }
}

pub unsafe extern "C" fn codec_count(session: *mut c_void, count: *mut u32) -> i32 {
    // SAFETY: as `put` says.
    guarded(session, |_| unsafe { put(count, 1) })
}

pub unsafe extern "C" fn codecs(session: *mut c_void, out: *mut Guid, room: u32, count: *mut u32) -> i32 {
    // SAFETY: as `put_list` says.
    guarded(session, |_| unsafe { put_list(&[api::CODEC_H264], out, room, count) })
}

pub unsafe extern "C" fn profile_count(session: *mut c_void, _codec: Guid, count: *mut u32) -> i32 {
    // SAFETY: as `put` says.
    guarded(session, |_| unsafe { put(count, PROFILES.len() as u32) })
}

pub unsafe extern "C" fn profiles(
    session: *mut c_void,
    _codec: Guid,
    out: *mut Guid,
    room: u32,
    count: *mut u32,
) -> i32 {
    // SAFETY: as `put_list` says.
    guarded(session, |_| unsafe { put_list(&PROFILES.map(|(_, guid)| guid), out, room, count) })
}

pub unsafe extern "C" fn format_count(session: *mut c_void, _codec: Guid, count: *mut u32) -> i32 {
    // SAFETY: as `put` says.
    guarded(session, |_| unsafe { put(count, FORMATS.len() as u32) })
}

pub unsafe extern "C" fn formats(
    session: *mut c_void,
    _codec: Guid,
    out: *mut u32,
    room: u32,
    count: *mut u32,
) -> i32 {
    // SAFETY: as `put_list` says.
    guarded(session, |_| unsafe { put_list(&FORMATS, out, room, count) })
}

pub unsafe extern "C" fn capabilities(
    session: *mut c_void,
    _codec: Guid,
    asked: *const CapsParam,
    value: *mut c_int,
) -> i32 {
    // SAFETY: the caller passes one structure, or null.
    let Some(asked) = (unsafe { asked.as_ref() }) else { return status::INVALID_PTR };
    // SAFETY: as `put` says.
    guarded(session, |_| unsafe { put(value, capability(asked.caps)) })
}

pub unsafe extern "C" fn preset_count(session: *mut c_void, _codec: Guid, count: *mut u32) -> i32 {
    // SAFETY: as `put` says.
    guarded(session, |_| unsafe { put(count, LEGACY_PRESETS.len() as u32) })
}

pub unsafe extern "C" fn presets(
    session: *mut c_void,
    _codec: Guid,
    out: *mut Guid,
    room: u32,
    count: *mut u32,
) -> i32 {
    // SAFETY: as `put_list` says.
    guarded(session, |_| unsafe { put_list(&LEGACY_PRESETS.map(|(_, guid)| guid), out, room, count) })
}

/// What a preset means, before the caller changes it: variable rate, an IDR picture every 30 frames, no B-frames.
pub unsafe extern "C" fn preset_config(
    session: *mut c_void,
    _codec: Guid,
    preset: Guid,
    out: *mut PresetConfig,
) -> i32 {
    guarded(session, |_| {
        faults::hang("hang-preset", 0);
        if let Some(code) = faults::code("preset", 0) {
            return code;
        }
        if !LEGACY_PRESETS.iter().any(|(_, known)| *known == preset) {
            return status::INVALID_PARAM;
        }
        // SAFETY: the caller passes one structure, or null; all of its fields are plain numbers.
        let Some(out) = (unsafe { out.as_mut() }) else { return status::INVALID_PTR };
        // SAFETY: a Config is plain numbers and unused pointers, for which zero is a value.
        let mut config: Config = unsafe { std::mem::zeroed() };
        config.version = out.config.version;
        config.profile = PROFILES[0].1;
        config.gop_length = 30;
        config.frame_interval_p = 1;
        config.frame_field_mode = 1;
        config.rate_control.version = out.config.rate_control.version;
        config.rate_control.mode = 1;
        config.rate_control.const_qp = [28, 31, 25];
        config.h264.idr_period = 30;
        out.config = config;
        status::SUCCESS
    })
}
