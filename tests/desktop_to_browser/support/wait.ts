// Shell: bounded waiting. Every wait of these tests goes through here, so none can hang and each says what it waited for.

import { setTimeout as delay } from "node:timers/promises";

export { delay };

/** Thrown by a probe when no waiting can help any more. */
export class Hopeless extends Error {}

/** Asks `probe` again and again until it returns something other than `undefined`, `null` or `false`. */
export async function until<T>(
  what: string,
  limitMs: number,
  probe: () => T | Promise<T>,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<T, undefined | null | false>;
      }
      last = value;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${limitMs} ms for ${what}; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`);
    }
    await delay(50);
  }
}

/** `promise`, or an error after `limitMs`. */
export async function within<T>(what: string, limitMs: number, promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(limitMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${limitMs} ms for ${what}`);
  });
  // The loser of the race is settled by nobody else.
  late.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
