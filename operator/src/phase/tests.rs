//! What the phases say of each thing that can befall a pod.

use super::{PodAction::*, *};
use crate::{
    api::{
        CONDITION_ENCODER, CONDITION_READY, CONDITION_SCHEDULED, CONDITION_SUSPENDED, CONDITION_VALID, Phase,
    },
    test_data,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::{Value, json};
use vdi_protocol::status::{ConsumerStatus, EncoderStatus, Rejection, Status};

/// The world as the operator sees it, and what it does to it.
#[derive(Clone)]
pub(super) struct World {
    pub(super) session: VDISession,
    pub(super) desktop: Result<Desktop, Invalid>,
    pub(super) pod: Option<Pod>,
    pub(super) report: Option<Report>,
    pub(super) refusal: Option<Refusal>,
    pub(super) now: Timestamp,
    pub(super) pods_made: u32,
}

pub(super) fn at(time: &str) -> Timestamp {
    format!("2026-03-01T{time}Z").parse().unwrap()
}

impl World {
    /// Nine o'clock: Alice's session has just been made.
    pub(super) fn new(of_session: &str, of_template: &str) -> Self {
        let mut session = test_data::session(of_session);
        session.metadata.generation = Some(1);
        session.metadata.creation_timestamp = Some(Time(at("09:00:00")));
        Self {
            session,
            desktop: Ok(test_data::desktop(of_session, of_template)),
            pod: None,
            report: None,
            refusal: None,
            now: at("09:00:00"),
            pods_made: 0,
        }
    }

    pub(super) fn decide(&self) -> Decision {
        let facts = Facts {
            session: &self.session,
            desktop: self.desktop.as_ref(),
            pod: self.pod.as_ref(),
            report: self.report.as_ref(),
            silence: None,
            url: Some("https://alice.vdi.example.com/"),
            refusal: self.refusal.as_ref(),
        };
        super::decide(&facts, self.now)
    }

    /// What a reconcile does, in its order, up to the step at which the operator is killed.
    pub(super) fn carry_out(&mut self, decision: &Decision, steps: usize) {
        if steps > 0 {
            self.session.status = Some(decision.status.clone());
        }
        if steps > 1 {
            match decision.pod {
                Keep if self.pod.is_none() && self.refusal.is_none() => self.make_pod(),
                Remove { force: true } => self.pod = None,
                Remove { force: false } => self.delete_pod(),
                _ => {}
            }
        }
        if steps > 2 && decision.end.is_some() {
            self.session.metadata.deletion_timestamp = Some(Time(self.now));
        }
    }

    pub(super) fn reconcile(&mut self) -> Decision {
        let decision = self.decide();
        self.carry_out(&decision, 3);
        decision
    }

    /// Reconciles until nothing changes any more; the pods that leave do so.
    pub(super) fn settle(&mut self) -> Decision {
        for _ in 0..20 {
            let before = (self.session.status.clone(), self.pod.clone());
            let decision = self.reconcile();
            if self.pod.as_ref().is_some_and(|pod| pod.metadata.deletion_timestamp.is_some()) {
                self.pod = None;
            } else if before == (self.session.status.clone(), self.pod.clone()) {
                return decision;
            }
        }
        panic!("it does not come to rest: {:#?}", self.session.status);
    }

    fn make_pod(&mut self) {
        self.pods_made += 1;
        let desktop = self.desktop.as_ref().unwrap();
        let mut pod = Pod::default();
        pod.metadata.name = Some("desktop-work".into());
        pod.metadata.uid = Some(format!("pod-{}", self.pods_made));
        pod.metadata.creation_timestamp = Some(Time(self.now));
        pod.metadata.annotations = Some([(ANNOTATION_MADE_FROM.to_owned(), made_from(desktop))].into());
        pod.spec = Some(
            serde_json::from_value(json!({"containers": [{
                "name": "desktop",
                "resources": {"limits": {"memory": desktop.memory.0, "cpu": desktop.cpu.0, "nvidia.com/gpu": desktop.gpu.to_string()}},
            }]}))
            .unwrap(),
        );
        self.pod = Some(pod);
    }

    pub(super) fn delete_pod(&mut self) {
        let now = self.now;
        if let Some(pod) = &mut self.pod {
            pod.metadata.deletion_timestamp.get_or_insert(Time(now));
        }
    }

    /// The pod's status becomes this; a node is given to it.
    pub(super) fn pod_is(&mut self, status: Value) {
        if let Some(pod) = &mut self.pod {
            if status["phase"] != "Pending" || status.get("containerStatuses").is_some() {
                pod.spec.as_mut().unwrap().node_name = Some("node-a".into());
            }
            pod.status = Some(serde_json::from_value(status).unwrap());
        }
    }

    pub(super) fn runs(&mut self, ready: bool) {
        let started = self.pod.as_ref().and_then(pod::running_since).unwrap_or(self.now);
        let since = self.pod.as_ref().and_then(pod::ready_since).unwrap_or(self.now);
        self.pod_is(json!({
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": since},
            ],
            "containerStatuses": [{
                "name": "desktop", "image": "", "imageID": "", "ready": ready, "restartCount": 0,
                "state": {"running": {"startedAt": started}},
            }],
        }));
    }

    pub(super) fn waits(&mut self, reason: &str, message: &str) {
        self.pod_is(json!({
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{
                "name": "desktop", "image": "registry.example.com/vdi/desktop:1.0", "imageID": "", "ready": false,
                "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}},
            }],
        }));
    }

    pub(super) fn exits(&mut self, code: i32, reason: &str, message: &str) {
        let started = self.pod.as_ref().and_then(pod::running_since).unwrap_or(self.now);
        self.pod_is(json!({
            "phase": if code == 0 { "Succeeded" } else { "Failed" },
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": self.now}],
            "containerStatuses": [{
                "name": "desktop", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {
                    "exitCode": code, "reason": reason, "message": message,
                    "startedAt": started, "finishedAt": self.now,
                }},
            }],
        }));
    }

    /// A session that runs since nine.
    pub(super) fn running(of_session: &str, of_template: &str) -> Self {
        let mut world = Self::new(of_session, of_template);
        world.reconcile();
        world.runs(true);
        world.reconcile();
        world
    }

    /// The launcher answers, now: seconds since the last input and without a page.
    pub(super) fn says(&mut self, input: Option<f64>, without_page: Option<f64>) {
        let page = ConsumerStatus {
            id: "c1".into(),
            role: vdi_protocol::control::Role::Controller,
            connected: true,
            media: None,
            network: None,
        };
        let since = self.pod.as_ref().and_then(pod::running_since).unwrap_or(self.now);
        let status = Status {
            uptime_seconds: self.now.duration_since(since).as_secs_f64(),
            last_input_seconds_ago: input,
            seconds_without_page: without_page,
            consumers: if without_page.is_none() { vec![page] } else { vec![] },
            ..Status::default()
        };
        self.report = Some(Report::new(self.now, status));
    }

    /// The launcher answers too which encoder is at work.
    fn encodes(&mut self, encoder: EncoderStatus) {
        let status = Status { encoder: Some(encoder), ..Status::default() };
        self.report.as_mut().unwrap().encoder = Report::new(self.now, status).encoder;
    }

    pub(super) fn status(&self) -> &VDISessionStatus {
        self.session.status.as_ref().unwrap()
    }

    pub(super) fn condition(&self, kind: &str) -> &Condition {
        conditions::find(self.status(), kind).unwrap()
    }

    pub(super) fn ready(&self) -> (Phase, &str, &str) {
        let ready = self.condition(CONDITION_READY);
        (self.status().phase, &ready.reason, &ready.message)
    }

    pub(super) fn reason(&self) -> (Phase, &str) {
        let (phase, reason, _) = self.ready();
        (phase, reason)
    }
}

