import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as protocol from "./protocol";
import { list, parse, SchemaError, type Reader } from "./schema";

const golden = new URL("../../../protocol/golden/", import.meta.url);
const readers: Record<string, Reader<unknown>> = {
  "broker.fromBroker.json": protocol.fromBroker,
  "broker.toBroker.json": protocol.toBroker,
  "clipboard.fromPage.json": protocol.clipboardFromPage,
  "clipboard.toPage.json": protocol.clipboardToPage,
  "control.fromPage.json": protocol.fromPage,
  "control.toPage.json": protocol.toPage,
  "doctor.json": protocol.doctorReport,
  "files.json": protocol.fileList,
  "input.json": protocol.input,
  "notice.json": protocol.noticeReader,
  "pointer.json": protocol.pointing,
  "pointer.toPage.json": protocol.toPointer,
  "signalling.fromConsumer.json": protocol.fromConsumer,
  "signalling.toConsumer.json": protocol.toConsumer,
  "status.json": protocol.status,
};

describe("the golden files", () => {
  it("are all covered here", () => {
    expect(readdirSync(golden).filter((name) => name.endsWith(".json")).sort()).toEqual(Object.keys(readers).sort());
  });

  for (const [name, reader] of Object.entries(readers)) {
    it(`${name} is read without losing a field, and written as it was`, () => {
      const file = readFileSync(new URL(name, golden), "utf8");
      const messages = parse(list(reader), file);
      expect(messages.length).toBeGreaterThan(0);
      // Readers drop unknown fields, so equality proves that every field of every example is known.
      expect(JSON.parse(JSON.stringify(messages))).toEqual(
        (JSON.parse(file) as object[]).map((message) =>
          // An absent index is read as null, which the server reads as absent.
          "candidate" in message ? { sdpMLineIndex: null, ...message } : message,
        ),
      );
    });
  }
});

describe("what a newer server says", () => {
  it("keeps its sentence where its name is not known", () => {
    expect(parse(protocol.toConsumer, '{"type":"bye","reason":"out of coffee","cause":"coffee"}')).toEqual({ type: "bye", reason: "out of coffee" });
    const notice = '{"type":"notice","level":"info","text":"a word","subject":{"about":"coffee"}}';
    expect(parse(protocol.toPage, notice)).toEqual({ type: "notice", level: "info", text: "a word" });
  });
});

describe("bad messages", () => {
  const bad: [string, Reader<unknown>, string, RegExp][] = [
    ["no JSON", protocol.toConsumer, "{", /malformed JSON/],
    ["no object", protocol.toConsumer, "[]", /expected an object/],
    ["an unknown type", protocol.toConsumer, '{"type":"dance"}', /one of welcome, iceServers, offer, ice, error, bye, found "dance"/],
    ["a missing field", protocol.toConsumer, '{"type":"offer"}', /message.sdp: expected a string, found nothing/],
    ["an unknown code", protocol.toConsumer, '{"type":"error","code":"?","message":""}', /message.code: expected one of/],
    ["a negative coordinate", protocol.pointing, '{"type":"motion","seq":1,"x":-1,"y":0}', /message.x: expected a whole number from 0 to 65535/],
    ["too many held keys", protocol.input, JSON.stringify({ type: "held", keysyms: Array(65).fill(97) }), /at most 64/],
  ];
  for (const [what, reader, json, message] of bad) {
    it(`${what} is refused with its place`, () => {
      expect(() => parse(reader, json)).toThrow(SchemaError);
      expect(() => parse(reader, json)).toThrow(message);
    });
  }

  it("a field that is not known is dropped, so that a newer server can add one", () => {
    expect(parse(protocol.toPage, '{"type":"pong","id":3,"more":1}')).toEqual({ type: "pong", id: 3 });
  });
});
