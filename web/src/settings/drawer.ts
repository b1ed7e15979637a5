// Shell: the settings. Those of the session are wishes to the server, and shown as it grants them; those of this page are kept
// in the browser.
import { missing, say } from "../chrome/curtain";
import { bitRate } from "../panel/overlay";
import { codecName } from "../words/codecs";
import { figure, words } from "../words/language";
import type { ContentHint, Settings, VideoCodec, Wish } from "../wire/protocol";
import { PREFERENCES, PREFERENCES_KEY, readPreferences, THEMES, type Preferences } from "./preferences";
import { frameRates, placeOf, rateAt } from "./scale";

/** The browser's memory; it throws where it is forbidden. */
export type Memory = Pick<Storage, "getItem" | "setItem">;

export type DrawerEvent =
  /** Something of the session is wanted otherwise. */
  | { type: "wish"; wish: Wish }
  /** Something of this page is otherwise from now on. */
  | { type: "preferred"; preferences: Preferences }
  /** Everything back to what it was, what others keep too. */
  | { type: "defaults" };

export class Drawer {
  #root: HTMLElement;
  #memory: Memory;
  #callback: (event: DrawerEvent) => void;
  #decodes: (codec: VideoCodec) => boolean;
  #preferences: Preferences;
  #settings: Settings | null = null;
  /** The slider is in somebody's hand: what the server says does not move it. */
  #held = false;

