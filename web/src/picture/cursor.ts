// Shell: gives the pointer over the stage the shape that it has on the desktop, as large as it would be in the picture.
import type { CursorShape } from "../wire/protocol";
import { cursorSize, type CursorSize } from "./geometry";

/** The custom property that the style sheet draws the pointer with. */
const PROPERTY = "--pointer";

export class Cursor {
  #stage: HTMLElement;
  #shape: CursorShape | null = null;
  #size: CursorSize | null = null;

  constructor(stage: HTMLElement) {
    this.#stage = stage;
  }

  /**
   * `shape`: `null` as long as none was told. `scale`: how large a pixel of the desktop is drawn, in CSS pixels.
   * `density`: how many pixels of the screen are one CSS pixel.
   */
  show(shape: CursorShape | null, scale: number, density: number): void {
    const size = shape && shape.width > 0 ? cursorSize(shape, scale, density) : null;
    if (shape === this.#shape && JSON.stringify(size) === JSON.stringify(this.#size)) return;
    this.#shape = shape;
    this.#size = size;
    if (!shape) this.#stage.style.removeProperty(PROPERTY);
    else if (!size) this.#become("none");
    else void this.#draw(shape, size);
  }

  async #draw(shape: CursorShape, size: CursorSize): Promise<void> {
    const source = `data:image/png;base64,${shape.png}`;
    let url = source;
    if (size.width !== shape.width || size.height !== shape.height) {
      const image = new Image();
      image.src = source;
      try {
        await image.decode();
      } catch (error) {
        console.warn("gst-vdi: the pointer's shape is no picture:", error);
        return;
      }
      // Another shape may have come while this one was decoded.
      if (shape !== this.#shape || size !== this.#size) return;
      url = scaled(image, size) ?? source;
    }
    this.#become(`${pictureOf(url, size.density)} ${size.hotspotX} ${size.hotspotY}, default`);
  }

  #become(value: string): void {
    this.#stage.style.setProperty(PROPERTY, value);
  }
}

function pictureOf(url: string, density: number): string {
  return density === 1 ? `url("${url}")` : `image-set(url("${url}") ${density}x)`;
}

function scaled(image: HTMLImageElement, { width, height }: CursorSize): string | null {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  return canvas.toDataURL("image/png");
}
