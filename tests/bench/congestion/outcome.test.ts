// Behaviour: what is made of a link's packets, with worked-out figures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { carriedBps, crossing, deliveredBps, packetsOf, queueDelaysMs, type Packet } from "../../desktop_to_browser/support/packets.js";
import { goals } from "./goals.js";
import { longestGap, outcome, type PageCounts, type Run } from "./outcome.js";
import { capacityBits, cellular, likeness, rateAt, scenarios, wifi, words, type Piece, type Scenario } from "./scenarios.js";

const COUNTS: PageCounts = {
  framesDecoded: 0,
  keyFramesDecoded: 0,
  freezeCount: 0,
  totalFreezesDuration: 0,
  packetsLost: 0,
  retransmittedPacketsReceived: 0,
  nackCount: 0,
  pliCount: 0,
};

/** A packet of 1,250 bytes, 10,000 bits, each so many milliseconds; `waits` tells how long in the queue. */
function stream(fromMs: number, toMs: number, everyMs: number, waits: (arrivedMs: number) => number = () => 0): Packet[] {
  return Array.from({ length: Math.round((toMs - fromMs) / everyMs) }, (_, index) => {
    const arrivedMs = fromMs + index * everyMs;
    const startedMs = arrivedMs + waits(arrivedMs);
    return { direction: "down", fate: "delivered", arrivedMs, startedMs, dueMs: startedMs + 20, lateMs: 0, bytes: 1250, rtp: null };
  });
}

function runOf(scenario: Scenario, packets: Packet[], rest: Partial<Run> = {}): Run {
  return { scenario, controller: "vdi", fromMs: 0, toMs: scenario.lengthS * 1000, packets, estimates: [], shownMs: [], counts: COUNTS, change: null, ...rest };
}

const named = (name: string): Scenario => {
  const found = scenarios([]).find((one) => one.name === name);
  assert.ok(found, name);
  return found;
};

test("a list of packets is read as the relay writes it", () => {
  const csv = [
    "direction,fate,arrivedUs,startedUs,dueUs,lateUs,bytes,kind,payloadType,marker,sequence,timestamp,ssrc",
    "down,delivered,1000500,1002000,1022000,130,1228,rtp,96,1,7,90000,4294967295",
    "up,full,1000600,1000600,1000600,0,100,rtcp,,,,,",
    "",
  ].join("\n");
  const [first, second] = packetsOf(csv);
  assert.deepEqual(first, {
    ...{ direction: "down", fate: "delivered", arrivedMs: 1000.5, startedMs: 1002, dueMs: 1022, lateMs: 0.13, bytes: 1228 },
    rtp: { payloadType: 96, marker: true, sequence: 7, timestamp: 90_000, ssrc: 4_294_967_295 },
  });
  assert.equal(second?.rtp, null);
  assert.throws(() => packetsOf("something else\n"), /begins with/);
});

test("rates count what comes out, and the use of a link also what chance takes behind it", () => {
  const packets = stream(0, 1000, 1).map((one, index): Packet => ({ ...one, fate: index % 10 === 0 ? "lost" : index % 10 === 1 ? "full" : "delivered" }));
  assert.equal(Math.round(carriedBps(packets, 0, 1000) / 1e5), 90);
  assert.equal(Math.round(deliveredBps(packets, 20, 1020) / 1e5), 80);
  assert.equal(queueDelaysMs(packets, 0, 1000).length, 900);
});

test("a frame crosses from its first packet to its last, whatever else bears its time", () => {
  const rtp = { payloadType: 96, marker: false, sequence: 0, timestamp: 5, ssrc: 1 };
  const video = stream(100, 110, 1, () => 3).map((one): Packet => ({ ...one, rtp }));
  const probe = stream(500, 503, 1).map((one): Packet => ({ ...one, rtp: { ...rtp, payloadType: 97, ssrc: 2 } }));
  assert.deepEqual(crossing([...video, ...probe], 5), { bytes: 12_500, packets: 10, fromMs: 100, toMs: 132 });
  assert.equal(crossing(video, 6), null);
  assert.equal(crossing(video.map((one, index): Packet => ({ ...one, fate: index === 4 ? "full" : "delivered" })), 5), null);
});

test("the longest gap reaches over the ends of the window, and silence until its end is one", () => {
  const shown = [0, 33, 66, 900, 933, 1500];
  assert.equal(longestGap(shown, 500, 1400), 834);
  assert.equal(longestGap(shown, 910, 1400), 567);
  assert.equal(longestGap([0, 33], 10, 1000), 967);
  assert.equal(longestGap([], 0, 1000), 1000);
});

