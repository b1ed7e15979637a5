import { expect, it } from "vitest";
import { CLIENT_KEY, clientName, type Store } from "./identity";

const seven = (bytes: Uint8Array): void => {
  bytes.fill(7);
};
const kept = (): Store & { entries: Map<string, string> } => {
  const entries = new Map<string, string>();
  return { entries, getItem: (key) => entries.get(key) ?? null, setItem: (key, value) => void entries.set(key, value) };
};

it("a browser gives itself a name once, and keeps it", () => {
  const store = kept();
  expect(clientName(store, seven)).toBe("07".repeat(16));
  expect(clientName(store, () => expect.unreachable())).toBe("07".repeat(16));
});

it("what stands there and is no name is replaced", () => {
  const store = kept();
  store.entries.set(CLIENT_KEY, "<script>");
  expect(clientName(store, seven)).toBe("07".repeat(16));
});

it("a browser that forbids storage, or forgets at once, has no name", () => {
  const forbidden = (): never => {
    throw new DOMException("no", "SecurityError");
  };
  expect(clientName({ getItem: forbidden, setItem: forbidden }, seven)).toBeNull();
  expect(clientName({ getItem: () => null, setItem: () => undefined }, seven)).toBeNull();
});
