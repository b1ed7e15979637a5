//! Shell: a real Kubernetes control plane on loopback: etcd, API server, controller manager and scheduler, all of them
//! parts of the one program that `scripts/kubernetes.sh` builds, with the custom resources that the operator works on.

use crate::{address::Loopback, children::Program, nodes::Nodes, storage, wait};
use k8s_openapi::{
    api::core::v1::Node, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, LazyLock, Mutex, OnceLock},
    time::Duration,
};

/// Port of the API server.
const API_PORT: u16 = 26443;
/// Port of etcd for its clients.
const ETCD_PORT: u16 = 26379;
/// Port of etcd for other members, of which there are none.
const ETCD_PEER_PORT: u16 = 26380;
/// What may do everything.
const ADMIN_TOKEN: &str = "admin";
/// Until a part of the control plane answers, on a machine that does other things meanwhile.
const START: Duration = Duration::from_secs(180);

/// What the controller manager runs: what sessions meet. The rest would only take time.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,node-lifecycle-controller,\
taint-eviction-controller,persistentvolume-binder-controller,persistentvolumeclaim-protection-controller,\
persistentvolume-protection-controller,resourcequota-controller,serviceaccount-controller,\
pod-garbage-collector-controller,disruption-controller,resourceclaim-controller,clusterrole-aggregation-controller";

