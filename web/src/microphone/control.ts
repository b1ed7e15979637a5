// Shell: the microphone's button in the panel, and the mark that stays on the page for as long as it is on.
import { say } from "../chrome/curtain";
import type { Notices } from "../chrome/notices";
import { voiceOf } from "../connection/sdp";
import { words } from "../words/language";
import { Microphone, type MicrophoneEvent } from "./microphone";

export class MicrophoneControl {
  #button: HTMLButtonElement;
  #mark: HTMLButtonElement;
  #microphone: Microphone;

  /** `done`: a click is over, and the keyboard is the desktop's again. */
  constructor(button: HTMLButtonElement, mark: HTMLButtonElement, devices: MediaDevices | null, notices: Pick<Notices, "add">, done: () => void) {
    this.#button = button;
    this.#mark = mark;
    let shown = (): void => undefined;
    this.#microphone = new Microphone(devices, (event) => {
      if (event !== "changed") notices.add(event === "lost" ? "info" : "warning", sentence(event));
      shown();
    });
    shown = () => {
      this.#show();
    };
    button.addEventListener("click", () => {
      void this.#microphone.toggle();
      done();
    });
    mark.addEventListener("click", () => {
      this.#microphone.off();
      done();
    });
  }

  /** Follows the connection, and whether this page may be heard. */
  use(peer: RTCPeerConnection | null, allowed: boolean): void {
    const sender = voiceOf(peer);
    this.#microphone.use(sender, allowed);
    this.#button.hidden = sender === null;
    this.#button.disabled = !allowed || this.#microphone.state === "impossible";
    this.#show();
  }

  #show(): void {
    const { state } = this.#microphone;
    const label = { impossible: words.microphoneImpossible, off: words.microphoneOff, asking: words.microphoneAsking, on: words.microphoneOn }[state];
    say(this.#button.querySelector("span") ?? this.#button, label);
    this.#button.title = state === "impossible" ? words.microphoneImpossibleHint : words.microphoneHint;
    this.#button.setAttribute("aria-pressed", String(state === "on"));
    this.#mark.hidden = state !== "on";
  }
}

function sentence(event: Exclude<MicrophoneEvent, "changed">): string {
  return { denied: words.microphoneDenied, missing: words.microphoneMissing, failed: words.microphoneFailed, lost: words.microphoneLost }[event];
}
