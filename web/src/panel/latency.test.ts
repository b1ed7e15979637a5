// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import type { Connection, ConnectionEvent } from "../connection/connection";
import { OFFER, Page, WELCOME } from "../fixture";
import { withoutSound } from "../connection/sdp";
import { QUICK_PROBE_MS } from "../connection/patience";
import { FakeChannel, settle, type ManualClock } from "../testing";

let page: Page;
let clock: ManualClock;
let events: ConnectionEvent[];
let connection: Connection;

beforeEach(() => {
  page = new Page();
  ({ clock, events, connection } = page);
});

const ofType = (control: FakeChannel, type: string): Record<string, unknown>[] =>
  (control.sent as { type: string }[]).filter((message) => message.type === type);
const requests = (control: FakeChannel): number => ofType(control, "requestKeyFrame").length;

describe("what the page tells of frames", () => {
  const frame = (rtpTimestamp: number, more: object = {}): Parameters<Connection["frameSeen"]>[0] => ({
    presentationTime: clock.nowMs(),
    rtpTimestamp,
    receiveTime: clock.nowMs() - 4,
    processingDuration: 0.001,
    presentedFrames: 5,
    ...more,
  });
  it("is on the server's clock, four times a second, and nothing before there is one", async () => {
    const { control } = await page.stream();
    connection.frameSeen(frame(1));
    await clock.pass(250);
    expect(ofType(control, "frames")).toEqual([]);
    page.pong(control, (ofType(control, "ping").at(-1) as { id: number }).id);
    for (let i = 2; i < 14; i++) {
      connection.frameSeen(frame(i));
      await clock.pass(125);
    }
    const reports = ofType(control, "frames") as unknown as { frames: { rtpTimestamp: number; receivedUs: number; presentedUs: number }[] }[];
    expect(reports).toHaveLength(6);
    expect(reports.flatMap(({ frames }) => frames.map(({ rtpTimestamp }) => rtpTimestamp))).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    const [first] = reports[0]?.frames ?? [];
    expect((first?.presentedUs ?? 0) - (first?.receivedUs ?? 0)).toBe(4000);
    // A few milliseconds of the fake round trip are unknown.
    expect(Math.abs((first?.presentedUs ?? 0) - 101_250_000)).toBeLessThan(20_000);
  });

  it("how many were shown is in the report of each second", async () => {
    const { control } = await page.stream();
    connection.frameSeen(frame(1, { presentedFrames: 77 }));
    await page.goOn(control, 3, { bytes: 1000, frames: 30 });
    expect(connection.stats?.framesPresented).toBe(77);
  });
});

