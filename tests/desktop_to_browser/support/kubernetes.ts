// Shell: a real Kubernetes in a network of the test's own: control plane, and one node with a real kubelet, containerd and runc.
// What is absent: kube-proxy (Services lead nowhere) and a network plugin that knows NetworkPolicy (none is enforced).

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Child, children } from "./child.js";
import { SESSION, exportImage } from "./container.js";
import { root } from "./launcher.js";
import type { Host } from "./netns.js";
import { Hopeless, until, within } from "./wait.js";

/** The pods' network, behind the node. */
export const PODS = "10.93.200.0/24";
const GROUPS = "/sys/fs/cgroup";
/** What kubelet calls the root of its pods' control groups. */
const KUBEPODS = "kubepods";

/** Removes groups without processes; those with some stay. */
function sweepGroups(): void {
  const remove = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) remove(join(folder, entry.name));
    try {
      rmdirSync(folder);
    } catch {
      // Somebody is in it.
    }
  };
  for (const folder of groups()) remove(folder);
}

const groups = (): string[] => ["", ...readdirSync(GROUPS)].map((name) => join(GROUPS, name, KUBEPODS)).filter((folder) => existsSync(folder));

/** Why this machine can have no node, in the form that node's `skip` takes; false where it can. Missing packages are no reason in CI. */
export function noNode(): string | false {
  const skip = (why: string): string => {
    const words = `SKIPPED: no kubelet is started: ${why}`;
    process.stderr.write(`${words}\n`);
    return words;
  };
  const ci = process.env["CI"] === "true";
  if (!ci && spawnSync("containerd", ["--version"]).error) return skip("containerd is missing: apt-get install containerd");
  if (!ci && !existsSync("/usr/lib/cni/bridge")) return skip("network plugins are missing: apt-get install containernetworking-plugins");
  sweepGroups();
  return groups().length > 0 ? skip("this machine runs pods already") : false;
}

/** The program that is each part of Kubernetes; building it the first time takes some ten minutes. */
async function program(): Promise<string> {
  const build = Child.start(resolve(root, "scripts/kubernetes.sh"), []);
  const { code } = await build.ended;
  if (code !== 0) throw new Error(`scripts/kubernetes.sh ended with ${code}:\n${build.stderr}`);
  return build.stdout.trim();
}

function crds(): string {
  const { status, stdout, stderr } = spawnSync(resolve(root, "scripts/kubernetes.sh"), ["crds"], { encoding: "utf8", timeout: 120_000 });
  if (status !== 0) throw new Error(`scripts/kubernetes.sh crds: ${stderr}`);
  return stdout.trim();
}

export class Kubernetes {
  private readonly parts: Child[] = [];
  private node: Child | undefined;

  private constructor(
    private readonly program: string,
    readonly folder: string,
    private readonly host: Host,
  ) {}

  /** Starts all of it, with the custom resources and the session's image, and waits for the node to be ready. */
  static async start(host: Host): Promise<Kubernetes> {
    const kubernetes = new Kubernetes(await program(), mkdtempSync(join(tmpdir(), "vdi-kubernetes-")), host);
    try {
      await kubernetes.startControlPlane();
      await kubernetes.startNode();
    } catch (error) {
      await kubernetes.stop();
      throw error;
    }
    return kubernetes;
  }

  get kubeconfig(): string {
    return join(this.folder, "kubeconfig");
  }

  /** In the host's network, as the same process; control groups stay to be seen, which `ip netns exec` would hide. */
  private inNetwork(words: readonly string[], env: Record<string, string> = {}): Child {
    return Child.start("nsenter", [`--net=/run/netns/${this.host.namespace}`, ...words], { env: { HOME: this.folder, ...env } });
  }

  /** A file as the node sees it, with the volumes that its kubelet has mounted. */
  nodeFile(path: string): string {
    const [first] = children(this.node?.pid ?? 0);
    return join(`/proc/${first ?? 0}/root`, this.folder, path);
  }

  /** Starts a program beside the control plane, with all rights. */
  startProgram(...words: string[]): Child {
    const child = this.inNetwork(words, { KUBECONFIG: this.kubeconfig });
    this.parts.push(child);
    return child;
  }

