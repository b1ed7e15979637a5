//! Decision: why an NVENC encoder does not work, told from facts about driver, devices and libraries. Refuses to look
//! for them: that is for `nvidia_facts.rs`.

use super::select::{Reason, Rejection};

/// A shared library, as the dynamic linker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Library {
    /// It can be loaded.
    Present,
    /// There is no such file.
    Absent,
    /// There is one, and the linker refuses it.
    Broken(String),
}

/// What CUDA says of its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cuda {
    /// The library is not there to be asked.
    Unknown,
    /// So many devices.
    Devices(u32),
    /// This CUresult.
    Error(u32),
}

/// A device, as the management library describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// For people.
    pub name: String,
    /// Whether it has an encoder; none if it does not say.
    pub has_encoder: Option<bool>,
    /// Encoder sessions of all processes.
    pub sessions: Option<u32>,
}

/// What the management library says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Management {
    /// It is not there.
    Absent,
    /// The kernel's module is not loaded.
    DriverNotLoaded,
    /// Library and kernel module are of different versions.
    VersionMismatch,
    /// Something else went wrong.
    Error(String),
    /// The driver's version, and its devices.
    Devices(String, Vec<Device>),
}

/// Everything that can be found out without an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// GStreamer's plugin `nvcodec` is installed.
    pub plugin: bool,
    /// It has made its CUDA elements, which need no encoder.
    pub cuda_elements: bool,
    /// `/dev/nvidia0` and so on.
    pub nodes: u32,
    /// `libcuda.so.1`.
    pub cuda_library: Library,
    /// `libnvidia-encode.so.1`.
    pub encode_library: Library,
    /// The newest interface that the encode library speaks, as major and minor.
    pub encode_version: Option<(u32, u32)>,
    /// Devices as CUDA counts them.
    pub cuda: Cuda,
    /// NVML.
    pub management: Management,
}

/// The oldest interface that GStreamer's plugin speaks.
const OLDEST_VERSION: (u32, u32) = (8, 1);

const CUDA_ERROR_NO_DEVICE: u32 = 100;
const CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: u32 = 803;

/// What to do about libraries that a container lacks.
const CAPABILITIES: &str = "the container needs NVIDIA_DRIVER_CAPABILITIES with compute,video,utility";

/// The reason behind the facts, if they hold one.
pub fn diagnose(facts: &Facts) -> Option<(Reason, String)> {
    let devices = match &facts.management {
        Management::Devices(_, devices) => devices.as_slice(),
        _ => &[],
    };
    missing_device(facts, devices)
        .or_else(|| missing_library(facts))
        .or_else(|| mismatch(facts))
        .or_else(|| missing_encoder(facts, devices))
}

fn missing_device(facts: &Facts, devices: &[Device]) -> Option<(Reason, String)> {
    let no_device = |text: &str| Some((Reason::NoDevice, text.to_owned()));
    match (facts.cuda, &facts.management) {
        (_, Management::DriverNotLoaded) => no_device("the NVIDIA kernel module is not loaded"),
        (Cuda::Devices(0) | Cuda::Error(CUDA_ERROR_NO_DEVICE), _) => no_device("CUDA knows no device"),
        (Cuda::Unknown, Management::Devices(..)) if devices.is_empty() => {
            no_device("the NVIDIA driver knows no device")
        }
        (Cuda::Unknown, Management::Absent | Management::Error(_)) if facts.nodes == 0 => {
            no_device("there is neither an NVIDIA device nor its driver")
        }
        _ => None,
    }
}

fn missing_library(facts: &Facts) -> Option<(Reason, String)> {
    let libraries = [("libcuda.so.1", &facts.cuda_library), ("libnvidia-encode.so.1", &facts.encode_library)];
    libraries.into_iter().find_map(|(name, library)| match library {
        Library::Present => None,
        Library::Absent => {
            let text = format!("there is an NVIDIA device and no {name}: {CAPABILITIES}");
            Some((Reason::MissingCapability, text))
        }
        Library::Broken(error) => Some((Reason::DriverMismatch, format!("{name} cannot be loaded: {error}"))),
    })
}

