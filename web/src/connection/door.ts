// Shell: finds out why a server cannot be reached any more: it may well be there, and not let this page in, since its password is
// another one, or a proxy's log-in has run out. Of a WebSocket that is refused browsers say nothing, of a page they do.
import type { Cancel, Clock } from "../clock";
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
  #wanted = false;
  #wait: Cancel | null = null;

  /** `turnedAway`: the server answers, and wants its user to log in. */
  constructor(world: DoorWorld, turnedAway: () => void) {
    this.#world = world;
    this.#turnedAway = turnedAway;
  }

  /** How the page stands now. */
  look(state: State): void {
    this.#wanted = state.name === "reconnecting" && state.cause.kind === "unreachable";
    if (!this.#wanted || this.#wait) return;
    this.#wait = () => undefined;
    void this.#ask().then((away) => {
      if (away && this.#wanted) this.#turnedAway();
      this.#wait = this.#world.clock.after(ASK_MS, () => {
        this.#wait = null;
      });
    });
  }

  /** A browser that knows how asks its user meanwhile, and takes as long as he does. */
  async #ask(): Promise<boolean> {
    try {
      const { type, status } = await this.#world.fetch({ cache: "no-store", redirect: "manual" });
      return type === "opaqueredirect" || status === 401 || status === 403;
    } catch {
      return false;
    }
  }
}
