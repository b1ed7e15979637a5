// Behaviour: the whole stack, nothing of it played: a VDISession, the operator, the scheduler, a real kubelet with containerd and
// runc, the session's image, and Chromium in front of the pod.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Child } from "./support/child.js";
import { buildImages, noContainers } from "./support/container.js";
import { Kubernetes, PODS, noNode } from "./support/kubernetes.js";
import { built } from "./support/launcher.js";
import { Network, noNetworks } from "./support/netns.js";
import { until } from "./support/wait.js";

/** Kubernetes and the images are built the first time, which takes far longer than everything else. */
const LIMIT_MS = 1_800_000;
const NAMESPACE = "people";

interface Session {
  status?: {
    phase?: string;
    url?: string;
    encoder?: string;
    expiresAt?: string;
    disconnectedSince?: string;
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
}
interface Pod {
  metadata: { uid: string };
  spec: { nodeName: string };
  status: { phase: string; podIP?: string };
}
interface Secret {
  data: Record<string, string>;
}

const condition = (session: Session, type: string) => session.status?.conditions?.find((one) => one.type === type);

const template = (name: string, gpu: number, encoderPolicy: string): object => ({
  apiVersion: "vdi.kasm.io/v1alpha1",
  kind: "VDITemplate",
  metadata: { name },
  spec: {
    image: "localhost/gst-vdi/session:latest",
    imagePullPolicy: "Never",
    displayName: name,
    gpu: { mode: gpu > 0 ? "shared" : "none" },
    encoderPolicy,
    storage: { persistence: "none" },
    resources: { defaultGPU: gpu, defaultMemory: "1536Mi", defaultCPU: "2" },
    env: [
      { name: "SELKIES_DISPLAY_SIZE", value: "1280x720" },
      { name: "SELKIES_FRAMERATE", value: "30" },
      { name: "SELKIES_MAX_CPU", value: "0" },
      { name: "SELKIES_MAX_LATENCY", value: "0" },
    ],
  },
});

const session = (name: string, ofTemplate: string): object => ({
  apiVersion: "vdi.kasm.io/v1alpha1",
  kind: "VDISession",
  metadata: { name, namespace: NAMESPACE },
  spec: { user: `${name}@example.com`, template: ofTemplate },
});

describe("a desktop on a real kubelet", { skip: noContainers() || noNetworks() || noNode(), timeout: LIMIT_MS + 600_000 }, () => {
  let kubernetes: Kubernetes;
  let chromium: Chromium;
  let viewer: Viewer;
  /** What to end, the last first; a start that fails has left only what is here. */
  const endings: (() => unknown)[] = [];

  before(async () => {
    await buildImages("session");
    const network = new Network(["page", "node"]);
    endings.push(() => { network.remove(); });
    const node = network.host("node");
    network.router.run("ip", "route", "add", PODS, "via", node.address);
    kubernetes = await Kubernetes.start(node);
    endings.push(() => kubernetes.stop());
    chromium = await Chromium.start({ inside: network.host("page") });
    endings.push(() => chromium.stop());
    kubernetes.apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "vdi-system" } },
      { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels: { "pod-security.kubernetes.io/enforce": "restricted" } } },
    );
    kubernetes.startProgram(built("vdi-operator"), "--addr=127.0.0.1", "--port=0", "--poll-interval=1s");
  }, { timeout: LIMIT_MS });

  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  test("a VDISession becomes a pod that Pod Security's restricted lets in, and is Running once its launcher is ready", async () => {
    kubernetes.apply(template("plain", 0, "software"), session("alice", "plain"));
    const running = await kubernetes.where<Session>("vdisession", "alice", NAMESPACE, "Running", ({ status }) => status?.phase === "Running");
    assert.equal(running.status?.encoder, "x264enc");
    assert.equal(running.status.url, "https://alice.vdi.localhost/");
    assert.equal(condition(running, "Ready")?.status, "True");
    const pod = kubernetes.get("pod", "desktop-alice", NAMESPACE) as Pod | undefined;
    assert.equal(pod?.spec.nodeName, "vdi-node");
    assert.match(kubernetes.says("get", "vdi", `--namespace=${NAMESPACE}`), /alice +alice@example\.com +Running +https:\/\/alice\.vdi\.localhost\//);
  });

  test("the limits that the operator decides reach the pod as a file", async () => {
    const { status } = (kubernetes.get("vdisession", "alice", NAMESPACE) as Session | undefined) ?? {};
    const uid = (kubernetes.get("pod", "desktop-alice", NAMESPACE) as Pod | undefined)?.metadata.uid ?? "";
    const file = kubernetes.nodeFile(`kubelet/pods/${uid}/volumes/kubernetes.io~downward-api/pod-info/limits`);
    const expiresAt = status?.expiresAt ?? "no expiresAt";
    // kubelet looks at volumes about once a minute.
    await until("the file to have the end in it", 150_000, () => {
      const text = existsSync(file) ? readFileSync(file, "utf8") : "no file";
      if (!text.includes(expiresAt)) throw new Error(`${text}, and not ${expiresAt}`);
      return true;
    });
  });

  test("Chromium opens the pod with the Secret's password, sees the desktop and drives it", async () => {
    const { data } = (kubernetes.get("secret", "desktop-alice", NAMESPACE) as Secret | undefined) ?? { data: {} };
    const decoded = (key: string): string => Buffer.from(data[key] ?? "", "base64").toString();
    const address = (kubernetes.get("pod", "desktop-alice", NAMESPACE) as Pod | undefined)?.status.podIP ?? "";
    viewer = await chromium.open({ url: `http://${address}:8080/`, user: decoded("username"), password: decoded("password") });
    await until("the desktop to be painted", 30_000, async () => (await viewer.shown()).colours > 20);
    const { x, y } = await viewer.placeOf(400, 300);
    await viewer.page.mouse.click(x, y);
    await viewer.page.keyboard.type("printf '\\033[48;2;0;160;0m\\033[2J'");
    await viewer.page.keyboard.press("Enter");
    await until("the terminal to be green", 20_000, async () => {
      const green = (await viewer.shown()).cells.filter(([red, g, blue]) => g > 110 && red < 60 && blue < 60).length;
      if (green < 60) throw new Error(`${green} of 576 cells are`);
      return true;
    });
    await viewer.screenshot("kubelet");
    // The operator has asked the launcher, with the same password, and has seen that somebody is there.
    await kubernetes.where<Session>("vdisession", "alice", NAMESPACE, "connected", ({ status }) => status?.disconnectedSince === undefined, 60_000);
  });

  test("a GPU that a template requires and that does not work is the session's failure, in the launcher's own words", async () => {
    // The node says that it has one, as a node with a broken driver does.
    const one = { "nvidia.com/gpu": "1" };
    kubernetes.says("patch", "node", "vdi-node", "--subresource=status", "--type=merge", `--patch=${JSON.stringify({ status: { capacity: one, allocatable: one } })}`);
    kubernetes.apply(template("needs-gpu", 1, "require-hardware"), session("bob", "needs-gpu"));
    const failed = await kubernetes.where<Session>("vdisession", "bob", NAMESPACE, "Failed", ({ status }) => status?.phase === "Failed");
    assert.equal(condition(failed, "Ready")?.reason, "GPU_INIT_ERROR");
    assert.match(condition(failed, "Ready")?.message ?? "", /GPU|NVIDIA|hardware/i);
  });

  test("deleting the session tells the page, ends the pod with 0 well within its grace, and leaves nothing", async () => {
    kubernetes.says("delete", "vdisession", "alice", "bob", `--namespace=${NAMESPACE}`, "--timeout=60s");
    await until("the page to be told", 60_000, async () => (await viewer.state()) === "ended");
    await until("every object to be gone", 120_000, () => {
      const left = kubernetes.says("get", "pods,services,secrets,networkpolicies,ingressroutes.traefik.io", `--namespace=${NAMESPACE}`, "--output=name");
      if (left !== "") throw new Error(left);
      return true;
    });
    const tasks = Child.start("ctr", ["--address", join(kubernetes.folder, "containerd.sock"), "--namespace", "k8s.io", "tasks", "list", "--quiet"]);
    await tasks.ended;
    assert.equal(tasks.stdout.trim(), "", "containers are left behind");
  });
});
