//! Decision: the pod of a desktop: one container with display, desktop and launcher, so that one GPU slice serves all of
//! them, as locked down as Pod Security's `restricted` asks.
//!
//! Nothing of the host is mounted: `/dev/dri` and the driver come with the GPU, from its device plugin or DRA driver. A
//! `hostPath` would not help, since the container may open no device that was not given to it.

use super::{claim, environment, metadata, route, volumes};
use crate::{
    api::{GpuMode, PullPolicy, Quantity, Toleration, VDISessionStatus, VDITemplateSpec},
    desktop::Desktop,
    names,
};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, HTTPGetAction, LocalObjectReference, Pod, PodResourceClaim,
        PodSecurityContext, PodSpec, Probe, ResourceRequirements, SeccompProfile, SecurityContext,
        Toleration as PodToleration,
    },
    apimachinery::pkg::{
        api::resource::Quantity as Amount, apis::meta::v1::ObjectMeta, util::intstr::IntOrString,
    },
};
use std::collections::BTreeMap;
use vdi_protocol::environment as protocol;

/// User and group of the image.
const USER: i64 = 1000;
/// Time for the launcher to tell the pages and end the desktop; it takes less than five.
const GRACE_SECONDS: i64 = 30;

/// What a pod's spec is made from, for a session or for one that will claim it.
pub(super) struct Parts<'a> {
    pub(super) spec: &'a VDITemplateSpec,
    pub(super) gpu: i32,
    pub(super) memory: &'a Quantity,
    pub(super) cpu: &'a Quantity,
    /// Name of the pod, of its Secret and of its claim.
    pub(super) name: &'a str,
    /// Name of the home's claim.
    pub(super) home: &'a str,
}

/// The pod of a session.
pub(super) fn pod(desktop: &Desktop, name: &str, status: &VDISessionStatus) -> Pod {
    let mut meta = metadata::owned(desktop, name);
    annotate(&mut meta, desktop.template_generation, metadata::of_pod(desktop, status));
    let home = names::home(&desktop.user, &desktop.template);
    let Desktop { spec, gpu, memory, cpu, .. } = desktop;
    let parts = Parts { spec, gpu: *gpu, memory, cpu, name, home: &home };
    Pod { metadata: meta, spec: Some(pod_spec(&parts)), status: None }
}

/// Adds the annotations that only pods have.
pub(super) fn annotate(metadata: &mut ObjectMeta, template_generation: i64, more: metadata::Texts) {
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.extend(volumes::keep_on_node());
    annotations.insert(names::ANNOTATION_TEMPLATE_GENERATION.to_owned(), template_generation.to_string());
    annotations.extend(more);
}

