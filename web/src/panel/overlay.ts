// Shell: the panel at the edge: state, figures and buttons. It shows what it is given and reports what is pressed.
import type { Latency, MediaInfo, PageStats, Quality, Role } from "../wire/protocol";
import { missing, say } from "../chrome/curtain";
import { encoderKind } from "./encoders";
import type { Size } from "../picture/geometry";
import type { Sound } from "../picture/media";
import { codecName } from "../words/codecs";
import { figure, words } from "../words/language";
import { Waterfall } from "./waterfall";

/** Everything that the panel shows. */
export interface Facts {
  readonly state: keyof typeof words.state;
  readonly media: MediaInfo | null;
  /** Size of the picture as decoded. */
  readonly size: Size;
  /** Size of the desktop; `null` if the server does not tell it. */
  readonly display: Size | null;
  /** What is encoded and what holds it back; `null` if the server does not tell it. */
  readonly quality: Quality | null;
  readonly limitedSeconds: number;
  readonly stats: PageStats | null;
  /** How long frames take to the screen, as the server told it so many seconds ago; `null` if it did not. */
  readonly latency: Latency | null;
  readonly latencySeconds: number;
  readonly role: Role | null;
  readonly consumers: number | null;
  readonly sound: Sound;
  readonly fullscreen: boolean;
  /** Whether this page works the desktop, and whether the pointer is locked to it. */
  readonly acts: boolean;
  readonly locked: boolean;
}

/** `unfocused`: the panel opened or closed and does not want the keyboard. */
const ACTIONS = ["fullscreen", "sound", "screenshot", "lock", "keyboard"] as const;
export type OverlayAction = (typeof ACTIONS)[number] | "unfocused";

export function bitRate(bps: number): string {
  if (bps >= 1e6) return `${figure(bps / 1e6, 1)} Mbit/s`;
  return `${figure(bps / 1e3)} kbit/s`;
}

/** A span of time in its largest unit: seconds would only flicker after a minute. */
export function span(seconds: number): string {
  if (seconds < 60) return words.seconds(Math.floor(seconds));
  return seconds < 3600 ? words.minutes(Math.floor(seconds / 60)) : words.hours(Math.floor(seconds / 3600));
}

export class Overlay {
  #panel: HTMLElement;
  #handle: HTMLButtonElement;
  #callback: (action: OverlayAction) => void;
  #waterfall: Waterfall;

  constructor(panel: HTMLElement, handle: HTMLButtonElement, callback: (action: OverlayAction) => void) {
    this.#panel = panel;
    this.#handle = handle;
    this.#callback = callback;
    this.#waterfall = new Waterfall(this.#part("waterfall"));
    handle.addEventListener("click", (event) => {
      // A click by keyboard has no pointer and wants the focus inside; a mouse leaves it with the desktop.
      this.toggle(event.detail === 0);
    });
    this.#part("close").addEventListener("click", () => {
      this.toggle();
    });
    for (const action of ACTIONS) {
      this.#part(action).addEventListener("click", () => {
        this.#callback(action);
      });
    }
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.toggle();
    });
  }

  get open(): boolean {
    return !this.#panel.hidden;
  }

  /** Opens or closes the panel; opened by the keyboard, it takes the focus. */
  toggle(takeFocus = false): void {
    this.#panel.hidden = !this.#panel.hidden;
    this.#handle.setAttribute("aria-expanded", String(this.open));
    this.#handle.hidden = this.open;
    if (this.open && takeFocus) this.#part("close").focus();
    else this.#callback("unfocused");
  }

  /** Some browsers (on phones) have no full screen for pages, or no lock. */
  offer(action: "fullscreen" | "lock", there: boolean): void {
    this.#part(action).hidden = !there;
  }

  show(facts: Facts): void {
    const { stats, media, size, quality } = facts;
    this.#panel.dataset.state = facts.state;
    this.#say("state", words.state[facts.state]);
    // The application knows of a switch of encoders at once, the sink with the next tag.
    const told = quality !== null && quality.encoder !== "";
    const encoder = told ? quality.encoder : (media?.encoder ?? "");
    const kind = told ? (quality.hardware ? "hardware" : "software") : encoderKind(encoder);
    const codec = codecName(told ? quality.codec : (media?.codec ?? ""));
    const colours = media?.chromaFormat === "4:4:4" ? media.chromaFormat : "";
    this.#say("encoder", [[codec, colours].join(" ").trim(), encoder, kind && words[kind]].filter(Boolean).join(" · ") || words.unknown);
    this.#say("picture", this.#picture(size, facts.display));
    const rate = stats ? words.fps(figure(stats.framesPerSecond)) : words.unknown;
    this.#say("frameRate", stats && quality && quality.maxFramerate > 0 ? words.atMost(rate, Math.round(quality.maxFramerate)) : rate);
    this.#showLimitation(quality, facts.limitedSeconds);
    this.#say("bitRate", stats ? bitRate(stats.bitrateBps) : words.unknown);
    this.#say("losses", stats ? words.lossCount(Math.max(stats.packetsLost, 0), stats.framesDropped) : words.unknown);
    const who = facts.role ? words[facts.role] : words.unknown;
    // A server without sessions of its own says nothing of roles.
    this.#row("role").hidden = facts.role === null;
    this.#say("role", facts.consumers === null ? who : `${who} · ${words.people(facts.consumers)}`);
    this.#waterfall.show(facts.latency, facts.latencySeconds, stats);
    this.#say("fullscreenLabel", facts.fullscreen ? words.leaveFullscreen : words.fullscreen);
    this.#say("lockLabel", facts.locked ? words.unlockPointer : words.lockPointer);
    this.#part<HTMLButtonElement>("lock").disabled = !facts.acts;
    const sound = { none: words.noSound, blocked: words.clickForSound, playing: words.soundOn, muted: words.soundOff }[facts.sound];
    this.#say("soundLabel", sound);
    const soundButton = this.#part<HTMLButtonElement>("sound");
    soundButton.disabled = facts.sound === "none";
    soundButton.setAttribute("aria-pressed", String(facts.sound === "playing"));
  }

  #picture(size: Size, desktop: Size | null): string {
    if (size.width === 0) return words.unknown;
    const picture = `${size.width} × ${size.height}`;
    const scaled = desktop && (desktop.width !== size.width || desktop.height !== size.height);
    return scaled ? words.pictureOf(picture, `${desktop.width} × ${desktop.height}`) : picture;
  }

  #showLimitation(quality: Quality | null, seconds: number): void {
    const row = this.#row("quality");
    row.hidden = quality === null;
    const reason = quality?.reason ?? "none";
    row.dataset.limited = String(reason !== "none");
    this.#row("limitation").hidden = quality === null;
    this.#say("limitation", words.limitationHint[reason]);
    const by = reason === "none" ? null : words.limitation[reason];
    this.#say("qualityLabel", by === null ? words.quality : words.limitedBy);
    this.#say("quality", by === null ? words.fullQuality : words.limitedFor(by, span(seconds)));
    // Who has not opened the panel sees a mark, and no more.
    const hint = by === null ? words.openPanel : words.openPanelLimited(by);
    this.#handle.dataset.limited = String(by !== null);
    if (this.#handle.title !== hint) {
      this.#handle.title = hint;
      this.#handle.setAttribute("aria-label", hint);
    }
  }

  #row(part: string): HTMLElement {
    return this.#part(part).parentElement ?? missing(part);
  }

  #say(part: string, text: string): void {
    say(this.#part(part), text);
  }

  #part<E extends Element = HTMLElement>(name: string): E {
    return this.#panel.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
  }
}
