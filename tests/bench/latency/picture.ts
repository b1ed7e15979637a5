// Shell: the settled picture: what the page shows against what the X server shows.

import type { Page } from "playwright-core";
import type { Desktop } from "./display.js";
import { compare, luma, type Luma, type Sharpness } from "./sharpness.js";

export async function sharpness(page: Page, desktop: Desktop): Promise<Sharpness> {
  const shown = await page.evaluate(grab);
  const { width, height, bgrx } = await desktop.picture();
  return compare(decoded(shown), luma(width, height, bgrx));
}

function decoded({ width, height, base64 }: { width: number; height: number; base64: string }): Luma {
  return { width, height, bytes: new Uint8Array(Buffer.from(base64, "base64")) };
}

/** In the page: the brightness of the video's picture as the browser would paint it, by the same weights. */
function grab(): { width: number; height: number; base64: string } {
  const video = document.querySelector("video");
  if (!video) throw new Error("no video");
  const { videoWidth: width, videoHeight: height } = video;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.drawImage(video, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const bytes = new Uint8Array(width * height);
  for (let pixel = 0; pixel < bytes.length; pixel++) {
    bytes[pixel] = Math.round(0.2126 * (data[pixel * 4] ?? 0) + 0.7152 * (data[pixel * 4 + 1] ?? 0) + 0.0722 * (data[pixel * 4 + 2] ?? 0));
  }
  let text = "";
  const piece = 8192;
  for (let at = 0; at < bytes.length; at += piece) text += String.fromCharCode(...bytes.subarray(at, at + piece));
  return { width, height, base64: btoa(text) };
}
