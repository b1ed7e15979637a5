// Behaviour: PSNR and SSIM with worked numbers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, luma, type Luma } from "./sharpness.js";

const [WIDTH, HEIGHT] = [32, 16];
const picture = (brightness: (x: number, y: number) => number): Luma => ({
  width: WIDTH,
  height: HEIGHT,
  bytes: Uint8Array.from({ length: WIDTH * HEIGHT }, (_, at) => brightness(at % WIDTH, Math.floor(at / WIDTH))),
});
const checks = picture((x, y) => ((x >> 1) + (y >> 1)) % 2 ? 200 : 50);

test("equal pictures are as like as can be", () => {
  assert.deepEqual(compare(checks, checks), { psnrDb: 100, ssim: 1 });
});

test("an error of 5 everywhere is 34.15 dB, and hardly changes the structure", () => {
  const { psnrDb, ssim } = compare(picture((x, y) => (checks.bytes[y * WIDTH + x] ?? 0) + 5), checks);
  assert.ok(Math.abs(psnrDb - 20 * Math.log10(255 / 5)) < 1e-9);
  assert.ok(ssim > 0.99 && ssim < 1);
});

test("a picture without its structure scores low, and one against it below nothing", () => {
  assert.ok(compare(picture(() => 125), checks).ssim < 0.1);
  assert.ok(compare(picture((x, y) => 250 - (checks.bytes[y * WIDTH + x] ?? 0)), checks).ssim < -0.5);
});

test("brightness is that of BT.709, and sizes must agree", () => {
  const colours = Uint8Array.from([255, 0, 0, 9, 0, 255, 0, 9, 0, 0, 255, 9, 255, 255, 255, 9]);
  assert.deepEqual([...luma(2, 2, colours).bytes], [18, 182, 54, 255]);
  assert.throws(() => compare(luma(2, 2, colours), checks), /2x2 against one of 32x16/);
});
