// Shell: what the launcher believes of the network to a page, as `/status` tells it (protocol/src/status.rs).

import type { Launcher } from "./launcher.js";

interface Network {
  availableOutgoingBitrateBps: number;
}

/** In bit/s, all streams together; `null` without congestion control, or before anything is known. */
export async function estimateBps(launcher: Launcher, consumer: string): Promise<number | null> {
  const { consumers } = await launcher.status();
  const found = consumers.find(({ id }) => id === consumer) as { network?: Network | null } | undefined;
  return found?.network?.availableOutgoingBitrateBps ?? null;
}
