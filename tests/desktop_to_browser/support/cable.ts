// Shell: a TCP connection to a server that a test can cut and mend: what is open ends at once, and nothing new gets through.

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { within } from "./wait.js";

export class Cable {
  /** Connections that came since it was cut last. */
  refused = 0;
  private whole = true;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    port: number,
  ) {
    server.on("connection", (near: Socket) => {
      if (!this.whole) {
        this.refused += 1;
        near.resetAndDestroy();
        return;
      }
      const far = connect(port, "127.0.0.1");
      for (const [one, other] of [[near, far], [far, near]] as const) {
        this.sockets.add(one);
        one.setNoDelay();
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.sockets.delete(one);
          other.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
  }

  /** To the server of this URL. */
  static async to(url: string): Promise<Cable> {
    const server = createServer();
    const cable = new Cable(server, Number(new URL(url).port));
    await within("the cable to listen", 5_000, new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
    return cable;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  cut(): void {
    this.whole = false;
    this.refused = 0;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  mend(): void {
    this.whole = true;
  }

  async remove(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await within("the cable to be gone", 5_000, new Promise((resolve) => this.server.close(resolve)));
  }
}
