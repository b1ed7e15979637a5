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

/** Whether the page is the same page and its peer the same peer, and what it was offered since. */
function kept(viewer: Viewer): Promise<{ same: boolean; offers: number | undefined }> {
  return viewer.page.evaluate(() => {
    const page = globalThis as unknown as Partial<Kept> & { vdi: { peer: RTCPeerConnection | null } };
    return { same: page.keptPeer !== undefined && page.keptPeer === page.vdi.peer, offers: page.offers };
  });
}

/** Whether its peer is the one that was kept. */
export const hasSamePeer = async (viewer: Viewer): Promise<boolean> => (await kept(viewer)).same;

/** The same, and nobody has offered it anything. */
export async function assertSamePeer(viewer: Viewer): Promise<void> {
  assert.deepEqual(await kept(viewer), { same: true, offers: 0 });
}
