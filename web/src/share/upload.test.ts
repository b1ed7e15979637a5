import { beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../testing";
import { Halves } from "./halves";
import { MAX_TRIES, SLICE_BYTES, Upload, type UploadWorld } from "./upload";

/** A server of uploads, which fails when it is told to. */
class Server {
  bytes = 0;
  length = 0;
  asked: string[] = [];
  /** What the next requests get in place of an answer. */
  failures: (number | "cut" | "cutAfterWriting")[] = [];
  /** It was started anew where what had come was lost. */
  lost = false;

  async fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = init.headers as Record<string, string>;
    this.asked.push(`${init.method ?? "GET"} ${path}`);
    const failure = init.method === "HEAD" ? undefined : this.failures.shift();
    if (failure === "cut") throw new TypeError("network");
    if (init.method === "HEAD" && this.lost) return new Response(null, { status: 404 });
    if (typeof failure === "number") return new Response(null, { status: failure });
    if (init.method === "POST") {
      this.length = Number(headers["upload-length"]);
      this.bytes = 0;
      this.lost = false;
      return new Response(null, { status: 201, headers: { location: "/files/t/.uploads/7", "upload-offset": "0" } });
    }
    if (init.method === "PATCH") {
      if (Number(headers["upload-offset"]) !== this.bytes) return new Response(null, { status: 409 });
      this.bytes += (init.body as ArrayBuffer).byteLength;
      if (failure === "cutAfterWriting") throw new TypeError("network");
    }
    const whole = this.bytes === this.length ? { "upload-name": "a%20(1).txt" } : {};
    return Promise.resolve(new Response(null, { status: 200, headers: { "upload-offset": String(this.bytes), ...whole } }));
  }
}

let clock: ManualClock;
let server: Server;
let token: string | null;
let held: boolean;
let memory: string | null;
let world: UploadWorld;

beforeEach(() => {
  clock = new ManualClock();
  server = new Server();
  token = "t";
  held = false;
  memory = null;
  const halves = new Halves({ getItem: () => memory, setItem: (_key, value) => { memory = value; } });
  world = { held: () => held, halves, clock, random: () => 0.5, fetch: (path, init) => server.fetch(path, init), base: () => (token === null ? null : `files/${token}/`) };
});

/** A file of two slices and a bit. */
const file = (): File => new File([new Uint8Array(2 * SLICE_BYTES + 5)], "a.txt");

/** Lets time pass until it is over. */
async function through(upload: Upload, seconds = 600): Promise<void> {
  const done = upload.run();
  for (let i = 0; i < seconds && !upload.over; i++) await clock.pass(1000);
  await done;
}

