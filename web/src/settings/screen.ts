// Shell: the choices of how the picture fits the window: shown, changed, and kept in the browser.
import type { Store } from "../connection/identity";
import { keepPictureChoices, pictureChoices, pictureDefaults, type PictureChoices } from "../picture/choices";

export class ScreenChoice {
  #follow: HTMLInputElement;
  #exact: HTMLInputElement;
  #store: Store;
  #touch: boolean;
  #callback: (choices: PictureChoices) => void;

  /** The callback hears of every choice. */
  constructor(follow: HTMLInputElement, exact: HTMLInputElement, store: Store, touch: boolean, callback: (choices: PictureChoices) => void) {
    this.#follow = follow;
    this.#exact = exact;
    this.#store = store;
    this.#touch = touch;
    this.#callback = callback;
    for (const box of [follow, exact]) {
      box.addEventListener("change", () => {
        this.#choose({ follow: follow.checked, scaling: exact.checked ? "exact" : "fit" });
      });
    }
  }

  /** Says what was chosen before. */
  begin(): void {
    this.#use(pictureChoices(this.#store, this.#touch));
  }

  /** What the server does not grant is no choice. */
  set mayFollow(may: boolean) {
    this.#follow.disabled = !may;
  }

  /** Back to what holds until somebody chooses. */
  forget(): void {
    this.#choose(pictureDefaults(this.#touch));
  }

  #choose(choices: PictureChoices): void {
    keepPictureChoices(this.#store, choices);
    this.#use(choices);
  }

  #use(choices: PictureChoices): void {
    this.#follow.checked = choices.follow;
    this.#exact.checked = choices.scaling === "exact";
    this.#callback(choices);
  }
}
