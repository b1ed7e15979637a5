// Shell: locks the pointer (W3C Pointer Lock), for games and whatever else wants motion without end. It tells when that begins,
// ends, or is refused; motion is the pointer's.

export type LockChange = "locked" | "unlocked" | "refused";

export class PointerLock {
  #element: HTMLElement;
  #callback: (change: LockChange) => void;
  #active = false;

  constructor(element: HTMLElement, callback: (change: LockChange) => void) {
    this.#element = element;
    this.#callback = callback;
    document.addEventListener("pointerlockchange", () => {
      if (this.active === this.#active) return;
      this.#active = this.active;
      this.#callback(this.active ? "locked" : "unlocked");
    });
  }

  /** Whether the browser can do it at all: phones cannot. */
  get possible(): boolean {
    return "requestPointerLock" in this.#element;
  }

  get active(): boolean {
    return document.pointerLockElement === this.#element;
  }

  /** Locks or unlocks; to be called in the course of a gesture, without which browsers refuse. */
  async toggle(): Promise<void> {
    if (this.active) {
      this.leave();
      return;
    }
    if (!this.possible) return;
    try {
      await this.#request();
    } catch (error) {
      // Chromium refuses for a second after the user has left the lock, and pages inside others may not have it at all.
      console.warn("gst-vdi: the pointer is not locked:", error);
      this.#callback("refused");
    }
  }

  leave(): void {
    if (this.active) document.exitPointerLock();
  }

  async #request(): Promise<void> {
    try {
      // The desktop has a pointer acceleration of its own; this machine's would come on top.
      await this.#element.requestPointerLock({ unadjustedMovement: true });
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
      await this.#element.requestPointerLock();
    }
  }
}