describe("a page that stood still", () => {
  it("asks at once for a key frame, drops what it knew of clocks, and stays connected", async () => {
    const { control } = await page.stream();
    await page.goOn(control, 3, { bytes: 1000, frames: 30 });
    expect(requests(control)).toBe(0);
    await clock.stall(5000);
    expect(requests(control)).toBe(1);
    expect(events.filter(({ type }) => type === "resumed")).toHaveLength(1);
    // Frames that were seen with the old clock in mind are not told.
    connection.frameSeen({ presentationTime: clock.nowMs(), rtpTimestamp: 7 });
    await clock.pass(250);
    expect((control.sent as { type: string }[]).filter(({ type }) => type === "frames")).toEqual([]);
    await page.goOn(control, 3, { bytes: 0, frames: 0 });
    expect(requests(control)).toBe(1);
    expect(connection.state.name).toBe("streaming");
  });

  it("gives the sound a new receiver, without a word to the server", async () => {
    const SOUND = "m=audio 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:audio1\r\na=sendonly\r\n";
    await page.stream();
    await clock.stall(5000);
    await settle();
    expect(page.peer.offers, "there is no sound").toEqual([OFFER]);
    connection.start();
    page.socket.open();
    page.socket.say(WELCOME);
    page.socket.say({ type: "offer", sdp: OFFER + SOUND });
    await settle();
    page.peer.become("connected");
    const control = new FakeChannel("control");
    page.peer.announce(control);
    control.open();
    const said = page.socket.sent.length;
    await clock.stall(5000);
    await settle();
    expect(page.peer.offers).toEqual([OFFER + SOUND, OFFER + SOUND.replace("sendonly", "inactive"), OFFER + SOUND]);
    expect(page.socket.sent).toHaveLength(said);
    expect(page.peer.localDescription).toEqual({ type: "answer", sdp: page.peer.answerSdp });
  });

  it("is not taken for a server that owes an answer", async () => {
    const { control } = await page.stream();
    await page.goOn(control, 2, { bytes: 1000, frames: 30 });
    await clock.pass(1000); // A ping goes out, and the page stands still before its answer is read.
    await clock.stall(5500);
    await page.goOn(control, 2, { bytes: 1000, frames: 30 });
    expect(connection.state.name).toBe("streaming");
  });

  it("asks after a sleep that its own clock has not seen", async () => {
    const { control } = await page.stream();
    clock.wallAheadMs += 3_600_000;
    await clock.pass(250);
    expect(requests(control)).toBe(1);
  });

  it("for long looks whether the server is still there, and begins anew if it is not", async () => {
    await page.stream();
    await clock.stall(60_000);
    await clock.pass(QUICK_PROBE_MS - 1);
    expect(connection.state.name).toBe("streaming");
    await clock.pass(1);
    expect(connection.state.name).toBe("reconnecting");
  });

  it("for long goes on with a server that is still there", async () => {
    const { control } = await page.stream();
    await clock.stall(60_000);
    page.pong(control, (control.sent as { type: string; id: number }[]).findLast(({ type }) => type === "ping")?.id ?? 0);
    await clock.pass(2000);
    expect(connection.state.name).toBe("streaming");
  });

  it("because it was hidden is asked when it is seen again, not before", async () => {
    const { control } = await page.stream();
    page.hidden = true;
    await clock.pass(250);
    await clock.stall(8000);
    expect(requests(control)).toBe(0);
    await clock.pass(250);
    await clock.stall(0);
    page.hidden = false;
    connection.wake();
    expect(requests(control)).toBe(0); // Its timers had just come.
  });

  it("before there is a stream asks nobody", async () => {
    await clock.stall(3000);
    expect(events.filter(({ type }) => type === "resumed")).toEqual([]);
    expect(connection.state.name).toBe("connecting");
  });
});

describe("frames that pile up in the browser", () => {
  let rtpTimestamp: number;

  /** Frames that waited so long in the browser before they were shown. */
  async function shown(seconds: number, waitedMs: number): Promise<void> {
    for (let i = 0; i < 30 * seconds; i++) {
      connection.frameSeen({ presentationTime: clock.nowMs(), receiveTime: clock.nowMs() - waitedMs, processingDuration: 0, rtpTimestamp: rtpTimestamp++ });
      await clock.pass(1000 / 30);
    }
  }

  beforeEach(() => {
    rtpTimestamp = 0;
  });

  it("ask for a key frame, which lets the decoder skip them", async () => {
    const { control } = await page.stream();
    await shown(2, 5);
    expect(requests(control)).toBe(0);
    await shown(0.7, 400);
    expect(requests(control)).toBe(1);
    await shown(2, 5);
    expect(requests(control)).toBe(1);
  });

  it("are seen in the mean of each second where the browser tells no more", async () => {
    const { control } = await page.stream();
    let buffered = 0;
    for (let second = 1; second <= 6; second++) {
      buffered += (second < 4 ? 0.01 : 0.5) * 30;
      const entry = { type: "inbound-rtp", kind: "video", timestamp: second * 1000, bytesReceived: second, framesDecoded: 30 * second };
      page.peer.report = [["V", { ...entry, jitterBufferDelay: buffered, jitterBufferEmittedCount: 30 * second }]];
      await clock.pass(1000);
      page.pong(control, (control.sent as { type: string; id: number }[]).findLast(({ type }) => type === "ping")?.id ?? 0);
    }
    expect(requests(control)).toBe(2);
  });
});

it("an offer without sound differs in the direction of its sound only", () => {
  const offer = "v=0\r\na=sendonly\r\nm=video 9 X 96\r\na=sendonly\r\nm=audio 9 X 97\r\na=rtpmap:97 OPUS/48000/2\r\na=sendrecv\r\na=mid:1\r\nm=application 9 X 1\r\n";
  expect(withoutSound(offer)).toBe(offer.replace("sendrecv", "inactive"));
  expect(withoutSound(offer.replace("sendrecv", "inactive"))).toBeNull();
  expect(withoutSound("v=0\r\nm=video 9 X 96\r\na=sendonly\r\n")).toBeNull();
});