test("a sender that follows the narrow link and comes back meets every goal, and one that stays away does not", () => {
  const scenario = named("30 to 1.5 to 30 Mbit/s");
  // 10 Mbit/s; at the drop a queue of 200 ms that is gone after 2 s; 1.43 Mbit/s; and 10 Mbit/s again after 3 s.
  const packets = [...stream(-1000, 5000, 1), ...stream(5000, 28_000, 7, (ms) => (ms < 7000 ? 200 : 10)), ...stream(28_000, 41_000, 1)];
  const estimates = Array.from({ length: 400 }, (_, index) => ({ atMs: index * 100, bps: index < 50 || index > 280 ? 10.5e6 : 1.45e6 }));
  const shownMs = Array.from({ length: 1400 }, (_, index) => index * 30);
  const good = outcome(runOf(scenario, packets, { estimates, shownMs }));
  assert.equal(good.narrow?.queueP95Ms, 10);
  assert.ok(good.narrow.utilisation > 0.94 && good.narrow.utilisation < 0.96, String(good.narrow.utilisation));
  assert.ok(good.narrow.returnS !== null && good.narrow.returnS > 3.3 && good.narrow.returnS < 3.7, String(good.narrow.returnS));
  assert.ok(good.leastEstimate !== null && good.leastEstimate > 0.9 && good.leastEstimate < 1.1, String(good.leastEstimate));
  const missed = (outcomes: Parameters<typeof goals>[0]): string[] => goals(outcomes).filter(({ met }) => met === false).map(({ name }) => name);
  assert.deepEqual(missed([good]), []);

  const poor = outcome(
    runOf(scenario, [...stream(-1000, 5000, 1), ...stream(5000, 41_000, 100, () => 90)], {
      estimates: estimates.map((one) => ({ ...one, bps: 0.05e6 })),
      shownMs: shownMs.filter((ms) => ms < 6000 || ms > 7000),
      counts: { ...COUNTS, freezeCount: 2 },
    }),
  );
  assert.equal(missed([poor, { ...good, controller: "gcc" }]).length, 7);
});

test("a picture after a silence is held against the time that the link needs for it", () => {
  const scenario = named("idle, then a full-screen change at 8 Mbit/s");
  // Ten packets of 10,000 bits at 8 Mbit/s are 12.5 ms, and 20 ms the way; they took 9 + 20 + 16.
  const rtp = { payloadType: 96, marker: false, sequence: 0, timestamp: 5, ssrc: 1 };
  const packets = stream(60_000, 60_010, 1, () => 16).map((one): Packet => ({ ...one, rtp }));
  const { change } = outcome(runOf(scenario, packets, { change: { drawnMs: 59_990, shownMs: 60_080, rtpTimestamp: 5 } }));
  assert.deepEqual(change, { bytes: 12_500, crossedMs: 45, ratio: 45 / 32.5, glassToGlassMs: 90 });
});

test("a plan tells its rates, what they come to, and its words", () => {
  const plan: Piece[] = [{ atS: 0, bps: 30e6 }, { atS: 5, bps: 1.5e6 }, { atS: 25, bps: 30e6 }];
  assert.deepEqual([0, 4.9, 5, 24.9, 25, 99].map((atS) => rateAt(plan, atS) / 1e5), [300, 300, 15, 15, 300, 300]);
  assert.equal(capacityBits(plan, 0, 40), 5 * 30e6 + 20 * 1.5e6 + 15 * 30e6);
  assert.equal(capacityBits(plan, 10, 26), 15 * 1.5e6 + 30e6);
  assert.equal(words({ ...named("cellular"), plan }), "rate=30000000,5.000s:1500000,25.000s:30000000");
});

test("made traces are the same for the same seed, and as wide as they say", () => {
  for (const [make, least, most] of [[cellular, 4e6, 10e6], [wifi, 18e6, 26e6]] as const) {
    assert.deepEqual(make(3), make(3));
    assert.notDeepEqual(make(3), make(4));
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => capacityBits(make(seed), 0, 40) / 40);
    const mean = seeds.reduce((sum, bps) => sum + bps, 0) / seeds.length;
    assert.ok(mean > least && mean < most, String(mean));
  }
});

test("a Mahimahi trace is drawn as the rate of its opportunities, over and over", () => {
  // Ten in the first half of a second, none in the second half but one at its end.
  const text = [...Array.from({ length: 10 }, (_, index) => index * 50), 1000].join("\n");
  const rates = likeness(text, 2).map(({ bps }) => bps / (1500 * 16));
  assert.deepEqual(rates, [10, 0, 11, 0]);
});