#[test]
fn session_is_made_scheduled_started_and_runs_with_every_condition_said() {
    let mut world = World::new("{}", "{}");
    assert_eq!(world.reconcile().pod, Keep);
    assert_eq!(world.reason(), (Phase::Creating, "Creating"));
    world.reconcile();
    assert_eq!(world.reason(), (Phase::Creating, "Scheduling"));
    world.waits("ContainerCreating", "");
    world.reconcile();
    assert_eq!(world.reason(), (Phase::Creating, "Starting"));
    world.runs(false);
    world.reconcile();
    assert_eq!(world.reason(), (Phase::Creating, "Starting"));
    world.now = at("09:00:20");
    world.runs(true);
    let decision = world.reconcile();
    assert_eq!(
        world.ready(),
        (Phase::Running, "Ready", "The desktop runs at https://alice.vdi.example.com/.")
    );
    assert!(decision.ask && decision.events.iter().all(|event| !event.warning));
    let status = world.status().clone();
    assert_eq!(status.start_time, Some(Time(at("09:00:20"))));
    assert_eq!(status.expires_at, Some(Time(at("17:00:20"))));
    assert_eq!(status.pod_name.as_deref(), Some("desktop-work"));
    let kinds: Vec<_> = status.conditions.iter().map(|it| (it.type_.as_str(), it.status.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (CONDITION_READY, "True"),
            (CONDITION_VALID, "True"),
            (CONDITION_SCHEDULED, "True"),
            (CONDITION_ENCODER, "Unknown"),
            (CONDITION_SUSPENDED, "False"),
        ]
    );
}

