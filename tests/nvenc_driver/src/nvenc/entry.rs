//! Shell: the functions behind the encoder's function table: they check pointers and versions, let faults strike, and
//! hand the rest to the session.

#![allow(clippy::missing_safety_doc, reason = "each is called by C, as the interface's documentation says")]

use super::{
    api::{
        self, CreateBitstreamBuffer, CreateInputBuffer, InitializeParams, LockBitstream, LockInputBuffer,
        MapInputResource, OpenParams, PicParams, ReconfigureParams, RegisterResource, SequenceParams, status,
    },
    describe,
    session::{self, Output, Session, Surface},
};
use crate::{encoder::Wish, faults, log, memory};
use std::{
    ffi::{c_char, c_void},
    sync::atomic::Ordering,
};

/// Major and minor version of the interface that is simulated.
const API_VERSION: (u32, u32) = (11, 1);
/// Rows of input buffers are aligned to this.
const PITCH_ALIGNMENT: u32 = 64;
const ENTRIES: usize = 318;

/// The function table; the places of the functions are the C header's.
#[repr(C)]
pub struct FunctionList {
    version: u32,
    reserved: u32,
    entries: [*const c_void; ENTRIES],
}
const _: () = assert!(size_of::<FunctionList>() == 2552);

/// Writes to an out parameter that may be missing.
pub unsafe fn put<T>(out: *mut T, value: T) -> i32 {
    if out.is_null() {
        return status::INVALID_PTR;
    }
    // SAFETY: the caller passes a pointer to a T of its own, and it is not null.
    unsafe { out.write(value) };
    status::SUCCESS
}

/// Runs `call` on the session unless there is none or its device is gone.
pub fn guarded(handle: *mut c_void, call: impl FnOnce(&Session) -> i32) -> i32 {
    let Some(session) = session::find(handle) else { return status::INVALID_ENCODER_DEVICE };
    if faults::lost(session.asked.load(Ordering::Relaxed)) {
        return status::DEVICE_NOT_EXIST;
    }
    call(&session)
}

/// The same with a structure of the caller's, whose version has to be the one of 11.1.
unsafe fn with<T>(
    handle: *mut c_void,
    data: *mut T,
    version: u32,
    call: impl FnOnce(&Session, &mut T) -> i32,
) -> i32 {
    if data.is_null() {
        return status::INVALID_PTR;
    }
    // SAFETY: every structure of the interface begins with its version.
    if api::struct_version(unsafe { data.cast::<u32>().read() }) != version {
        return status::INVALID_VERSION;
    }
    // SAFETY: the pointer is not null and, by its version, to a structure of this kind, which the caller does not touch
    // during the call.
    let data = unsafe { &mut *data };
    guarded(handle, |session| call(session, data))
}

