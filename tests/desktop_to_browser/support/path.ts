// Shell: by which way a page gets its media, as the browser's own statistics tell it, and what it gathers from a TURN server.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Viewer } from "./browser.js";
import { until } from "./wait.js";

/** The page's end of the pair of candidates that carries the media. */
export interface Way {
  /** `host`, `srflx`, `prflx` or `relay`. */
  type: string;
  /** What the packets are between the two ends of the pair. */
  protocol: string;
  /** How the page reaches its relay: `udp`, `tcp` or `tls`; empty without one. */
  relayProtocol: string;
  /** The relay as the page was told of it; empty without one. */
  url: string;
  /** The other end. */
  remoteAddress: string;
  remotePort: number;
}

/** The way of the present peer connection, once there is one. */
export function wayOf(viewer: Viewer): Promise<Way> {
  return until("a selected pair of candidates", 10_000, () =>
    viewer.page.evaluate(async () => {
      const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
      if (!peer) return null;
      const reports = await peer.getStats();
      const get = (id: unknown): Record<string, unknown> => (reports.get(String(id)) as Record<string, unknown> | undefined) ?? {};
      const transport = [...reports.values()].map((one) => one as Record<string, unknown>).find((one) => one["type"] === "transport");
      if (transport?.["selectedCandidatePairId"] === undefined) return null;
      const pair = get(transport["selectedCandidatePairId"]);
      const [local, remote] = [get(pair["localCandidateId"]), get(pair["remoteCandidateId"])];
      const text = (value: unknown): string => (typeof value === "string" ? value : "");
      return {
        type: text(local["candidateType"]),
        protocol: text(local["protocol"]),
        relayProtocol: text(local["relayProtocol"]),
        url: text(local["url"]),
        remoteAddress: text(remote["address"]),
        remotePort: Number(remote["port"]),
      };
    }),
  );
}

/** Media keeps coming: this many more frames are decoded. */
export async function goesOn(viewer: Viewer, frames = 10, limitMs = 20_000): Promise<void> {
  // A page that has just made a new peer connection may receive nothing yet.
  let { framesDecoded: last } = await until("a video track that receives", limitMs, () => viewer.inbound("video"));
  let more = 0;
  await until(`${frames} more frames`, limitMs, async () => {
    const { framesDecoded: now } = await viewer.inbound("video");
    // A page that has gone over to another peer connection counts from nothing again.
    more += now < last ? now : now - last;
    last = now;
    if (more < frames) throw new Error(`${more} so far`);
    return true;
  });
}

/** Frames are decoded, and they come by this way. */
export async function assertWay(viewer: Viewer, expected: Partial<Way>): Promise<Way> {
  await goesOn(viewer);
  const way = await wayOf(viewer);
  const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, way[key as keyof Way]]));
  assert.deepEqual(seen, expected, JSON.stringify(way));
  return way;
}

/** From now on the viewer's pages use only those servers whose address fits the pattern, and only their relays. */
export async function relayOnly(viewer: Viewer, pattern: RegExp): Promise<void> {
  await viewer.page.addInitScript((source) => {
    const fits = ({ urls }: RTCIceServer): boolean => [urls].flat().some((url) => new RegExp(source).test(url));
    const only = (server: RTCIceServer): RTCIceServer => ({ ...server, urls: [server.urls].flat().filter((url) => new RegExp(source).test(url)) });
    const held = (told: RTCConfiguration): RTCConfiguration => ({ ...told, iceServers: (told.iceServers ?? []).filter(fits).map(only), iceTransportPolicy: "relay" });
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(told: RTCConfiguration = {}) {
        super(held(told));
      }

      override setConfiguration(told: RTCConfiguration = {}): void {
        super.setConfiguration(held(told));
      }
    };
  }, pattern.source);
}

/**
 * From now on the viewer's pages hear of the other end's candidates only when they have gathered all of their own. Chromium
 * gives up the relays that it still waits for as soon as one way works, so without this it is chance which of them it has
 * to choose from.
 */
export async function gatherAllFirst(viewer: Viewer): Promise<void> {
  await viewer.page.addInitScript(() => {
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
      override async addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
        while (this.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
        return super.addIceCandidate(candidate);
      }
    };
  });
}

/** The servers that the page was told of, with its credentials. */
export function serversOf(viewer: Viewer): Promise<RTCIceServer[]> {
  return viewer.page.evaluate(() => (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi.peer?.getConfiguration().iceServers ?? []);
}

/** What a browser gets from one TURN server: addresses of relays, and the errors that it tells. */
export interface Gathered {
  relays: string[];
  errors: { code: number; text: string }[];
}

/** Lets a page gather from nothing but this server, by relay alone. */
export function gather(page: Page, server: RTCIceServer): Promise<Gathered> {
  return page.evaluate(async (iceServer) => {
    const peer = new RTCPeerConnection({ iceServers: [iceServer], iceTransportPolicy: "relay" });
    const gathered: Gathered = { relays: [], errors: [] };
    peer.addEventListener("icecandidateerror", ({ errorCode, errorText }) => gathered.errors.push({ code: errorCode, text: errorText }));
    const complete = new Promise<void>((resolve) => {
      peer.addEventListener("icecandidate", ({ candidate }) => {
        if (candidate?.candidate) gathered.relays.push(`${candidate.address ?? ""}:${candidate.port ?? 0}`);
        else if (candidate === null) resolve();
      });
    });
    peer.createDataChannel("gather");
    await peer.setLocalDescription();
    await Promise.race([complete, new Promise((resolve) => setTimeout(resolve, 8_000))]);
    peer.close();
    return gathered;
  }, server);
}
