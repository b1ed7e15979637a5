// Shell: a real coturn as a process: UDP, TCP and TLS, with a static user or with credentials signed by a shared secret.

import { createHmac } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child, listeningOn } from "./child.js";
import { certificateFor, type Certificate } from "./certificate.js";
import type { Host } from "./netns.js";
import { Hopeless, until } from "./wait.js";

const PROGRAM = process.env["TURNSERVER"] ?? "/usr/bin/turnserver";
const REALM = "vdi.test";

/** The ways to a TURN server. */
export type Transport = "udp" | "tcp" | "tls";

/** How it knows who may use it. */
export type Users = { user: string; password: string } | { secret: string };

export interface CoturnOptions {
  users: Users;
  /** Runs it in this host's network, on its first address; else on loopback. */
  inside?: Host;
  port?: number;
  tlsPort?: number;
}

export class Coturn {
  private constructor(
    private readonly child: Child,
    private readonly folder: string,
    readonly address: string,
    readonly port: number,
    readonly tlsPort: number,
    readonly users: Users,
    readonly certificate: Certificate,
  ) {}

  static async start(options: CoturnOptions): Promise<Coturn> {
    const { users, inside, port = 3478, tlsPort = 5349 } = options;
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: the Debian package coturn has it`);
    const folder = mkdtempSync(join(tmpdir(), "vdi-coturn-"));
    const address = inside?.address ?? "127.0.0.1";
    const certificate = certificateFor(address, folder);
    const settings = [
      `listening-ip=${address}`,
      `relay-ip=${address}`,
      `listening-port=${port}`,
      `tls-listening-port=${tlsPort}`,
      `realm=${REALM}`,
      `cert=${certificate.certFile}`,
      `pkey=${certificate.keyFile}`,
      ...("secret" in users ? ["use-auth-secret", `static-auth-secret=${users.secret}`] : ["lt-cred-mech", `user=${users.user}:${users.password}`]),
      "fingerprint",
      "no-cli",
      "no-multicast-peers",
      "log-file=stdout",
      `pidfile=${join(folder, "pid")}`,
      `userdb=${join(folder, "turndb")}`,
      // It refuses peers on loopback unless told, and then wants a password for the console that it does not have.
      ...(inside ? [] : ["allow-loopback-peers", "cli-password=unused"]),
    ];
    const conf = join(folder, "turnserver.conf");
    writeFileSync(conf, settings.join("\n"), { mode: 0o600 });
    const [command, ...args] = [...(inside?.entry ?? []), PROGRAM, "-c", conf];
    const child = Child.start(command, args);
    const coturn = new Coturn(child, folder, address, port, tlsPort, users, certificate);
    await until("coturn to listen", 20_000, () => {
      if (child.ending) throw new Hopeless(`coturn has ended: ${child.stdout}${child.stderr}`);
      const listening = listeningOn(child.pid);
      return [port, tlsPort].every((one) => listening.includes(`${address}:${one}`));
    });
    return coturn;
  }

  /** Its address as a browser takes it. */
  url(transport: Transport): string {
    return transport === "tls"
      ? `turns:${this.address}:${this.tlsPort}?transport=tcp`
      : `turn:${this.address}:${this.port}?transport=${transport}`;
  }

  /** The launcher's options for it, with Selkies' names. */
  flags(transport: Transport): string[] {
    const who = "secret" in this.users
      ? ["--turn-shared-secret", this.users.secret]
      : ["--turn-username", this.users.user, "--turn-password", this.users.password];
    const port = transport === "tls" ? this.tlsPort : this.port;
    const way = ["--turn-protocol", transport === "udp" ? "udp" : "tcp", "--turn-tls", String(transport === "tls")];
    return ["--turn-host", this.address, "--turn-port", String(port), ...way, ...who];
  }

  /** A server as `RTCPeerConnection` takes it. */
  iceServer(transport: Transport, secondsToLive = 600): RTCIceServer {
    const { username, credential } = "secret" in this.users
      ? signed(this.users.secret, Math.floor(Date.now() / 1000) + secondsToLive)
      : { username: this.users.user, credential: this.users.password };
    return { urls: this.url(transport), username, credential };
  }

  async stop(): Promise<void> {
    await this.child.stop("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Credentials as "A REST API for access to TURN services" has them. */
export function signed(secret: string, expiresAtSeconds: number, name = "test"): { username: string; credential: string } {
  const username = `${expiresAtSeconds}:${name}`;
  return { username, credential: createHmac("sha1", secret).update(username).digest("base64") };
}
