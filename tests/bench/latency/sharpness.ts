// Decision: how like two pictures are, by their brightness: PSNR and SSIM as everyone computes them.

export interface Sharpness {
  /** Peak signal-to-noise ratio; equal pictures have infinitely much, which is told as this. */
  psnrDb: number;
  /** Mean structural similarity over blocks: 1 for equal pictures. */
  ssim: number;
}

/** Rows of brightness, one byte a pixel. */
export interface Luma {
  width: number;
  height: number;
  bytes: Uint8Array;
}

/** What PSNR of equal pictures is told as: one step of one pixel in a large picture. */
const MOST_DB = 100;
/** Side of SSIM's blocks. */
const BLOCK_PX = 8;
/** SSIM's constants, for 8 bits. */
const [C1, C2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];

/** Brightness of a picture of blue, green, red and one more byte a pixel, by the weights of BT.709. */
export function luma(width: number, height: number, bgrx: Uint8Array): Luma {
  const bytes = new Uint8Array(width * height);
  for (let pixel = 0; pixel < bytes.length; pixel++) {
    bytes[pixel] = Math.round(0.2126 * (bgrx[pixel * 4 + 2] ?? 0) + 0.7152 * (bgrx[pixel * 4 + 1] ?? 0) + 0.0722 * (bgrx[pixel * 4] ?? 0));
  }
  return { width, height, bytes };
}

export function compare(shown: Luma, original: Luma): Sharpness {
  if (shown.width !== original.width || shown.height !== original.height) {
    throw new Error(`a picture of ${shown.width}x${shown.height} against one of ${original.width}x${original.height}`);
  }
  let squares = 0;
  for (let pixel = 0; pixel < shown.bytes.length; pixel++) squares += ((shown.bytes[pixel] ?? 0) - (original.bytes[pixel] ?? 0)) ** 2;
  const psnrDb = Math.min(MOST_DB, 10 * Math.log10((255 ** 2 * shown.bytes.length) / squares));

  let [sum, blocks] = [0, 0];
  for (let top = 0; top + BLOCK_PX <= shown.height; top += BLOCK_PX) {
    for (let left = 0; left + BLOCK_PX <= shown.width; left += BLOCK_PX) {
      sum += similarity(shown, original, left, top);
      blocks++;
    }
  }
  return { psnrDb, ssim: sum / blocks };
}

function similarity(one: Luma, other: Luma, left: number, top: number): number {
  const count = BLOCK_PX * BLOCK_PX;
  let [sumA, sumB, sumAA, sumBB, sumAB] = [0, 0, 0, 0, 0];
  for (let y = top; y < top + BLOCK_PX; y++) {
    for (let at = y * one.width + left; at < y * one.width + left + BLOCK_PX; at++) {
      const [a, b] = [one.bytes[at] ?? 0, other.bytes[at] ?? 0];
      sumA += a;
      sumB += b;
      sumAA += a * a;
      sumBB += b * b;
      sumAB += a * b;
    }
  }
  const [meanA, meanB] = [sumA / count, sumB / count];
  const [varianceA, varianceB] = [sumAA / count - meanA ** 2, sumBB / count - meanB ** 2];
  const covariance = sumAB / count - meanA * meanB;
  return ((2 * meanA * meanB + C1) * (2 * covariance + C2)) / ((meanA ** 2 + meanB ** 2 + C1) * (varianceA + varianceB + C2));
}
