// Shell: the picture of the desktop as a file that the browser downloads: in its own size, however it is scaled on the page,
// and with nothing of the page in it.
import type { Clock } from "../clock";

/** How long the browser may take to fetch what it downloads; some ask the user first where it is to go. */
const FETCH_MS = 60_000;

/** The name of a screenshot that was taken then, after the clock on the wall; without what some file systems refuse. */
export function screenshotName(now: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())];
  const time = [two(now.getHours()), two(now.getMinutes()), two(now.getSeconds())];
  return `desktop-${date.join("-")}-${time.join("-")}.png`;
}

/** Has the browser download the picture as it is now. Fails where the browser cannot make a file of it. */
export async function saveScreenshot(picture: HTMLVideoElement | HTMLCanvasElement, now: Date, clock: Clock): Promise<void> {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = picture instanceof HTMLVideoElement ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("the browser gives no canvas");
  context.drawImage(picture, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
  if (!blob) throw new Error(`the browser makes no PNG of ${canvas.width} × ${canvas.height}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = screenshotName(now);
  link.click();
  clock.after(FETCH_MS, () => {
    URL.revokeObjectURL(link.href);
  });
}