#[test]
fn encoder_is_named_and_software_where_hardware_was_wanted_is_said_once() {
    let mut world = World::running("{}", "{}");
    world.says(None, Some(0.0));
    let encoder = EncoderStatus {
        name: "x264enc".into(),
        codec: "H264".into(),
        rejections: vec![Rejection {
            encoder: "nvh264enc".into(),
            reason: "no-device".into(),
            message: String::new(),
        }],
        ..EncoderStatus::default()
    };
    world.encodes(encoder);
    let told = world.reconcile().events;
    assert_eq!(told.len(), 1);
    assert!(told[0].warning && told[0].note.contains("nvh264enc (no-device)"), "{}", told[0].note);
    assert_eq!(world.condition(CONDITION_ENCODER).reason, "SoftwareFallback");
    assert_eq!(world.status().encoder.as_deref(), Some("x264enc"));
    // An operator that was started anew has not asked yet, and says what was known.
    world.report = None;
    let before = world.status().clone();
    assert!(world.reconcile().events.is_empty());
    assert_eq!(*world.status(), before);
    world.desktop = Ok(test_data::desktop("{resources: {gpu: 0}}", "{}"));
    world.says(None, Some(0.0));
    world.encodes(EncoderStatus { name: "x264enc".into(), ..EncoderStatus::default() });
    world.reconcile();
    assert_eq!(world.condition(CONDITION_ENCODER).reason, "Software");
}