fn mismatch(facts: &Facts) -> Option<(Reason, String)> {
    let mismatch = |text: String| Some((Reason::DriverMismatch, text));
    match (facts.cuda, &facts.management, facts.encode_version) {
        (Cuda::Error(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH), ..) | (_, Management::VersionMismatch, _) => {
            mismatch("the driver's libraries and its kernel module are of different versions".into())
        }
        (_, _, Some(version)) if version < OLDEST_VERSION => {
            let ((major, minor), (oldest, point)) = (version, OLDEST_VERSION);
            mismatch(format!("the driver's NVENC is {major}.{minor}, GStreamer needs {oldest}.{point}"))
        }
        (Cuda::Error(code), ..) => Some((Reason::InitError, format!("CUDA does not start: error {code}"))),
        _ => None,
    }
}

fn missing_encoder(facts: &Facts, devices: &[Device]) -> Option<(Reason, String)> {
    let names = || devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(", ");
    if !devices.is_empty() && devices.iter().all(|device| device.has_encoder == Some(false)) {
        return Some((Reason::NoEncoderEngine, format!("no NVENC on {}", names())));
    }
    if !facts.plugin || !facts.cuda_elements {
        return None;
    }
    // The plugin came as far as CUDA when it was loaded, and the driver gave it no encoder session.
    let sessions: u32 = devices.iter().filter_map(|device| device.sessions).sum();
    if devices.iter().any(|device| device.has_encoder == Some(true)) {
        let text = format!("NVENC took no session when the plugin was loaded; {sessions} were open just now");
        Some((Reason::SessionLimit, text))
    } else {
        Some((Reason::NoEncoderEngine, "CUDA works and NVENC offers nothing".into()))
    }
}

/// What an NVENC row's rejection comes from, if the facts know better than the element.
pub fn explain(rejection: Rejection, facts: &Facts) -> Rejection {
    let diagnosis = match rejection.reason {
        // The driver is what decides whether there are factories and elements.
        Reason::NoFactory | Reason::NoElement => diagnose(facts).or_else(|| absent_factory(facts)),
        // It did not start; a driver in good order leaves it at its own words.
        Reason::InitError | Reason::SessionLimit | Reason::EncodeError | Reason::CapsNotNegotiated => {
            let is_better = |(reason, _): &(Reason, String)| *reason != Reason::SessionLimit;
            diagnose(facts).filter(is_better)
        }
        _ => None,
    };
    match diagnosis {
        Some((reason, text)) => {
            // That it is not installed follows from the rest.
            let is_absent = rejection.reason == Reason::NoFactory;
            let message = if is_absent { text } else { format!("{text} ({})", rejection.message) };
            Rejection { reason, message, ..rejection }
        }
        None => rejection,
    }
}

