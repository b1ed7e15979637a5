// Shell: a process that listens on a UDP port and says who sent it something, so that a test can tell whether a relay reaches it.
//
//   node --import tsx listener.ts ADDRESS PORT

import { createSocket } from "node:dgram";

const [address = "", port = ""] = process.argv.slice(2);
const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
socket.on("message", (_, from) => process.stdout.write(`heard ${from.address}:${from.port}\n`));
socket.bind(Number(port), address, () => process.stdout.write("ready\n"));
