// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import { FakeChannel, ManualClock, settle } from "../testing";
import type { ClipboardFromPage, Input } from "../wire/protocol";
import type { Readable, Written } from "./browser";
import { Clipboard, LOST_MS, PASTE_MS, STALL_MS, type ClipboardEvents } from "./clipboard";
import { fitting, fingerprint, isSame, unixLines, type Bytes, type Content } from "./content";
import { Gate } from "./gate";
import { Receiving, Sending } from "./transfer";

const bytes = (text: string): Bytes => new TextEncoder().encode(text);
const text = (content: string): Content => new Map([["text/plain", bytes(content)]]);
const textOf = (content: Content | null | undefined): string => new TextDecoder().decode(content?.get("text/plain"));

/** A browser whose clipboard and rules are the test's. */
class FakeBrowser {
  holds: Content = new Map();
  may: Readable = "no";
  takes: Written = "written";
  readable(): Promise<Readable> {
    return Promise.resolve(this.may);
  }
  read(): Promise<Content> {
    return this.may === "granted" ? Promise.resolve(this.holds) : Promise.reject(new DOMException("no", "NotAllowedError"));
  }
  write(content: Content): Promise<Written> {
    if (this.takes === "written") this.holds = content;
    return Promise.resolve(this.takes);
  }
  copy(content: Content): boolean {
    this.holds = content;
    return true;
  }
  known(content: Content): Promise<{ text: string | null; picture: string | null }> {
    const picture = content.get("image/png");
    return Promise.resolve({ text: content.has("text/plain") ? textOf(content) : null, picture: picture ? new TextDecoder().decode(picture) : null });
  }
}

let clock: ManualClock;
let browser: FakeBrowser;
let channel: FakeChannel;
let gate: Gate<Input>;
let keys: Input[];
let events: ClipboardEvents[];
let clipboard: Clipboard;

const KEY: Input = { type: "key", keysym: 0x76, down: true };
const said = (): ClipboardFromPage[] => channel.sent.splice(0) as ClipboardFromPage[];
const misses = (): unknown[] => events.filter(({ type }) => type === "missed");

/** The desktop copies. */
async function copiedThere(id: number, content: string, selection = "clipboard"): Promise<void> {
  channel.say({ type: "offer", id, selection, items: [{ mime: "text/plain", bytes: bytes(content).length }] });
  channel.say({ type: "piece", id, data: btoa(content) });
  await settle();
}

beforeEach(() => {
  clock = new ManualClock();
  browser = new FakeBrowser();
  channel = new FakeChannel("clipboard");
  keys = [];
  events = [];
  gate = new Gate<Input>(clock, (message) => keys.push(message));
  clipboard = new Clipboard({ clock, gate, browser }, (event) => events.push(event));
  clipboard.use(channel as unknown as RTCDataChannel);
  channel.open();
  clipboard.allow({ read: true, write: true, maxBytes: 1000 });
});

it("neither reads nor writes once the user does not want it, and begins anew when they do", async () => {
  said();
  browser.may = "granted";
  browser.holds = text("mine");
  clipboard.allow(null);
  await copiedThere(1, "theirs");
  channel.say({ type: "missed", selection: "clipboard", reason: "tooLarge" });
  await clipboard.focused();
  await clipboard.pasted(Promise.resolve(text("mine")));
  expect([said(), textOf(browser.holds), misses()]).toEqual([[], "mine", []]);
  clipboard.allow({ read: true, write: true, maxBytes: 1000 });
  await clipboard.focused();
  expect(said().map(({ type }) => type)).toEqual(["ready", "offer", "piece"]);
});

