// Decision: reads untrusted JSON into typed values. A message type is written once, as a reader, and its TypeScript
// type follows from it. Unknown fields are dropped, everything else that does not fit is an error that names its place.

export type Reader<T> = (value: unknown, at: string) => T;
/** The type that a reader reads. */
export type Read<R> = R extends Reader<infer T> ? T : never;

/** A field that may be missing. */
interface Optional<T> {
  readonly optional: Reader<T>;
}
type Fields = Record<string, Reader<unknown> | Optional<unknown>>;
type Struct<F extends Fields> = {
  [K in keyof F as F[K] extends Optional<unknown> ? never : K]: F[K] extends Reader<infer T> ? T : never;
} & {
  [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: F[K] extends Optional<infer T> ? T : never;
};
type Variants = Record<string, Fields>;
type Tagged<V extends Variants> = { [K in keyof V & string]: { type: K } & Struct<V[K]> }[keyof V & string];

export class SchemaError extends Error {}

function fail(at: string, expected: string, value: unknown): never {
  const shown = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 40);
  throw new SchemaError(`${at}: expected ${expected}, found ${shown}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const text: Reader<string> = (value, at) => (typeof value === "string" ? value : fail(at, "a string", value));

export const flag: Reader<boolean> = (value, at) => (typeof value === "boolean" ? value : fail(at, "true or false", value));

export const number: Reader<number> = (value, at) =>
  typeof value === "number" && Number.isFinite(value) ? value : fail(at, "a number", value);

export function integer(min: number, max: number): Reader<number> {
  return (value, at) =>
    typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
      ? value
      : fail(at, `a whole number from ${min} to ${max}`, value);
}

export function oneOf<const T extends string>(names: readonly T[]): Reader<T> {
  return (value, at) => names.find((name) => name === value) ?? fail(at, `one of ${names.join(", ")}`, value);
}

export function list<T>(item: Reader<T>, limit = Infinity): Reader<T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) return fail(at, "a list", value);
    if (value.length > limit) return fail(at, `at most ${limit} entries`, value.length);
    return value.map((entry, index) => item(entry, `${at}[${index}]`));
  };
}

/** An object whose fields are named by what they are about. */
export function record<T>(item: Reader<T>): Reader<Record<string, T>> {
  return (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(at, "an object", value);
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, item(field, `${at}.${name}`)]));
  };
}

export function nullable<T>(reader: Reader<T>): Reader<T | null> {
  return (value, at) => (value === null ? null : reader(value, at));
}

/** A field that has a value when it is not sent. */
export function byDefault<T>(reader: Reader<T>, value: T): Reader<T> {
  return (found, at) => (found === undefined ? value : reader(found, at));
}

export function optional<T>(reader: Reader<T>): Optional<T> {
  return { optional: reader };
}

/** A field that a newer end may fill with what this one does not know, which is as if it were missing. */
export function known<T>(reader: Reader<T>): Optional<T | undefined> {
  return {
    optional: (value, at) => {
      try {
        return reader(value, at);
      } catch (error) {
        if (error instanceof SchemaError) return undefined;
        throw error;
      }
    },
  };
}

export function struct<F extends Fields>(fields: F): Reader<Struct<F>> {
  return (value, at) => {
    if (!isRecord(value)) return fail(at, "an object", value);
    const out: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(fields)) {
      const found = value[name];
      if (typeof field === "function") out[name] = field(found, `${at}.${name}`);
      else if (found !== undefined && found !== null) out[name] = field.optional(found, `${at}.${name}`);
    }
    return out as Struct<F>;
  };
}

/** Objects that are told apart by their `type`. */
export function tagged<V extends Variants>(variants: V): Reader<Tagged<V>> {
  const names = Object.keys(variants);
  const readers = new Map(names.map((name) => [name, struct(variants[name] ?? {})]));
  return (value, at) => {
    if (!isRecord(value)) return fail(at, "an object", value);
    const reader = typeof value.type === "string" ? readers.get(value.type) : undefined;
    if (!reader) return fail(`${at}.type`, `one of ${names.join(", ")}`, value.type);
    return { type: value.type, ...reader(value, at) } as Tagged<V>;
  };
}

/** Reads one JSON message. */
export function parse<T>(reader: Reader<T>, json: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new SchemaError(`malformed JSON: ${json.slice(0, 40)}`);
  }
  return reader(value, "message");
}
