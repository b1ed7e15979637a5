//! Decision: what a pod's own status says of it, in words of sessions. It looks at one pod and remembers nothing.

use super::failure::{self, Failure};
use crate::{
    api::{GpuMode, Quantity},
    desktop::Desktop,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};

/// Name of the container in which desktop and launcher run.
pub const CONTAINER: &str = "desktop";

/// Longest detail that is repeated from elsewhere; conditions may have 32768 bytes, people read less.
const MAX_DETAIL_CHARS: usize = 1000;

/// Reason where the node's controller has taken the pod's readiness away.
const UNREACHABLE: &str = "NodeUnreachable";

/// Where a pod stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has no node.
    Unscheduled(Word),
    /// It has one, and its container has not started.
    Waiting(Word),
    /// Its container runs and is not ready.
    Unready(Word),
    /// It can be used.
    Ready,
    /// It is being deleted: why, if it is not our doing.
    Leaving(Failure),
    /// It ended, and not as its user wanted.
    Failed(Failure),
    /// Its desktop was left: what the launcher said.
    LoggedOut(String),
}

/// A reason in CamelCase, or one of the launcher's, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The reason.
    pub reason: String,
    /// The sentence.
    pub message: String,
}

impl Word {
    /// A word with its sentence.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }
}

/// Where this pod stands.
pub fn look(pod: &Pod) -> Standing {
    let empty = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&empty);
    if pod.metadata.deletion_timestamp.is_some() {
        return Standing::Leaving(failure::of_leaving(status));
    }
    if let Some(standing) = failure::of_ended(pod, status) {
        return standing;
    }
    let scheduled = condition(status, "PodScheduled");
    let node = node(pod);
    if node.is_none() && scheduled.is_none_or(|it| it.status != "True") {
        return Standing::Unscheduled(unscheduled(scheduled));
    }
    match container(status) {
        Some(it) if it.state.as_ref().is_some_and(|state| state.running.is_some()) => {
            running(pod, status, it)
        }
        Some(it) => Standing::Waiting(waiting(pod, it)),
        None => Standing::Waiting(starting(pod)),
    }
}

fn running(pod: &Pod, status: &PodStatus, container: &ContainerStatus) -> Standing {
    let node = node(pod).unwrap_or("?");
    if status.phase.as_deref() == Some("Unknown") || status.reason.as_deref() == Some("NodeLost") {
        return Standing::Unready(unreachable(node));
    }
    let ready = condition(status, "Ready");
    if ready.is_some_and(|it| it.status == "True") {
        return Standing::Ready;
    }
    // The kubelet says both or neither; the node's controller takes only the pod's word away.
    if container.ready && ready.is_some_and(|it| it.status == "False") {
        return Standing::Unready(unreachable(node));
    }
    Standing::Unready(Word::new(
        "NotReady",
        format!("The desktop runs on node {node}, and its launcher does not say that it can be used."),
    ))
}

fn unreachable(node: &str) -> Word {
    Word::new(
        UNREACHABLE,
        format!(
            "Node {node} is not answering. If it stays away, the desktop is started on another one; `kubectl describe node {node}` says more."
        ),
    )
}

fn unscheduled(condition: Option<&PodCondition>) -> Word {
    let detail = condition.and_then(|it| it.message.as_deref()).map(short).unwrap_or_default();
    match condition.and_then(|it| it.reason.as_deref()) {
        Some("Unschedulable") => Word::new(
            "Unschedulable",
            format!("No node can take the desktop now; it starts when one can. The scheduler says: {detail}"),
        ),
        Some("SchedulingGated") => Word::new(
            "SchedulingGated",
            "The pod has scheduling gates; it starts when whoever set them takes them away.",
        ),
        Some(reason) => Word::new(reason, format!("The scheduler could not place the pod: {detail}")),
        None => Word::new("Scheduling", "The pod waits for the scheduler."),
    }
}

fn starting(pod: &Pod) -> Word {
    Word::new("Starting", format!("The container is being started on node {}.", node(pod).unwrap_or("?")))
}

