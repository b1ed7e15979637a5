// Shell: finds out why a server cannot be reached any more: it may well be there, and not let this page in, since its password is
// another one, or a proxy's log-in has run out. Of a WebSocket that is refused browsers say nothing, of a page they do.
import type { Clock } from "../clock";
import type { State } from "./connection";

/** So much time lies between two questions. */
export const ASK_MS = 10_000;

export interface DoorWorld {
  readonly clock: Pick<Clock, "after">;
  /** The page itself, from the server. */
  fetch(init: RequestInit): Promise<Response>;
}

export class Door {
  #world: DoorWorld;
  #turnedAway: () => void;
  /** The last question, for as long as no other one may follow. */
  #question: AbortController | null = null;

  /** `turnedAway`: the server answers, and wants its user to log in. */
  constructor(world: DoorWorld, turnedAway: () => void) {
    this.#world = world;
    this.#turnedAway = turnedAway;
  }

  /** How the page stands now. */
  look(state: State): void {
    if (state.name !== "reconnecting" || state.cause.kind !== "unreachable") {
      this.#question?.abort();
      this.#question = null;
      return;
    }
    if (this.#question) return;
    const question = new AbortController();
    this.#question = question;
    void this.#ask(question.signal).then((away) => {
      if (question !== this.#question) return;
      if (away) this.#turnedAway();
      this.#world.clock.after(ASK_MS, () => {
        if (question === this.#question) this.#question = null;
      });
    });
  }

  /** A browser that knows how asks its user meanwhile, and takes as long as he does. */
  async #ask(signal: AbortSignal): Promise<boolean> {
    try {
      const { type, status } = await this.#world.fetch({ cache: "no-store", redirect: "manual", signal });
      return type === "opaqueredirect" || status === 401 || status === 403;
    } catch {
      return false;
    }
  }
}
