// Shell: the page's microphone and camera, as whoever sits before it has them, and as a page that is not ours could use them.

import type { Viewer } from "./browser.js";
import { until } from "./wait.js";

/** Where the page has the button and the mark of one, and by what its browser counts what it sends. */
export interface Sense {
  kind: "audio" | "video";
  button: string;
  mark: string;
  counter: "packetsSent" | "framesSent";
}

export const MICROPHONE: Sense = { kind: "audio", button: "#microphone", mark: "#speaking", counter: "packetsSent" };
export const CAMERA: Sense = { kind: "video", button: "#camera", mark: "#showing", counter: "framesSent" };

/** Keeps what the browser gives the page of devices; before it is opened. */
export async function keepGiven(page: Viewer): Promise<void> {
  await page.page.addInitScript(() => {
    const { mediaDevices } = navigator;
    const ask = mediaDevices.getUserMedia.bind(mediaDevices);
    const given: MediaStreamTrack[] = [];
    Object.assign(globalThis, { given });
    mediaDevices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      given.push(...stream.getTracks());
      return stream;
    };
  });
}

/** How the tracks stand that the browser has given the page so far. */
export function given(page: Viewer): Promise<string[]> {
  return page.page.evaluate(() => (globalThis as unknown as { given: MediaStreamTrack[] }).given.map((track) => track.readyState));
}

export async function shows(page: Viewer, { button, mark }: Sense, label: string, on: boolean): Promise<void> {
  await until(`the button to say "${label}"`, 20_000, async () => {
    const now = await page.page.textContent(`${button} span`);
    if (now !== label || (await page.page.isVisible(mark)) !== on) throw new Error(`${now}`);
    return true;
  });
}

/** Sends it past the page's own button. */
export function sendAnyway(page: Viewer, { kind }: Sense): Promise<void> {
  return page.page.evaluate(async (kind) => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    const sender = peer?.getTransceivers().find((one) => one.currentDirection === "sendonly" && one.receiver.track.kind === kind)?.sender;
    if (!sender) throw new Error("the server wants none");
    const stream = await navigator.mediaDevices.getUserMedia({ [kind]: true });
    await sender.replaceTrack(stream.getTracks()[0] ?? null);
  }, kind);
}

/** Packets or frames that the page has sent on its present connection. */
export function sent(page: Viewer, { kind, counter }: Sense): Promise<number> {
  return page.page.evaluate(
    async ({ kind, counter }) => {
      const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
      for (const report of ((await peer?.getStats()) ?? new Map()).values()) {
        const entry = report as { type: string; kind?: string; packetsSent?: number; framesSent?: number };
        if (entry.type === "outbound-rtp" && entry.kind === kind) return entry[counter] ?? 0;
      }
      return 0;
    },
    { kind, counter },
  );
}