/// `(major << 4) | minor` of the newest interface that the driver supports.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn NvEncodeAPIGetMaxSupportedVersion(version: *mut u32) -> i32 {
    let said = faults::value("max-version").and_then(|text| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    let (major, minor): (u32, u32) = said.unwrap_or(API_VERSION);
    // SAFETY: as `put` says.
    unsafe { put(version, (major << 4) | minor) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn NvEncodeAPICreateInstance(list: *mut FunctionList) -> i32 {
    if let Some(code) = faults::code("create-instance", 0) {
        return code;
    }
    // SAFETY: the caller passes one table, or null.
    let Some(list) = (unsafe { list.as_mut() }) else { return status::INVALID_PTR };
    list.entries.fill(std::ptr::null());
    let functions: [(usize, *const c_void); 40] = [
        (0, unsupported as *const c_void),
        (1, describe::codec_count as *const c_void),
        (2, describe::profile_count as *const c_void),
        (3, describe::profiles as *const c_void),
        (4, describe::codecs as *const c_void),
        (5, describe::format_count as *const c_void),
        (6, describe::formats as *const c_void),
        (7, describe::capabilities as *const c_void),
        (8, describe::preset_count as *const c_void),
        (9, describe::presets as *const c_void),
        (10, describe::preset_config as *const c_void),
        (11, initialize as *const c_void),
        (12, create_input as *const c_void),
        (13, destroy_input as *const c_void),
        (14, create_output as *const c_void),
        (15, destroy_output as *const c_void),
        (16, encode as *const c_void),
        (17, lock_output as *const c_void),
        (18, unlock as *const c_void),
        (19, lock_input as *const c_void),
        (20, unlock as *const c_void),
        (21, unsupported as *const c_void),
        (22, sequence_params as *const c_void),
        (23, unsupported as *const c_void),
        (24, unsupported as *const c_void),
        (25, map as *const c_void),
        (26, unmap as *const c_void),
        (27, destroy as *const c_void),
        (28, unsupported as *const c_void),
        (29, open as *const c_void),
        (30, register as *const c_void),
        (31, unregister as *const c_void),
        (32, reconfigure as *const c_void),
        (34, unsupported as *const c_void),
        (35, unsupported as *const c_void),
        (36, unsupported as *const c_void),
        (37, last_error as *const c_void),
        (38, set_streams as *const c_void),
        (39, unsupported as *const c_void),
        (40, unsupported as *const c_void),
    ];
    for (place, function) in functions {
        list.entries[place] = function;
    }
    status::SUCCESS
}

extern "C" fn unsupported() -> i32 {
    status::UNIMPLEMENTED
}

extern "C" fn last_error(_session: *mut c_void) -> *const c_char {
    c"the simulated driver was told to fail".as_ptr()
}

extern "C" fn set_streams(session: *mut c_void, _input: *mut c_void, _output: *mut c_void) -> i32 {
    guarded(session, |_| status::SUCCESS)
}

/// Why no session can be had now; `count` is which one of the process this is.
fn refusal(count: u64) -> Option<i32> {
    if faults::lost(0) {
        return Some(status::DEVICE_NOT_EXIST);
    }
    if faults::is_set("no-engine") {
        return Some(status::UNSUPPORTED_DEVICE);
    }
    if let Some(limit) = faults::value("sessions") {
        let (most, code) = limit.split_once('/').unwrap_or((&limit, "10"));
        if most.parse().is_ok_and(|most: usize| session::open_sessions() >= most) {
            return Some(code.parse().unwrap_or(status::OUT_OF_MEMORY));
        }
    }
    faults::code("open", count)
}

unsafe extern "C" fn open(params: *const OpenParams, handle: *mut *mut c_void) -> i32 {
    // SAFETY: the caller passes one structure, or null.
    let Some(params) = (unsafe { params.as_ref() }) else { return status::INVALID_PTR };
    let number = session::count_open();
    if let Some(code) = refusal(number) {
        log::line(format_args!("open session={number} refused={code}"));
        return code;
    }
    if params.device.is_null() {
        return status::INVALID_PTR;
    }
    // SAFETY: as `put` says.
    unsafe { put(handle, session::open(number)) }
}

extern "C" fn destroy(handle: *mut c_void) -> i32 {
    if session::close(handle) { status::SUCCESS } else { status::INVALID_ENCODER_DEVICE }
}

unsafe extern "C" fn initialize(handle: *mut c_void, params: *mut InitializeParams) -> i32 {
    let start = |session: &Session, params: &mut InitializeParams| {
        if let Some(code) = faults::code("init", 0) {
            return code;
        }
        // SAFETY: the caller's configuration lives until the call returns.
        match unsafe { params.config.as_ref() } {
            Some(config) => session.initialize(params, config),
            None => status::INVALID_PARAM,
        }
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 5, start) }
}

unsafe extern "C" fn reconfigure(handle: *mut c_void, params: *mut ReconfigureParams) -> i32 {
    let change = |session: &Session, params: &mut ReconfigureParams| {
        if let Some(code) = faults::code("reconfigure", 0) {
            return code;
        }
        // SAFETY: the caller's configuration lives until the call returns.
        match unsafe { params.init.config.as_ref() } {
            Some(config) => {
                session.reconfigure(&params.init, config, params.flags & 1 != 0, params.flags & 2 != 0)
            }
            None => status::INVALID_PARAM,
        }
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 1, change) }
}

unsafe extern "C" fn sequence_params(handle: *mut c_void, params: *mut SequenceParams) -> i32 {
    let write = |session: &Session, params: &mut SequenceParams| {
        let state = session.state();
        let Some(backend) = &state.backend else { return status::ENCODER_NOT_INITIALIZED };
        let headers = backend.headers();
        if headers.len() > params.capacity as usize || params.buffer.is_null() {
            return status::NOT_ENOUGH_BUFFER;
        }
        // SAFETY: the caller's buffer has `capacity` bytes, as many as the headers need or more.
        unsafe {
            std::ptr::copy_nonoverlapping(headers.as_ptr(), params.buffer.cast::<u8>(), headers.len());
            put(params.bytes, headers.len() as u32)
        }
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 1, write) }
}

unsafe extern "C" fn create_input(handle: *mut c_void, params: *mut CreateInputBuffer) -> i32 {
    let make = |session: &Session, params: &mut CreateInputBuffer| {
        let pitch = params.width.next_multiple_of(PITCH_ALIGNMENT) as usize;
        let height = params.height.next_multiple_of(2) as usize;
        let mut surface = Surface { address: 0, pitch, height, format: params.format };
        let Some(address) = memory::allocate(surface.bytes()) else { return status::OUT_OF_MEMORY };
        surface.address = address;
        params.buffer = session::handle();
        session.state().surfaces.insert(params.buffer as usize, surface);
        status::SUCCESS
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 1, make) }
}

extern "C" fn destroy_input(handle: *mut c_void, buffer: *mut c_void) -> i32 {
    guarded(handle, |session| match session.state().surfaces.remove(&(buffer as usize)) {
        Some(surface) if memory::free(surface.address) => status::SUCCESS,
        _ => status::INVALID_PARAM,
    })
}

