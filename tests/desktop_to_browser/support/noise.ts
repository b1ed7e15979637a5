// Shell: a process that opens connections as scanners, broken clients and attackers do, and holds them until it is ended.
//
//   node --import tsx noise.ts HOST PORT COUNT      says how many it has opened

import { connect } from "node:net";

const [host = "", port = "", count = ""] = process.argv.slice(2);

/** What a connection says first; all of them say nothing after that. */
const OPENINGS: (Buffer | null)[] = [
  // Nothing at all.
  null,
  // The head of a TLS record whose body never comes, and TLS that is none.
  Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]),
  Buffer.from([0x16, ...Buffer.alloc(600, 0xff)]),
  // A STUN message that is cut off, one of the greatest length, and ChannelData of a channel that nobody has bound.
  Buffer.from([0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42]),
  Buffer.from([0x00, 0x03, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42, ...Buffer.alloc(100, 0x41)]),
  Buffer.from([0x40, 0x00, 0x00, 0x10, ...Buffer.alloc(16, 0x42)]),
  // Half a request, half a preface of HTTP/2, and bytes of no protocol.
  Buffer.from("GET / HTTP/1.1\r\nHost: "),
  Buffer.from("PRI * HTTP/2.0\r\n"),
  Buffer.alloc(2000, 0xee),
];

let open = 0;
for (let index = 0; index < Number(count); index++) {
  const socket = connect(Number(port), host, () => {
    const opening = OPENINGS[index % OPENINGS.length];
    if (opening) socket.write(opening);
    if (++open === Number(count)) process.stdout.write(`opened ${open}\n`);
  });
  // Being cut off is what they deserve.
  socket.on("error", () => undefined);
}
setInterval(() => undefined, 1000);
