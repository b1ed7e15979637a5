//! Shell: NVIDIA devices through NVML, loaded at run time. It asks only when somebody looks, at most once a second; a
//! machine without the library is an ordinary one.

use nvml_wrapper::{Nvml, error::NvmlError};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use vdi_protocol::status::{GpuDevice, GpuStatus};

/// Age up to which a sample is given again.
const FRESH: Duration = Duration::from_secs(1);

/// The devices as last seen.
#[derive(Default)]
pub struct Gpu(Mutex<State>);

#[derive(Default)]
struct State {
    library: Option<Result<Nvml, String>>,
    sample: Option<(Instant, GpuStatus)>,
}

impl Gpu {
    /// The devices now. Blocks for some milliseconds.
    pub fn status(&self) -> GpuStatus {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, status)) = &state.sample
            && at.elapsed() < FRESH
        {
            return status.clone();
        }
        let library = state.library.get_or_insert_with(|| Nvml::init().map_err(|err| in_words(&err)));
        let status = match library {
            Ok(nvml) => devices(nvml).unwrap_or_else(|err| absent(in_words(&err))),
            Err(words) => absent(words.clone()),
        };
        state.sample = Some((Instant::now(), status.clone()));
        status
    }
}

fn absent(message: String) -> GpuStatus {
    GpuStatus { devices: Vec::new(), message: Some(message) }
}

fn in_words(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            "no NVIDIA driver: libnvidia-ml.so is not on this machine".into()
        }
        error => format!("NVML: {error}"),
    }
}

fn devices(nvml: &Nvml) -> Result<GpuStatus, NvmlError> {
    let mut status = GpuStatus::default();
    for index in 0..nvml.device_count()? {
        let device = nvml.device_by_index(index)?;
        // Drivers from before 2022 do not tell it by this call, and encode all the same.
        let memory = device.memory_info().ok();
        status.devices.push(GpuDevice {
            name: device.name()?,
            // Devices cut into instances (MIG) do not tell their load.
            utilization: device.utilization_rates().map_or(0.0, |load| f64::from(load.gpu) / 100.0),
            encoder_utilization: device
                .encoder_utilization()
                .ok()
                .map(|load| f64::from(load.utilization) / 100.0),
            memory_total_bytes: memory.as_ref().map_or(0, |memory| memory.total),
            memory_used_bytes: memory.as_ref().map_or(0, |memory| memory.used),
        });
    }
    if status.devices.is_empty() {
        status.message = Some("the NVIDIA driver knows no device".into());
    }
    Ok(status)
}
