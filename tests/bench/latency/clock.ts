// Shell around one small decision: how a page's clock stands to CLOCK_MONOTONIC, which the marker's times are on.
//
// Both are the same clock of the same machine, from different beginnings, so one offset holds for the page's life. Each
// question bounds it: the page's answer was given between the moment of asking and that of hearing. All bounds hold at
// once, so what is left between the tightest two is the uncertainty, whatever delayed which message.

import type { Page } from "playwright-core";

/** A question to the page, in milliseconds: when it was asked and answered here, and what time it was there. */
export interface Exchange {
  askedMs: number;
  pageMs: number;
  heardMs: number;
}

/** What to add to a time of the page to have CLOCK_MONOTONIC, and how far off that may be at most. */
export interface Offset {
  offsetMs: number;
  uncertaintyMs: number;
}

/** Questions that are asked: the tightest bounds of so many are within half a millisecond on a busy machine too. */
const EXCHANGES = 60;
/** Steps in which the browser tells its time to pages. */
const RESOLUTION_MS = 0.1;

export function offsetFrom(exchanges: readonly Exchange[]): Offset {
  const least = Math.max(...exchanges.map(({ askedMs, pageMs }) => askedMs - pageMs)) - RESOLUTION_MS;
  const most = Math.min(...exchanges.map(({ heardMs, pageMs }) => heardMs - pageMs)) + RESOLUTION_MS;
  if (!(least <= most)) throw new Error(`the page's clock does not keep this machine's time: offset at least ${least} ms and at most ${most} ms`);
  return { offsetMs: (least + most) / 2, uncertaintyMs: (most - least) / 2 };
}

/** CLOCK_MONOTONIC. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export async function align(page: Page): Promise<Offset> {
  const exchanges: Exchange[] = [];
  const session = await page.context().newCDPSession(page);
  for (let count = 0; count < EXCHANGES; count++) {
    const askedMs = monotonicMs();
    const { result } = await session.send("Runtime.evaluate", { expression: "performance.now()" });
    const heardMs = monotonicMs();
    exchanges.push({ askedMs, pageMs: Number(result.value), heardMs });
  }
  await session.detach();
  return offsetFrom(exchanges);
}
