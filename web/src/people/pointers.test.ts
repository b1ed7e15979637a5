// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import { FakeChannel, ManualClock } from "../testing";
import { Pointers, STILL_MS } from "./pointers";
import { COLOURS, dueInMs, freeColour, nothingTold, PACE_MS, TIMES, toldAlso } from "./pointing";

describe("what is told of where somebody points", () => {
  const place = { x: 10, y: 20 };

  it("is nothing as long as nobody points", () => {
    expect(dueInMs(nothingTold, null, 0)).toBeNull();
  });

  it("is told at once, a few times, and no more often than others are told of it", () => {
    expect(dueInMs(nothingTold, place, 1000)).toBe(0);
    let told = toldAlso(nothingTold, place, 1000);
    expect(dueInMs(told, place, 1010)).toBe(PACE_MS - 10);
    expect(dueInMs(told, { x: 11, y: 20 }, 1010)).toBe(PACE_MS - 10);
    for (let times = 1; times < TIMES; times++) told = toldAlso(told, place, 1000 + times * PACE_MS);
    expect(dueInMs(told, place, 9000)).toBeNull();
    expect(dueInMs(told, null, 9000)).toBe(0);
  });
});

it("colours are taken once each as long as there are some", () => {
  const taken: string[] = [];
  while (taken.length < COLOURS.length) taken.push(freeColour(taken));
  expect(new Set(taken).size).toBe(COLOURS.length);
  expect(COLOURS).toContain(freeColour(taken));
});

describe("pointers", () => {
  const people = [
    { consumer: "c1", name: "Anna", role: "controller" },
    { consumer: "c2", name: "Bert", role: "viewer" },
    { consumer: "c3", name: "", role: "viewer" },
  ] as const;
  let clock: ManualClock;
  let stage: HTMLElement;
  let channel: FakeChannel;
  let pointers: Pointers;
  /** Twice as large on the page as on the desktop, of which a monitor at the right is shown. */
  const shown = { box: { left: 0, top: 0, width: 800, height: 400 }, picture: { width: 400, height: 200 }, desktop: { width: 400, height: 200 }, part: { left: 200, top: 0, width: 200, height: 200 } };
  const sent = (): unknown[] => channel.sent;
  const move = (x: number, y: number): void => {
    stage.dispatchEvent(Object.assign(new Event("pointermove"), { clientX: x, clientY: y, pointerType: "mouse" }));
    clock.paint();
  };
  const drawn = (): { name: string; place: string; seen: boolean }[] =>
    [...stage.querySelectorAll<HTMLElement>(".pointer")].map((one) => ({ name: one.textContent, place: one.style.translate, seen: !one.hidden && !one.classList.contains("still") }));

  beforeEach(() => {
    clock = new ManualClock();
    stage = document.createElement("div");
    channel = new FakeChannel("pointer");
    channel.readyState = "open";
    pointers = new Pointers(stage, clock, () => shown);
    pointers.use(channel as unknown as RTCDataChannel);
  });

  it("of this page are told in pixels of the desktop, at a pace, and none where it does not show it", async () => {
    pointers.show(people, true);
    move(500, 100);
    move(510, 100);
    expect(sent()).toEqual([{ type: "shown", seq: 1, x: 250, y: 50 }]);
    await clock.pass(PACE_MS);
    expect(sent()[1]).toEqual({ type: "shown", seq: 2, x: 255, y: 50 });
    await clock.pass(1000);
    expect(sent()).toHaveLength(1 + TIMES);
    move(100, 100);
    await clock.pass(1000);
    expect(sent().at(-1)).toEqual({ type: "hidden", seq: 1 + 2 * TIMES });
  });

  it("of this page are told to nobody where nobody else is, or where its user does not want it", async () => {
    pointers.show(people.slice(0, 1), true);
    move(500, 100);
    pointers.show(people, false);
    move(510, 100);
    await clock.pass(1000);
    expect(sent()).toEqual([]);
    pointers.show(people, true);
    expect(sent()).toEqual([{ type: "shown", seq: 1, x: 255, y: 50 }]);
    pointers.show(people, false);
    await clock.pass(1000);
    expect(sent().at(-1)).toMatchObject({ type: "hidden" });
  });

  it("of the others are drawn where they point, with their names, and fade when they stand still", async () => {
    pointers.show(people, false);
    channel.say({ type: "pointers", seq: 2, pointers: [{ consumer: "c2", x: 300, y: 50 }, { consumer: "c3", x: 100, y: 50 }] });
    expect(drawn()).toEqual([{ name: "Bert", place: "601px 101px", seen: true }, { name: "Person 3", place: "", seen: false }]);
    // What comes late is what was before.
    channel.say({ type: "pointers", seq: 1, pointers: [] });
    expect(drawn()).toHaveLength(2);
    await clock.pass(STILL_MS);
    clock.paint();
    expect(drawn()[0]?.seen).toBe(false);
    channel.say({ type: "pointers", seq: 3, pointers: [{ consumer: "c2", x: 301, y: 50 }] });
    expect(drawn()).toEqual([{ name: "Bert", place: "603px 101px", seen: true }]);
  });

  it("of who leaves are gone, and all of them with the connection", () => {
    pointers.show(people, false);
    channel.say({ type: "pointers", seq: 1, pointers: [{ consumer: "c2", x: 300, y: 50 }] });
    pointers.show(people.slice(0, 1), false);
    expect(drawn()).toEqual([]);
    pointers.show(people, false);
    channel.say({ type: "pointers", seq: 2, pointers: [{ consumer: "c2", x: 300, y: 50 }] });
    pointers.use(null);
    expect(drawn()).toEqual([]);
  });
});
