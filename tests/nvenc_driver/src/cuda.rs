//! Shell: the CUDA driver's symbols that GStreamer's plugin looks up, all of which must exist for it to load. Devices,
//! contexts, streams and linear memory work; graphics, modules, textures, kernels and peers answer "not supported".

#![allow(non_snake_case, reason = "the names are the driver's")]
#![allow(clippy::missing_safety_doc, reason = "each is called by C, as the driver's documentation says")]

use crate::{faults, memory};
use std::{
    cell::RefCell,
    ffi::{c_char, c_int, c_uint, c_void},
    sync::atomic::{AtomicUsize, Ordering},
};

const SUCCESS: c_int = 0;
const INVALID_VALUE: c_int = 1;
const OUT_OF_MEMORY: c_int = 2;
const INVALID_DEVICE: c_int = 101;
const INVALID_CONTEXT: c_int = 201;
/// CUDA_ERROR_DEVICE_UNAVAILABLE: what a device that fell off the bus leaves.
const DEVICE_LOST: c_int = 46;
const NOT_SUPPORTED: c_int = 801;

/// CUDA 11.4, the release beside version 11.1 of the encoder's interface.
const DRIVER_VERSION: c_int = 11_040;
/// Name of the only device.
pub const DEVICE_NAME: &str = "Simulated NVENC";
/// What real devices align rows to.
const PITCH_ALIGNMENT: usize = 512;
const TEXTURE_ALIGNMENT: c_int = 512;
const COMPUTE_CAPABILITY: (c_int, c_int) = (7, 5);

const ATTRIBUTE_TEXTURE_ALIGNMENT: c_int = 14;
const ATTRIBUTE_MAJOR: c_int = 75;
const ATTRIBUTE_MINOR: c_int = 76;

const MEMORY_HOST: c_uint = 1;
const MEMORY_ARRAY: c_uint = 3;

/// Contexts, streams and the like are numbers that nobody looks behind.
static HANDLES: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    /// The contexts that this thread has pushed.
    static CURRENT: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn handle() -> *mut c_void {
    std::ptr::without_provenance_mut(HANDLES.fetch_add(1, Ordering::Relaxed))
}

/// Writes to an out parameter that may be missing.
unsafe fn put<T>(out: *mut T, value: T) -> c_int {
    if out.is_null() {
        return INVALID_VALUE;
    }
    // SAFETY: the caller passes a pointer to a T of its own, and it is not null.
    unsafe { out.write(value) };
    SUCCESS
}

fn alive() -> c_int {
    if faults::lost(0) { DEVICE_LOST } else { SUCCESS }
}