pub(super) fn pod_spec(parts: &Parts<'_>) -> PodSpec {
    let spec = parts.spec;
    let (volumes, mounts) = volumes::volumes(spec, parts.home, parts.name);
    let some = |list: Vec<i64>| (!list.is_empty()).then_some(list);
    PodSpec {
        containers: vec![Container { volume_mounts: Some(mounts), ..container(parts) }],
        volumes: Some(volumes),
        // The operator decides what happens next, with the reason in front of it.
        restart_policy: Some("Never".to_owned()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            // A home with a million files is not walked through at each start.
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            supplemental_groups: some(if parts.gpu > 0 { spec.gpu.groups.clone() } else { vec![] }),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        image_pull_secrets: (!spec.image_pull_secrets.is_empty()).then(|| {
            spec.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect()
        }),
        node_selector: (!spec.node_selector.is_empty()).then(|| spec.node_selector.clone()),
        tolerations: (!spec.tolerations.is_empty())
            .then(|| spec.tolerations.iter().map(toleration).collect()),
        runtime_class_name: spec.runtime_class_name.clone(),
        priority_class_name: spec.priority_class_name.clone(),
        resource_claims: is_claimed(parts).then(|| {
            vec![PodResourceClaim {
                name: claim::REQUEST.to_owned(),
                resource_claim_name: Some(parts.name.to_owned()),
                resource_claim_template_name: None,
            }]
        }),
        ..PodSpec::default()
    }
}

fn container(parts: &Parts<'_>) -> Container {
    let spec = parts.spec;
    let command = std::iter::once("--").chain(spec.command.iter().map(String::as_str));
    Container {
        name: names::DESKTOP.to_owned(),
        image: Some(spec.image.clone()),
        image_pull_policy: Some(pull_policy(spec.image_pull_policy).to_owned()),
        // The image's entry point prepares folders and sound, and takes the launcher's arguments.
        args: (!spec.command.is_empty()).then(|| command.map(str::to_owned).collect()),
        env: Some(environment::environment(spec, parts.gpu, parts.name)),
        ports: Some(vec![ContainerPort {
            name: Some(route::PORT.to_owned()),
            container_port: protocol::DEFAULT_PORT.into(),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(resources(parts)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            ..SecurityContext::default()
        }),
        // Two minutes: a GPU's first encoder may take half of one.
        startup_probe: Some(probe(protocol::HEALTHZ, 2, 60)),
        liveness_probe: Some(probe(protocol::HEALTHZ, 10, 3)),
        readiness_probe: Some(probe(protocol::READYZ, 5, 3)),
        termination_message_path: Some(protocol::TERMINATION_LOG.to_owned()),
        termination_message_policy: Some("File".to_owned()),
        ..Container::default()
    }
}

fn probe(path: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(route::PORT.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn resources(parts: &Parts<'_>) -> ResourceRequirements {
    let amount = |text: &Quantity| Amount(text.to_string());
    let mut limits =
        BTreeMap::from([("cpu".to_owned(), amount(parts.cpu)), ("memory".to_owned(), amount(parts.memory))]);
    let mut requests = limits.clone();
    // One is promised; what else the node has to spare may be used up to the limit.
    if parts.cpu.value().is_some_and(|cpu| cpu > 1.0) {
        requests.insert("cpu".to_owned(), Amount("1".to_owned()));
    }
    if let Some(name) = extended_resource(parts) {
        // Kubernetes asks that both be the same.
        limits.insert(name.clone(), Amount(parts.gpu.to_string()));
        requests.insert(name, Amount(parts.gpu.to_string()));
    }
    let claims = is_claimed(parts).then(|| {
        vec![k8s_openapi::api::core::v1::ResourceClaim { name: claim::REQUEST.to_owned(), request: None }]
    });
    ResourceRequirements { limits: Some(limits), requests: Some(requests), claims }
}

/// What the device plugin calls its GPUs or slices.
fn extended_resource(parts: &Parts<'_>) -> Option<String> {
    let gpu = &parts.spec.gpu;
    let usual = match gpu.mode {
        GpuMode::None | GpuMode::Dra => return None,
        GpuMode::Exclusive | GpuMode::Shared => "nvidia.com/gpu".to_owned(),
        GpuMode::Mig => format!("nvidia.com/mig-{}", gpu.mig_profile.as_deref().unwrap_or_default()),
    };
    (parts.gpu > 0).then(|| gpu.resource_name.clone().unwrap_or(usual))
}

fn is_claimed(parts: &Parts<'_>) -> bool {
    parts.spec.gpu.mode == GpuMode::Dra && parts.gpu > 0
}

fn pull_policy(policy: PullPolicy) -> &'static str {
    match policy {
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Always => "Always",
        PullPolicy::Never => "Never",
    }
}

fn toleration(toleration: &Toleration) -> PodToleration {
    PodToleration {
        key: toleration.key.clone(),
        operator: toleration.operator.map(|operator| format!("{operator:?}")),
        value: toleration.value.clone(),
        effect: toleration.effect.map(|effect| format!("{effect:?}")),
        toleration_seconds: None,
    }
}