describe("an upload", () => {
  it("is sent in slices, and is told the name under which it was kept", async () => {
    const upload = new Upload(file(), world, () => undefined);
    await through(upload);
    expect(server.asked).toEqual(["POST files/t/", "PATCH files/t/.uploads/7", "PATCH files/t/.uploads/7", "PATCH files/t/.uploads/7"]);
    expect(upload.state).toEqual({ name: "done", as: "a (1).txt" });
  });

  it("goes on where it was after a cut, whether or not the server had the last of it, and by another token", async () => {
    const states: string[] = [];
    let patches = 0;
    world = {
      ...world,
      fetch: (path, init) => {
        // The second slice is lost on its way, the answer to the third on its way back.
        if (init.method === "PATCH" && ++patches > 1 && patches < 4) server.failures = [patches === 2 ? "cut" : "cutAfterWriting"];
        return server.fetch(path, init);
      },
    };
    const cut: Upload = new Upload(file(), world, () => {
      states.push(cut.state.name);
      if (cut.state.name === "paused") token = "another";
    });
    await through(cut);
    expect(states).toContain("paused");
    expect(cut.state.name).toBe("done");
    expect(server.bytes).toBe(2 * SLICE_BYTES + 5);
    expect(server.asked.at(-1)).toBe("PATCH files/another/.uploads/7");
  });

  it("ends with words where no other try helps", async () => {
    for (const [status, why] of [[413, "tooLarge"], [507, "full"], [429, "tooMany"], [400, "refused"]] as const) {
      server.failures = [status];
      const upload = new Upload(file(), world, () => undefined);
      await through(upload);
      expect(upload.state).toEqual({ name: "failed", why });
    }
  });

  it("gives up when nothing gets through for long", async () => {
    server.failures = Array.from({ length: MAX_TRIES }, () => "cut" as const);
    const upload = new Upload(file(), world, () => undefined);
    await through(upload);
    expect(upload.state).toEqual({ name: "failed", why: "lost" });
  });

  it("that was given up goes on where it was when its file is chosen once more", async () => {
    const chosen = file();
    const lost: Upload = new Upload(chosen, world, () => {
      if (lost.state.name === "running" && lost.state.bytes === SLICE_BYTES) server.failures = Array.from({ length: 2 * MAX_TRIES }, () => "cut" as const);
    });
    await through(lost);
    expect(lost.state).toEqual({ name: "failed", why: "lost" });
    expect(server.asked.filter((one) => one.startsWith("DELETE"))).toEqual([]);
    server.failures = [];
    const asked = server.asked.length;
    const again = new Upload(chosen, world, () => undefined);
    await through(again);
    expect(again.state.name).toBe("done");
    expect(server.asked.slice(asked)).toEqual(["HEAD files/t/.uploads/7", "PATCH files/t/.uploads/7", "PATCH files/t/.uploads/7"]);
  });

  it("waits without an end while somebody else is in control, says so, and goes on where it was", async () => {
    const states: string[] = [];
    const upload: Upload = new Upload(file(), world, () => {
      states.push(upload.state.name);
      if (upload.state.name === "running" && upload.state.bytes === SLICE_BYTES && !states.includes("held")) [token, held] = [null, true];
    });
    const done = upload.run();
    for (let i = 0; i < 600; i++) await clock.pass(1000);
    expect(upload.state).toEqual({ name: "held", bytes: SLICE_BYTES });
    const asked = server.asked.length;
    [token, held] = ["u", false];
    for (let i = 0; i < 5 && !upload.over; i++) await clock.pass(1000);
    await done;
    expect(upload.state.name).toBe("done");
    expect(server.asked.slice(asked)).toEqual(["HEAD files/u/.uploads/7", "PATCH files/u/.uploads/7", "PATCH files/u/.uploads/7"]);
    expect(states.filter((name) => name === "held")).toHaveLength(1);
  });

  it("goes on when the same file is chosen once more, and begins anew where nothing of it is left", async () => {
    const chosen = file();
    for (const lost of [false, true]) {
      const first: Upload = new Upload(chosen, world, () => {
        if (first.state.name === "running" && first.state.bytes === SLICE_BYTES) token = null;
      });
      token = "t";
      // Its page is closed: nobody goes on with it.
      void first.run();
      for (let i = 0; i < 5; i++) await clock.pass(1000);
      expect(server.bytes).toBe(SLICE_BYTES);
      const asked = server.asked.length;
      // The second page has a clock of its own, on which the first never wakes.
      clock = new ManualClock();
      world = { ...world, clock };
      token = "t";
      server.lost = lost;
      const second = new Upload(chosen, world, () => undefined);
      await through(second);
      expect(second.state.name).toBe("done");
      expect(server.asked.slice(asked, asked + 2)).toEqual(["HEAD files/t/.uploads/7", lost ? "POST files/t/" : "PATCH files/t/.uploads/7"]);
      expect(memory).toBe("[]");
    }
  });

  it("that is cancelled asks for nothing more, and has the server forget it", async () => {
    const upload: Upload = new Upload(file(), world, () => {
      if (upload.state.name === "running" && upload.state.bytes > 0) upload.cancel();
    });
    await through(upload);
    expect(upload.state.name).toBe("cancelled");
    expect(server.asked.at(-1)).toBe("DELETE files/t/.uploads/7");
  });
});
