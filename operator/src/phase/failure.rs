//! Decision: why a pod has failed or is going, and whether another one could do better.

use super::pod::{self, Standing, short};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod, PodStatus};
use vdi_protocol::reason::{FailureReason, LOGGED_OUT, STOPPED};

/// Why a pod is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Reason for the condition Ready: the launcher's own, or one in CamelCase.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Whether another pod, made the same way, would fail the same way.
    pub permanent: bool,
}

impl Failure {
    /// One that another pod may not have.
    pub fn transient(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into(), permanent: false }
    }

    fn permanent(reason: &str, message: impl Into<String>) -> Self {
        Self { permanent: true, ..Self::transient(reason, message) }
    }
}

/// Why a pod is being deleted.
pub fn of_leaving(status: &PodStatus) -> Failure {
    disruption(status).or_else(|| rejected(status)).unwrap_or_else(|| {
        Failure::transient("PodDeleted", "Somebody deleted the desktop's pod; another one is made.")
    })
}

/// How a pod ended, if it has.
pub fn of_ended(pod: &Pod, status: &PodStatus) -> Option<Standing> {
    let terminated = pod::container(status).and_then(|it| it.state.as_ref()?.terminated.as_ref());
    let phase = status.phase.as_deref().unwrap_or_default();
    if terminated.is_none() && !matches!(phase, "Failed" | "Succeeded") {
        return None;
    }
    // What was done to the pod explains how its container ended, and not the other way round.
    if let Some(failure) = disruption(status).or_else(|| rejected(status)) {
        return Some(Standing::Failed(failure));
    }
    Some(match terminated {
        Some(terminated) => of_container(pod, terminated),
        None if phase == "Succeeded" => Standing::LoggedOut("The desktop has ended.".to_owned()),
        None => Standing::Failed(Failure::transient(
            "PodFailed",
            format!(
                "The pod failed: {}",
                short(status.message.as_deref().unwrap_or("nothing is said of it"))
            ),
        )),
    })
}

/// The control plane, or the kubelet, made the pod go (condition DisruptionTarget).
fn disruption(status: &PodStatus) -> Option<Failure> {
    let target = pod::condition(status, "DisruptionTarget").filter(|it| it.status == "True")?;
    let detail = short(target.message.as_deref().unwrap_or_default());
    Some(match target.reason.as_deref().unwrap_or_default() {
        "PreemptionByScheduler" => Failure::transient(
            "Preempted",
            format!("A pod of higher priority took the desktop's place: {detail}"),
        ),
        "DeletionByTaintManager" => Failure::transient(
            "NodeLost",
            format!("The desktop's node is lost, or was tainted so that it had to leave: {detail}"),
        ),
        "DeletionByPodGC" => {
            Failure::transient("NodeLost", format!("The desktop's node is no longer there: {detail}"))
        }
        "EvictionByEvictionAPI" => Failure::transient(
            "Evicted",
            format!("The desktop was evicted, as when a node is drained: {detail}"),
        ),
        // The kubelet's own: eviction, shutdown, preemption. The pod's reason is more exact.
        _ => rejected(status).unwrap_or_else(|| {
            Failure::transient("Evicted", format!("The node made the desktop leave: {detail}"))
        }),
    })
}

/// The node ended or refused the pod (reason of its status).
fn rejected(status: &PodStatus) -> Option<Failure> {
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty())?;
    let detail = short(status.message.as_deref().unwrap_or_default());
    Some(match reason {
        "Evicted" => Failure::transient("Evicted", format!("The node evicted the desktop: {detail}")),
        "NodeLost" => Failure::transient("NodeLost", format!("The desktop's node is lost: {detail}")),
        "NodeShutdown" | "Terminated" | "Shutdown" => {
            Failure::transient("NodeShutdown", format!("The desktop's node is shutting down: {detail}"))
        }
        "Preempting" | "Preempted" => Failure::transient(
            "Preempted",
            format!("The node gave the desktop's place to another pod: {detail}"),
        ),
        "DeadlineExceeded" => {
            Failure::transient("DeadlineExceeded", format!("The pod was given a deadline: {detail}"))
        }
        // NodeAffinity, OutOfmemory, OutOfnvidia.com/gpu, UnexpectedAdmissionError, …
        other => Failure::transient(
            "NodeRejected",
            format!("The node would not take the pod that the scheduler gave it ({other}): {detail}"),
        ),
    })
}

fn of_container(pod: &Pod, terminated: &ContainerStateTerminated) -> Standing {
    let said = terminated.message.as_deref().unwrap_or_default().trim();
    let (name, sentence) = said.split_once(": ").unwrap_or(("", said));
    let code = terminated.exit_code;
    if code == 0 {
        return match name {
            // It was asked to end, and the pod is not being deleted: a probe had failed, or the node was going.
            STOPPED => Standing::Failed(Failure::transient(
                "Stopped",
                format!("The node ended the container, as when a probe fails: {}", short(sentence)),
            )),
            LOGGED_OUT => Standing::LoggedOut(short(sentence)),
            _ => Standing::LoggedOut("The desktop has ended.".to_owned()),
        };
    }
    let known = FailureReason::from_name(name)
        .or_else(|| FailureReason::ALL.into_iter().find(|it| i32::from(it.exit_code()) == code));
    let runtime = terminated.reason.as_deref().unwrap_or_default();
    Standing::Failed(match (runtime, known) {
        ("OOMKilled", _) => Failure::transient("OutOfMemory", out_of_memory(pod)),
        ("ContainerCannotRun" | "StartError" | "RunContainerError", _) => Failure::permanent(
            "ContainerStartFailed",
            format!("The template's image cannot be run: {}", short(said)),
        ),
        (_, Some(reason)) => of_launcher(reason, if name == reason.as_str() { sentence } else { said }),
        (_, None) if code == 137 => Failure::transient(
            "Killed",
            format!("The container was killed (exit code 137). {}", short(said)).trim_end().to_owned(),
        ),
        (_, None) => Failure::transient(
            "ContainerFailed",
            format!("The container ended with exit code {code}. {}", short(said)).trim_end().to_owned(),
        ),
    })
}

fn of_launcher(reason: FailureReason, sentence: &str) -> Failure {
    use FailureReason as R;
    let own = match reason {
        R::ConfigInvalid => "An option or a variable of the desktop's environment is wrong.",
        R::GpuInitError => "A hardware encoder is required, and none works.",
        R::EncoderUnavailable => "No encoder works, not even in software.",
        R::DisplayUnavailable => "The X display could not be reached, or died.",
        R::DesktopFailed => "The desktop's program cannot be started, or keeps failing.",
        R::PortUnavailable => "The port of the desktop's page is taken.",
        R::PipelineError => "The media pipeline failed.",
    };
    let sentence = if sentence.is_empty() { own.to_owned() } else { short(sentence) };
    match reason {
        R::DisplayUnavailable | R::PipelineError => Failure::transient(reason.as_str(), sentence),
        R::ConfigInvalid
        | R::GpuInitError
        | R::EncoderUnavailable
        | R::DesktopFailed
        | R::PortUnavailable => Failure::permanent(reason.as_str(), sentence),
    }
}

fn out_of_memory(pod: &Pod) -> String {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let limit = containers
        .filter_map(|it| it.resources.as_ref()?.limits.as_ref()?.get("memory"))
        .map(|limit| format!(" of {}", limit.0))
        .next()
        .unwrap_or_default();
    format!(
        "The desktop needed more than its memory{limit} and was ended; spec.resources.memory, or the template's resources.defaultMemory, says how much it gets."
    )
}
