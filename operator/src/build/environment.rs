//! Decision: the environment of a desktop's container: what the operator sets, then what the template adds, and over
//! both the template's bounds.

use super::volumes;
use crate::{
    api::{ClipboardPolicy, EncoderPolicy, VDITemplateSpec},
    credentials::{KEY_PASSWORD, KEY_RTC, KEY_USERNAME},
};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, SecretKeySelector};
use vdi_protocol::environment as protocol;

/// What NVIDIA's container toolkit brings into the container: `video` is the encoder.
const DRIVER_CAPABILITIES: &str = "compute,video,utility,graphics,display";
/// What the launcher takes if nothing is said, in kbit/s (`--min-bitrate`, `--max-bitrate`).
const LAUNCHER_BITRATES: (i32, i32) = (500, 20_000);

/// Variables, the last of a name in force.
struct Variables(Vec<EnvVar>);

impl Variables {
    fn set(&mut self, name: &str, value: impl ToString) {
        self.put(EnvVar { name: name.to_owned(), value: Some(value.to_string()), value_from: None });
    }

    fn secret(&mut self, name: &str, secret: &str, key: &str) {
        let selector = SecretKeySelector { name: secret.to_owned(), key: key.to_owned(), optional: None };
        let source = EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() };
        self.put(EnvVar { name: name.to_owned(), value: None, value_from: Some(source) });
    }

    fn put(&mut self, variable: EnvVar) {
        match self.0.iter_mut().find(|other| other.name == variable.name) {
            Some(other) => *other = variable,
            None => self.0.push(variable),
        }
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|variable| variable.name != name);
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.0.iter().find(|other| other.name == name)?.value.as_ref()?.trim().parse().ok()
    }
}

/// What has a session recorded.
const RECORDING: [&str; 2] = ["SELKIES_RECORDING_DIR", "SELKIES_RECORDING"];

/// How many extensions of the longest time there are, and what each adds.
const EXTENSIONS: [&str; 2] = ["SELKIES_SESSION_EXTENSIONS", "SELKIES_SESSION_EXTENSION"];

/// The environment of a desktop with so many GPUs, whose Secret has this name.
pub(super) fn environment(spec: &VDITemplateSpec, gpu: i32, secret: &str) -> Vec<EnvVar> {
    let mut variables = Variables(vec![]);
    variables.set("HOME", volumes::HOME);
    variables.set(protocol::DISPLAY, ":0");
    variables.set("XDG_RUNTIME_DIR", volumes::RUNTIME);
    variables.set(protocol::PULSE_SERVER, format!("unix:{}/pulse/native", volumes::RUNTIME));
    variables.set(protocol::PORT, protocol::DEFAULT_PORT);
    variables.set(protocol::ENABLE_METRICS_HTTP, true);
    variables.set(protocol::METRICS_HTTP_PORT, protocol::DEFAULT_METRICS_PORT);
    variables.set(protocol::ENABLE_BASIC_AUTH, true);
    variables.secret(protocol::BASIC_AUTH_USER, secret, KEY_USERNAME);
    variables.secret(protocol::BASIC_AUTH_PASSWORD, secret, KEY_PASSWORD);
    variables.set("SELKIES_RTC_CONFIG_JSON", format!("{}/{KEY_RTC}", volumes::SECRETS));
    variables.set("SELKIES_SESSION_LIMITS", format!("{}/{}", volumes::POD_INFO, volumes::LIMITS_FILE));
    variables.set("SELKIES_ENCODER_POLICY", policy(spec.encoder_policy));
    variables.set("SELKIES_LOG_FORMAT", "json");
    if gpu > 0 {
        variables.set("NVIDIA_DRIVER_CAPABILITIES", DRIVER_CAPABILITIES);
    } else {
        // An image that says `all`, as NVIDIA's do, would have every GPU of a node without having asked for one.
        variables.set("NVIDIA_VISIBLE_DEVICES", "void");
    }
    for variable in &spec.env {
        match (&variable.value, &variable.secret_key_ref) {
            (_, Some(key)) => variables.secret(&variable.name, &key.name, &key.key),
            (value, None) => variables.set(&variable.name, value.as_deref().unwrap_or_default()),
        }
    }
    bound(&mut variables, spec);
    variables.0
}

