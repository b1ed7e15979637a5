// Shell: the pointers of those who watch: where the others point is drawn over the picture, with their names, and where this
// page's user points is told to them. The controller's pointer is the desktop's own, and in the picture.
import type { Cancel, Clock } from "../clock";
import { toDesktop, toPage, type Place, type Rect, type Size } from "../picture/geometry";
import { toPointer, type Person, type Pointing, type ToPointer } from "../wire/protocol";
import { parse } from "../wire/schema";
import { called } from "./people";
import { dueInMs, freeColour, nothingTold, toldAlso } from "./pointing";

/** How long a pointer that stands still is seen. */
export const STILL_MS = 4000;
/** Bytes that may wait in the channel. What waits is old, and the next message mends what is left out. */
const MAX_BACKLOG_BYTES = 1024;

/** Where the picture is, and what of the desktop it shows. */
export interface Shown {
  readonly box: Rect;
  readonly picture: Size;
  readonly desktop: Size;
  readonly part: Rect | null;
}

interface Pointer {
  readonly element: HTMLElement;
  readonly colour: string;
  at: Place;
  movedMs: number;
}

export class Pointers {
  #stage: HTMLElement;
  #clock: Clock;
  #shown: () => Shown;
  #layer: HTMLElement;
  #channel: RTCDataChannel | null = null;
  #people: readonly Person[] = [];
  #pointers = new Map<string, Pointer>();
  #heardSeq = 0;
  /** This page's user is shown to the others. */
  #shows = false;
  #hand: Place | null = null;
  #told = nothingTold;
  #seq = 0;
  #drawing: Cancel | null = null;
  #telling: Cancel | null = null;

  constructor(stage: HTMLElement, clock: Clock, shown: () => Shown) {
    this.#stage = stage;
    this.#clock = clock;
    this.#shown = shown;
    this.#layer = document.createElement("div");
    this.#layer.id = "pointers";
    // Who is here is told in the list of people; what somebody points at can only be seen.
    this.#layer.setAttribute("aria-hidden", "true");
    stage.append(this.#layer);
    for (const type of ["pointermove", "pointerdown"] as const) {
      stage.addEventListener(type, ({ clientX, clientY }) => {
        this.#points({ x: clientX, y: clientY });
      });
    }
    stage.addEventListener("pointerleave", ({ pointerType }) => {
      // A finger is gone as soon as it is lifted; what it has pointed at is looked at after that.
      if (pointerType !== "touch") this.#points(null);
    });
  }

  /** The channel of the present connection. */
  use(channel: RTCDataChannel | null): void {
    if (channel === this.#channel) return;
    this.#channel = channel;
    this.#heardSeq = 0;
    this.#told = nothingTold;
    this.#forget(() => true);
    channel?.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (channel === this.#channel) this.#heard(String(data));
    });
  }

  /** `shows`: this page only watches, and its user wants to be seen. */
  show(people: readonly Person[], shows: boolean): void {
    this.#people = people;
    this.#shows = shows && people.length > 1;
    this.#forget((consumer) => !people.some((person) => person.consumer === consumer));
    for (const [consumer, { element }] of this.#pointers) this.#label(element, consumer);
    this.#tell();
    this.#draw();
  }

  #points(hand: Place | null): void {
    this.#hand = hand;
    if (this.#telling) return;
    this.#telling = this.#clock.frame(() => {
      this.#telling = null;
      this.#tell();
    });
  }

  /** Tells the place now, or as soon as it may be told. */
  #tell(): void {
    const nowMs = this.#clock.nowMs();
    const at = this.#place();
    const waitMs = dueInMs(this.#told, at, nowMs);
    if (waitMs === null || this.#channel?.readyState !== "open") return;
    if (waitMs === 0 && this.#channel.bufferedAmount <= MAX_BACKLOG_BYTES) {
      this.#seq += 1;
      const message: Pointing = at ? { type: "shown", seq: this.#seq, x: at.x, y: at.y } : { type: "hidden", seq: this.#seq };
      this.#channel.send(JSON.stringify(message));
      this.#told = toldAlso(this.#told, at, nowMs);
    }
    const nextMs = dueInMs(this.#told, at, nowMs);
    if (nextMs === null || this.#telling) return;
    this.#telling = this.#clock.after(Math.max(nextMs, 1), () => {
      this.#telling = null;
      this.#tell();
    });
  }

  /** The pixel of the desktop that this page's user points at, if the others are to see it. */
  #place(): Place | null {
    if (!this.#shows || !this.#hand) return null;
    const { box, picture, desktop, part } = this.#shown();
    const place = toDesktop(this.#hand, box, picture, desktop, part);
    return place?.inside === true ? { x: place.x, y: place.y } : null;
  }

  #heard(data: string): void {
    let message: ToPointer;
    try {
      message = parse(toPointer, data);
    } catch (error) {
      console.warn("gst-vdi: pointers ignored:", error instanceof Error ? error.message : error);
      return;
    }
    // The channel has no order.
    if (message.seq <= this.#heardSeq) return;
    this.#heardSeq = message.seq;
    this.#forget((consumer) => !message.pointers.some((one) => one.consumer === consumer));
    for (const { consumer, x, y } of message.pointers) this.#moved(consumer, { x, y });
    this.#draw();
  }

  #moved(consumer: string, at: Place): void {
    const known = this.#pointers.get(consumer);
    if (known) {
      if (known.at.x !== at.x || known.at.y !== at.y) known.movedMs = this.#clock.nowMs();
      known.at = at;
      return;
    }
    const colour = freeColour([...this.#pointers.values()].map((one) => one.colour));
    const element = document.createElement("div");
    element.className = "pointer";
    element.style.setProperty("--colour", colour);
    element.innerHTML = '<svg viewBox="0 0 16 20"><path d="M1 1v15.5l4.3-3.8 3 6 3-1.4-3-5.8 6-.4Z" /></svg><span></span>';
    this.#label(element, consumer);
    this.#layer.append(element);
    this.#pointers.set(consumer, { element, colour, at, movedMs: this.#clock.nowMs() });
  }

  #label(element: HTMLElement, consumer: string): void {
    const person = this.#people.find((one) => one.consumer === consumer);
    const label = element.querySelector("span");
    const name = person ? called(person, this.#people) : "";
    if (label && label.textContent !== name) label.textContent = name;
  }

  #forget(gone: (consumer: string) => boolean): void {
    for (const [consumer, { element }] of this.#pointers) {
      if (!gone(consumer)) continue;
      element.remove();
      this.#pointers.delete(consumer);
    }
  }

  /** Draws all of them, and goes on from frame to frame as long as one is seen: the picture may move under them. */
  #draw(): void {
    if (this.#pointers.size === 0) return;
    const nowMs = this.#clock.nowMs();
    const { box, picture, desktop, part } = this.#shown();
    const origin = this.#stage.getBoundingClientRect();
    let seen = false;
    for (const { element, at, movedMs } of this.#pointers.values()) {
      const place = toPage(at, box, picture, desktop, part);
      const isStill = nowMs - movedMs >= STILL_MS;
      seen ||= !isStill;
      element.hidden = place === null;
      element.classList.toggle("still", isStill);
      if (place) element.style.translate = `${place.x - origin.left}px ${place.y - origin.top}px`;
    }
    if (!seen || this.#drawing) return;
    this.#drawing = this.#clock.frame(() => {
      this.#drawing = null;
      this.#draw();
    });
  }
}