unsafe extern "C" fn lock_input(handle: *mut c_void, params: *mut LockInputBuffer) -> i32 {
    let lock = |session: &Session, params: &mut LockInputBuffer| {
        let state = session.state();
        let Some(surface) = state.surfaces.get(&(params.buffer as usize)) else {
            return status::INVALID_PARAM;
        };
        params.data = std::ptr::with_exposed_provenance_mut(surface.address);
        params.pitch = surface.pitch as u32;
        status::SUCCESS
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 1, lock) }
}

extern "C" fn unlock(handle: *mut c_void, _buffer: *mut c_void) -> i32 {
    guarded(handle, |_| status::SUCCESS)
}

unsafe extern "C" fn register(handle: *mut c_void, params: *mut RegisterResource) -> i32 {
    const CUDA_DEVICE_POINTER: u32 = 1;
    let register = |session: &Session, params: &mut RegisterResource| {
        if params.kind != CUDA_DEVICE_POINTER {
            return status::UNIMPLEMENTED;
        }
        let surface = Surface {
            address: params.resource as usize,
            pitch: params.pitch as usize,
            height: params.height as usize,
            format: params.format,
        };
        if memory::with(surface.address, surface.bytes(), |_| ()).is_none() {
            return status::INVALID_PARAM;
        }
        params.registered = session::handle();
        session.state().surfaces.insert(params.registered as usize, surface);
        status::SUCCESS
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 3, register) }
}

extern "C" fn unregister(handle: *mut c_void, resource: *mut c_void) -> i32 {
    guarded(handle, |session| match session.state().surfaces.remove(&(resource as usize)) {
        Some(_) => status::SUCCESS,
        None => status::RESOURCE_NOT_REGISTERED,
    })
}

unsafe extern "C" fn map(handle: *mut c_void, params: *mut MapInputResource) -> i32 {
    let map = |session: &Session, params: &mut MapInputResource| {
        let mut state = session.state();
        let Some(surface) = state.surfaces.get(&(params.registered as usize)) else {
            return status::RESOURCE_NOT_REGISTERED;
        };
        params.format = surface.format;
        params.mapped = session::handle();
        state.mapped.insert(params.mapped as usize, params.registered as usize);
        status::SUCCESS
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 4, map) }
}

extern "C" fn unmap(handle: *mut c_void, mapped: *mut c_void) -> i32 {
    guarded(handle, |session| match session.state().mapped.remove(&(mapped as usize)) {
        Some(_) => status::SUCCESS,
        None => status::RESOURCE_NOT_MAPPED,
    })
}

unsafe extern "C" fn create_output(handle: *mut c_void, params: *mut CreateBitstreamBuffer) -> i32 {
    let make = |session: &Session, params: &mut CreateBitstreamBuffer| {
        params.buffer = session::handle();
        session.state().outputs.insert(params.buffer as usize, Output::default());
        status::SUCCESS
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 1, make) }
}

extern "C" fn destroy_output(handle: *mut c_void, buffer: *mut c_void) -> i32 {
    guarded(handle, |session| match session.state().outputs.remove(&(buffer as usize)) {
        Some(_) => status::SUCCESS,
        None => status::INVALID_PARAM,
    })
}

unsafe extern "C" fn encode(handle: *mut c_void, params: *mut PicParams) -> i32 {
    let encode = |session: &Session, params: &mut PicParams| {
        if params.flags & api::FLAG_EOS != 0 {
            return status::SUCCESS;
        }
        let frame = session.asked.fetch_add(1, Ordering::Relaxed);
        faults::hang("hang-encode", frame);
        if let Some(code) = faults::code("busy", frame).or_else(|| faults::code("encode", frame)) {
            return code;
        }
        let wish = Wish {
            idr: params.flags & (api::FLAG_FORCE_IDR | api::FLAG_FORCE_INTRA) != 0
                || params.picture_type == api::PICTURE_IDR,
            headers: params.flags & api::FLAG_OUTPUT_HEADERS != 0,
        };
        let (input, output) = (params.input as usize, params.output as usize);
        session.state().encode(input, output, wish, params.timestamp, params.duration)
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 4, encode) }
}

unsafe extern "C" fn lock_output(handle: *mut c_void, params: *mut LockBitstream) -> i32 {
    let lock = |session: &Session, params: &mut LockBitstream| {
        let frame = session.fetched.fetch_add(1, Ordering::Relaxed);
        faults::hang("hang-lock", frame);
        if let Some(code) = faults::code("lock", frame) {
            return code;
        }
        let mut state = session.state();
        let Some(output) = state.outputs.get_mut(&(params.output as usize)) else {
            return status::INVALID_PARAM;
        };
        if output.unit.bytes.is_empty() {
            return status::INVALID_CALL;
        }
        params.data = output.unit.bytes.as_mut_ptr().cast();
        params.bytes = output.unit.bytes.len() as u32;
        params.picture_type = if output.unit.idr { api::PICTURE_IDR } else { api::PICTURE_P };
        params.structure = 1;
        params.frame = output.frame;
        params.hw_status = 2;
        params.slices = 1;
        params.timestamp = output.timestamp;
        params.duration = output.duration;
        status::SUCCESS
    };
    // SAFETY: as `with` says.
    unsafe { with(handle, params, 1, lock) }
}