  kubectl(args: readonly string[], input = ""): { code: number | null; stdout: string; stderr: string } {
    const words = [`--net=/run/netns/${this.host.namespace}`, this.program, "kubectl", `--kubeconfig=${this.kubeconfig}`, "--request-timeout=30s", ...args];
    const { status, stdout, stderr, error } = spawnSync("nsenter", words, { input, encoding: "utf8", timeout: 120_000, env: { ...process.env, HOME: this.folder } });
    if (error) throw error;
    return { code: status, stdout, stderr };
  }

  /** The same, and what it refuses is an error with its words. */
  says(...args: string[]): string {
    const { code, stdout, stderr } = this.kubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim()}`);
    return stdout.trim();
  }

  apply(...objects: object[]): void {
    const { code, stderr } = this.kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
    if (code !== 0) throw new Error(`kubectl apply: ${stderr}`);
  }

  /** An object, or nothing where there is none. */
  get(kind: string, name: string, namespace: string): unknown {
    const text = this.says("get", kind, name, `--namespace=${namespace}`, "--ignore-not-found", "--output=json");
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  }

  /** Waits for an object to be as it should; a failure tells how it is. */
  where<T>(kind: string, name: string, namespace: string, what: string, fits: (object: T) => boolean, limitMs = 120_000): Promise<T> {
    return until(`${kind} ${name}: ${what}`, limitMs, () => {
      const object = this.get(kind, name, namespace) as T | undefined;
      if (!object || !fits(object)) throw new Error(JSON.stringify((object as { status?: unknown } | undefined)?.status ?? object ?? "it is not there"));
      return object;
    });
  }

  private async startControlPlane(): Promise<void> {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
    });
    const file = (name: string, text: string): string => {
      writeFileSync(join(this.folder, name), text, { mode: 0o600 });
      return join(this.folder, name);
    };
    const accounts = [file("accounts.pub", publicKey), file("accounts.key", privateKey)] as const;
    const tokens = file("tokens.csv", "admin,admin,admin,system:masters\n");
    // Nobody else is in this network, so nobody else can be taken for the API server.
    file("kubeconfig", JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "tests",
      clusters: [{ name: "tests", cluster: { server: "https://127.0.0.1:6443", "insecure-skip-tls-verify": true } }],
      users: [{ name: "tests", user: { token: "admin" } }],
      contexts: [{ name: "tests", context: { cluster: "tests", user: "tests" } }],
    }));
    const [clients, peers] = ["http://127.0.0.1:2379", "http://127.0.0.1:2380"];
    this.startProgram(this.program, "etcd", `--data-dir=${this.folder}/etcd`, "--log-level=error", "--unsafe-no-fsync",
      `--listen-client-urls=${clients}`, `--advertise-client-urls=${clients}`,
      `--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`, `--initial-cluster=default=${peers}`);
    const apiServer = this.startProgram(this.program, "kube-apiserver", `--etcd-servers=${clients}`, "--bind-address=127.0.0.1", `--advertise-address=${this.host.address}`,
      "--secure-port=6443", `--cert-dir=${this.folder}/certs`, `--token-auth-file=${tokens}`, "--authorization-mode=RBAC",
      "--service-account-issuer=https://kubernetes.default.svc", `--service-account-key-file=${accounts[0]}`, `--service-account-signing-key-file=${accounts[1]}`,
      "--service-cluster-ip-range=10.0.0.0/16", "--endpoint-reconciler-type=none");
    await until("the API server", 120_000, () => {
      if (apiServer.ending) throw new Hopeless(`the API server has ended: ${apiServer.stderr.slice(-2000)}`);
      return this.kubectl(["get", "--raw=/readyz"]).code === 0;
    });
    this.says("apply", "--server-side", `--kustomize=${resolve(root, "deploy/crd")}`);
    this.says("apply", "--server-side", `--filename=${crds()}`);
    this.says("wait", "--for=condition=Established", "--all", "crd", "--timeout=60s");
    this.startProgram(this.program, "kube-controller-manager", `--kubeconfig=${this.kubeconfig}`, "--secure-port=0", "--leader-elect=false", `--service-account-private-key-file=${accounts[1]}`);
    this.startProgram(this.program, "kube-scheduler", `--kubeconfig=${this.kubeconfig}`, "--secure-port=0", "--leader-elect=false");
  }

  private async startNode(): Promise<void> {
    const file = (name: string, text: string): void => { writeFileSync(join(this.folder, name), text); };
    const socket = join(this.folder, "containerd.sock");
    file("containerd.toml", `version = 2
root = "${this.folder}/containerd"
state = "${this.folder}/run"
[grpc]
address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/gst-vdi/pause:latest"
# The kernel may not let us protect a pod from its out-of-memory killer, and pods run without that as well.
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${this.folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`);
    mkdirSync(join(this.folder, "cni"));
    const ipam = { type: "host-local", dataDir: join(this.folder, "ipam"), ranges: [[{ subnet: PODS }]], routes: [{ dst: "0.0.0.0/0" }] };
    file("cni/10-vdi.conflist", JSON.stringify({ cniVersion: "0.4.0", name: "vdi", plugins: [{ type: "bridge", bridge: "pods", isGateway: true, hairpinMode: true, ipam }] }));
    file("kubelet.yaml", JSON.stringify({
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      // Machines that still have the first version of control groups are good enough for tests.
      failCgroupV1: false,
      cgroupDriver: "cgroupfs",
      containerRuntimeEndpoint: `unix://${socket}`,
      authentication: { anonymous: { enabled: false }, webhook: { enabled: false } },
      authorization: { mode: "AlwaysAllow" },
      address: "127.0.0.1",
      healthzPort: 0,
      enforceNodeAllocatable: [],
      resolvConf: "",
      failSwapOn: false,
      // What is free on the machine is not what is tested.
      evictionHard: { "memory.available": "10Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%" },
      imageGCHighThresholdPercent: 100,
      imageGCLowThresholdPercent: 99,
      volumePluginDir: join(this.folder, "flexvolumes"),
    }));
    this.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
    this.node = this.inNetwork(["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--mount-proc",
      resolve(import.meta.dirname, "node/node.sh"), this.folder, this.program, this.host.address]);
    await until("containerd", 30_000, () => existsSync(socket));
    await this.import(this.pauseImage());
    await this.import(exportImage(SESSION, join(this.folder, "session.tar")));
    await until("the node to be ready", 120_000, () => {
      if (this.node?.ending) throw new Hopeless(`the node has ended: ${this.log("kubelet").slice(-3000)}`);
      const { stdout } = this.kubectl(["get", "nodes", "--output=jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"]);
      if (stdout.trim() !== "True") throw new Error(this.log("kubelet").slice(-3000));
      return true;
    });
  }

  private log(name: string): string {
    const path = join(this.folder, `${name}.log`);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** An archive in docker's form, whose only layer has one static program. */
  private pauseImage(): string {
    const folder = join(this.folder, "pause");
    mkdirSync(folder);
    const run = (command: string, ...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8", timeout: 60_000 });
      if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    run("cc", "-Os", "-static", "-s", "-o", "pause", resolve(import.meta.dirname, "node/pause.c"));
    run("tar", "-cf", "layer.tar", "pause");
    const [sum = ""] = run("sha256sum", "layer.tar").split(" ");
    const config = { architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux", config: { Entrypoint: ["/pause"] }, rootfs: { type: "layers", diff_ids: [`sha256:${sum}`] } };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    writeFileSync(join(folder, "manifest.json"), JSON.stringify([{ Config: "config.json", RepoTags: ["localhost/gst-vdi/pause:latest"], Layers: ["layer.tar"] }]));
    run("tar", "-cf", "../pause.tar", "manifest.json", "config.json", "layer.tar");
    return join(this.folder, "pause.tar");
  }

  /** Gives an archive to containerd, and removes it. */
  private async import(archive: string): Promise<void> {
    const child = Child.start("ctr", ["--address", join(this.folder, "containerd.sock"), "--namespace", "k8s.io", "images", "import", archive]);
    const { code } = await within(`${archive} to be imported`, 300_000, child.ended);
    rmSync(archive);
    if (code !== 0) throw new Error(`ctr images import: ${child.stderr}`);
  }

  /** Ends everything, whatever its state. */
  async stop(): Promise<void> {
    if (this.node && !this.node.ending) {
      // Its first process ends with its input, and the kernel ends all others of its namespace.
      this.node.stdin.end();
      await within("the node to end", 30_000, this.node.ended);
    }
    for (const part of this.parts.reverse()) if (!part.ending) await part.stop("SIGTERM", 30_000);
    sweepGroups();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
