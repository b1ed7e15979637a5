//! Shell: NVIDIA devices through NVML, loaded at run time, once for the process. It asks only when somebody looks, at most once
//! a second; a machine without the library is an ordinary one.

use nvml_wrapper::{Nvml, error::NvmlError};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};
use vdi_protocol::status::{GpuDevice, GpuStatus};

/// Age up to which a sample is given again.
const FRESH: Duration = Duration::from_secs(1);
/// Time for the driver where a session's status is asked for: who asks gives up soon after.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Held while the driver is asked: one that hangs is waited for by one thread, however many ask.
static STATE: LazyLock<Arc<Mutex<State>>> = LazyLock::new(Arc::default);

#[derive(Default)]
struct State {
    library: Option<Result<Nvml, String>>,
    sample: Option<(Instant, GpuStatus)>,
}

/// The devices now. The driver takes seconds where it has to be started first.
pub async fn status(patience: Duration) -> GpuStatus {
    let look = async {
        let mut state = STATE.clone().lock_owned().await;
        tokio::task::spawn_blocking(move || state.look()).await.unwrap_or_default()
    };
    let silent = |_| absent(format!("the NVIDIA driver does not answer within {} s", patience.as_secs()));
    tokio::time::timeout(patience, look).await.unwrap_or_else(silent)
}

impl State {
    /// Blocks for some milliseconds, or as long as the driver does.
    fn look(&mut self) -> GpuStatus {
        if let Some((at, status)) = &self.sample
            && at.elapsed() < FRESH
        {
            return status.clone();
        }
        let library = self.library.get_or_insert_with(|| Nvml::init().map_err(|err| in_words(&err)));
        let status = match library {
            Ok(nvml) => devices(nvml).unwrap_or_else(|err| absent(in_words(&err))),
            Err(words) => absent(words.clone()),
        };
        self.sample = Some((Instant::now(), status.clone()));
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