/// Driver and devices are in order, and still there is nothing.
fn absent_factory(facts: &Facts) -> Option<(Reason, String)> {
    if !facts.plugin {
        return Some((Reason::NoFactory, "GStreamer's plugin nvcodec is not installed".into()));
    }
    // It loads whatever else is wrong, once the encode library has accepted one of the versions it speaks.
    matches!(facts.cuda, Cuda::Devices(_)).then(|| {
        let text = "GStreamer's plugin nvcodec and the driver's NVENC do not agree on a version, or the plugin \
                    registry is older than the driver";
        (Reason::DriverMismatch, text.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine in good order.
    fn good() -> Facts {
        let device = Device { name: "NVIDIA L4".into(), has_encoder: Some(true), sessions: Some(0) };
        Facts {
            plugin: true,
            cuda_elements: true,
            nodes: 1,
            cuda_library: Library::Present,
            encode_library: Library::Present,
            encode_version: Some((12, 2)),
            cuda: Cuda::Devices(1),
            management: Management::Devices("550.54".into(), vec![device]),
        }
    }

    /// A machine without anything of NVIDIA's.
    fn bare() -> Facts {
        Facts {
            plugin: true,
            cuda_elements: false,
            nodes: 0,
            cuda_library: Library::Absent,
            encode_library: Library::Absent,
            encode_version: None,
            cuda: Cuda::Unknown,
            management: Management::Absent,
        }
    }

    fn of(reason: Reason, facts: &Facts) -> (Reason, String) {
        let rejection = explain(Rejection::new(reason, "nvh264enc is not installed"), facts);
        (rejection.reason, rejection.message)
    }

    fn without_factory(facts: &Facts) -> (Reason, String) {
        of(Reason::NoFactory, facts)
    }

    #[test]
    fn a_machine_without_anything_has_no_device() {
        let expected = "there is neither an NVIDIA device nor its driver";
        assert_eq!(without_factory(&bare()), (Reason::NoDevice, expected.into()));
        let unloaded = Facts { management: Management::DriverNotLoaded, ..bare() };
        assert_eq!(without_factory(&unloaded).0, Reason::NoDevice);
        for cuda in [Cuda::Devices(0), Cuda::Error(CUDA_ERROR_NO_DEVICE)] {
            assert_eq!(without_factory(&Facts { cuda, ..good() }).0, Reason::NoDevice, "{cuda:?}");
        }
        let empty = Management::Devices("550.54".into(), vec![]);
        assert_eq!(
            without_factory(&Facts { management: empty, cuda: Cuda::Unknown, ..good() }).0,
            Reason::NoDevice
        );
    }

    #[test]
    fn a_container_without_the_drivers_libraries_lacks_a_capability() {
        let utility_only = Facts {
            cuda_library: Library::Absent,
            encode_library: Library::Absent,
            cuda: Cuda::Unknown,
            ..good()
        };
        let (reason, text) = without_factory(&utility_only);
        assert_eq!(reason, Reason::MissingCapability);
        assert!(
            text.starts_with("there is an NVIDIA device and no libcuda.so.1: the container needs"),
            "{text}"
        );
        let (reason, text) = without_factory(&Facts { encode_library: Library::Absent, ..good() });
        assert_eq!(reason, Reason::MissingCapability);
        assert!(text.contains("libnvidia-encode.so.1"), "{text}");
        // Device nodes alone, where not even the management library was mounted.
        assert_eq!(without_factory(&Facts { nodes: 1, ..bare() }).0, Reason::MissingCapability);
    }

    #[test]
    fn gpus_without_nvenc_are_named() {
        let gpu = |name: &str| Device { name: name.into(), has_encoder: Some(false), sessions: None };
        let gpus = vec![gpu("NVIDIA H100"), gpu("NVIDIA A100")];
        let facts = Facts { management: Management::Devices("550.54".into(), gpus), ..good() };
        let expected = "no NVENC on NVIDIA H100, NVIDIA A100";
        assert_eq!(without_factory(&facts), (Reason::NoEncoderEngine, expected.into()));
        assert_eq!(of(Reason::InitError, &facts).0, Reason::NoEncoderEngine);
        // Without a management library: CUDA's elements are there and NVENC's are not.
        let unmanaged = Facts { management: Management::Absent, nodes: 0, ..good() };
        assert_eq!(without_factory(&unmanaged).0, Reason::NoEncoderEngine);
    }

    #[test]
    fn an_encoder_that_was_refused_when_the_plugin_was_loaded_is_a_session_limit() {
        let busy = Device { name: "NVIDIA L4".into(), has_encoder: Some(true), sessions: Some(8) };
        let facts = Facts { management: Management::Devices("550.54".into(), vec![busy]), ..good() };
        let (reason, text) = without_factory(&facts);
        assert_eq!(reason, Reason::SessionLimit);
        assert!(text.contains("8 were open"), "{text}");
    }

    #[test]
    fn versions_that_do_not_fit_are_a_mismatch() {
        let mismatch =
            |facts: Facts| assert_eq!(without_factory(&facts).0, Reason::DriverMismatch, "{facts:?}");
        mismatch(Facts { encode_version: Some((8, 0)), ..good() });
        mismatch(Facts { management: Management::VersionMismatch, ..good() });
        mismatch(Facts { cuda: Cuda::Error(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH), ..good() });
        mismatch(Facts { encode_library: Library::Broken("wrong ELF class".into()), ..good() });
        // The plugin has made nothing at all although CUDA has a device.
        mismatch(Facts { cuda_elements: false, ..good() });
        assert_eq!(without_factory(&Facts { cuda: Cuda::Error(999), ..good() }).0, Reason::InitError);
    }

    #[test]
    fn without_the_plugin_the_driver_is_not_to_blame() {
        assert_eq!(
            without_factory(&Facts { plugin: false, cuda_elements: false, ..good() }).0,
            Reason::NoFactory
        );
    }

    #[test]
    fn a_machine_in_good_order_leaves_a_rejection_as_it_is() {
        for reason in [Reason::InitError, Reason::SessionLimit, Reason::EncodeError, Reason::TimeOut] {
            assert_eq!(of(reason, &good()), (reason, "nvh264enc is not installed".into()));
        }
        assert_eq!(of(Reason::BadOutput, &bare()).0, Reason::BadOutput);
    }
}