/// Holds what the template's variables say within the template's bounds.
fn bound(variables: &mut Variables, spec: &VDITemplateSpec) {
    const MIN: &str = "SELKIES_MIN_BITRATE";
    const MAX: &str = "SELKIES_MAX_BITRATE";
    let limits = &spec.policy.limits;
    if limits.min_bitrate.is_some() || limits.max_bitrate.is_some() {
        let min = variables.number(MIN).unwrap_or(LAUNCHER_BITRATES.0);
        let max = variables.number(MAX).unwrap_or(LAUNCHER_BITRATES.1);
        let (lower, upper) = (limits.min_bitrate.unwrap_or(0), limits.max_bitrate.unwrap_or(i32::MAX));
        // Where only one of the bounds is given, the launcher's own other one gives way.
        let (min, max) = (min.max(lower).min(upper), max.min(upper).max(lower));
        variables.set(MIN, min.min(max));
        variables.set(MAX, max);
    }
    for (name, most) in [(protocol::FRAMERATE, limits.framerate), ("SELKIES_MAX_CONSUMERS", limits.pages)] {
        if let Some(most) = most {
            variables.set(name, variables.number(name).map_or(most, |asked| asked.min(most)));
        }
    }
    let clipboard = match spec.policy.clipboard {
        ClipboardPolicy::Both => None,
        ClipboardPolicy::In => Some("in"),
        ClipboardPolicy::Out => Some("out"),
        ClipboardPolicy::None => Some("false"),
    };
    if let Some(clipboard) = clipboard {
        variables.set("SELKIES_ENABLE_CLIPBOARD", clipboard);
    }
    if !spec.policy.files {
        variables.set("SELKIES_ENABLE_FILE_TRANSFERS", false);
    }
    if !spec.policy.microphone {
        variables.set("SELKIES_ENABLE_MICROPHONE", false);
    }
    if !spec.policy.webcam {
        variables.set("SELKIES_WEBCAM", "off");
    }
    // The operator ends sessions by its own clock: a page must not promise more than that knows of.
    EXTENSIONS.into_iter().for_each(|name| variables.remove(name));
    if let Some(extensions) = &limits.extensions {
        for (name, value) in
            EXTENSIONS.into_iter().zip([extensions.count.to_string(), extensions.seconds().to_string()])
        {
            variables.set(name, value);
        }
    }
    if !spec.policy.recording {
        RECORDING.into_iter().for_each(|name| variables.remove(name));
    }
}