fn waiting(pod: &Pod, container: &ContainerStatus) -> Word {
    let Some(waiting) = container.state.as_ref().and_then(|state| state.waiting.as_ref()) else {
        return starting(pod);
    };
    let detail = waiting.message.as_deref().map(detail).unwrap_or_default();
    let image = &container.image;
    let of_image = |what: &str| {
        let sentence = format!("The template's image {image} {what}.");
        if detail.is_empty() { sentence } else { format!("{sentence} The node says: {detail}") }
    };
    match waiting.reason.as_deref().unwrap_or_default() {
        "" | "ContainerCreating" | "PodInitializing" => starting(pod),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" => {
            Word::new("ImagePullFailed", of_image("cannot be pulled; it is tried again and again"))
        }
        "ErrImageNeverPull" => Word::new(
            "ImagePullFailed",
            of_image("is not on the node, and imagePullPolicy Never says not to pull it"),
        ),
        "InvalidImageName" => Word::new("ImagePullFailed", of_image("has a name that is none")),
        "ImageInspectError" => Word::new("ImagePullFailed", of_image("cannot be read on the node")),
        "CreateContainerConfigError" => Word::new(
            "ContainerConfigError",
            format!("The node cannot put the container's configuration together, and tries again: {detail}"),
        ),
        reason => Word::new(
            "ContainerStartFailed",
            format!("The node cannot start the container, and tries again ({reason}): {detail}"),
        ),
    }
}

/// What a node says of a pull, without the words that come and go while it is tried again: its two states,
/// `ErrImagePull` and `ImagePullBackOff`, alternate, and a condition that followed them would be written for ever.
fn detail(message: &str) -> String {
    let message = match message.strip_prefix("Back-off pulling image") {
        Some(rest) => rest.split_once(": ").map_or("", |(_, rest)| rest),
        None => message,
    };
    short(message.strip_prefix("ErrImagePull: ").unwrap_or(message))
}

/// At most [`MAX_DETAIL_CHARS`] of it, on one line.
pub fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The pod's node.
pub fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

/// The condition of this type.
pub fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// The status of the desktop's container.
pub fn container(status: &PodStatus) -> Option<&ContainerStatus> {
    let all = status.container_statuses.as_deref()?;
    all.iter().find(|it| it.name == CONTAINER).or(all.first())
}

/// Since when the container runs.
pub fn running_since(pod: &Pod) -> Option<Timestamp> {
    let state = container(pod.status.as_ref()?)?.state.as_ref()?;
    Some(state.running.as_ref()?.started_at.as_ref()?.0)
}

/// Since when the pod is ready.
pub fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = condition(pod.status.as_ref()?, "Ready").filter(|it| it.status == "True")?;
    Some(ready.last_transition_time.as_ref()?.0)
}

/// Whether its container has ever run.
pub fn has_run(pod: &Pod) -> bool {
    let Some(status) = pod.status.as_ref() else { return false };
    matches!(status.phase.as_deref(), Some("Running" | "Succeeded" | "Failed"))
        || container(status)
            .and_then(|it| it.state.as_ref())
            .is_some_and(|it| it.running.is_some() || it.terminated.is_some())
}

/// Whether the pod was made with other resources than the desktop is to have.
pub fn has_other_resources(pod: &Pod, desktop: &Desktop) -> bool {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let all = containers.iter().find(|it| it.name == CONTAINER);
    let Some(limits) = all.and_then(|it| it.resources.as_ref()?.limits.as_ref()) else { return false };
    let amount = |name: &str| limits.get(name).and_then(|it| Quantity(it.0.clone()).value());
    let differs = |name, wanted: &Quantity| amount(name).is_some_and(|it| Some(it) != wanted.value());
    // Everything else that is limited is a GPU under one of its names.
    let gpus: f64 = limits.keys().filter(|name| name.contains('/')).filter_map(|name| amount(name)).sum();
    let by_plugin = !matches!(desktop.spec.gpu.mode, GpuMode::None | GpuMode::Dra);
    differs("memory", &desktop.memory)
        || differs("cpu", &desktop.cpu)
        || by_plugin && (gpus - f64::from(desktop.gpu)).abs() > 0.5
}

/// How long its container ran before it ended.
pub fn ran_for(pod: &Pod) -> Option<jiff::SignedDuration> {
    let state = container(pod.status.as_ref()?)?.state.as_ref()?;
    let ended = state.terminated.as_ref()?;
    Some(ended.finished_at.as_ref()?.0.duration_since(ended.started_at.as_ref()?.0))
}

/// Whether the pod's node seems to be lost, so that nobody there will confirm its end.
pub fn is_on_a_lost_node(pod: &Pod) -> bool {
    let Some(status) = pod.status.as_ref() else { return false };
    let tainted = condition(status, "DisruptionTarget")
        .is_some_and(|it| it.status == "True" && it.reason.as_deref() == Some("DeletionByTaintManager"));
    tainted
        || status.reason.as_deref() == Some("NodeLost")
        || container(status).is_some_and(
            |it| matches!(running(pod, status, it), Standing::Unready(word) if word.reason == UNREACHABLE),
        )
}
