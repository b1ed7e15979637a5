//! Shell: finds the facts about NVIDIA's driver: device nodes, libraries, CUDA's device count, NVML. Everything that it
//! calls, GStreamer's plugin calls as well when it is loaded. Refuses to wait for a driver that hangs.

use libloading::os::unix::{Library as Handle, RTLD_LAZY, RTLD_LOCAL, Symbol};
use nvml_wrapper::{Nvml, enum_wrappers::device::EncoderType, error::NvmlError};
use std::{
    ffi::c_int,
    fs,
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::{
    CAT,
    nvidia::{Cuda, Device, Facts, Library, Management},
    proof_file::since_boot,
};

/// Facts are looked at again after that: a driver may be installed, a session may end.
const FRESH: Duration = Duration::from_secs(60);

/// A driver's first call loads its kernel side, which takes a second on some servers.
const LIMIT: Duration = Duration::from_secs(3);

/// The facts, at most a minute old, and none while the driver does not answer.
pub fn facts() -> Option<Facts> {
    static KNOWN: Mutex<Option<(Duration, Option<Facts>)>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((found_at, facts)) = &*known
        && since_boot().saturating_sub(*found_at) < FRESH
    {
        return facts.clone();
    }
    let (sender, receiver) = mpsc::channel();
    let looking = thread::Builder::new().name("nvidia-facts".into()).spawn(move || {
        // Whoever asked may have given up.
        let _ = sender.send(look());
    });
    let facts = looking.ok().and_then(|_| receiver.recv_timeout(LIMIT).ok());
    gst::debug!(CAT, "NVIDIA: {facts:?}");
    *known = Some((since_boot(), facts.clone()));
    facts
}

fn look() -> Facts {
    let (cuda_library, cuda) = load("libcuda.so.1");
    let (encode_library, encode) = load("libnvidia-encode.so.1");
    Facts {
        plugin: gst::Registry::get().find_plugin("nvcodec").is_some(),
        cuda_elements: is_made("cudaupload"),
        nodes: nodes(Path::new("/dev")),
        cuda: cuda.as_ref().map_or(Cuda::Unknown, count_devices),
        encode_version: encode.as_ref().and_then(encode_version),
        cuda_library,
        encode_library,
        management: management(),
    }
}

/// Whether a factory is there and makes something: a registry may be older than the driver's state.
fn is_made(factory: &str) -> bool {
    gst::ElementFactory::find(factory).is_some_and(|factory| factory.create().build().is_ok())
}

/// Devices, without the control nodes beside them.
fn nodes(folder: &Path) -> u32 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_device = |name: &str| {
        name.strip_prefix("nvidia")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let count = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_device)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[expect(
    unsafe_code,
    reason = "a driver's library is C; loading it is the one way to know whether it can be"
)]
fn load(name: &str) -> (Library, Option<Handle>) {
    // SAFETY: loading runs the library's initialisers, which are the driver's own; GStreamer's plugin loads the same.
    match unsafe { Handle::open(Some(name), RTLD_LAZY | RTLD_LOCAL) } {
        Ok(handle) => (Library::Present, Some(handle)),
        Err(error) => (absent_or_broken(name, &error.to_string()), None),
    }
}

/// The linker names the library itself where it found none, and a file where it found one and refused it. A file that is
/// too short is what a container image keeps of a library that was once mounted there.
fn absent_or_broken(name: &str, error: &str) -> Library {
    let is_absent = error.contains(&format!("{name}: cannot open shared object file: No such file"));
    if is_absent || error.contains("file too short") {
        Library::Absent
    } else {
        Library::Broken(error.to_owned())
    }
}

#[expect(unsafe_code, reason = "the CUDA driver API is C")]
fn count_devices(cuda: &Handle) -> Cuda {
    // SAFETY: the signatures are those of the CUDA driver API; the handle outlives the symbols.
    unsafe {
        let init: Result<Symbol<unsafe extern "C" fn(u32) -> u32>, _> = cuda.get(b"cuInit\0");
        let count: Result<Symbol<unsafe extern "C" fn(*mut c_int) -> u32>, _> =
            cuda.get(b"cuDeviceGetCount\0");
        let (Ok(init), Ok(count)) = (init, count) else { return Cuda::Unknown };
        let mut devices: c_int = 0;
        match init(0) {
            0 => match count(&raw mut devices) {
                0 => Cuda::Devices(devices.unsigned_abs()),
                error => Cuda::Error(error),
            },
            error => Cuda::Error(error),
        }
    }
}

#[expect(unsafe_code, reason = "NVENC's interface is C")]
fn encode_version(encode: &Handle) -> Option<(u32, u32)> {
    // SAFETY: the signature is that of nvEncodeAPI.h; the function only writes a number.
    let version = unsafe {
        let max_version: Symbol<unsafe extern "C" fn(*mut u32) -> u32> =
            encode.get(b"NvEncodeAPIGetMaxSupportedVersion\0").ok()?;
        let mut version = 0u32;
        (max_version(&raw mut version) == 0).then_some(version)?
    };
    Some((version >> 4, version & 0xf))
}

fn management() -> Management {
    let of_error = |error: NvmlError| match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => Management::Absent,
        NvmlError::DriverNotLoaded => Management::DriverNotLoaded,
        NvmlError::LibRmVersionMismatch => Management::VersionMismatch,
        error => Management::Error(error.to_string()),
    };
    let nvml = match Nvml::init() {
        Ok(nvml) => nvml,
        Err(error) => return of_error(error),
    };
    let version = nvml.sys_driver_version().unwrap_or_default();
    match nvml.device_count() {
        Ok(count) => {
            Management::Devices(version, (0..count).filter_map(|index| device(&nvml, index)).collect())
        }
        Err(error) => of_error(error),
    }
}

/// A device that cannot be asked is left out: others may still encode.
fn device(nvml: &Nvml, index: u32) -> Option<Device> {
    let device = nvml.device_by_index(index).ok()?;
    let has_encoder = match device.encoder_capacity(EncoderType::H264) {
        Ok(_) => Some(true),
        Err(NvmlError::NotSupported) => Some(false),
        Err(_) => None,
    };
    Some(Device {
        name: device.name().unwrap_or_else(|_| format!("device {index}")),
        has_encoder,
        sessions: device.encoder_stats().ok().map(|stats| stats.session_count),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_nodes_are_counted_without_their_control_nodes() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidia12", "nvidiactl", "nvidia-uvm", "nvidia", "null"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(nodes(folder.path()), 2);
        assert_eq!(nodes(&folder.path().join("nowhere")), 0);
    }

    #[test]
    fn a_library_that_is_not_there_is_told_from_one_that_does_not_load() {
        assert_eq!(load("libvdi-is-not-there.so.1").0, Library::Absent);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libbroken.so.1");
        fs::write(&path, "").unwrap();
        assert_eq!(load(path.to_str().unwrap()).0, Library::Absent, "what a mount leaves in an image");
        fs::write(&path, "no ELF".repeat(100)).unwrap();
        assert!(matches!(load(path.to_str().unwrap()).0, Library::Broken(_)));
        assert_eq!(load("libc.so.6").0, Library::Present);
    }

    #[test]
    fn looking_at_this_machine_comes_to_an_end() {
        gst::init().unwrap();
        let facts = look();
        assert_eq!(facts.cuda == Cuda::Unknown, facts.cuda_library != Library::Present);
    }
}
