// Shell: tells whoever sits at the page that control has come or gone, by whatever way, and to whom.
import type { Notices } from "./notices";
import type { Clock } from "../clock";
import type { Role } from "../wire/protocol";
import { words } from "../words/language";

/** The server tells who is in control right after it told that control is gone; so long that is waited for. */
export const NAME_MS = 1000;

export class ControlNews {
  #notices: Pick<Notices, "add" | "role">;
  #clock: Pick<Clock, "after">;
  /** What the page was last, also before it was cut off. */
  #role: Role | null = null;
  /** Control is gone, and nobody knows yet to whom; ends the waiting for that. */
  #waits: (() => void) | null = null;

  constructor(notices: Pick<Notices, "add" | "role">, clock: Pick<Clock, "after">) {
    this.#notices = notices;
    this.#clock = clock;
  }

  /** Another page has control now. */
  taken(sameUser: boolean): void {
    this.#stop();
    if (sameUser) this.#gone(words.controlTakenByYou);
    else
      this.#waits = this.#clock.after(NAME_MS, () => {
        this.#waits = null;
        this.#gone(words.controlTaken);
      });
  }

  /** The page's role as the server has told it, `null` as long as it has not; and what is called who else is in control, if known. */
  show(role: Role | null, other: string | null): void {
    if (this.#waits && other !== null) {
      this.#stop();
      this.#gone(words.controlTakenBy(other));
    }
    if (role === null || role === this.#role) return;
    this.#notices.role(role);
    if (this.#role === "viewer") {
      // It is back before anybody was named.
      this.#stop();
      this.#notices.add("info", words.controlIsYours, { role });
    }
    this.#role = role;
  }

  #stop(): void {
    this.#waits?.();
    this.#waits = null;
  }

  #gone(text: string): void {
    this.#notices.add("info", text, { role: "viewer" });
  }
}
