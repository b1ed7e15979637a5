import { beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../testing";
import { Gate, MAX_WAITING } from "./gate";

let clock: ManualClock;
let sent: number[];
let gate: Gate<number>;

beforeEach(() => {
  clock = new ManualClock();
  sent = [];
  gate = new Gate(clock, (message) => sent.push(message));
});

describe("the gate", () => {
  it("lets everything pass in its order once it is opened", () => {
    gate.pass(1);
    gate.close(1000);
    gate.pass(2);
    gate.pass(3);
    expect(sent).toEqual([1]);
    gate.open();
    gate.pass(4);
    expect(sent).toEqual([1, 2, 3, 4]);
  });

  it("opens by itself when its time is over, which begins anew when it is closed again", async () => {
    gate.close(1000);
    gate.pass(1);
    await clock.pass(900);
    gate.close(1000);
    await clock.pass(900);
    expect(sent).toEqual([]);
    await clock.pass(100);
    expect(sent).toEqual([1]);
    expect(clock.armed).toBe(0);
  });

  it("opens when too much waits", () => {
    gate.close(1000);
    for (let i = 0; i < MAX_WAITING; i++) gate.pass(i);
    expect(sent).toHaveLength(MAX_WAITING);
    expect(gate.closed).toBe(false);
  });

  it("forgets what waits for a session that is gone", () => {
    gate.close(1000);
    gate.pass(1);
    gate.forget();
    gate.pass(2);
    expect(sent).toEqual([2]);
  });
});
