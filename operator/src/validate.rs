//! Decision: whether a session and its template fit each other, and what the desktop is then, with every default filled
//! in. It refuses what is above the template's limits; whether the template exists, others have found out before.

use crate::{
    api::{
        EncoderPolicy, Extensions, GpuMode, Quantity, Resources, Span, VDISession, VDITemplate,
        VDITemplateSpec,
    },
    desktop::{Desktop, Invalid, Spans},
};
use std::time::Duration;

/// The desktop that a session asks for, under the host that [`crate::names::host`] gave it. All that is wrong is said
/// at once.
pub fn desktop(session: &VDISession, template: &VDITemplate, host: &str) -> Result<Desktop, Invalid> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let spec = &template.spec;
    let asked = session.spec.resources.clone().unwrap_or_default();
    let limits = &spec.policy.limits;
    let mut wrong = Wrong::default();
    let gpu = gpu(&asked, spec, &mut wrong);
    let amount = |name: &str,
                  asked: Option<Quantity>,
                  default: &Quantity,
                  most: &Option<Quantity>,
                  wrong: &mut Wrong| {
        let amount = asked.unwrap_or_else(|| default.clone());
        match (amount.value(), most.as_ref().and_then(Quantity::value), most) {
            (None, ..) => {
                wrong.add("Invalid", format!("spec.resources.{name} is {amount}, which is no quantity"))
            }
            (Some(value), Some(bound), Some(most)) if value > bound => {
                wrong.above(name, &amount.to_string(), &most.to_string(), &template.metadata.name);
            }
            _ => {}
        }
        amount
    };
    let memory = amount("memory", asked.memory, &spec.resources.default_memory, &limits.memory, &mut wrong);
    let cpu = amount("cpu", asked.cpu, &spec.resources.default_cpu, &limits.cpu, &mut wrong);
    if let Some(most) = limits.gpu.filter(|most| gpu > *most) {
        wrong.above("gpu", &gpu.to_string(), &most.to_string(), &template.metadata.name);
    }
    let timeout = shorter(Some(&session.spec.timeout), limits.timeout.as_ref()).unwrap_or_else(|| {
        wrong.add("Invalid", format!("spec.timeout is {}, which is no span of time", session.spec.timeout));
        Duration::ZERO
    });
    wrong.none()?;
    Ok(Desktop {
        session: text(&session.metadata.name),
        namespace: text(&session.metadata.namespace),
        uid: text(&session.metadata.uid),
        user: session.spec.user.clone(),
        template: text(&template.metadata.name),
        template_generation: template.metadata.generation.unwrap_or_default(),
        spec: spec.clone(),
        gpu,
        memory,
        cpu,
        limits: Spans {
            timeout,
            extensions: limits.extensions.as_ref().map(Extensions::most).unwrap_or_default(),
            idle: shorter(session.spec.idle_timeout.as_ref(), limits.idle_timeout.as_ref()),
            disconnected: shorter(
                session.spec.disconnected_timeout.as_ref(),
                limits.disconnected_timeout.as_ref(),
            ),
        },
        host: host.to_owned(),
    })
}

/// What a session is whose template does not exist.
pub fn template_not_found(template: &str) -> Invalid {
    Invalid {
        reason: "TemplateNotFound",
        message: format!("There is no VDITemplate {template:?}; the session goes on when there is."),
    }
}

/// What a session is whose home another one has.
pub fn home_in_use(other: &str) -> Invalid {
    Invalid {
        reason: "HomeInUse",
        message: format!(
            "The session {other} has the home of this user and template; this one goes on when that is deleted."
        ),
    }
}

