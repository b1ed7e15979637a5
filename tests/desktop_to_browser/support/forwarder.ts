// Shell: a process that hands TCP connections on and understands nothing of them, as `ssh -L` and `kubectl port-forward` do.
//
//   node --import tsx forwarder.ts LISTEN TARGET      each is HOST:PORT, or the path of a Unix socket

import { connect, createServer, type Socket } from "node:net";

type Place = { path: string } | { host: string; port: number };

function place(text: string): Place {
  if (text.startsWith("/")) return { path: text };
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

/** Joins two sockets: what ends on one side ends on the other. */
export function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  for (const [socket, peer] of [[one, other], [other, one]] as const) {
    socket.setNoDelay();
    socket.on("error", () => peer.destroy());
    socket.on("close", () => peer.destroy());
  }
}

const [listen, target] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename && listen !== undefined && target !== undefined) {
  const server = createServer((socket) => { join(socket, connect(place(target))); });
  server.listen(place(listen), () => process.stdout.write("ready\n"));
}
