// Shell: what runs in the browser's page, and is the same for every sender: for each frame that the page shows it keeps
// the browser's times and the brightness of the marker's cells. It decodes nothing: that would cost the page time.

import type { Page } from "playwright-core";
import { brightnessOf, type Geometry } from "./marker.js";

/** A frame that the page has shown; times in milliseconds on the page's clock. */
export interface Seen {
  presentationTime: number;
  /** When its last packet came. */
  receiveTime: number | null;
  /** What decoding took, in seconds. */
  processingDuration: number | null;
  rtpTimestamp: number | null;
  /** Frames that the page had presented by then. */
  presentedFrames: number;
  /** Brightness of each cell. */
  cells: number[];
}

interface Reader {
  seen: Seen[];
  /** Frames that had been replaced by the next before their pixels could be read. */
  replaced: number;
  failure: string | null;
}

/** In the page. */
function install([geometry, width, height]: [Geometry, number, number]): void {
  const reader: Reader = { seen: [], replaced: 0, failure: null };
  const page = globalThis as unknown as { reader: Reader; brightnessOf: typeof brightnessOf };
  page.reader = reader;
  const { cellPx, columns, rows } = geometry;
  const pixels = new Uint8Array(columns * cellPx * rows * cellPx * 4);

  const cellsOf = async (frame: VideoFrame): Promise<number[]> => {
    // A stream may be smaller than the display.
    const [across, down] = [frame.displayWidth / width, frame.displayHeight / height];
    const even = (px: number): number => Math.round(px / 2) * 2;
    const rect = {
      x: even(geometry.x * across),
      y: even(geometry.y * down),
      width: even(columns * cellPx * across),
      height: even(rows * cellPx * down),
    };
    const [luma] = await frame.copyTo(pixels, { rect });
    if (!luma) throw new Error("the frame has no planes");
    return page.brightnessOf(pixels, luma.offset, luma.stride, geometry, { across, down });
  };

  const watch = (video: HTMLVideoElement): void => {
    const look = async (metadata: VideoFrameCallbackMetadata): Promise<void> => {
      const frame = new VideoFrame(video);
      try {
        if (!frame.format?.startsWith("I420") && frame.format !== "NV12") throw new Error(`frames are in ${frame.format ?? "no format"}`);
        // The picture may be a later one than the one that was told of.
        if (Math.abs(frame.timestamp - metadata.mediaTime * 1e6) > 1) {
          reader.replaced++;
          return;
        }
        const { presentationTime, presentedFrames, receiveTime = null, processingDuration = null, rtpTimestamp = null } = metadata;
        reader.seen.push({ presentationTime, receiveTime, processingDuration, rtpTimestamp, presentedFrames, cells: await cellsOf(frame) });
      } finally {
        frame.close();
      }
    };
    const next = (_: number, metadata: VideoFrameCallbackMetadata): void => {
      video.requestVideoFrameCallback(next);
      look(metadata).catch((error: unknown) => (reader.failure ??= String(error)));
    };
    video.requestVideoFrameCallback(next);
  };
  const video = document.querySelector("video");
  if (!video) throw new Error("no video");
  watch(video);
}

/** Begins to keep what the page's video shows. */
export async function read(page: Page, geometry: Geometry, size: { width: number; height: number }): Promise<void> {
  await page.evaluate(`globalThis.brightnessOf = ${brightnessOf.toString()}`);
  await page.evaluate(install, [geometry, size.width, size.height] as [Geometry, number, number]);
}

/** What was seen since the last time. */
export async function taken(page: Page): Promise<{ seen: Seen[]; replaced: number }> {
  const found = await page.evaluate(() => {
    const { reader } = globalThis as unknown as { reader: Reader };
    const taken = { seen: reader.seen.splice(0), replaced: reader.replaced, failure: reader.failure };
    reader.replaced = 0;
    return taken;
  });
  if (found.failure !== null) throw new Error(`the page cannot read frames: ${found.failure}`);
  return found;
}
