// Shell: networks that a test makes out of Linux network namespaces: page, desktop and relay in subnets of their own, with
// a router between them that has a firewall. Nothing of it is in the machine's own network, and all of it goes with the test.
//
//   page 10.93.1.2 ──── 10.93.1.1 ┐
//   desk 10.93.2.2 ──── 10.93.2.1 ├ router (forwards; nft decides what)
//   relay 10.93.3.2 ─── 10.93.3.1 ┘

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { Child, type StartOptions } from "./child.js";

/** What has such a name, and a process that is gone, is what a run of these tests left when it was killed. */
const OURS = /^vdi-(\d+)-\d+-[a-z]+$/;
const NAMESPACES = "/run/netns";

let made = 0;

/** Runs one of the tools that this needs; what it refuses is an error with its words. */
function tool(command: string, args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: "utf8", timeout: 10_000 });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr.trim()}`);
  return stdout;
}

const ip = (...args: string[]): string => tool("ip", args);

/** Removes what a killed run has left: exactly the names that it makes, of processes that are gone. */
function sweep(): void {
  for (const name of existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : []) {
    const pid = OURS.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) ip("netns", "del", name);
  }
}

/**
 * Why this machine cannot make networks, in the form that node's `skip` takes; false where it can. In CI they have to
 * be there: false as well, and the test fails where it makes one.
 */
export function noNetworks(): string | false {
  if (process.env["CI"] === "true") return false;
  try {
    new Network([]).remove();
    return false;
  } catch (error) {
    const words = `SKIPPED: this machine can make no network namespaces (root is needed, iproute2 and nftables): ${String(error)}`;
    process.stderr.write(`${words}\n`);
    return words;
  }
}

/** A cable from a host to the router, in a subnet of its own. */
export class Link {
  readonly address: string;
  readonly gateway: string;

  /** `subnet` is the third number of its addresses. */
  constructor(
    private readonly host: string,
    router: string,
    readonly device: string,
    subnet: number,
  ) {
    this.address = `10.93.${subnet}.2`;
    this.gateway = `10.93.${subnet}.1`;
    const other = `to${subnet}`;
    ip("-n", router, "link", "add", other, "type", "veth", "peer", "name", device, "netns", host);
    ip("-n", router, "address", "add", `${this.gateway}/24`, "dev", other);
    ip("-n", router, "link", "set", other, "up");
  }

  /** Plugs it in; traffic to elsewhere goes through it from now on. */
  up(): void {
    ip("-n", this.host, "address", "replace", `${this.address}/24`, "dev", this.device);
    ip("-n", this.host, "link", "set", this.device, "up");
    ip("-n", this.host, "route", "replace", "default", "via", this.gateway, "dev", this.device);
  }

  /** Pulls it out: its address is gone at once, and its routes with it. */
  down(): void {
    ip("-n", this.host, "address", "flush", "dev", this.device);
    ip("-n", this.host, "link", "set", this.device, "down");
  }
}

/** A machine of its own, as far as the network goes. */
export class Host {
  readonly links: Link[] = [];

  constructor(readonly namespace: string) {}

  /** Its first address. */
  get address(): string {
    const [link] = this.links;
    if (!link) throw new Error(`${this.namespace} has no link`);
    return link.address;
  }

  /** What to put before a command so that it runs there, as the same process. */
  get entry(): string[] {
    return ["ip", "netns", "exec", this.namespace];
  }

  start(command: string, args: string[], options: StartOptions = {}): Child {
    const [first = "", ...rest] = [...this.entry, command, ...args];
    return Child.start(first, rest, options);
  }

  /** Runs a short command there and gives its output. */
  run(command: string, ...args: string[]): string {
    const [first = "", ...rest] = [...this.entry, command, ...args];
    return tool(first, rest);
  }

  /** Replaces its firewall, in the words of nft; none if empty. */
  nft(ruleset: string): void {
    tool("ip", ["netns", "exec", this.namespace, "nft", "-f", "-"], `flush ruleset\n${ruleset}\n`);
  }
}

export class Network {
  private readonly prefix = `vdi-${process.pid}-${++made}`;
  private readonly namespaces: string[] = [];
  private readonly hosts = new Map<string, Host>();
  private readonly onExit = (): void => { this.remove(); };
  readonly router: Host;
  private subnets = 0;

  /** Names of lower-case letters, in the order of their subnets. */
  constructor(hosts: readonly string[]) {
    sweep();
    process.once("exit", this.onExit);
    try {
      this.router = this.namespace("router");
      this.router.nft("");
      this.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
      for (const name of hosts) {
        const host = this.namespace(name);
        this.hosts.set(name, host);
        this.link(host).up();
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  host(name: string): Host {
    const host = this.hosts.get(name);
    if (!host) throw new Error(`no host "${name}" in this network`);
    return host;
  }

  /** Lays a further cable in a subnet of its own; `up()` plugs it in. */
  link(host: Host): Link {
    const link = new Link(host.namespace, this.router.namespace, `eth${host.links.length}`, ++this.subnets);
    host.links.push(link);
    return link;
  }

  /**
   * From now on the router drops everything between hosts but what these rules of nft accept, such as "tcp dport 80 accept".
   * It keeps no states: what answers needs a rule as well, so that a change cuts what runs already.
   */
  allowOnly(rules: readonly string[]): void {
    this.router.nft(`table inet vdi { chain forward { type filter hook forward priority 0; policy drop;\n${rules.join("\n")}\n}\n}`);
  }

  allowAll(): void {
    this.router.nft("");
  }

  /** Processes in it have to be ended first: a namespace that is still in use goes only with the last of them. */
  remove(): void {
    process.off("exit", this.onExit);
    // The devices go with their namespaces.
    for (const name of this.namespaces.splice(0)) ip("netns", "del", name);
  }

  private namespace(name: string): Host {
    const full = `${this.prefix}-${name}`;
    if (!OURS.test(full)) throw new Error(`"${name}" is no name for a host: lower-case letters only`);
    ip("netns", "add", full);
    this.namespaces.push(full);
    ip("-n", full, "link", "set", "lo", "up");
    return new Host(full);
  }
}

/** Rules for `allowOnly`: connections to this TCP port, in both directions; of this host alone if one is named. */
export function tcp(port: number, host?: Host): string[] {
  const [to, from] = host ? [`ip daddr ${host.address} `, `ip saddr ${host.address} `] : ["", ""];
  return [`${to}tcp dport ${port} accept`, `${from}tcp sport ${port} accept`];
}

/** The same for a UDP port. */
export function udp(port: number, host?: Host): string[] {
  return tcp(port, host).map((rule) => rule.replace(" tcp ", " udp ").replace(/^tcp /, "udp "));
}

/** Everything between two hosts. */
export function between(one: Host, other: Host): string[] {
  return [[one, other], [other, one]].map(([from, to]) => `ip saddr ${from?.address ?? ""} ip daddr ${to?.address ?? ""} accept`);
}