/// Copies of two dimensions, as the C header lays them out.
#[repr(C)]
pub struct Memcpy2D {
    src_x: usize,
    src_y: usize,
    src_type: c_uint,
    src_host: usize,
    src_device: usize,
    src_array: usize,
    src_pitch: usize,
    dst_x: usize,
    dst_y: usize,
    dst_type: c_uint,
    dst_host: usize,
    dst_device: usize,
    dst_array: usize,
    dst_pitch: usize,
    width: usize,
    height: usize,
}
const _: () = assert!(size_of::<Memcpy2D>() == 128);

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(_flags: c_uint) -> c_int {
    faults::hang("hang-init", 0);
    faults::code("cuda-init", 0).unwrap_or(SUCCESS)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> c_int {
    // SAFETY: as `put` says.
    unsafe { put(version, DRIVER_VERSION) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(error: c_int, text: *mut *const c_char) -> c_int {
    let name = match error {
        SUCCESS => c"CUDA_SUCCESS",
        INVALID_VALUE => c"CUDA_ERROR_INVALID_VALUE",
        OUT_OF_MEMORY => c"CUDA_ERROR_OUT_OF_MEMORY",
        100 => c"CUDA_ERROR_NO_DEVICE",
        DEVICE_LOST => c"CUDA_ERROR_DEVICE_UNAVAILABLE",
        NOT_SUPPORTED => c"CUDA_ERROR_NOT_SUPPORTED",
        _ => c"CUDA_ERROR_UNKNOWN",
    };
    // SAFETY: as `put` says.
    unsafe { put(text, name.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(error: c_int, text: *mut *const c_char) -> c_int {
    // SAFETY: the same signature and contract.
    unsafe { cuGetErrorName(error, text) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> c_int {
    // SAFETY: as `put` says.
    unsafe { put(count, c_int::from(!faults::is_set("no-device"))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> c_int {
    if ordinal != 0 || faults::is_set("no-device") {
        return INVALID_DEVICE;
    }
    // SAFETY: as `put` says.
    unsafe { put(device, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, capacity: c_int, _device: c_int) -> c_int {
    let Ok(capacity @ 1..) = usize::try_from(capacity) else { return INVALID_VALUE };
    if name.is_null() {
        return INVALID_VALUE;
    }
    // SAFETY: the caller's buffer has `capacity` bytes.
    let buffer = unsafe { std::slice::from_raw_parts_mut(name.cast::<u8>(), capacity) };
    buffer.fill(0);
    let bytes = DEVICE_NAME.len().min(capacity - 1);
    buffer[..bytes].copy_from_slice(&DEVICE_NAME.as_bytes()[..bytes]);
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, _device: c_int) -> c_int {
    let known = match attribute {
        ATTRIBUTE_TEXTURE_ALIGNMENT => TEXTURE_ALIGNMENT,
        ATTRIBUTE_MAJOR => COMPUTE_CAPABILITY.0,
        ATTRIBUTE_MINOR => COMPUTE_CAPABILITY.1,
        _ => 0,
    };
    // SAFETY: as `put` says.
    unsafe { put(value, known) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxCreate_v2(context: *mut *mut c_void, _flags: c_uint, _device: c_int) -> c_int {
    let lost = alive();
    if lost != SUCCESS {
        return lost;
    }
    let made = handle();
    CURRENT.with_borrow_mut(|stack| stack.push(made as usize));
    // SAFETY: as `put` says.
    unsafe { put(context, made) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxDestroy_v2(context: *mut c_void) -> c_int {
    CURRENT.with_borrow_mut(|stack| stack.retain(|pushed| *pushed != context as usize));
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxPushCurrent_v2(context: *mut c_void) -> c_int {
    let lost = alive();
    if lost == SUCCESS {
        CURRENT.with_borrow_mut(|stack| stack.push(context as usize));
    }
    lost
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxPopCurrent_v2(context: *mut *mut c_void) -> c_int {
    let Some(popped) = CURRENT.with_borrow_mut(Vec::pop) else { return INVALID_CONTEXT };
    if !context.is_null() {
        // SAFETY: the caller's pointer, which is not null.
        unsafe { context.write(std::ptr::without_provenance_mut(popped)) };
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut *mut c_void, _flags: c_uint) -> c_int {
    let lost = alive();
    if lost != SUCCESS {
        return lost;
    }
    // SAFETY: as `put` says.
    unsafe { put(stream, handle()) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy(_stream: *mut c_void) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(_stream: *mut c_void) -> c_int {
    alive()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(address: *mut usize, bytes: usize) -> c_int {
    let lost = alive();
    if lost != SUCCESS {
        return lost;
    }
    let Some(allocated) = memory::allocate(bytes) else { return OUT_OF_MEMORY };
    // SAFETY: as `put` says.
    unsafe { put(address, allocated) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocPitch_v2(
    address: *mut usize,
    pitch: *mut usize,
    width: usize,
    height: usize,
    _element: c_uint,
) -> c_int {
    let row = width.next_multiple_of(PITCH_ALIGNMENT);
    // SAFETY: as `put` says.
    if unsafe { put(pitch, row) } != SUCCESS {
        return INVALID_VALUE;
    }
    // SAFETY: the same contract.
    unsafe { cuMemAlloc_v2(address, row.saturating_mul(height)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocHost_v2(address: *mut usize, bytes: usize) -> c_int {
    // SAFETY: the same contract; host memory and device memory are one here.
    unsafe { cuMemAlloc_v2(address, bytes) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: usize) -> c_int {
    if memory::free(address) { SUCCESS } else { INVALID_VALUE }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(address: usize) -> c_int {
    cuMemFree_v2(address)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpy2D_v2(copy: *const Memcpy2D) -> c_int {
    let lost = alive();
    if lost != SUCCESS {
        return lost;
    }
    // SAFETY: the caller passes one structure, or null.
    let Some(copy) = (unsafe { copy.as_ref() }) else { return INVALID_VALUE };
    if copy.src_type == MEMORY_ARRAY || copy.dst_type == MEMORY_ARRAY {
        return NOT_SUPPORTED;
    }
    let from = if copy.src_type == MEMORY_HOST { copy.src_host } else { copy.src_device };
    let to = if copy.dst_type == MEMORY_HOST { copy.dst_host } else { copy.dst_device };
    for row in 0..copy.height {
        let source = from + (copy.src_y + row) * copy.src_pitch + copy.src_x;
        let target = to + (copy.dst_y + row) * copy.dst_pitch + copy.dst_x;
        if copy.dst_type != MEMORY_HOST && memory::with(target, copy.width, |_| ()).is_none() {
            return INVALID_VALUE;
        }
        // SAFETY: a device address was just checked to be ours for the whole row, and the host address is the caller's
        // for as many rows as it says. The two ranges belong to different owners and do not overlap.
        unsafe {
            std::ptr::copy_nonoverlapping(
                std::ptr::with_exposed_provenance::<u8>(source),
                std::ptr::with_exposed_provenance_mut::<u8>(target),
                copy.width,
            );
        }
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpy2DAsync_v2(copy: *const Memcpy2D, _stream: *mut c_void) -> c_int {
    // SAFETY: the same contract; a copy that is done at once is a valid asynchronous copy.
    unsafe { cuMemcpy2D_v2(copy) }
}

/// Symbols that have to exist and that no encoder of system memory calls.
macro_rules! not_supported {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            pub extern "C" fn $name() -> c_int {
                NOT_SUPPORTED
            }
        )*
    };
}

not_supported! {
    cuCtxEnablePeerAccess cuCtxDisablePeerAccess cuDeviceCanAccessPeer
    cuGraphicsMapResources cuGraphicsUnmapResources cuGraphicsResourceSetMapFlags_v2
    cuGraphicsSubResourceGetMappedArray cuGraphicsResourceGetMappedPointer_v2 cuGraphicsUnregisterResource
    cuGraphicsGLRegisterImage cuGraphicsGLRegisterBuffer cuGLGetDevices_v2
    cuModuleLoadData cuModuleUnload cuModuleGetFunction
    cuTexObjectCreate cuTexObjectDestroy cuLaunchKernel
}