/// The one runtime of the test binary: connections belong to the runtime that opened them.
pub static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// Runs a test against the cluster that all tests of this binary share.
pub fn with_cluster<T>(test: impl AsyncFnOnce(&'static Cluster) -> T) -> T {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // The first test starts it, and the others wait.
    let cluster = CLUSTER.get_or_init(|| RUNTIME.block_on(Cluster::start()));
    RUNTIME.block_on(test(cluster))
}

/// A running cluster; dropping it ends it.
pub struct Cluster {
    program: PathBuf,
    folder: PathBuf,
    /// May do everything.
    pub client: Client,
    /// The machines that pods run on.
    pub nodes: Arc<Nodes>,
    api_server: Mutex<Program>,
    _others: Vec<Program>,
}

impl Cluster {
    /// Starts one.
    pub async fn start() -> Self {
        let (program, crds) = (PathBuf::from(made("program")), PathBuf::from(made("crds")));
        let loopback = Loopback::take();
        let address = loopback.first();
        let folder = folder(address);
        credentials(&folder, address);

        let etcd = etcd(&program, &folder, address);
        let api_server = api_server(&program, &folder, address);
        let certificate = folder.join("certs/apiserver.crt");
        let client = wait::until("the API server", START, async || {
            if let Some(status) = api_server.ended() {
                panic!("the API server ended with {status}:\n{}", api_server.last_words(20));
            }
            let pem = fs::read(&certificate).map_err(|err| err.to_string())?;
            kubeconfig(&folder, "admin", address, ADMIN_TOKEN, &pem);
            let client = client(&folder.join("admin.kubeconfig")).await;
            ready(&client).await.map(|()| client)
        })
        .await;
        custom_resources(&client, &crds).await;

        // They start after the custom resources, since the garbage collector looks for new kinds only now and then.
        let mut others = vec![etcd];
        for (name, words) in [
            (
                "kube-controller-manager",
                &[
                    &format!("--controllers={CONTROLLERS}") as &str,
                    "--node-monitor-period=1s",
                    "--node-monitor-grace-period=16s",
                    "--kube-api-qps=1000",
                    "--kube-api-burst=2000",
                ][..],
            ),
            ("kube-scheduler", &["--kube-api-qps=1000", "--kube-api-burst=2000"]),
        ] {
            others.push(part(&program, &folder, name, |command| {
                command
                    .arg("--kubeconfig=admin.kubeconfig")
                    .args(["--secure-port=0", "--leader-elect=false"])
                    .args(words);
            }));
        }
        let nodes = Nodes::start(client.clone(), loopback);
        storage::start(client.clone()).await;
        for name in ["node-a", "node-b", "node-c"] {
            nodes.add(name, &[]).await;
        }
        let cluster =
            Self { program, folder, client, nodes, api_server: Mutex::new(api_server), _others: others };
        cluster.has_nodes(3).await;
        cluster
    }

    /// A folder that is gone some time after the test binary has ended.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program that is every part of Kubernetes, `kubectl` too.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// File with which programs may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// Runs `kubectl` to its end.
    pub async fn kubectl(&self, words: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg("kubectl").args(words).env("KUBECONFIG", self.kubeconfig()).env("HOME", &self.folder);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Runs `kubectl`, which must work, and gives what it says.
    pub async fn kubectl_ok(&self, words: &[&str]) -> String {
        let output = self.kubectl(words).await;
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "kubectl {}: {told}", words.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Kills the API server, and starts it again.
    pub async fn restart_api_server(&self, pause: Duration) {
        self.api_server.lock().unwrap().kill();
        tokio::time::sleep(pause).await;
        let address = self.nodes.loopback().first();
        *self.api_server.lock().unwrap() = api_server(&self.program, &self.folder, address);
        wait::until("the API server's return", START, async || ready(&self.client).await).await;
    }

    async fn has_nodes(&self, count: usize) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        wait::until("nodes without taints", START, async || {
            let found = nodes.list(&Default::default()).await.map_err(|err| err.to_string())?.items;
            let clean = |node: &&Node| node.spec.as_ref().is_some_and(|spec| spec.taints.is_none());
            let ready = found.iter().filter(clean).count();
            if ready == count { Ok(()) } else { Err(format!("{ready} of {}", found.len())) }
        })
        .await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What is in it is of no use to anybody; the next run removes what could not be removed.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn ready(client: &Client) -> Result<(), String> {
    let request = http_request("/readyz");
    client.request_text(request).await.map(|_| ()).map_err(|err| err.to_string())
}

fn http_request(path: &str) -> hyper::Request<Vec<u8>> {
    hyper::Request::get(path).body(Vec::new()).unwrap()
}

/// What `scripts/kubernetes.sh` has made, or makes now.
fn made(part: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/kubernetes.sh");
    let output = Command::new(script).arg(part).stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "scripts/kubernetes.sh {part} failed");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A folder of its own for the cluster at an address, which is nobody else's while it runs. A killed run leaves its own.
fn folder(address: Ipv4Addr) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{address}"));
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn credentials(folder: &Path, address: Ipv4Addr) {
    let key = rcgen::KeyPair::generate().unwrap();
    fs::write(folder.join("accounts.key"), key.serialize_pem()).unwrap();
    fs::write(folder.join("accounts.pub"), key.public_key_pem()).unwrap();
    fs::write(folder.join("tokens.csv"), format!("{ADMIN_TOKEN},admin,admin,system:masters\n")).unwrap();
    kubeconfig(folder, "admin", address, ADMIN_TOKEN, b"");
}

fn kubeconfig(folder: &Path, name: &str, address: Ipv4Addr, token: &str, certificate: &[u8]) {
    use base64::Engine;
    let certificate = base64::engine::general_purpose::STANDARD.encode(certificate);
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: \"https://{address}:{API_PORT}\", certificate-authority-data: \"{certificate}\"}}}}]\n\
         users: [{{name: c, user: {{token: \"{token}\"}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: c}}}}]\n"
    );
    fs::write(folder.join(format!("{name}.kubeconfig")), text).unwrap();
}

/// A client that does what a kubeconfig lets it do.
pub async fn client(kubeconfig: &Path) -> Client {
    let read = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn part(program: &Path, folder: &Path, name: &str, change: impl FnOnce(&mut Command)) -> Program {
    Program::start(name, &folder.join(format!("{name}.log")), program, |command| {
        change(command.arg(name).current_dir(folder).env("HOME", folder));
    })
}

fn etcd(program: &Path, folder: &Path, address: Ipv4Addr) -> Program {
    let (clients, peers) =
        (format!("http://{address}:{ETCD_PORT}"), format!("http://{address}:{ETCD_PEER_PORT}"));
    part(program, folder, "etcd", |command| {
        command.args(["--data-dir=etcd", "--log-level=warn", "--auto-compaction-retention=5m"]);
        // The data need not outlive a failure of the machine.
        command.arg("--unsafe-no-fsync");
        command
            .arg(format!("--listen-client-urls={clients}"))
            .arg(format!("--advertise-client-urls={clients}"));
        command
            .arg(format!("--listen-peer-urls={peers}"))
            .arg(format!("--initial-advertise-peer-urls={peers}"));
        command.arg(format!("--initial-cluster=default={peers}"));
    })
}

fn api_server(program: &Path, folder: &Path, address: Ipv4Addr) -> Program {
    part(program, folder, "kube-apiserver", |command| {
        command.arg(format!("--etcd-servers=http://{address}:{ETCD_PORT}"));
        command.arg(format!("--bind-address={address}")).arg(format!("--advertise-address={address}"));
        command.arg(format!("--secure-port={API_PORT}"));
        command.args([
            "--cert-dir=certs",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=accounts.pub",
            "--service-account-signing-key-file=accounts.key",
            "--service-cluster-ip-range=10.0.0.0/16",
            // Its Service has no endpoint that could be reached at an address of loopback.
            "--endpoint-reconciler-type=none",
            // Pods of a lost node are given up after this many seconds, not after five minutes.
            "--default-not-ready-toleration-seconds=2",
            "--default-unreachable-toleration-seconds=2",
        ]);
    })
}

async fn custom_resources(client: &Client, folder: &Path) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut all = vdi_operator::api::crds().to_vec();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        all.extend(serde_saphyr::from_multiple::<CustomResourceDefinition>(&text).unwrap());
    }
    for crd in &all {
        let apply = PatchParams::apply("tests").force();
        api.patch(&crd.name_any(), &apply, &Patch::Apply(crd)).await.unwrap();
    }
    for crd in &all {
        wait::until(&format!("the kind of {}", crd.name_any()), START, async || {
            let seen = api.get_status(&crd.name_any()).await.map_err(|err| err.to_string())?;
            let conditions = seen.status.and_then(|status| status.conditions).unwrap_or_default();
            let established = conditions.iter().any(|c| c.type_ == "Established" && c.status == "True");
            if established { Ok(()) } else { Err(format!("{conditions:?}")) }
        })
        .await;
    }
}
