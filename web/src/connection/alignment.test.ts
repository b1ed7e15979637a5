import { describe, expect, it } from "vitest";
import { Alignment, DRIFT_US_PER_MS, serverUs, type Aligned, type Exchange, type Verdict } from "./alignment";
import { dice } from "../testing";

/** Two clocks and a network between them. Real time is in milliseconds. */
interface Simulated {
  /** The server's clock at real time 0, less the page's. */
  offsetMs: number;
  /** How much faster the server's runs. */
  ppm: number;
  /** Delay to the server and back, drawn for each ping. */
  there(): number;
  back(): number;
  /** The page's clock is cut off to this. */
  grainMs?: number;
}

class World {
  /** Time that the page's clock stood still. */
  slept = 0;
  jumpedMs = 0;
  readonly #of: Simulated;

  constructor(of: Simulated) {
    this.#of = of;
  }

  pageMs(realMs: number): number {
    const grain = this.#of.grainMs ?? 0.1;
    return Math.floor((realMs - this.slept + 5000) / grain) * grain;
  }

  serverUs(realMs: number): number {
    return Math.round((realMs * (1 + this.#of.ppm / 1e6) + 5000 + this.#of.offsetMs + this.jumpedMs) * 1000);
  }

  ping(realMs: number): Exchange {
    const cameMs = realMs + this.#of.there();
    const wentMs = cameMs + 0.05;
    return {
      sentMs: this.pageMs(realMs),
      serverReceivedUs: this.serverUs(cameMs),
      serverSentUs: this.serverUs(wentMs),
      receivedMs: this.pageMs(wentMs + this.#of.back()),
    };
  }

  /** How wrong the alignment is about this moment. */
  errorUs(realMs: number, aligned: Aligned): number {
    return Math.abs(serverUs(this.pageMs(realMs), aligned) - this.serverUs(realMs));
  }
}

function known(alignment: Alignment, nowMs: number): Aligned {
  const aligned = alignment.at(nowMs);
  if (!aligned) throw new Error("nothing is known");
  return aligned;
}

/** One grain of the page's clock and the rounding to microseconds. */
const GRAIN_US = 101;

describe("one exchange", () => {
  const exchange: Exchange = { sentMs: 100.5, receivedMs: 110.5, serverReceivedUs: 900_000, serverSentUs: 902_000 };

  it("puts the server's time in the middle, and is as wrong as the network's part of the round trip allows", () => {
    const alignment = new Alignment();
    expect(alignment.at(100)).toBeNull();
    expect(alignment.learn(exchange)).toBe("begun");
    const { offsetUs, uncertaintyUs } = known(alignment, 110.5);
    // 10 ms there and back, of which 2 ms at the server: 8 ms in the network, and a grain of 0.1 ms.
    expect(uncertaintyUs).toBeCloseTo(4050, 6);
    // The middle of the server's stay, 901 ms, is that of the page's wait, 105.5 ms.
    expect(offsetUs).toBeCloseTo(795_500 - 50, 6);
    expect(serverUs(105.5, { offsetUs: 795_500, uncertaintyUs })).toBe(901_000);
  });

  it("is believed less the older it is", () => {
    const alignment = new Alignment();
    alignment.learn(exchange);
    const young = known(alignment, 110.5).uncertaintyUs;
    expect(known(alignment, 110.5 + 10_000).uncertaintyUs).toBeCloseTo(young + 500, 6); // 50 ppm of 10 s
    // And so is what it says of the time before.
    expect(known(alignment, 10.5).uncertaintyUs).toBeCloseTo(young + 5, 6);
  });

  it("on a clock of whole milliseconds may be a whole one off", () => {
    const alignment = new Alignment();
    alignment.learn({ ...exchange, sentMs: 100, receivedMs: 110 });
    expect(known(alignment, 110).uncertaintyUs).toBeCloseTo(4500, 6);
  });

  it("that cannot have happened is refused", () => {
    const impossible: [string, Partial<Exchange>][] = [
      ["an answer before the question", { receivedMs: 100 }],
      ["an answer that went before the question came", { serverSentUs: 899_999 }],
      ["a stay at the server that is longer than the wait", { serverSentUs: 910_200 }],
      ["no number", { serverReceivedUs: Number.NaN }],
      ["an endless wait", { receivedMs: 100_000 }],
    ];
    for (const [what, change] of impossible) {
      const alignment = new Alignment();
      expect(alignment.learn({ ...exchange, ...change }), what).toBe("refused");
      expect(alignment.at(200), what).toBeNull();
    }
  });

  it("is forgotten when asked", () => {
    const alignment = new Alignment();
    alignment.learn(exchange);
    alignment.forget();
    expect(alignment.at(111)).toBeNull();
  });
});

/** Seconds of arithmetic, and more of them beside other work; it is no part of what is shown. */
const MANY_WORLDS_LIMIT_MS = 60_000;

describe("many exchanges", () => {
  it("narrow each other down: one that was slow only there, one that was slow only back", () => {
    const alignment = new Alignment();
    // True offset 1,000,000 us; the ways take 1 and 9 ms, then 9 and 1 ms.
    alignment.learn({ sentMs: 0.5, serverReceivedUs: 1_001_500, serverSentUs: 1_001_500, receivedMs: 10.5 });
    alignment.learn({ sentMs: 20.5, serverReceivedUs: 1_029_500, serverSentUs: 1_029_500, receivedMs: 30.5 });
    const { offsetUs, uncertaintyUs } = known(alignment, 30.5);
    expect(Math.abs(offsetUs - 1_000_000)).toBeLessThanOrEqual(uncertaintyUs);
    expect(uncertaintyUs).toBeLessThan(1100); // each alone: 5 ms
  });

  it("one way that is always slower is in the uncertainty, since nothing can tell it", () => {
    const world = new World({ offsetMs: 77_000, ppm: 0, there: () => 1, back: () => 31 });
    const alignment = new Alignment();
    for (let ms = 0; ms < 30_000; ms += 1000) alignment.learn(world.ping(ms));
    const aligned = known(alignment, world.pageMs(30_000));
    expect(world.errorUs(30_000, aligned)).toBeGreaterThan(14_000);
    expect(world.errorUs(30_000, aligned)).toBeLessThanOrEqual(aligned.uncertaintyUs + GRAIN_US);
  });

  it("never lie about how wrong they are, in 200 worlds drawn by seeded dice", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = dice(seed);
      const there = 20 * random();
      const back = 20 * random();
      const jitter = 30 * random() ** 3;
      const delay = (least: number) => (): number => least + jitter * random() ** 2 + (random() < 0.05 ? 200 * random() : 0);
      const world = new World({
        // A server that was up for as long as twelve days, and a page that is five seconds old.
        offsetMs: random() * 1e9 - 4000,
        ppm: (random() - 0.5) * 90,
        there: delay(there),
        back: delay(back),
        grainMs: random() < 0.5 ? 0.1 : 1,
      });
      const alignment = new Alignment();
      let widest = 0;
      for (let ms = 0; ms < 120_000; ms += ms < 500 ? 100 : 1000) {
        expect(alignment.learn(world.ping(ms)), `world ${seed}: at ${ms} ms`).toBe(ms === 0 ? "begun" : "kept");
        for (const laterMs of [ms + 300, ms + 900]) {
          const aligned = known(alignment, world.pageMs(laterMs));
          expect(world.errorUs(laterMs, aligned), `world ${seed}: at ${laterMs} ms`).toBeLessThanOrEqual(aligned.uncertaintyUs + 1001);
          if (ms > 2000) widest = Math.max(widest, aligned.uncertaintyUs);
        }
      }
      // It is of use, too: hardly more than half of the round trip of a network at its best.
      expect(widest, `world ${seed}`).toBeLessThan(((there + back + 1) / 2 + jitter / 2) * 1000 + 40 * DRIFT_US_PER_MS * 1000);
    }
  }, MANY_WORLDS_LIMIT_MS);
});

describe("a clock that jumps", () => {
  const network = { ppm: 20, there: () => 0.8, back: () => 1.1 };

  function aligned(world: World, untilMs = 20_000): { alignment: Alignment; verdicts: Verdict[] } {
    const alignment = new Alignment();
    const verdicts: Verdict[] = [];
    for (let ms = 0; ms < untilMs; ms += 1000) verdicts.push(alignment.learn(world.ping(ms)));
    return { alignment, verdicts };
  }

  const jumps: [string, (world: World) => void][] = [
    ["the page's clock stood still while the laptop slept for an hour", (world) => (world.slept += 3_600_000)],
    ["the page's clock lost ten milliseconds", (world) => (world.slept += 10)],
    ["the server's clock went back by a second", (world) => (world.jumpedMs -= 1000)],
    ["the server was replaced by one whose clock began anew", (world) => (world.jumpedMs = -1_990_000)],
  ];
  for (const [what, jump] of jumps) {
    it(`is noticed with the next answer: ${what}`, () => {
      const world = new World({ offsetMs: 2_000_000, ...network });
      const { alignment, verdicts } = aligned(world);
      expect(verdicts.slice(1).every((verdict) => verdict === "kept")).toBe(true);
      jump(world);
      expect(alignment.learn(world.ping(20_000))).toBe("begun");
      const after = known(alignment, world.pageMs(20_003));
      expect(world.errorUs(20_003, after)).toBeLessThanOrEqual(after.uncertaintyUs + GRAIN_US);
      expect(alignment.learn(world.ping(21_000))).toBe("kept");
    });
  }

  it("while a ping is on its way is noticed with the next answer", () => {
    const world = new World({ offsetMs: 0, ...network });
    const { alignment } = aligned(world);
    const before = world.ping(20_000);
    world.slept += 60_000;
    // The page's clock knows nothing of the minute between the answer and its arrival.
    alignment.learn({ ...before, receivedMs: world.pageMs(20_000 + 60_000 + 2) });
    expect(alignment.learn(world.ping(80_010))).toBe("begun");
    const after = known(alignment, world.pageMs(80_015));
    expect(world.errorUs(80_015, after)).toBeLessThanOrEqual(after.uncertaintyUs + GRAIN_US);
  });
});
