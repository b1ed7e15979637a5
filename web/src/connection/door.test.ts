import { beforeEach, expect, it } from "vitest";
import { ManualClock, settle } from "../testing";
import type { Cause } from "./cause";
import { ASK_MS, Door } from "./door";

const waits = (cause: Cause): Parameters<Door["look"]>[0] => ({ name: "reconnecting", cause, retryAtMs: null });
const UNREACHABLE = waits({ kind: "unreachable" });

let clock: ManualClock;
let answer: () => Promise<Response>;
let asked: RequestInit[];
let away: number;
let door: Door;

beforeEach(() => {
  clock = new ManualClock();
  answer = () => Promise.reject(new TypeError("no network"));
  [asked, away] = [[], 0];
  const fetch = (init: RequestInit): Promise<Response> => {
    asked.push(init);
    return answer();
  };
  door = new Door({ clock, fetch }, () => { away++; });
});

it("a server that wants somebody to log in is told apart from one that is not there", async () => {
  const redirect = Object.defineProperty(new Response(), "type", { value: "opaqueredirect" });
  for (const [how, expected] of [
    [() => Promise.resolve(new Response("", { status: 401 })), 1],
    [() => Promise.resolve(new Response("", { status: 403 })), 1],
    [() => Promise.resolve(redirect), 1],
    [() => Promise.resolve(new Response("the page")), 0],
    [() => Promise.resolve(new Response("", { status: 502 })), 0],
    [() => Promise.reject(new TypeError("no network")), 0],
  ] as const) {
    [answer, away] = [how, 0];
    door.look(UNREACHABLE);
    await settle();
    await clock.pass(ASK_MS);
    expect(away).toBe(expected);
  }
  expect(asked[0]).toMatchObject({ cache: "no-store", redirect: "manual" });
});

it("only a page that cannot reach its server asks, and not all the time", async () => {
  for (const state of [waits({ kind: "lost" }), { name: "streaming" }, { name: "connecting", stage: "server" }] as const) door.look(state);
  expect(asked).toHaveLength(0);
  for (let look = 0; look < 5; look++) {
    door.look(UNREACHABLE);
    await settle();
  }
  expect(asked).toHaveLength(1);
  await clock.pass(ASK_MS);
  door.look(UNREACHABLE);
  expect(asked).toHaveLength(2);
});

it("a page that is back by the time of the answer stays", async () => {
  let say: (response: Response) => void = () => undefined;
  answer = () => new Promise((resolve) => { say = resolve; });
  door.look(UNREACHABLE);
  door.look({ name: "streaming" });
  say(new Response("", { status: 401 }));
  await settle();
  expect(away).toBe(0);
  expect(asked[0]?.signal?.aborted).toBe(true);
  door.look(UNREACHABLE);
  expect(asked).toHaveLength(2);
});
