// Shell: a small reverse proxy, as Jupyter, Coder or Traefik put one in front of a desktop: it takes a prefix off the path, puts
// its own name for the server into Host, and cuts WebSockets on which nothing happens.

import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { within } from "./wait.js";

export interface ProxyOptions {
  /** Where the pages are, such as `/user/jo/desk/`. */
  prefix: string;
  /** Longest silence on a WebSocket. */
  idleMs: number;
  /** Headers that it adds to what it passes on. */
  headers?: (request: IncomingMessage) => Record<string, string>;
}

export class Proxy {
  /** WebSockets that were opened through it, and those that it has cut. */
  opened = 0;
  cut = 0;
  /** Paths that were asked for outside the prefix; a page that knows where it is asks for none. */
  readonly astray: string[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
    private readonly options: ProxyOptions,
  ) {
    server.on("request", (request, response) => {
      const path = this.inside(request);
      if (path === undefined) {
        response.writeHead(404).end();
        return;
      }
      const { hostname, port } = target;
      const onwards = httpRequest({ hostname, port, path, method: request.method, headers: this.headers(request) }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onwards.on("error", () => response.destroy());
      request.pipe(onwards);
    });
    server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
      this.upgrade(request, socket, head);
    });
  }

  /** In front of the server at `url`. */
  static async start(url: string, options: ProxyOptions): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server, new URL(url), options);
    await within("the proxy to listen", 5_000, new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.options.prefix}`;
  }

  private inside({ url = "" }: IncomingMessage): string | undefined {
    const { prefix } = this.options;
    if (url.startsWith(prefix)) return `/${url.slice(prefix.length)}`;
    this.astray.push(url);
    return undefined;
  }

  private headers(request: IncomingMessage): Record<string, string | string[] | undefined> {
    return { ...request.headers, host: this.target.host, ...this.options.headers?.(request) };
  }

  private upgrade(request: IncomingMessage, browser: Socket, head: Buffer): void {
    const path = this.inside(request);
    if (path === undefined) {
      browser.destroy();
      return;
    }
    this.opened += 1;
    const server = connect(Number(this.target.port), this.target.hostname);
    const both = [browser, server];
    const end = (): void => {
      for (const socket of both) socket.destroy();
    };
    for (const socket of both) {
      this.sockets.add(socket);
      socket.once("close", () => {
        this.sockets.delete(socket);
        end();
      });
      socket.on("error", end);
    }
    // Bytes in either direction count.
    browser.setTimeout(this.options.idleMs, () => {
      this.cut += 1;
      end();
    });
    const lines = Object.entries(this.headers(request)).flatMap(([name, value]) =>
      [value ?? []].flat().map((one) => `${name}: ${one}\r\n`),
    );
    server.write(`${request.method ?? "GET"} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    server.write(head);
    browser.pipe(server).pipe(browser);
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    await within("the proxy to close", 5_000, new Promise((resolve) => this.server.close(resolve)));
  }
}
