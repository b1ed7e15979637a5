// Shell: the images of deploy/images, built here without a registry, and a container of the session's image with the rights
// and volumes that the operator's pod gives it. podman and its store are this project's own, below the cache folder.

import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Child } from "./child.js";
import { root } from "./launcher.js";
import type { Host } from "./netns.js";

const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const store = join(cache, "gst-vdi/images/store");

// runc, since crun refuses machines with both versions of control groups; the files of the groups, since not every machine
// that tests has a systemd to ask.
const PODMAN = [
  ...["--root", store, "--runroot", `${store}.run`, "--storage-driver", "overlay", "--runtime", "runc"],
  ...["--cgroup-manager", "cgroupfs", "--events-backend", "none", "--log-level", "error"],
];

/** Runs podman to its end. */
export function podman(args: readonly string[], limitMs = 60_000): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync("podman", [...PODMAN, ...args], { encoding: "utf8", timeout: limitMs, maxBuffer: 1 << 26 });
  if (error) throw error;
  return { code: status, stdout, stderr };
}

/** The same, and what it refuses is an error with its words. */
export function podmanSays(...args: string[]): string {
  const { code, stdout, stderr } = podman(args);
  if (code !== 0) throw new Error(`podman ${args.join(" ")}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Why this machine can run no containers, in the form that node's `skip` takes; false where it can. Missing packages are no reason in CI. */
export function noContainers(): string | false {
  const skip = (why: string): string => {
    const words = `SKIPPED: the images are neither built nor run: ${why}`;
    process.stderr.write(`${words}\n`);
    return words;
  };
  if (process.getuid?.() !== 0) return skip("this needs root, for layers and network namespaces");
  const missing = ["buildah", "podman", "runc", "mmdebstrap"].filter((tool) => spawnSync(tool, ["--version"]).error);
  if (missing.length > 0 && process.env["CI"] !== "true") return skip(`${missing.join(", ")} missing: apt-get install ${missing.join(" ")}`);
  const folder = mkdtempSync(join(tmpdir(), "vdi-overlay-"));
  for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(join(folder, name));
  const options = `lowerdir=${folder}/lower,upperdir=${folder}/upper,workdir=${folder}/work`;
  const mounted = spawnSync("mount", ["-t", "overlay", "overlay", "-o", options, join(folder, "merged")], { encoding: "utf8" });
  if (mounted.status === 0) spawnSync("umount", [join(folder, "merged")]);
  rmSync(folder, { recursive: true });
  return mounted.status === 0 ? false : skip(`the kernel mounts no overlay file systems (${mounted.stderr.trim()})`);
}

/** Builds them out of what cargo has built. The first time ever takes minutes, since a Debian and its packages are fetched. */
export async function buildImages(...images: string[]): Promise<void> {
  const build = Child.start(resolve(root, "scripts/images.sh"), images, { env: { VDI_IMAGES_TAR: "no" } });
  const { code } = await build.ended;
  if (code !== 0) throw new Error(`scripts/images.sh ended with ${code}:\n${build.stderr}`);
}

export const SESSION = "localhost/gst-vdi/session";
export const OPERATOR = "localhost/gst-vdi/operator";

/** What a pod mounts so that it can be written to, and where. */
const VOLUMES = { tmp: "/tmp", runtime: "/run/user/1000", home: "/home/user", shm: "/dev/shm" };

let made = 0;

export interface ContainerOptions {
  /** In this host's network; in one of its own with nothing but a loopback if absent. */
  inside?: Host;
  args?: string[];
  env?: Record<string, string>;
  /** Volumes that are forgotten. */
  without?: (keyof typeof VOLUMES)[];
}

export const MEMORY_BYTES = 1536 * 1024 * 1024;

/** A container of the session's image, locked down as in a pod under PSA "restricted". */
export class Container {
  private constructor(
    readonly child: Child,
    readonly name: string,
    private readonly folder: string,
  ) {}

  static start({ inside, args = [], env = {}, without = [] }: ContainerOptions): Container {
    const name = `vdi-test-${process.pid}-${++made}`;
    const folder = mkdtempSync(join(tmpdir(), "vdi-pod-"));
    const volumes = (Object.keys(VOLUMES) as (keyof typeof VOLUMES)[])
      .filter((volume) => !without.includes(volume))
      .map((volume) => {
        // As kubelet makes an emptyDir under fsGroup 1000: root's, the group's, and what is made in it as well.
        const path = join(folder, volume);
        mkdirSync(path);
        chownSync(path, 0, 1000);
        chmodSync(path, 0o2777);
        return `--volume=${path}:${VOLUMES[volume]}`;
      });
    writeFileSync(join(folder, "termination-log"), "");
    chmodSync(join(folder, "termination-log"), 0o666);
    const child = Child.start("podman", [
      ...PODMAN,
      ...["run", "--name", name, "--user=1000:1000", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"],
      // What podman would raise, a machine may not allow.
      ...["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", `--memory=${MEMORY_BYTES}`, `--memory-swap=${MEMORY_BYTES}`, "--pids-limit=1024"],
      ...(inside ? [`--network=ns:/run/netns/${inside.namespace}`] : ["--network=none"]),
      ...["--no-hosts", "--log-driver=none", ...volumes, `--volume=${join(folder, "termination-log")}:/dev/termination-log`],
      ...Object.entries(env).map(([key, value]) => `--env=${key}=${value}`),
      SESSION,
      ...args,
    ]);
    return new Container(child, name, folder);
  }

  /** The path on this machine of what the container has under one of its volumes. */
  path(volume: keyof typeof VOLUMES, name: string): string {
    return join(this.folder, volume, name);
  }

  /** What Kubernetes would show as the reason of its end. */
  get terminationMessage(): string {
    return readFileSync(join(this.folder, "termination-log"), "utf8");
  }

  /** Its first process, as this machine numbers it. */
  get pid(): number {
    return Number(podmanSays("inspect", "--format", "{{.State.Pid}}", this.name));
  }

  /** What the kernel lets that process do. */
  get status(): Record<string, string> {
    const lines = readFileSync(`/proc/${this.pid}/status`, "utf8").trim().split("\n");
    return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
  }

  /** The limit of its control group, of whichever version. */
  get memoryLimit(): number {
    const groups = readFileSync(`/proc/${this.pid}/cgroup`, "utf8").trim().split("\n").map((line) => line.split(":"));
    const memory = groups.find(([, controllers]) => controllers === "memory");
    const unified = groups.find(([, controllers]) => controllers === "");
    const file = memory ? `/sys/fs/cgroup/memory${memory[2]}/memory.limit_in_bytes` : `/sys/fs/cgroup${unified?.[2]}/memory.max`;
    return Number(readFileSync(file, "utf8"));
  }

  /** A command beside the desktop, in the same container; what it says, whether it likes it or not. */
  exec(...command: string[]): { code: number | null; stdout: string; stderr: string } {
    return podman(["exec", this.name, ...command], 20_000);
  }

  /** Gone, with its volumes. */
  remove(): void {
    podman(["rm", "--force", "--time=0", this.name]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Writes an image into an archive that containerd reads, uncompressed since it is read at once. */
export function exportImage(image: string, archive: string): string {
  const { status, stderr } = spawnSync("buildah", [...PODMAN.slice(0, 6), "push", "--quiet", "--disable-compression", image, `docker-archive:${archive}:${image}:latest`], {
    encoding: "utf8",
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`buildah push ${image}: ${stderr}`);
  return archive;
}
