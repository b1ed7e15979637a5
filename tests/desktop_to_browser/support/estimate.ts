// Shell: what the launcher believes of the network to a page, as `/status` tells it.

import type { Launcher } from "./launcher.js";

/** In bit/s; `null` while it believes nothing. */
export async function estimateBps(launcher: Launcher): Promise<number | null> {
  const { encoder } = await launcher.status();
  return encoder?.targetBitrateBps ?? null;
}