describe("what was copied elsewhere", () => {
  it("is on the desktop before the key that pastes it", async () => {
    said();
    clipboard.pastes();
    gate.pass(KEY);
    await clipboard.pasted(Promise.resolve(text("new")));
    expect(said()).toEqual([
      { type: "offer", id: 1, selection: "clipboard", items: [{ mime: "text/plain", bytes: 3 }] },
      { type: "piece", id: 1, data: btoa("new") },
    ]);
    expect(keys).toEqual([]);
    channel.say({ type: "received", id: 1, bytes: 3 });
    expect(keys).toEqual([]);
    channel.say({ type: "taken", id: 1 });
    expect(keys).toEqual([KEY]);
  });

  it("is not sent twice", async () => {
    await clipboard.pasted(Promise.resolve(text("same")));
    channel.say({ type: "taken", id: 1 });
    said();
    clipboard.pastes();
    gate.pass(KEY);
    await clipboard.pasted(Promise.resolve(text("same")));
    expect(said()).toEqual([]);
    expect(keys).toEqual([KEY]);
  });

  it("does not hold keys for ever, neither without a paste of the browser nor without an answer", async () => {
    clipboard.pastes();
    gate.pass(KEY);
    await clock.pass(PASTE_MS);
    expect(keys).toEqual([KEY]);
    clipboard.pastes();
    gate.pass(KEY);
    await clipboard.pasted(Promise.resolve(text("lost")));
    await clock.pass(STALL_MS);
    expect(keys).toEqual([KEY, KEY]);
  });

  it("is told to be too large when it is pasted, and not when the page just looks", async () => {
    browser.may = "granted";
    browser.holds = text("x".repeat(1001));
    await clipboard.focused();
    expect(misses()).toEqual([]);
    await clipboard.pasted(Promise.resolve(browser.holds));
    expect(misses()).toEqual([{ type: "missed", reason: "tooLarge", limitBytes: 1000 }]);
  });

  it("is read with the focus where that is allowed, and wins over what the desktop copied meanwhile", async () => {
    browser.takes = "later";
    await copiedThere(1, "from the desktop");
    said();
    browser.may = "granted";
    browser.takes = "written";
    browser.holds = text("from here");
    await clipboard.focused();
    expect(said()[0]).toMatchObject({ type: "offer", items: [{ bytes: 9 }] });
    expect(textOf(browser.holds)).toBe("from here");
  });

  it("is old when the desktop has copied something while it was being read", async () => {
    browser.may = "granted";
    browser.holds = text("old");
    browser.read = async () => {
      const read = browser.holds;
      await copiedThere(4, "new");
      return read;
    };
    await clipboard.focused();
    expect(said().map(({ type }) => type)).not.toContain("offer");
    expect(textOf(browser.holds)).toBe("new");
  });

  it("wins over what crosses it, so that both sides have the same", async () => {
    await clipboard.pasted(Promise.resolve(text("pasted")));
    await copiedThere(5, "crossing");
    expect(textOf(browser.holds)).not.toBe("crossing");
    channel.say({ type: "taken", id: 1 });
    await copiedThere(6, "after");
    expect(textOf(browser.holds)).toBe("after");
  });

  it("is given up when the server has lost it, so that both directions go on", async () => {
    await clipboard.pasted(Promise.resolve(text("lost")));
    said();
    await clock.pass(LOST_MS);
    await copiedThere(7, "from there");
    expect(textOf(browser.holds)).toBe("from there");
    await clipboard.pasted(Promise.resolve(text("lost")));
    expect(said().map(({ type }) => type)).toContain("offer");
  });

  it("is forgotten when the server refuses it, so that it can be tried again", async () => {
    await clipboard.pasted(Promise.resolve(text("no")));
    channel.say({ type: "refused", id: 1, reason: "failed" });
    said();
    await clipboard.pasted(Promise.resolve(text("no")));
    expect(said()[0]).toMatchObject({ type: "offer", id: 2 });
    expect(misses()).toHaveLength(1);
  });
});

describe("what is copied on the desktop", () => {
  it("is written into the browser's clipboard, and is no news when it comes back from there", async () => {
    await copiedThere(4, "desktop");
    expect(textOf(browser.holds)).toBe("desktop");
    said();
    await clipboard.pasted(Promise.resolve(text("desktop")));
    expect(said()).toEqual([]);
  });

  it("waits for the next gesture where the browser wants one, and takes the old way where the new one fails again", async () => {
    browser.takes = "later";
    await copiedThere(4, "desktop");
    clipboard.gesture();
    await settle();
    expect(textOf(browser.holds)).toBe("");
    clipboard.gesture();
    await settle();
    expect(textOf(browser.holds)).toBe("desktop");
  });

  it("gives way to what is copied after it", async () => {
    channel.say({ type: "offer", id: 1, selection: "clipboard", items: [{ mime: "text/plain", bytes: 4 }] });
    channel.say({ type: "piece", id: 1, data: btoa("ol") });
    await copiedThere(2, "new");
    channel.say({ type: "piece", id: 1, data: btoa("d!") });
    await settle();
    expect(textOf(browser.holds)).toBe("new");
  });

  it("is offered back when it was only marked, since the desktop would paste something else", async () => {
    clipboard.fetch("primary");
    await copiedThere(1, "marked", "primary");
    expect(events).toContainEqual({ type: "fetched" });
    said();
    await clipboard.pasted(Promise.resolve(text("marked")));
    expect(said()[0]).toMatchObject({ type: "offer" });
  });
});

