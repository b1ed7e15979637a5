// Shell: gives the picture its place on the stage, watches how much room there is, in pixels of the screen, and scrolls a
// picture that is larger than the room when the pointer is at an edge.
import type { Cancel, Clock } from "../clock";
import type { Place, Rect, Size } from "./geometry";
import { overflow, place, scrolled, type Room, type Scaling } from "./layout";

export class View {
  #stage: HTMLElement;
  #clock: Clock;
  #callback: () => void;
  #scaling: Scaling = "fit";
  #room: Room = { width: 0, height: 0, density: 1 };
  #desktop: Size = { width: 0, height: 0 };
  #part: Rect | null = null;
  /** What is scrolled away, in pixels of the screen. */
  #offset: Place = { x: 0, y: 0 };
  /** Where the pointer is on the stage, in CSS pixels. */
  #pointer: Place | null = null;
  #frame: Cancel | null = null;
  #observer: ResizeObserver;

  /** The callback: room or place have changed. */
  constructor(stage: HTMLElement, clock: Clock, callback: () => void) {
    this.#stage = stage;
    this.#clock = clock;
    this.#callback = callback;
    this.#observer = new ResizeObserver(([entry]) => {
      if (entry) this.#measured(entry);
    });
    this.#measure();
    stage.addEventListener("pointermove", ({ clientX, clientY }) => {
      this.#pointer = { x: clientX, y: clientY };
      this.#scroll();
    });
    stage.addEventListener("pointerleave", () => {
      this.#pointer = null;
    });
  }

  /** The room for the picture. */
  get room(): Room {
    return this.#room;
  }

  get scaling(): Scaling {
    return this.#scaling;
  }

  set scaling(scaling: Scaling) {
    this.#scaling = scaling;
    this.#lay();
  }

  /** What is shown of the desktop: one of its monitors, or all of it. */
  get part(): Rect | null {
    return this.#part;
  }

  set part(part: Rect | null) {
    this.#part = part;
    this.#offset = { x: 0, y: 0 };
    this.#lay();
  }

  /** The picture shows a desktop of this size. */
  show(desktop: Size): void {
    // Moved to a screen of another density, which Safari does not tell.
    if (this.#room.width > 0 && this.#room.density !== window.devicePixelRatio) this.#measure();
    if (desktop.width === this.#desktop.width && desktop.height === this.#desktop.height) return;
    this.#desktop = desktop;
    this.#lay();
  }

  /** Whoever begins to observe is told at once. */
  #measure(): void {
    this.#observer.disconnect();
    try {
      this.#observer.observe(this.#stage, { box: "device-pixel-content-box" });
    } catch {
      // Safari does not tell in pixels of the screen.
      this.#observer.observe(this.#stage);
    }
  }

  #measured(entry: ResizeObserverEntry): void {
    const { width, height } = entry.contentRect;
    // Safari has no such thing.
    const [exact] = (entry as Partial<ResizeObserverEntry>).devicePixelContentBoxSize ?? [];
    const density = window.devicePixelRatio;
    // The stage has no padding and no border, and text runs along its width.
    const isDense = exact !== undefined && Math.abs(exact.inlineSize - width * density) < 1 && Math.abs(exact.blockSize - height * density) < 1;
    // A browser that plays another screen than it has (its developer's tools do) tells the pixels of the one that it has.
    this.#room = isDense
      ? { width: exact.inlineSize, height: exact.blockSize, density }
      : { width: Math.round(width * density), height: Math.round(height * density), density };
    this.#lay();
  }

  #lay(): void {
    const { style } = this.#stage;
    const shown = this.#room.width > 0 && this.#desktop.width > 0;
    const rect = shown ? place(this.#room, this.#desktop, this.#scaling, this.#offset, this.#part) : null;
    const cut = rect?.cut;
    if (cut) style.setProperty("--picture-clip", `inset(${cut.top}px ${cut.right}px ${cut.bottom}px ${cut.left}px)`);
    else style.removeProperty("--picture-clip");
    for (const side of ["left", "top", "width", "height"] as const) {
      if (rect) style.setProperty(`--picture-${side}`, `${rect[side]}px`);
      else style.removeProperty(`--picture-${side}`);
    }
    this.#callback();
  }

  /** Goes on from frame to frame for as long as the pointer pulls. */
  #scroll(): void {
    if (this.#frame || this.#scaling !== "exact") return;
    this.#frame = this.#clock.frame(() => {
      this.#frame = null;
      const { width, height, density } = this.#room;
      if (!this.#pointer) return;
      const room = { width: width / density, height: height / density };
      const next = scrolled(this.#offset, overflow(this.#room, this.#part ?? this.#desktop), this.#pointer, room, density);
      if (next.x === this.#offset.x && next.y === this.#offset.y) return;
      this.#offset = next;
      this.#lay();
      this.#scroll();
    });
  }
}
