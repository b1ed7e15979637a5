// Decision: what the cells of a marker say. The other side is tests/bench/marker/src/marker.rs, and
// tests/bench/marker/golden.json keeps the two together. Refuses cells whose sum is wrong.

/** Where the marker is on the display, in pixels, and its cells. */
export interface Geometry {
  x: number;
  y: number;
  cellPx: number;
  columns: number;
  rows: number;
}

export interface Mark {
  /** Number of the picture, modulo 2^20. */
  number: number;
  /** When it was drawn: CLOCK_MONOTONIC in microseconds, modulo 2^44. */
  timeUs: number;
}

/** Where the marker is in a stream whose frames are larger or smaller than the display by these factors: even pixels. */
export interface Scale {
  across: number;
  down: number;
}

/**
 * The mean brightness of each cell, row by row, from rows of one byte a pixel that begin with the marker. It runs in the
 * browser's page too, so it uses nothing from around it.
 */
export function brightnessOf(pixels: ArrayLike<number>, offset: number, stride: number, { cellPx, columns, rows }: Geometry, { across, down }: Scale): number[] {
  // The middle of the cell, a half of it in each direction: its border is blurred.
  const wide = Math.max(1, Math.floor((cellPx / 2) * across));
  const high = Math.max(1, Math.floor((cellPx / 2) * down));
  return Array.from({ length: columns * rows }, (_, cell) => {
    const left = Math.round(((cell % columns) + 0.25) * cellPx * across);
    const top = Math.round((Math.floor(cell / columns) + 0.25) * cellPx * down);
    let sum = 0;
    for (let y = top; y < top + high; y++) {
      for (let x = left; x < left + wide; x++) sum += pixels[offset + y * stride + x] ?? 0;
    }
    return Math.round(sum / (wide * high));
  });
}

const NUMBER_BITS = 20;
const PAYLOAD_BYTES = 8;
/** Numbers and times begin anew after so many. */
export const NUMBERS = 2 ** NUMBER_BITS;
export const TIMES_US = 2 ** (PAYLOAD_BYTES * 8 - NUMBER_BITS);
const BYTES = 10;

/** The least difference between black and white that counts as one: a quarter of what was drawn. */
const LEAST_CONTRAST = 55;

/** Reads the brightness of eighty cells, row by row; nothing when they are no marker. */
export function read(brightness: ArrayLike<number>): Mark | undefined {
  const values = Array.from(brightness);
  const [darkest, brightest] = [Math.min(...values), Math.max(...values)];
  if (values.length !== BYTES * 8 || brightest - darkest < LEAST_CONTRAST) return undefined;
  const threshold = (darkest + brightest) / 2;
  const bytes = Array.from({ length: BYTES }, (_, byte) =>
    values.slice(byte * 8, byte * 8 + 8).reduce((sum, value) => sum * 2 + (value > threshold ? 1 : 0), 0),
  );
  const sum = bytes.slice(PAYLOAD_BYTES).reduce((word, byte) => word * 256 + byte, 0);
  if (crc16(bytes.slice(0, PAYLOAD_BYTES)) !== sum) return undefined;
  const payload = bytes.slice(0, PAYLOAD_BYTES).reduce((word, byte) => word * 256n + BigInt(byte), 0n);
  const timeBits = BigInt(PAYLOAD_BYTES * 8 - NUMBER_BITS);
  return { number: Number(payload >> timeBits), timeUs: Number(payload & ((1n << timeBits) - 1n)) };
}

/** CRC-16/CCITT-FALSE. */
export function crc16(bytes: readonly number[]): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}