describe("what the page brings by itself while the desktop copies", () => {
  beforeEach(async () => {
    browser.may = "granted";
    await copiedThere(4, "earlier");
    clipboard.blurred();
    browser.holds = text("elsewhere");
    said();
    await clipboard.focused();
    expect(said()[0]).toMatchObject({ type: "offer", id: 1, after: 4 });
  });

  it("gives way to that, which is newer", async () => {
    await copiedThere(5, "newer");
    channel.say({ type: "refused", id: 1, reason: "superseded" });
    await settle();
    expect([textOf(browser.holds), clipboard.facts.progress, misses()]).toEqual(["newer", null, []]);
    said();
    await clipboard.focused();
    expect(said(), "both sides have the same").toEqual([]);
  });

  it("gives way whichever of the two words comes first", async () => {
    channel.say({ type: "refused", id: 1, reason: "superseded" });
    await copiedThere(5, "newer");
    expect([textOf(browser.holds), clipboard.facts.progress, misses()]).toEqual(["newer", null, []]);
  });

  it("does not give way once its user pastes it", async () => {
    channel.say({ type: "refused", id: 1, reason: "superseded" });
    await clipboard.pasted(Promise.resolve(text("elsewhere")));
    const [offer] = said();
    expect(offer).toMatchObject({ type: "offer", id: 2 });
    expect(offer).not.toHaveProperty("after");
    await copiedThere(5, "newer");
    expect(textOf(browser.holds)).toBe("elsewhere");
  });
});

it("what is copied on the desktop while the user pastes is known of all the same, so that what is brought later is not taken for older", async () => {
  await clipboard.pasted(Promise.resolve(text("mine")));
  await copiedThere(5, "theirs");
  channel.say({ type: "taken", id: 1 });
  said();
  browser.may = "granted";
  browser.holds = text("later");
  clipboard.blurred();
  await clipboard.focused();
  expect(said()[0]).toMatchObject({ type: "offer", id: 2, after: 5 });
});

describe("what the middle button is to paste", () => {
  const PRESS: Input = { type: "button", button: 1, down: true, x: 5, y: 5 };

  beforeEach(async () => {
    browser.may = "granted";
    browser.holds = text("elsewhere");
    await clipboard.focused();
    said();
  });

  it("is what is marked on the desktop before the button, and after what is on its way already", async () => {
    const marked = clipboard.marks();
    gate.pass(PRESS);
    await marked;
    expect(said(), "the clipboard comes first").toEqual([]);
    channel.say({ type: "taken", id: 1 });
    expect(said()[0]).toMatchObject({ type: "offer", id: 2, selection: "primary" });
    expect(keys).toEqual([]);
    channel.say({ type: "taken", id: 2 });
    expect(keys).toEqual([PRESS]);
  });

  it("is brought once, so that something may be marked there after it", async () => {
    channel.say({ type: "taken", id: 1 });
    await clipboard.marks();
    channel.say({ type: "taken", id: 2 });
    said();
    const again = clipboard.marks();
    gate.pass(PRESS);
    await again;
    expect([said(), keys]).toEqual([[], [PRESS]]);
  });

  it("is not cut short by what was copied, which comes after it", async () => {
    channel.say({ type: "taken", id: 1 });
    browser.holds = text("both");
    await Promise.all([clipboard.marks(), clipboard.focused()]);
    expect(said().map((one) => one.type === "offer" && [one.id, one.selection])).toContainEqual([2, "primary"]);
    gate.pass(PRESS);
    channel.say({ type: "taken", id: 2 });
    expect(said()[0]).toMatchObject({ type: "offer", id: 3, selection: "clipboard" });
    channel.say({ type: "taken", id: 3 });
    expect(keys).toEqual([PRESS]);
  });

  it("is waited for although something else arrives while it is being read", async () => {
    let read: (content: Content) => void = () => undefined;
    browser.read = () => new Promise((resolve) => (read = resolve));
    browser.holds = text("new");
    const marked = clipboard.marks();
    gate.pass(PRESS);
    channel.say({ type: "taken", id: 1 });
    expect(keys, "the button waits").toEqual([]);
    read(text("new"));
    await marked;
    expect(said()[0]).toMatchObject({ type: "offer", selection: "primary" });
    channel.say({ type: "taken", id: 2 });
    expect(keys).toEqual([PRESS]);
  });

  it("is still known to be there after something else was refused", async () => {
    channel.say({ type: "taken", id: 1 });
    await clipboard.marks();
    channel.say({ type: "taken", id: 2 });
    await clipboard.pasted(Promise.resolve(text("other")));
    channel.say({ type: "refused", id: 3, reason: "failed" });
    said();
    await clipboard.marks();
    expect(said()).toEqual([]);
  });

  it("is not what the desktop itself has given", async () => {
    channel.say({ type: "taken", id: 1 });
    await copiedThere(3, "theirs");
    said();
    await clipboard.marks();
    expect(said()).toEqual([]);
  });
});

