// Shell: the pill that warns of the end of the session, with its countdown. What it says is decided by `comingWords`.
import type { Cancel, Clock } from "../clock";
import { missing, say } from "./curtain";
import { words } from "../words/language";
import type { Role } from "../wire/protocol";
import type { Coming } from "../connection/state";

/** What is said of it. `when` changes each second and is not for screen readers to repeat. */
export function comingWords(coming: Coming, nowMs: number, role: Role | null): { what: string; when: string } {
  const left = Math.max(0, Math.ceil((coming.atMs - nowMs) / 1000));
  const when = left === 0 ? words.endsNow : words.endsIn(`${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
  if (coming.limit !== "idle") return { what: words.endsByTimeout, when };
  return { what: role === "viewer" ? words.endsByIdleWatched : words.endsByIdle, when };
}

/** What the button says that puts the end off; `null`: there is none for this page. */
export function extensionWords({ extensionSeconds }: Coming, role: Role | null): string | null {
  if (extensionSeconds === null || role !== "controller") return null;
  const minutes = Math.round(extensionSeconds / 60);
  return minutes % 60 === 0 ? words.extendByHours(minutes / 60) : words.extendByMinutes(minutes);
}

export class ComingEnd {
  #root: HTMLElement;
  #what: HTMLElement;
  #when: HTMLElement;
  #clock: Clock;
  #extend: HTMLElement;
  #next: Cancel | null = null;

  /** `extend`: whoever is in control would put the end off. */
  constructor(root: HTMLElement, clock: Clock, extend: () => void) {
    const find = (name: string): HTMLElement => root.querySelector<HTMLElement>(`[data-part="${name}"]`) ?? missing(name);
    this.#root = root;
    this.#what = find("what");
    this.#when = find("when");
    this.#extend = find("extend");
    this.#extend.addEventListener("click", extend);
    this.#clock = clock;
  }

  /** Shows the warning, and counts down by itself from then on. */
  show(coming: Coming | null, role: Role | null): void {
    this.#next?.();
    this.#next = null;
    this.#root.hidden = coming === null;
    if (!coming) return;
    const nowMs = this.#clock.nowMs();
    const { what, when } = comingWords(coming, nowMs, role);
    say(this.#what, what);
    say(this.#when, when);
    const extension = extensionWords(coming, role);
    this.#extend.hidden = extension === null;
    if (extension !== null) say(this.#extend, extension);
    this.#root.dataset.limit = coming.limit;
    if (coming.atMs > nowMs) {
      // At the next full second of the countdown.
      this.#next = this.#clock.after((coming.atMs - nowMs) % 1000 || 1000, () => {
        this.show(coming, role);
      });
    }
  }
}
