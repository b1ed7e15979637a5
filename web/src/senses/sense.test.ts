import { beforeEach, describe, expect, it, vi } from "vitest";
import { settle } from "../testing";
import { FACE, Sense, VOICE, type SenseEvent } from "./sense";

/** A track of which the test sees whether it was let go, and which its device may end. */
class FakeTrack extends EventTarget {
  stopped = false;

  stop(): void {
    this.stopped = true;
  }
}

/** Where sound goes out: what it is given. */
class FakeSender {
  track: unknown = null;

  replaceTrack(track: unknown): Promise<void> {
    this.track = track;
    return Promise.resolve();
  }
}

let events: SenseEvent[];
let track: FakeTrack;
let sender: FakeSender;
let answer: (error?: Error) => void;
let asked: MediaStreamConstraints[];
let microphone: Sense;

const use = (to: FakeSender | null, allowed = true): void => {
  microphone.use(to as unknown as RTCRtpSender | null, allowed);
};
const why = (): SenseEvent[] => events.filter((event) => event !== "changed");

beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  events = [];
  asked = [];
  track = new FakeTrack();
  sender = new FakeSender();
  const stream = { getTracks: () => [track] } as unknown as MediaStream;
  const getUserMedia = (wanted?: MediaStreamConstraints): Promise<MediaStream> => {
    asked.push(wanted ?? {});
    return new Promise((resolve, reject) => {
      answer = (error) => {
        if (error) reject(error);
        else resolve(stream);
      };
    });
  };
  microphone = new Sense({ getUserMedia }, VOICE, (event) => events.push(event));
  use(sender);
});

async function on(): Promise<void> {
  void microphone.toggle();
  answer();
  await settle();
}

describe("the microphone", () => {
  it("is off until it is switched on, and asks for nothing before", async () => {
    expect([microphone.state, asked.length]).toEqual(["off", 0]);
    void microphone.toggle();
    expect(microphone.state).toBe("asking");
    expect(asked).toEqual([{ audio: expect.objectContaining({ echoCancellation: true, noiseSuppression: true }) as unknown }]);
    answer();
    await settle();
    expect([microphone.state, sender.track]).toEqual(["on", track]);
  });

  it("lets the device go when it is switched off", async () => {
    await on();
    await microphone.toggle();
    expect([microphone.state, sender.track, track.stopped]).toEqual(["off", null, true]);
    expect(why()).toEqual([]);
  });

  it("is off when it was switched off before the browser's question was answered", async () => {
    void microphone.toggle();
    void microphone.toggle();
    answer();
    await settle();
    expect([microphone.state, sender.track, track.stopped]).toEqual(["off", null, true]);
  });

  it.each([
    ["NotAllowedError", "denied"],
    ["NotFoundError", "missing"],
    ["NotReadableError", "failed"],
  ] as const)("says why it stays off: %s", async (name, event) => {
    void microphone.toggle();
    answer(new DOMException("", name));
    await settle();
    expect([microphone.state, ...why()]).toEqual(["off", event]);
  });

  it("goes along with the session to another connection", async () => {
    await on();
    const next = new FakeSender();
    use(next);
    expect([microphone.state, next.track]).toEqual(["on", track]);
  });

  it("is switched off, and says so, when the page loses control or the connection, or the device goes", async () => {
    await on();
    use(sender, false);
    expect([microphone.state, sender.track, track.stopped, ...why()]).toEqual(["off", null, true, "lost"]);
    use(sender);
    track = new FakeTrack();
    await on();
    use(null);
    expect([microphone.state, track.stopped, ...why()]).toEqual(["off", true, "lost", "lost"]);
    use(sender);
    track = new FakeTrack();
    await on();
    track.dispatchEvent(new Event("ended"));
    expect([microphone.state, sender.track, ...why()]).toEqual(["off", null, "lost", "lost", "lost"]);
  });

  it("does nothing where the server does not listen, or the browser has no devices", async () => {
    use(null);
    await microphone.toggle();
    expect([microphone.state, asked.length]).toEqual(["off", 0]);
    const none = new Sense(null, FACE, () => undefined);
    await none.toggle();
    expect(none.state).toBe("impossible");
  });
});
