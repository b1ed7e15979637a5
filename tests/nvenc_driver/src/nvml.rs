//! Shell: the symbols of NVML that `nvml-wrapper` asks for when somebody wants to know what GPUs there are, how busy they
//! are and whether they can encode. Refuses everything else by not being there, as an old driver does.

#![allow(non_snake_case, reason = "the names are the library's")]
#![allow(clippy::missing_safety_doc, reason = "each is called by C, as the library's documentation says")]

use crate::{cuda::DEVICE_NAME, faults, memory, nvenc};
use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};

const SUCCESS: c_int = 0;
const INVALID_ARGUMENT: c_int = 2;
const NOT_SUPPORTED: c_int = 3;
const INSUFFICIENT_SIZE: c_int = 7;
const GPU_IS_LOST: c_int = 15;

const DRIVER_VERSION: &str = "470.57.02";
const NVML_VERSION: &str = "11.470.57.02";
const DEVICE_UUID: &str = "GPU-00000000-0000-0000-0000-000000000001";
const TOTAL_MEMORY_BYTES: c_ulonglong = 8 << 30;
/// Handle of the only device.
const DEVICE: usize = 0x6e76;
/// How often the sampled utilization is taken anew, as real devices say it.
const SAMPLING_PERIOD_US: c_uint = 167_000;

#[repr(C)]
pub struct Memory {
    total: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[repr(C)]
pub struct Utilization {
    gpu: c_uint,
    memory: c_uint,
}

unsafe fn put<T>(out: *mut T, value: T) -> c_int {
    if out.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the caller passes a pointer to a T of its own, and it is not null.
    unsafe { out.write(value) };
    SUCCESS
}

unsafe fn put_text(out: *mut c_char, capacity: c_uint, text: &str) -> c_int {
    let capacity = capacity as usize;
    if out.is_null() {
        return INVALID_ARGUMENT;
    }
    if capacity <= text.len() {
        return INSUFFICIENT_SIZE;
    }
    // SAFETY: the caller's buffer has `capacity` bytes, more than the text and its end need.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), out.cast::<u8>(), text.len());
        out.add(text.len()).write(0);
    }
    SUCCESS
}

/// What stands against asking this device anything.
fn refusal(device: *mut c_void) -> Option<c_int> {
    if device as usize != DEVICE {
        return Some(INVALID_ARGUMENT);
    }
    faults::lost(0).then_some(GPU_IS_LOST)
}

fn sessions() -> c_uint {
    c_uint::try_from(nvenc::open_sessions()).unwrap_or(c_uint::MAX)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(_error: c_int) -> *const c_char {
    c"an error of the simulated driver".as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(text: *mut c_char, capacity: c_uint) -> c_int {
    // SAFETY: as `put_text` says.
    unsafe { put_text(text, capacity, DRIVER_VERSION) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetNVMLVersion(text: *mut c_char, capacity: c_uint) -> c_int {
    // SAFETY: as `put_text` says.
    unsafe { put_text(text, capacity, NVML_VERSION) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> c_int {
    // SAFETY: as `put` says.
    unsafe { put(count, c_uint::from(!faults::is_set("no-device"))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, device: *mut *mut c_void) -> c_int {
    if index != 0 || faults::is_set("no-device") {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as `put` says.
    unsafe { put(device, std::ptr::without_provenance_mut(DEVICE)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(
    device: *mut c_void,
    text: *mut c_char,
    capacity: c_uint,
) -> c_int {
    // SAFETY: as `put_text` says.
    refusal(device).unwrap_or_else(|| unsafe { put_text(text, capacity, DEVICE_NAME) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUUID(
    device: *mut c_void,
    text: *mut c_char,
    capacity: c_uint,
) -> c_int {
    // SAFETY: as `put_text` says.
    refusal(device).unwrap_or_else(|| unsafe { put_text(text, capacity, DEVICE_UUID) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo(device: *mut c_void, info: *mut Memory) -> c_int {
    let used = memory::in_use() as c_ulonglong;
    let memory = Memory { total: TOTAL_MEMORY_BYTES, free: TOTAL_MEMORY_BYTES.saturating_sub(used), used };
    // SAFETY: as `put` says.
    refusal(device).unwrap_or_else(|| unsafe { put(info, memory) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    device: *mut c_void,
    rates: *mut Utilization,
) -> c_int {
    // SAFETY: as `put` says.
    refusal(device).unwrap_or_else(|| unsafe { put(rates, Utilization { gpu: 0, memory: 0 }) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEncoderUtilization(
    device: *mut c_void,
    utilization: *mut c_uint,
    period_us: *mut c_uint,
) -> c_int {
    if let Some(refusal) = refusal(device) {
        return refusal;
    }
    if faults::is_set("no-engine") {
        return NOT_SUPPORTED;
    }
    // SAFETY: as `put` says, for both.
    unsafe { put(utilization, sessions().min(100)).max(put(period_us, SAMPLING_PERIOD_US)) }
}

/// What is left of the encoder in per cent: nothing where there is no engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEncoderCapacity(
    device: *mut c_void,
    _codec: c_uint,
    capacity: *mut c_uint,
) -> c_int {
    if let Some(refusal) = refusal(device) {
        return refusal;
    }
    if faults::is_set("no-engine") {
        return NOT_SUPPORTED;
    }
    // SAFETY: as `put` says.
    unsafe { put(capacity, 100 - sessions().min(100)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEncoderStats(
    device: *mut c_void,
    count: *mut c_uint,
    average_fps: *mut c_uint,
    average_latency_us: *mut c_uint,
) -> c_int {
    // SAFETY: as `put` says, for all three.
    refusal(device).unwrap_or_else(|| unsafe {
        put(count, sessions()).max(put(average_fps, 0)).max(put(average_latency_us, 0))
    })
}
