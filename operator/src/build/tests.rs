//! Decision: whole objects as they go to the API server, and what holds for all of them.

use super::*;
use crate::test_data::{self, credentials, credentials_with_turn, desktop, settings, template};
use k8s_openapi::{api::core::v1::PodSpec, apimachinery::pkg::apis::meta::v1::Time};
use serde::Serialize;

const NAME: &str = "desktop-work";

/// Objects as YAML documents.
macro_rules! snapshot {
    ($name:literal, $($object:expr),+ $(,)?) => {
        insta::assert_snapshot!($name, [$(yaml(&$object)),+].join("---\n"))
    };
}

/// As people read it, without the hash that other fields of the template change as well.
fn yaml(object: &impl Serialize) -> String {
    let text = serde_saphyr::to_string(object).unwrap();
    let line = |line: &str| match line.split_once("vdi.kasm.io/made-from: ") {
        Some((indent, _)) => format!("{indent}vdi.kasm.io/made-from: (hash)\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn at(time: &str) -> jiff::Timestamp {
    time.parse().unwrap()
}

fn pod(of_session: &str, of_template: &str) -> Pod {
    running(&desktop(of_session, of_template), NAME, &credentials(), &Default::default()).pod
}

fn with_turn() -> Settings {
    Settings { turn: Some(test_data::turn()), ..settings() }
}

#[test]
fn desktop_with_a_slice_of_a_shared_gpu() {
    let desktop = desktop("{idleTimeout: 30m}", "{}");
    let status =
        VDISessionStatus { expires_at: Some(Time(at("2026-11-21T17:00:00Z"))), ..Default::default() };
    let Running { secret, claim, pod } = running(&desktop, NAME, &credentials(), &status);
    let Standing { home, service, route, network } = standing(&desktop, &settings());
    assert_eq!(claim, None);
    snapshot!("shared", secret, pod, home, service, route, network);
}

#[test]
fn desktop_without_a_gpu_and_without_a_home() {
    let spec = "{gpu: {mode: none}, encoderPolicy: software, storage: {persistence: none, size: 5Gi}}";
    assert_eq!(standing(&desktop("{}", spec), &settings()).home, None);
    snapshot!("none", pod("{resources: {cpu: 500m}}", spec));
}

#[test]
fn desktop_with_two_whole_gpus_that_hardware_must_encode() {
    let spec = "{gpu: {mode: exclusive, groups: [44, 109]}, encoderPolicy: require-hardware, runtimeClassName: nvidia}";
    snapshot!("exclusive", pod("{resources: {gpu: 2, memory: 16Gi, cpu: 8}}", spec));
}

#[test]
fn desktop_with_a_mig_device() {
    snapshot!("mig", pod("{}", "{gpu: {mode: mig, migProfile: 1g.10gb}}"));
}

#[test]
fn desktop_whose_gpu_comes_by_dynamic_resource_allocation() {
    let desktop = desktop("{}", "{gpu: {mode: dra}}");
    let Running { claim, pod, .. } = running(&desktop, NAME, &credentials(), &Default::default());
    snapshot!("dra", claim, pod);
}

#[test]
fn everything_that_a_template_can_say_arrives_in_the_pod() {
    let spec = "
image: registry.example.com/vdi/cad@sha256:0000000000000000000000000000000000000000000000000000000000000000
imagePullPolicy: Always
imagePullSecrets: [registry]
command: [startxfce4, --replace]
env:
- {name: LANG, value: de_DE.UTF-8}
- {name: LICENSE_TOKEN, secretKeyRef: {name: cad, key: token}}
- {name: SELKIES_RECORDING_DIR, value: /home/user/recordings}
gpu: {mode: shared, resourceName: nvidia.com/gpu.shared}
storage: {size: 50Gi, storageClassName: fast, retention: delete}
policy:
  clipboard: out
  files: false
  recording: true
  microphone: false
  webcam: false
  limits:
    timeout: 8h
    extensions: {count: 2, by: 1h}
    idleTimeout: 30m
    disconnectedTimeout: 2h
    minBitrate: 1000
    maxBitrate: 12000
    framerate: 60
    pages: 3
    cpu: 4
    memory: 8Gi
encoderPolicy: require-hardware
runtimeClassName: nvidia
nodeSelector: {nvidia.com/gpu.product: NVIDIA-L4}
tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
priorityClassName: desktops";
    let desktop = desktop("{}", spec);
    snapshot!(
        "all",
        running(&desktop, NAME, &credentials(), &Default::default()).pod,
        standing(&desktop, &settings()).home
    );
}

#[test]
fn turn_servers_are_in_the_secret_and_reachable() {
    let desktop = desktop("{}", "{}");
    let secret = running(&desktop, NAME, &credentials_with_turn(), &Default::default()).secret;
    snapshot!("turn", secret, standing(&desktop, &with_turn()).network);
}

#[test]
fn turn_servers_in_the_cluster_are_picked_by_their_labels_and_addresses_by_themselves() {
    let mut settings = with_turn();
    let turn = settings.turn.as_mut().unwrap();
    turn.peer = Some(settings.traefik.clone());
    turn.hosts = vec!["203.0.113.9".to_owned()];
    turn.networks.clear();
    let network = standing(&desktop("{}", "{}"), &settings).network;
    let egress = &network.spec.unwrap().egress.unwrap()[1];
    snapshot!("turn-in-cluster", egress);
}

#[test]
fn template_opens_networks_and_what_is_forbidden_stays_closed() {
    let spec = "
network:
  egress:
  - {cidr: 0.0.0.0/0, except: [10.0.0.0/8], ports: [{port: 443}, {protocol: UDP, port: 8000, endPort: 8100}]}
  - {cidr: 10.96.0.0/12}
  - {cidr: 169.254.169.254/32}
  - {cidr: 'fd00::/8'}";
    let network = standing(&desktop("{}", spec), &settings()).network;
    snapshot!("egress", network.spec.unwrap().egress);
}

#[test]
fn route_carries_certificate_and_middlewares_of_the_administrator() {
    let settings = Settings {
        tls_secret: Some("vdi-wildcard".to_owned()),
        cert_resolver: Some("letsencrypt".to_owned()),
        middlewares: vec![("traefik".to_owned(), "headers".to_owned())],
        traefik_networks: vec!["192.0.2.0/24".to_owned()],
        ..settings()
    };
    let Standing { route, network, .. } = standing(&desktop("{}", "{}"), &settings);
    snapshot!("route", route, network.spec.unwrap().ingress);
}

#[test]
fn desktop_that_waits_differs_from_a_session_only_in_whose_it_is() {
    let spec = "{storage: {persistence: none}, warmPool: {size: 2, namespace: team-a}}";
    let template = template(spec);
    let Pooled { secret, pod } = pool(&template, "pool-office-x7k2p", &credentials_with_turn()).unwrap();
    let of_session =
        running(&desktop("{}", spec), "pool-office-x7k2p", &credentials_with_turn(), &Default::default()).pod;
    assert_eq!(pod.spec, of_session.spec);
    snapshot!("pool", secret, pod, pool_network(&template, &settings()));
    assert_eq!(pool(&test_data::template("{}"), "pool-office-x7k2p", &credentials()), None);
}

#[test]
fn claim_turns_a_desktop_that_waits_into_a_session_and_holds_on_to_the_version_that_was_seen() {
    let desktop = desktop("{timeout: 2h, idleTimeout: 10m, disconnectedTimeout: 1h}", "{}");
    snapshot!("claim", claimed(&desktop, "4711", &Default::default(), at("2026-11-21T10:00:00Z")));
}

#[test]
fn no_secret_is_in_a_pod() {
    let settings = with_turn();
    let turn = settings.turn.as_ref();
    let now = at("2026-11-21T09:00:00Z");
    let credentials = Credentials::current(None, NAME, turn, now, &[7; 32]);
    let Running { secret, pod, .. } = running(&desktop("{}", "{}"), NAME, &credentials, &Default::default());
    let pod = yaml(&pod);
    assert_eq!(credentials.password.len(), 32);
    assert!(!pod.contains(&credentials.password) && !pod.contains("north"), "{pod}");
    assert!(!yaml(&secret).contains("north"), "the shared secret stays with the operator");
    assert!(!format!("{credentials:?}").contains(&credentials.password));
}

/// Pod Security Standards, profile Restricted, control by control.
#[test]
fn every_pod_keeps_to_the_restricted_profile_whatever_its_gpu() {
    let modes =
        ["mode: none", "mode: exclusive", "mode: shared", "mode: mig, migProfile: 1g.10gb", "mode: dra"];
    for mode in modes {
        let PodSpec { containers, volumes, security_context, host_network, host_pid, host_ipc, .. } =
            pod("{}", &format!("{{gpu: {{{mode}}}}}")).spec.unwrap();
        assert_eq!((host_network, host_pid, host_ipc), (None, None, None));
        let of_pod = security_context.unwrap();
        assert_eq!((of_pod.run_as_non_root, of_pod.run_as_user), (Some(true), Some(1000)));
        assert_eq!(of_pod.seccomp_profile.unwrap().type_, "RuntimeDefault");
        assert!(volumes.unwrap().iter().all(|volume| volume.host_path.is_none()), "{mode}");
        for container in containers {
            let context = container.security_context.unwrap();
            assert_eq!(context.allow_privilege_escalation, Some(false));
            let capabilities = context.capabilities.unwrap();
            assert_eq!((capabilities.drop.unwrap(), capabilities.add), (vec!["ALL".to_owned()], None));
        }
    }
}

#[test]
fn home_of_somebody_else_is_not_taken_for_mine() {
    let mut home = standing(&desktop("{}", "{}"), &settings()).home.unwrap();
    assert!(is_home_of(&home, "alice@example.com") && is_home_of(&home, "Alice@Example.com"));
    assert!(!is_home_of(&home, "bob@example.com"));
    home.metadata.labels = None;
    assert!(!is_home_of(&home, "alice@example.com"), "a claim that is not ours");
}
