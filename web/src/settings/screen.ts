// Shell: the choices of how the picture fits the window: shown, changed, and kept in the browser; and which of several monitors
// this window shows, which holds as long as the page is there: another window has another.
import { say } from "../chrome/curtain";
import type { Store } from "../connection/identity";
import { keepPictureChoices, pictureChoices, pictureDefaults, type PictureChoices } from "../picture/choices";
import type { Rect } from "../picture/geometry";
import { words } from "../words/messages";
import type { ScreenInfo } from "../wire/protocol";

type Monitor = ScreenInfo["monitors"][number];

/** What was chosen, and the part of the desktop that is to be shown; `null`: all of it. */
export interface ScreenChoices extends PictureChoices {
  readonly part: Rect | null;
}

export class ScreenChoice {
  #fields: HTMLElement;
  #store: Store;
  #touch: boolean;
  #callback: (choices: ScreenChoices) => void;
  #chosen: PictureChoices;
  #monitors: readonly Monitor[] = [];
  /** The name of one; empty: all. */
  #monitor = "";

  /** The callback hears of every choice. */
  constructor(fields: HTMLElement, store: Store, touch: boolean, callback: (choices: ScreenChoices) => void) {
    this.#fields = fields;
    this.#store = store;
    this.#touch = touch;
    this.#callback = callback;
    this.#chosen = pictureDefaults(touch);
    const [follow, exact, monitor] = [this.#part<HTMLInputElement>("follow"), this.#part<HTMLInputElement>("exact"), this.#part<HTMLSelectElement>("monitor")];
    for (const box of [follow, exact]) {
      box.addEventListener("change", () => {
        this.#choose({ follow: follow.checked, scaling: exact.checked ? "exact" : "fit" });
      });
    }
    monitor.addEventListener("change", () => {
      this.#monitor = monitor.value;
      this.#use(this.#chosen);
    });
  }

  /** Says what was chosen before. */
  begin(): void {
    this.#use(pictureChoices(this.#store, this.#touch));
  }

  /** Why the desktop does not follow this window, whatever is chosen; `null`: it does. What is not granted is no choice. */
  set fixed(why: "followOthers" | "followNever" | null) {
    this.#part<HTMLInputElement>("follow").disabled = why !== null;
    say(this.#part("followHint"), words[why ?? "followWindowHint"]);
  }

  /** What the desktop has. One that is gone, or the only one, is no choice. */
  set monitors(monitors: readonly Monitor[]) {
    const texts = monitors.map(({ name, width, height }) => `${name} (${width} × ${height})`);
    const select = this.#part<HTMLSelectElement>("monitor");
    this.#part("monitorRow").hidden = monitors.length < 2;
    // An open list closes when it is written anew.
    const all = [words.allMonitors, ...texts];
    if ([...select.options].map(({ text }) => text).join() !== all.join()) {
      select.replaceChildren(...all.map((text, index) => new Option(text, monitors[index - 1]?.name ?? "")));
    }
    const same = JSON.stringify(monitors) === JSON.stringify(this.#monitors);
    this.#monitors = monitors;
    if (!monitors.some(({ name }) => name === this.#monitor)) this.#monitor = "";
    select.value = this.#monitor;
    if (!same) this.#use(this.#chosen);
  }

  /** Back to what holds until somebody chooses. */
  forget(): void {
    this.#monitor = "";
    this.#choose(pictureDefaults(this.#touch));
  }

  #choose(choices: PictureChoices): void {
    keepPictureChoices(this.#store, choices);
    this.#use(choices);
  }

  #use(choices: PictureChoices): void {
    this.#chosen = choices;
    this.#part<HTMLInputElement>("follow").checked = choices.follow;
    this.#part<HTMLInputElement>("exact").checked = choices.scaling === "exact";
    const monitor = this.#monitors.length > 1 ? this.#monitors.find(({ name }) => name === this.#monitor) : undefined;
    this.#part<HTMLSelectElement>("monitor").value = monitor?.name ?? "";
    this.#callback({ ...choices, part: monitor ? { left: monitor.x, top: monitor.y, width: monitor.width, height: monitor.height } : null });
  }

  #part<E extends HTMLElement = HTMLElement>(name: string): E {
    const part = this.#fields.querySelector<E>(`[data-part="${name}"]`);
    if (!part) throw new Error(`the page has no [data-part="${name}"] among the choices of the screen`);
    return part;
  }
}
