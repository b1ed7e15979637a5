// Shell: what is said and heard inside a page: clicks in the sound that it receives, the browser's own figures of that sound,
// and clicks that are spoken as if into its microphone.

import type { Page } from "playwright-core";

/** The browser's figures of received sound, summed up since the beginning. */
export interface Buffered {
  delaySeconds: number;
  emitted: number;
  concealed: number;
  received: number;
}

interface Ears {
  heard: number[];
  spoken: number[];
  peer?: RTCPeerConnection;
  vdi?: { peer: RTCPeerConnection | null };
}

/** A processor of tracks, which TypeScript does not know. */
type Processor = new (init: { track: MediaStreamTrack }) => { readable: ReadableStream<AudioData> };

/** In the page: keeps when each click in a track is there as samples, on the page's clock. */
function listen(toWhat: "received" | "sent"): void {
  const page = globalThis as unknown as Ears;
  const times: number[] = [];
  if (toWhat === "received") page.heard = times;
  else page.spoken = times;
  const peer = page.peer ?? page.vdi?.peer;
  const of = (one: RTCRtpTransceiver): MediaStreamTrack | null => (toWhat === "received" ? one.receiver.track : one.sender.track);
  const wanted = peer?.getTransceivers().find((one) => of(one)?.kind === "audio" && one.currentDirection === (toWhat === "received" ? "recvonly" : "sendonly"));
  const track = wanted && of(wanted);
  if (!track) throw new Error(`no sound is ${toWhat}`);
  const { MediaStreamTrackProcessor } = globalThis as unknown as { MediaStreamTrackProcessor: Processor };
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const read = async (): Promise<void> => {
    let quietFromMs = 0;
    for (;;) {
      const { value: sound } = await reader.read();
      if (!sound) return;
      const nowMs = performance.now();
      const samples = new Float32Array(sound.numberOfFrames);
      sound.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      sound.close();
      if (!samples.some((sample) => Math.abs(sample) > 0.2)) continue;
      if (nowMs > quietFromMs) times.push(nowMs);
      quietFromMs = nowMs + 100;
    }
  };
  void read();
}

export const listenTo = (page: Page, what: "received" | "sent"): Promise<void> => page.evaluate(listen, what);

export const heard = (page: Page): Promise<number[]> => page.evaluate(() => (globalThis as unknown as Ears).heard);

export const spoken = (page: Page): Promise<number[]> => page.evaluate(() => (globalThis as unknown as Ears).spoken);

export function buffered(page: Page): Promise<Buffered> {
  return page.evaluate(async () => {
    const known = globalThis as unknown as Ears;
    const reports = [...((await (known.peer ?? known.vdi?.peer)?.getStats())?.values() ?? [])] as Record<string, unknown>[];
    const inbound = reports.find((one) => one["type"] === "inbound-rtp" && one["kind"] === "audio") ?? {};
    const number = (name: string): number => Number(inbound[name] ?? 0);
    return { delaySeconds: number("jitterBufferDelay"), emitted: number("jitterBufferEmittedCount"), concealed: number("concealedSamples"), received: number("totalSamplesReceived") };
  });
}

/** In the page, before its own script: its microphone clicks, without a rhythm. */
export function clickingMicrophone(): void {
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext({ sampleRate: 48_000, latencyHint: "interactive" });
    await context.resume();
    const end = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    // A destination into which nothing goes stands still, and its track with it.
    const rest = new ConstantSourceNode(context, { offset: 1e-5 });
    rest.connect(end);
    rest.start();
    const click = context.createBuffer(1, 1440, 48_000);
    const samples = click.getChannelData(0);
    for (let at = 0; at < samples.length; at++) samples[at] = 0.7 * Math.sin((2 * Math.PI * 1000 * at) / 48_000);
    const again = (): void => {
      const source = context.createBufferSource();
      source.buffer = click;
      source.connect(end);
      source.start();
      setTimeout(again, 550 + 200 * Math.random());
    };
    again();
    return end.stream;
  };
}
