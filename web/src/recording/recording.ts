// Shell: the button by which whoever is in control has the session recorded, and the mark that all pages have for as long as it
// is. The server decides: what is shown is what it says, and not what was clicked.
import { say } from "../chrome/curtain";
import type { Notices } from "../chrome/notices";
import type { ToPage } from "../wire/protocol";
import { words } from "../words/language";

export type RecordingNews = Extract<ToPage, { type: "recording" | "recordingFailed" }>;

export class RecordingControl {
  #button: HTMLButtonElement;
  #mark: HTMLElement;
  #notices: Pick<Notices, "add">;
  #onRequest = false;
  #running = false;

  /** `record`: the user wants it, or wants it no more. */
  constructor(button: HTMLButtonElement, mark: HTMLElement, notices: Pick<Notices, "add">, record: (on: boolean) => void) {
    this.#button = button;
    this.#mark = mark;
    this.#notices = notices;
    button.addEventListener("click", () => {
      record(!this.#running);
    });
  }

  hear(news: RecordingNews): void {
    if (news.type === "recordingFailed") {
      this.#notices.add("warning", words.recordingFailed[news.reason]);
      return;
    }
    this.#onRequest = news.onRequest;
    this.#running = news.running;
  }

  /** A new session begins, of which nothing is known. */
  forget(): void {
    this.#onRequest = this.#running = false;
  }

  /** `controls`: this page may say so now. */
  show(controls: boolean): void {
    this.#button.hidden = !this.#onRequest;
    this.#button.disabled = !controls;
    this.#button.setAttribute("aria-pressed", String(this.#running));
    say(this.#button.querySelector("span") ?? this.#button, this.#running ? words.recordStop : words.record);
    this.#mark.hidden = !this.#running;
  }
}
