//! Decision: the ResourceClaim of a desktop whose GPU comes by dynamic resource allocation.

use super::metadata;
use crate::{api::GpuMode, desktop::Desktop};
use k8s_openapi::api::resource::v1::{
    DeviceClaim, DeviceRequest, ExactDeviceRequest, ResourceClaim, ResourceClaimSpec,
};

/// DeviceClass of NVIDIA's driver.
const DEVICE_CLASS: &str = "gpu.nvidia.com";
/// Name of the claim within the pod, and of the one request within the claim.
pub(super) const REQUEST: &str = "gpu";

/// The claim, where the mode asks for one.
pub(super) fn claim(desktop: &Desktop, name: &str) -> Option<ResourceClaim> {
    let gpu = &desktop.spec.gpu;
    let request = DeviceRequest {
        name: REQUEST.to_owned(),
        exactly: Some(ExactDeviceRequest {
            device_class_name: gpu.device_class_name.clone().unwrap_or_else(|| DEVICE_CLASS.to_owned()),
            allocation_mode: Some("ExactCount".to_owned()),
            count: Some(desktop.gpu.into()),
            ..ExactDeviceRequest::default()
        }),
        ..DeviceRequest::default()
    };
    (gpu.mode == GpuMode::Dra && desktop.gpu > 0).then(|| ResourceClaim {
        metadata: metadata::owned(desktop, name),
        spec: ResourceClaimSpec {
            devices: Some(DeviceClaim { requests: Some(vec![request]), ..DeviceClaim::default() }),
        },
        status: None,
    })
}
