// Shell: the choices of how hands work: they are the hands' own, which keep them; here they are only shown and changed.
import { missing } from "../chrome/curtain";
import { MAC_KEYS, TOUCH_MODES, USUAL, type Habits } from "../input/habits";

/** Of the hands, what this needs. */
export interface Hands {
  readonly habits: Habits;
  use(wanted: Partial<Habits>): void;
}

export class HabitChoice {
  #hands: Hands;
  #macKeys: HTMLSelectElement;
  #touchMode: HTMLSelectElement;
  #rumble: HTMLInputElement;

  /** `touch`: the page is worked with fingers; nobody else is asked what they do. */
  constructor(root: HTMLElement, hands: Hands, touch: boolean) {
    const part = <E extends HTMLElement>(name: string): E => root.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
    this.#hands = hands;
    this.#macKeys = part("macKeys");
    this.#touchMode = part("touchMode");
    this.#rumble = part("rumble");
    part("touchRow").hidden = !touch;
    this.#macKeys.addEventListener("change", () => {
      this.#use({ macKeys: MAC_KEYS.find((one) => one === this.#macKeys.value) ?? USUAL.macKeys });
    });
    this.#touchMode.addEventListener("change", () => {
      this.#use({ touchMode: TOUCH_MODES.find((one) => one === this.#touchMode.value) ?? USUAL.touchMode });
    });
    this.#rumble.addEventListener("change", () => {
      this.#use({ rumble: this.#rumble.checked });
    });
    this.#show();
  }

  /** Back to what is usual. */
  forget(): void {
    this.#use(USUAL);
  }

  #use(wanted: Partial<Habits>): void {
    this.#hands.use(wanted);
    this.#show();
  }

  #show(): void {
    this.#macKeys.value = this.#hands.habits.macKeys;
    this.#touchMode.value = this.#hands.habits.touchMode;
    this.#rumble.checked = this.#hands.habits.rumble;
  }
}
