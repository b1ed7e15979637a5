// Behaviour: a marker is read from what a codec leaves of it, is never read wrongly, and is on a real display.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { monotonicMs } from "./clock.js";
import { CONTENTS, Desktop } from "./display.js";
import { TIMES_US, brightnessOf, crc16, read, type Geometry, type Mark } from "./marker.js";
import { luma } from "./sharpness.js";

const GEOMETRY: Geometry = { x: 0, y: 0, cellPx: 8, columns: 20, rows: 4 };
const GOLDEN = JSON.parse(readFileSync(resolve(import.meta.dirname, "../marker/golden.json"), "utf8")) as (Mark & { cells: string })[];
const [WIDTH, HEIGHT] = [GEOMETRY.columns * GEOMETRY.cellPx, GEOMETRY.rows * GEOMETRY.cellPx];

/** The marker as a picture of brightness, in the range that video uses. */
function painted(cells: string): number[] {
  return Array.from({ length: WIDTH * HEIGHT }, (_, at) => {
    const [column, row] = [Math.floor((at % WIDTH) / 8), Math.floor(at / WIDTH / 8)];
    return cells[row * GEOMETRY.columns + column] === "1" ? 235 : 16;
  });
}

/** The mean of each pixel and its neighbours. */
function blurred(pixels: number[]): number[] {
  return pixels.map((_, at) => {
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    let [sum, count] = [0, 0];
    for (let below = Math.max(0, y - 1); below <= Math.min(HEIGHT - 1, y + 1); below++) {
      for (let right = Math.max(0, x - 1); right <= Math.min(WIDTH - 1, x + 1); right++) {
        sum += pixels[below * WIDTH + right] ?? 0;
        count++;
      }
    }
    return sum / count;
  });
}

/** What H.264's transform of 4 by 4 pixels leaves at a quantiser step, without any prediction. */
function quantised(pixels: number[], width: number, step: number): number[] {
  const size = 4;
  const wave = (frequency: number, at: number): number => Math.sqrt((frequency === 0 ? 1 : 2) / size) * Math.cos((Math.PI * (2 * at + 1) * frequency) / (2 * size));
  const out = [...pixels];
  for (let top = 0; top < pixels.length / width; top += size) {
    for (let left = 0; left < width; left += size) {
      const at = (x: number, y: number): number => (top + y) * width + left + x;
      const block = [...Array(size * size).keys()].map((index) => [index % size, Math.floor(index / size)] as const);
      const coefficients = block.map(([u, v]) => {
        const value = block.reduce((sum, [x, y]) => sum + ((pixels[at(x, y)] ?? 0) - 128) * wave(u, x) * wave(v, y), 0);
        return Math.round(value / step) * step;
      });
      for (const [x, y] of block) {
        const value = block.reduce((sum, [u, v], index) => sum + (coefficients[index] ?? 0) * wave(u, x) * wave(v, y), 128);
        out[at(x, y)] = Math.min(255, Math.max(0, value));
      }
    }
  }
  return out;
}

/** The step of H.264's coarsest quantiser, QP 51. */
const COARSEST = 224;

test("the golden markers are read", () => {
  for (const { cells, number, timeUs } of GOLDEN) {
    assert.deepEqual(read(Array.from(cells, (cell) => Number(cell) * 255)), { number, timeUs });
  }
  assert.ok(GOLDEN.length >= 4);
});

test("a marker survives blur and the coarsest quantiser", () => {
  for (const { cells, number, timeUs } of GOLDEN) {
    const shown = quantised(blurred(painted(cells)), WIDTH, COARSEST);
    assert.deepEqual(read(brightnessOf(shown, 0, WIDTH, GEOMETRY, { across: 1, down: 1 })), { number, timeUs });
  }
});

test("a marker survives a picture of half its size", () => {
  for (const { cells, number, timeUs } of GOLDEN) {
    const pixels = painted(cells);
    const half = Array.from({ length: (WIDTH * HEIGHT) / 4 }, (_, at) => {
      const corner = Math.floor(at / (WIDTH / 2)) * 2 * WIDTH + (at % (WIDTH / 2)) * 2;
      return [0, 1, WIDTH, WIDTH + 1].reduce((sum, step) => sum + (pixels[corner + step] ?? 0), 0) / 4;
    });
    const shown = quantised(half, WIDTH / 2, COARSEST);
    assert.deepEqual(read(brightnessOf(shown, 0, WIDTH / 2, GEOMETRY, { across: 0.5, down: 0.5 })), { number, timeUs });
  }
});

test("one wrong cell, or no marker at all, reads as nothing", () => {
  assert.equal(crc16([...Buffer.from("123456789")]), 0x29b1);
  for (const { cells } of GOLDEN) {
    for (let wrong = 0; wrong < cells.length; wrong++) {
      assert.equal(read(Array.from(cells, (cell, index) => (index === wrong ? 1 - Number(cell) : Number(cell)) * 255)), undefined);
    }
  }
  for (const flat of [0, 128, 255]) assert.equal(read(Array<number>(80).fill(flat)), undefined);
  // The grain of a grey picture.
  assert.equal(read(Array.from({ length: 80 }, (_, index) => 128 + ((index * 7) % 13))), undefined);
  assert.equal(read([255, 0]), undefined);
});

for (const content of CONTENTS) {
  test(`the marker over "${content}" is on a real display, with the time of its drawing`, async () => {
    const desktop = await Desktop.start("640x480", content);
    try {
      const shown = async (): Promise<Mark | undefined> => {
        const { width, height, bgrx } = await desktop.picture();
        const { x, y } = desktop.marker;
        return read(brightnessOf(luma(width, height, bgrx).bytes, y * width + x, width, desktop.marker, { across: 1, down: 1 }));
      };
      assert.equal(await shown(), undefined);
      for (const number of [1, 2, 3]) {
        const nowUs = (): number => (monotonicMs() * 1000) % TIMES_US;
        const beforeUs = nowUs();
        assert.equal(await desktop.tell("once"), number);
        const mark = await shown();
        assert.equal(mark?.number, number);
        assert.ok(mark.timeUs >= Math.floor(beforeUs) && mark.timeUs <= nowUs(), `drawn at ${mark.timeUs}`);
      }
      // In its own rhythm, it goes on from there; a static screen has none.
      await desktop.tell("go");
      const held = await desktop.tell("hold");
      assert.equal((await shown())?.number, held);
      if (content === "static") assert.equal(held, 3);
    } finally {
      await desktop.stop();
    }
  });
}