describe("a page that may not", () => {
  it("says nothing, and leaves every key alone", async () => {
    clipboard.allow({ read: false, write: false, maxBytes: 1000 });
    said();
    clipboard.pastes();
    expect(gate.closed).toBe(false);
    await clipboard.pasted(Promise.resolve(text("evil")));
    expect(said()).toEqual([]);
  });
});

describe("a transfer", () => {
  it("sends no more than the window has room for, and arrives whole", () => {
    const content: Content = new Map([["text/plain", bytes("x".repeat(200_000))], ["text/html", bytes("<b>y</b>")]]);
    const sending = new Sending(7, "clipboard", content);
    const [first, ...pieces] = sending.begin();
    expect(pieces).toHaveLength(8);
    if (first?.type !== "offer") throw new Error("no offer");
    const receiving = Receiving.begin(first, 1e6);
    for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
      if (piece.type !== "piece") throw new Error("no piece");
      pieces.push(...sending.received(receiving?.piece(piece.data) ?? 0));
    }
    expect(sending.share).toBe(1);
    expect([...(receiving?.content ?? [])].map(([mime, form]) => [mime, form.length])).toEqual([["text/plain", 200_000], ["text/html", 8]]);
    expect(textOf(receiving?.content)).toBe("x".repeat(200_000));
  });

  it("refuses what is too large, and pieces that are none", () => {
    const offer = { id: 1, selection: "clipboard" as const, items: [{ mime: "text/plain" as const, bytes: 4 }] };
    expect(Receiving.begin(offer, 3)).toBeNull();
    expect(Receiving.begin({ ...offer, items: [...offer.items, ...offer.items] }, 100)).toBeNull();
    const receiving = Receiving.begin(offer, 4);
    expect(receiving?.piece("§")).toBeNull();
    expect(receiving?.piece("")).toBeNull();
    expect(receiving?.piece(btoa("12345"))).toBeNull();
  });
});

describe("content", () => {
  it("gives up pictures before words where there is no room for both", () => {
    const content: Content = new Map([["image/png", bytes("12345678")], ["text/plain", bytes("abc")]]);
    expect([...fitting(content, 10).keys()]).toEqual(["text/plain"]);
    expect([...fitting(content, 11).keys()]).toEqual(["text/plain", "image/png"]);
  });

  it("is the same by its text, or by its pixels where it has none", () => {
    expect(isSame({ text: "a", picture: "1" }, { text: "a", picture: "2" })).toBe(true);
    expect(isSame({ text: null, picture: null }, { text: null, picture: null })).toBe(false);
    expect(fingerprint(1, 1, new Uint32Array([1]))).not.toBe(fingerprint(1, 1, new Uint32Array([2])));
    expect(unixLines("a\r\nb\n")).toBe("a\nb\n");
  });
});