fn policy(policy: EncoderPolicy) -> &'static str {
    match policy {
        EncoderPolicy::PreferHardware => "prefer-hardware",
        EncoderPolicy::RequireHardware => "require-hardware",
        EncoderPolicy::Software => "software",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::template;

    fn value(spec: &str, name: &str) -> Option<String> {
        let variables = environment(&template(spec).spec, 1, "desktop-work");
        let found: Vec<_> = variables.into_iter().filter(|variable| variable.name == name).collect();
        assert!(found.len() <= 1, "{name} is there {} times", found.len());
        found.into_iter().next()?.value
    }

    #[test]
    fn template_adds_variables_and_overrides_those_that_are_not_reserved() {
        let spec = "{env: [{name: SELKIES_LOG_FORMAT, value: text}, {name: LANG, value: de_DE.UTF-8}]}";
        assert_eq!(value(spec, "SELKIES_LOG_FORMAT").as_deref(), Some("text"));
        assert_eq!(value(spec, "LANG").as_deref(), Some("de_DE.UTF-8"));
    }

    #[test]
    fn bounds_hold_over_the_variables_of_the_template() {
        let spec = "{env: [{name: SELKIES_FRAMERATE, value: '120'}], policy: {limits: {framerate: 30}}}";
        assert_eq!(value(spec, "SELKIES_FRAMERATE").as_deref(), Some("30"));
        let spec = "{env: [{name: SELKIES_FRAMERATE, value: '15'}], policy: {limits: {framerate: 30}}}";
        assert_eq!(value(spec, "SELKIES_FRAMERATE").as_deref(), Some("15"));
        assert_eq!(value("{policy: {limits: {pages: 2}}}", "SELKIES_MAX_CONSUMERS").as_deref(), Some("2"));
        assert_eq!(value("{}", "SELKIES_MAX_CONSUMERS"), None);
    }

    #[test]
    fn policy_of_sharing_holds_over_the_variables_of_the_template() {
        let (clipboard, files) = ("SELKIES_ENABLE_CLIPBOARD", "SELKIES_ENABLE_FILE_TRANSFERS");
        assert_eq!((value("{}", clipboard), value("{}", files)), (None, None));
        let spec = "{env: [{name: SELKIES_ENABLE_FILE_TRANSFERS, value: 'in'}, {name: SELKIES_CONTROL_POLICY, value: ask}]}";
        assert_eq!(value(spec, files).as_deref(), Some("in"));
        assert_eq!(value(spec, "SELKIES_CONTROL_POLICY").as_deref(), Some("ask"));
        let spec = "{env: [{name: SELKIES_ENABLE_FILE_TRANSFERS, value: 'true'}, {name: SELKIES_ENABLE_CLIPBOARD, value: 'true'}], policy: {clipboard: none, files: false}}";
        assert_eq!(value(spec, clipboard).as_deref(), Some("false"));
        assert_eq!(value(spec, files).as_deref(), Some("false"));
        let spec = "{env: [{name: SELKIES_ENABLE_MICROPHONE, value: 'true'}], policy: {microphone: false}}";
        assert_eq!(value(spec, "SELKIES_ENABLE_MICROPHONE").as_deref(), Some("false"));
        assert_eq!(value("{}", "SELKIES_ENABLE_MICROPHONE"), None);
        let spec = "{env: [{name: SELKIES_WEBCAM, value: /dev/video10}], policy: {webcam: false}}";
        assert_eq!(value(spec, "SELKIES_WEBCAM").as_deref(), Some("off"));
        assert_eq!(value(&spec.replace("false", "true"), "SELKIES_WEBCAM").as_deref(), Some("/dev/video10"));
    }

    #[test]
    fn sessions_are_recorded_and_extended_only_where_the_policy_says_so() {
        let spec = |policy: &str| {
            let env = "[{name: SELKIES_RECORDING_DIR, value: /rec}, {name: SELKIES_RECORDING, value: always}, {name: SELKIES_SESSION_EXTENSIONS, value: '2'}, {name: SELKIES_SESSION_EXTENSION, value: '86400'}]";
            format!("{{env: {env}, policy: {policy}}}")
        };
        let set = |policy: &str| RECORDING.map(|name| value(&spec(policy), name));
        assert_eq!(set("{}"), [None, None]);
        assert_eq!(set("{recording: true}"), [Some("/rec".into()), Some("always".into())]);
        let extensions = |policy: &str| EXTENSIONS.map(|name| value(&spec(policy), name));
        assert_eq!(extensions("{recording: true}"), [None, None]);
        let words = |count: &str, by: &str| [Some(count.to_owned()), Some(by.to_owned())];
        assert_eq!(extensions("{limits: {extensions: {count: 3}}}"), words("3", "1800"));
        assert_eq!(extensions("{limits: {extensions: {count: 1, by: 1h30m}}}"), words("1", "5400"));
    }

    #[test]
    fn bounds_of_the_bit_rate_never_cross() {
        let both = |spec| (value(spec, "SELKIES_MIN_BITRATE"), value(spec, "SELKIES_MAX_BITRATE"));
        let pair = |min: &str, max: &str| (Some(min.to_owned()), Some(max.to_owned()));
        assert_eq!(both("{policy: {limits: {maxBitrate: 300}}}"), pair("300", "300"));
        assert_eq!(both("{policy: {limits: {minBitrate: 30000}}}"), pair("30000", "30000"));
        assert_eq!(both("{policy: {limits: {minBitrate: 1000, maxBitrate: 4000}}}"), pair("1000", "4000"));
        let spec =
            "{env: [{name: SELKIES_MAX_BITRATE, value: '2000'}], policy: {limits: {maxBitrate: 4000}}}";
        assert_eq!(both(spec), pair("500", "2000"));
        assert_eq!(both("{}"), (None, None));
    }

    #[test]
    fn desktop_without_a_gpu_sees_none_of_the_nodes() {
        let variables = environment(&template("{}").spec, 0, "desktop-work");
        let visible = variables.iter().find(|variable| variable.name == "NVIDIA_VISIBLE_DEVICES");
        assert_eq!(visible.and_then(|variable| variable.value.as_deref()), Some("void"));
        assert!(!variables.iter().any(|variable| variable.name == "NVIDIA_DRIVER_CAPABILITIES"));
    }
}