/// What is wrong so far. The first reason is the condition's.
#[derive(Default)]
struct Wrong(Vec<(&'static str, String)>);

impl Wrong {
    fn add(&mut self, reason: &'static str, message: String) {
        self.0.push((reason, message));
    }

    fn above(&mut self, name: &str, asked: &str, most: &str, template: &Option<String>) {
        let template = template.as_deref().unwrap_or_default();
        let message =
            format!("spec.resources.{name} is {asked}, and the template {template} allows {most} at most");
        self.add("AboveLimit", message);
    }

    fn none(self) -> Result<(), Invalid> {
        let Some(&(reason, _)) = self.0.first() else { return Ok(()) };
        let sentences: Vec<_> = self.0.into_iter().map(|(_, message)| message).collect();
        Err(Invalid { reason, message: sentences.join("; ") })
    }
}

fn gpu(asked: &Resources, spec: &VDITemplateSpec, wrong: &mut Wrong) -> i32 {
    let gpu = asked.gpu.unwrap_or_else(|| spec.default_gpu());
    match spec.gpu.mode {
        GpuMode::None if gpu > 0 => {
            wrong.add("NoGpu", format!("spec.resources.gpu is {gpu}, and the template has no GPUs (gpu.mode is none)"));
        }
        GpuMode::Shared if gpu > 1 => wrong.add(
            "OneSliceOnly",
            format!("spec.resources.gpu is {gpu}, and of a shared GPU a desktop gets one slice (gpu.mode is shared)"),
        ),
        _ if gpu == 0 && spec.encoder_policy == EncoderPolicy::RequireHardware => wrong.add(
            "NoGpu",
            "spec.resources.gpu is 0, and the template requires a hardware encoder".to_owned(),
        ),
        _ => {}
    }
    gpu
}

/// The shorter of what is asked for and what is allowed.
fn shorter(asked: Option<&Span>, most: Option<&Span>) -> Option<Duration> {
    [asked, most].into_iter().flatten().filter_map(Span::duration).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::{session, template};

    #[test]
    fn defaults_come_from_the_template() {
        let desktop = desktop(&session("{}"), &template("{}"), "alice").unwrap();
        assert_eq!((desktop.gpu, desktop.memory.0.as_str(), desktop.cpu.0.as_str()), (1, "4Gi", "2"));
        assert_eq!(desktop.limits.timeout, Duration::from_secs(8 * 3600));
        assert_eq!((desktop.limits.idle, desktop.limits.disconnected), (None, None));
        assert_eq!(desktop.template_generation, 3);
    }

    #[test]
    fn all_that_is_above_the_limits_is_said_at_once_with_what_is_allowed() {
        let session = session("{resources: {gpu: 2, memory: 32Gi, cpu: 16}}");
        let template = template("{gpu: {mode: exclusive}, policy: {limits: {gpu: 1, memory: 16Gi, cpu: 8}}}");
        let invalid = desktop(&session, &template, "alice").unwrap_err();
        assert_eq!(invalid.reason, "AboveLimit");
        for words in ["memory is 32Gi", "16Gi at most", "cpu is 16", "gpu is 2", "template office"] {
            assert!(invalid.message.contains(words), "{words}: {invalid}");
        }
    }

    #[test]
    fn what_is_exactly_at_the_limit_is_accepted_in_any_unit() {
        let session = session("{resources: {memory: 16384Mi, cpu: 8000m}}");
        let template = template("{policy: {limits: {memory: 16Gi, cpu: 8}}}");
        assert!(desktop(&session, &template, "alice").is_ok());
    }

    #[test]
    fn of_two_spans_the_shorter_holds() {
        let session = session("{timeout: 12h, idleTimeout: 10m, disconnectedTimeout: 1h}");
        let template = template("{policy: {limits: {timeout: 4h, idleTimeout: 1h}}}");
        let limits = desktop(&session, &template, "alice").unwrap().limits;
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        assert_eq!(limits.timeout, minutes(240));
        assert_eq!((limits.idle, limits.disconnected), (Some(minutes(10)), Some(minutes(60))));
    }

    #[test]
    fn gpus_are_refused_where_the_template_has_none_or_slices_only() {
        let reason = |asked, spec| {
            desktop(&session(asked), &template(spec), "alice").map_err(|invalid| invalid.reason)
        };
        assert_eq!(reason("{}", "{gpu: {mode: none}}").map(|desktop| desktop.gpu), Ok(0));
        assert_eq!(reason("{resources: {gpu: 1}}", "{gpu: {mode: none}}"), Err("NoGpu"));
        assert_eq!(reason("{resources: {gpu: 2}}", "{gpu: {mode: shared}}"), Err("OneSliceOnly"));
        assert_eq!(reason("{resources: {gpu: 0}}", "{encoderPolicy: require-hardware}"), Err("NoGpu"));
    }
}