#[test]
fn what_keeps_a_pod_from_starting_is_said_and_waited_for() {
    let mut world = World::new("{}", "{}");
    world.reconcile();
    world.pod_is(json!({"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    }]}));
    let decision = world.reconcile();
    assert!(decision.pod == Keep && decision.events[0].warning);
    assert_eq!(world.reason(), (Phase::Creating, "Unschedulable"));
    assert!(world.ready().2.contains("3 Insufficient nvidia.com/gpu."));
    assert_eq!(world.condition(CONDITION_SCHEDULED).reason, "Unschedulable");
    for (reason, message, told, contains) in [
        ("ErrImagePull", "not found", "ImagePullFailed", "desktop:1.0 cannot be pulled"),
        ("ErrImageNeverPull", "", "ImagePullFailed", "imagePullPolicy Never"),
        ("InvalidImageName", "bad", "ImagePullFailed", "a name that is none"),
        ("CreateContainerConfigError", "secret \"x\" not found", "ContainerConfigError", "secret \"x\""),
        ("CreateContainerError", "no such device", "ContainerStartFailed", "no such device"),
    ] {
        world.waits(reason, message);
        assert_eq!(world.reconcile().pod, Keep);
        assert_eq!(world.reason(), (Phase::Creating, told), "{reason}");
        assert!(world.ready().2.contains(contains), "{}", world.ready().2);
        assert_eq!(world.condition(CONDITION_SCHEDULED).status, "True");
    }
    assert_eq!(world.status().restarts, None);
}

#[test]
fn image_that_is_tried_again_and_again_does_not_change_its_words() {
    let mut world = World::new("{}", "{}");
    world.reconcile();
    world.waits("ErrImagePull", "rpc error: code = NotFound desc = not found");
    world.reconcile();
    let told = world.status().clone();
    world.waits(
        "ImagePullBackOff",
        "Back-off pulling image \"registry.example.com/vdi/desktop:1.0\": ErrImagePull: rpc error: code = NotFound desc = not found",
    );
    assert!(world.reconcile().events.is_empty());
    assert_eq!(*world.status(), told);
}

#[test]
fn launchers_reason_is_the_sessions_and_a_permanent_one_waits_for_a_change() {
    for (code, message, reason) in [
        (10, "GPU_INIT_ERROR: nvh264enc: no device", "GPU_INIT_ERROR"),
        (11, "ENCODER_UNAVAILABLE: none", "ENCODER_UNAVAILABLE"),
        (2, "CONFIG_INVALID: --port is no number", "CONFIG_INVALID"),
        (13, "DESKTOP_FAILED: no such file", "DESKTOP_FAILED"),
        // An image that tells no message has its exit code.
        (10, "", "GPU_INIT_ERROR"),
        (128, "exec: \"vdi-launcher\": not found", "ContainerStartFailed"),
    ] {
        let mut world = World::running("{}", "{}");
        world.exits(code, if code == 128 { "StartError" } else { "Error" }, message);
        let decision = world.reconcile();
        assert_eq!((world.reason(), decision.pod), ((Phase::Failed, reason), Leave));
        assert!(decision.events[0].warning && decision.look_again.is_some(), "it expires some day");
        let sentence = message.split_once(": ").map_or("", |(_, sentence)| sentence);
        assert!(
            world.ready().2.contains(sentence) && world.ready().2.contains("retry-at"),
            "{}",
            world.ready().2
        );
        let encoder = world.condition(CONDITION_ENCODER);
        if ["GPU_INIT_ERROR", "ENCODER_UNAVAILABLE"].contains(&reason) {
            assert_eq!((encoder.status.as_str(), encoder.reason.as_str()), ("False", reason));
        }
        world.now = at("10:00:00");
        assert_eq!(world.reconcile().pod, Leave);
        assert_eq!(world.pods_made, 1);
    }
}

#[test]
fn failed_session_is_tried_again_after_a_change_of_spec_template_or_retry_at() {
    let changes: [fn(&mut World); 3] = [
        |world| world.session.metadata.generation = Some(2),
        |world| world.desktop.as_mut().unwrap().spec.image = "b".into(),
        |world| {
            world.session.metadata.annotations =
                Some([(ANNOTATION_RETRY_AT.to_owned(), "now".to_owned())].into());
        },
    ];
    for change in changes {
        for pod_is_gone in [false, true] {
            let mut world = World::running("{}", "{}");
            world.exits(10, "Error", "GPU_INIT_ERROR: no device");
            world.reconcile();
            if pod_is_gone {
                world.pod = None;
                world.reconcile();
                assert_eq!(world.reason(), (Phase::Failed, "GPU_INIT_ERROR"), "a deleted pod is no change");
            }
            change(&mut world);
            world.settle();
            assert_eq!((world.pods_made, world.status().phase), (2, Phase::Creating));
            world.runs(true);
            world.reconcile();
            assert_eq!(world.reason(), (Phase::Running, "Ready"));
        }
    }
}

#[test]
fn what_may_pass_is_tried_again_three_times_and_then_no_more() {
    let mut world = World::running("{}", "{}");
    for restart in 1..=3 {
        world.exits(137, "OOMKilled", "");
        world.reconcile();
        assert_eq!(world.reason(), (Phase::Creating, "OutOfMemory"));
        assert!(
            world.ready().2.contains("memory of 4Gi") && world.ready().2.contains("spec.resources.memory")
        );
        assert_eq!(world.status().restarts, Some(restart));
        let waits = world.settle();
        assert_eq!((world.pods_made, waits.pod), (restart as u32, Leave), "it waits first");
        world.now += waits.look_again.unwrap();
        world.settle();
        assert_eq!(world.pods_made, restart as u32 + 1);
        world.runs(true);
        world.reconcile();
        assert_eq!(world.status().start_time, Some(Time(at("09:00:00"))), "it is the same run");
    }
    world.exits(137, "OOMKilled", "");
    world.settle();
    assert_eq!(world.reason(), (Phase::Failed, "OutOfMemory"));
    assert!(world.ready().2.contains("after 3 replacements"));
}

#[test]
fn desktop_that_ran_long_begins_the_count_anew() {
    let mut world = World::running("{}", "{}");
    for hour in 10..16 {
        world.now = at(&format!("{hour}:00:00"));
        world.exits(15, "Error", "PIPELINE_ERROR: lost");
        let waits = world.settle();
        assert_eq!((world.reason(), world.status().restarts), ((Phase::Creating, "PIPELINE_ERROR"), Some(1)));
        world.now += waits.look_again.unwrap();
        world.settle();
        world.runs(true);
        world.reconcile();
    }
    assert_eq!(world.status().phase, Phase::Running);
}