  /** `decodes`: whether this browser shows a codec. */
  constructor(root: HTMLElement, memory: Memory, decodes: (codec: VideoCodec) => boolean, callback: (event: DrawerEvent) => void) {
    this.#root = root;
    this.#memory = memory;
    this.#callback = callback;
    this.#decodes = decodes;
    this.#preferences = this.#remembered();
    const rate = this.#part<HTMLInputElement>("bitrate");
    const frames = this.#part<HTMLSelectElement>("framerate");
    const hint = this.#part<HTMLSelectElement>("contentHint");
    const volume = this.#part<HTMLInputElement>("volume");
    const theme = this.#part<HTMLSelectElement>("theme");
    const clipboard = this.#part<HTMLInputElement>("clipboard");
    const pointer = this.#part<HTMLInputElement>("pointer");
    rate.addEventListener("input", () => {
      this.#held = true;
      this.#sayRate(this.#chosenRate());
    });
    rate.addEventListener("change", () => {
      this.#held = false;
      this.#wish({ bitrateBps: this.#chosenRate() });
    });
    frames.addEventListener("change", () => {
      this.#wish({ framerate: Number(frames.value) });
    });
    const codec = this.#part<HTMLSelectElement>("codec");
    codec.addEventListener("change", () => {
      this.#wish({ codec: codec.value as VideoCodec });
    });
    hint.addEventListener("change", () => {
      this.#wish({ contentHint: hint.value as ContentHint });
    });
    volume.addEventListener("input", () => {
      this.prefer({ volume: Number(volume.value) / 100 });
    });
    theme.addEventListener("change", () => {
      this.prefer({ theme: THEMES.find((one) => one === theme.value) ?? "auto" });
    });
    clipboard.addEventListener("change", () => {
      this.prefer({ clipboard: clipboard.checked });
    });
    pointer.addEventListener("change", () => {
      this.prefer({ pointer: pointer.checked });
    });
    this.#part("toDefaults").addEventListener("click", () => {
      if (this.#settings) this.#wish(this.#settings.defaults);
      // What somebody is called is no setting.
      this.prefer({ ...PREFERENCES, name: this.#preferences.name });
      this.#callback({ type: "defaults" });
    });
    this.#showPreferences();
  }

  get preferences(): Preferences {
    return this.#preferences;
  }

  /** The server tells what holds; `null` as long as it does not. */
  told(settings: Settings | null): void {
    this.#settings = settings;
    this.#held &&= settings !== null;
  }

  /** `mayAct`: this page may set what is the session's. Also to be called when the language is another. */
  show(mayAct: boolean): void {
    const settings = this.#settings;
    const session = this.#part<HTMLFieldSetElement>("ofSession");
    session.hidden = settings === null;
    session.disabled = !mayAct;
    this.#part("onlyController").hidden = mayAct;
    say(this.#part("volumeText"), words.percent(figure(this.#preferences.volume * 100)));
    if (!settings) return;
    const { now, minBitrateBps, maxBitrateBps, maxFramerate } = settings;
    if (!this.#held) {
      this.#part<HTMLInputElement>("bitrate").value = String(placeOf(now.bitrateBps, minBitrateBps, maxBitrateBps));
      this.#sayRate(now.bitrateBps);
    }
    this.#part<HTMLSelectElement>("contentHint").value = now.contentHint;
    this.#showCodecs(settings);
    this.#showFrameRates(frameRates(maxFramerate, now.framerate), now.framerate);
  }

  /** What this browser shows of what the server has; nothing is to be chosen where that is one. */
  #showCodecs({ now, codecs, trying }: Settings): void {
    const select = this.#part<HTMLSelectElement>("codec");
    const offered = codecs.filter((codec) => codec === now.codec || this.#decodes(codec));
    this.#part("codecRow").hidden = offered.length < 2;
    if ([...select.options].map(({ value }) => value).join() !== offered.join()) {
      select.replaceChildren(...offered.map((codec) => optionOf(codec, codec)));
    }
    // Three dots where its encoders are still being tried.
    for (const option of select.options) {
      const text = `${codecName(option.value)}${option.value === trying ? " …" : ""}`;
      if (option.text !== text) option.text = text;
    }
    select.value = trying ?? now.codec;
  }

  #showFrameRates(rates: readonly number[], now: number): void {
    const select = this.#part<HTMLSelectElement>("framerate");
    const texts = rates.map((rate) => words.fps(figure(rate)));
    // An open list closes when it is written anew.
    if ([...select.options].map(({ text }) => text).join() !== texts.join()) {
      select.replaceChildren(...rates.map((rate, index) => optionOf(texts[index] ?? "", String(rate))));
    }
    select.value = String(now);
  }

  #chosenRate(): number {
    const { minBitrateBps = 0, maxBitrateBps = 0 } = this.#settings ?? {};
    return rateAt(Number(this.#part<HTMLInputElement>("bitrate").value), minBitrateBps, maxBitrateBps);
  }

  #sayRate(bps: number): void {
    say(this.#part("bitrateText"), bitRate(bps));
    this.#part("bitrate").setAttribute("aria-valuetext", bitRate(bps));
  }

  #wish(wish: Wish): void {
    this.#callback({ type: "wish", wish });
  }

  /** Something is preferred otherwise, and kept so. */
  prefer(changed: Partial<Preferences>): void {
    this.#preferences = { ...this.#preferences, ...changed };
    try {
      this.#memory.setItem(PREFERENCES_KEY, JSON.stringify(this.#preferences));
    } catch {
      // A browser that keeps nothing for this page is told again the next time.
    }
    this.#showPreferences();
    this.#callback({ type: "preferred", preferences: this.#preferences });
  }

  #showPreferences(): void {
    const { theme, volume, clipboard, pointer } = this.#preferences;
    this.#part<HTMLInputElement>("clipboard").checked = clipboard;
    this.#part<HTMLInputElement>("pointer").checked = pointer;
    this.#part<HTMLSelectElement>("theme").value = theme;
    this.#part<HTMLInputElement>("volume").value = String(Math.round(volume * 100));
    const text = words.percent(figure(volume * 100));
    say(this.#part("volumeText"), text);
    this.#part("volume").setAttribute("aria-valuetext", text);
  }

  #remembered(): Preferences {
    try {
      return readPreferences(this.#memory.getItem(PREFERENCES_KEY));
    } catch {
      return PREFERENCES;
    }
  }

  #part<E extends Element = HTMLElement>(name: string): E {
    return this.#root.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
  }
}

function optionOf(text: string, value: string): HTMLOptionElement {
  const option = document.createElement("option");
  option.text = text;
  option.value = value;
  return option;
}
