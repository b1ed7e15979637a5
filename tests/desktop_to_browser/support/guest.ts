// Shell: a virtual machine with a kernel of Debian's, which has the devices that containers and clouds lack. Its root is this
// machine's own, read only (what it writes goes into its memory), so the programs under test are the ones that were built here.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { Child } from "./child.js";
import { root } from "./launcher.js";
import { until, within } from "./wait.js";

/** How the processor is had, the fastest first: one that others lend may promise more than it can do. */
const ACCELERATORS = [["kvm", 10_000], ["tcg,thread=multi", 90_000]] as const;
const MEMORY_MB = 2048;

export class Guest {
  private constructor(
    private readonly child: Child,
    private readonly folder: string,
    private readonly ports: ReadonlyMap<number, number>,
  ) {}

  /** Boots it, and has a shell run this script in it; these of its TCP ports can be reached from here. */
  static async boot(script: string, ports: readonly number[]): Promise<Guest> {
    // The last line is the folder; what comes before it is what was to be got first.
    const kernel = execFileSync(join(root, "scripts/guest-kernel.sh"), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
    const folder = mkdtempSync(join(tmpdir(), "vdi-guest-"));
    const start = join(folder, "start.sh");
    writeFileSync(start, `${PREPARES}\n${script}\n`);
    const reached = new Map<number, number>();
    for (const port of ports) reached.set(port, await freePort());
    const forwards = [...reached].map(([port, here]) => `,hostfwd=tcp:127.0.0.1:${here}-:${port}`).join("");
    const words: string[] = [];
    for (const [accelerator, limitMs] of ACCELERATORS) {
      const child = Child.start("qemu-system-x86_64", [
        ...["-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", String(MEMORY_MB)],
        ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"],
        ...["-kernel", join(kernel, "vmlinuz"), "-initrd", join(kernel, "initramfs")],
        ...["-append", `console=ttyS0 quiet panic=-1 VDI_GUEST=${start}`],
        ...["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap", "-device", "virtio-9p-pci,fsdev=root,mount_tag=root"],
        ...["-netdev", `user,id=net,restrict=on${forwards}`, "-device", "virtio-net-pci,netdev=net"],
      ]);
      try {
        await child.says(/^guest: up/m, limitMs);
        return new Guest(child, folder, reached);
      } catch (error) {
        words.push(`${accelerator}: ${String(error)}`);
        if (!child.ending) await child.stop("SIGKILL");
      }
    }
    rmSync(folder, { recursive: true });
    throw new Error(`the virtual machine does not start:\n${words.join("\n")}`);
  }

  /** Where a port of it is reached, as `host:port`. */
  at(port: number): string {
    return `127.0.0.1:${this.#port(port)}`;
  }

  /** What it has said. */
  get words(): string {
    return this.child.stdout;
  }

  async says(pattern: RegExp, limitMs: number): Promise<RegExpMatchArray> {
    return this.child.says(pattern, limitMs);
  }

  /** A program in it that answers each line of JSON with another. */
  async talk(port: number): Promise<Talk> {
    return until(`the program at port ${port} of the guest`, 60_000, () => Talk.open(this.#port(port)));
  }

  async stop(): Promise<void> {
    await this.child.stop("SIGKILL");
    rmSync(this.folder, { recursive: true });
  }

  #port(port: number): number {
    const here = this.ports.get(port);
    if (here === undefined) throw new Error(`port ${port} of the guest is not reached from here`);
    return here;
  }
}

/** What the guest needs to be like the machine around it: a network, places to write. Its end is the machine's. */
const PREPARES = `
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home
mkdir -p $HOME
trap 'busybox poweroff -f' EXIT
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
echo "guest: up"`;

export class Talk {
  readonly #lines: AsyncIterator<string>;

  private constructor(
    private readonly socket: Socket,
    lines: Interface,
  ) {
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Whoever forwards the port takes connections before the program does: only an answer says that it is there. */
  static async open(port: number): Promise<Talk> {
    const socket = createConnection(port, "127.0.0.1");
    await new Promise((opened, failed) => socket.once("connect", opened).once("error", failed));
    const talk = new Talk(socket, createInterface(socket));
    try {
      await talk.ask("devices", {}, 5_000);
      return talk;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async ask<T>(wish: string, more: object = {}, limitMs = 60_000): Promise<T> {
    this.socket.write(`${JSON.stringify({ do: wish, ...more })}\n`);
    const next = (await within(`the answer to ${wish}`, limitMs, this.#lines.next())) as IteratorResult<string, undefined>;
    if (next.done === true) throw new Error(`the program has hung up at ${wish}`);
    const answer = JSON.parse(next.value) as { done: T } | { failed: string };
    if ("failed" in answer) throw new Error(`${wish}: ${answer.failed}`);
    return answer.done;
  }

  close(): void {
    this.socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
