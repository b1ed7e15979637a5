// Shell: the button of a microphone or camera in the panel, and the mark that stays on the page for as long as it is on.
import { say } from "../chrome/curtain";
import type { Notices } from "../chrome/notices";
import { words } from "../words/language";
import { Sense, type SenseEvent } from "./sense";

/** What it is called in the table of words. */
type Name = "microphone" | "camera";

export class SenseControl {
  #name: Name;
  #button: HTMLButtonElement;
  #mark: HTMLElement;
  #meaning: HTMLElement;
  #sense: Sense;

  /** `done`: a click is over, and the keyboard is the desktop's again. */
  constructor(name: Name, [button, mark, meaning]: readonly [HTMLButtonElement, HTMLElement, HTMLElement], devices: MediaDevices | null, wanted: MediaStreamConstraints, notices: Pick<Notices, "add">, done: () => void) {
    this.#name = name;
    this.#button = button;
    this.#mark = mark;
    this.#meaning = meaning;
    let shown = (): void => undefined;
    this.#sense = new Sense(devices, wanted, (event) => {
      if (event !== "changed") notices.add(event === "lost" ? "info" : "warning", sentence(name, event));
      shown();
    });
    shown = () => {
      this.#show();
    };
    button.addEventListener("click", () => {
      void this.#sense.toggle();
      done();
    });
    mark.addEventListener("click", () => {
      this.#sense.off();
      done();
    });
  }

  /** Where it goes out now, if the server takes it, and whether this page may be heard or seen. */
  use(sender: RTCRtpSender | null, allowed: boolean): void {
    this.#sense.use(sender, allowed);
    this.#button.hidden = sender === null;
    this.#button.disabled = !allowed || this.#sense.state === "impossible";
    this.#show();
  }

  #show(): void {
    const { state } = this.#sense;
    const name = this.#name;
    const label = { impossible: words[`${name}Impossible`], off: words[`${name}Off`], asking: words[`${name}Asking`], on: words[`${name}On`] }[state];
    say(this.#button.querySelector("span") ?? this.#button, label);
    const hint = state === "impossible" ? words[`${name}ImpossibleHint`] : words[`${name}Hint`];
    this.#button.title = hint;
    say(this.#meaning, hint);
    this.#button.setAttribute("aria-pressed", String(state === "on"));
    this.#mark.hidden = state !== "on";
  }
}

function sentence(name: Name, event: Exclude<SenseEvent, "changed">): string {
  return { denied: words[`${name}Denied`], missing: words[`${name}Missing`], failed: words[`${name}Failed`], lost: words[`${name}Lost`] }[event];
}
