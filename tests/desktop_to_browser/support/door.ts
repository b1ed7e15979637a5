// Shell: a way from the test's own network to a server in a namespace, past routers and firewalls: a Unix socket, which knows
// no namespaces. The test asks the server for its truth through it; the browser never does.

import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Child } from "./child.js";
import { join as joinSockets } from "./forwarder.js";
import type { Host } from "./netns.js";

/** Starts a forwarder in a namespace; it is ended with `stop("SIGTERM")` of the child. */
export async function forwarder(host: Host, listen: string, target: string): Promise<Child> {
  const child = host.start(process.execPath, ["--import", "tsx", join(import.meta.dirname, "forwarder.ts"), listen, target]);
  await child.says(/^ready$/m, 20_000);
  return child;
}

export class Door {
  private constructor(
    private readonly folder: string,
    private readonly inside: Child,
    private readonly outside: Server,
  ) {}

  /** A door to `target`, HOST:PORT as seen from the namespace. */
  static async open(host: Host, target: string): Promise<Door> {
    const folder = mkdtempSync(join(tmpdir(), "vdi-door-"));
    const path = join(folder, "socket");
    const inside = await forwarder(host, path, target);
    const outside = createServer((socket) => { joinSockets(socket, connect({ path })); });
    await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
    return new Door(folder, inside, outside);
  }

  /** Where the server is to be found from here. */
  get url(): string {
    return `http://127.0.0.1:${(this.outside.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.outside.close();
    await this.inside.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
