// Shell: tells whether a page goes on with the same peer connection, or has begun anew.

import assert from "node:assert/strict";
import type { Viewer } from "./browser.js";

/** What a page keeps only if it is not reloaded, and counts if it is offered anything anew. */
interface Kept {
  keptPeer: RTCPeerConnection | null;
  offers: number;
}

/** Runs in the page: remembers its peer. */
export function keepPeer(): void {
  const page = globalThis as unknown as Kept & { vdi: { peer: RTCPeerConnection | null } };
  const peer = page.vdi.peer;
  page.keptPeer = peer;
  page.offers = 0;
  peer?.addEventListener("signalingstatechange", () => {
    if (peer.signalingState === "have-remote-offer") page.offers++;
  });
}

/** The page is the same page, its peer the same peer, and nobody has offered it anything. */
export async function assertSamePeer(viewer: Viewer): Promise<void> {
  const kept = await viewer.page.evaluate(() => {
    const page = globalThis as unknown as Partial<Kept> & { vdi: { peer: RTCPeerConnection | null } };
    return { same: page.keptPeer !== undefined && page.keptPeer === page.vdi.peer, offers: page.offers };
  });
  assert.deepEqual(kept, { same: true, offers: 0 });
}
