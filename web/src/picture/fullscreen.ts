// Shell: full screen, with the browser's own shortcuts handed to the desktop where the browser can do that.

interface KeyboardLock {
  lock?(keyCodes?: string[]): Promise<void>;
  unlock?(): void;
}

export class Fullscreen {
  #element: HTMLElement;

  constructor(element: HTMLElement, callback: (active: boolean) => void) {
    this.#element = element;
    document.addEventListener("fullscreenchange", () => {
      if (!this.active) keyboard()?.unlock?.();
      callback(this.active);
    });
  }

  get active(): boolean {
    return document.fullscreenElement !== null;
  }

  async toggle(): Promise<void> {
    try {
      if (this.active) {
        await document.exitFullscreen();
        return;
      }
      await this.#element.requestFullscreen({ navigationUI: "hide" });
      // Escape, Alt+Tab and Control+W then belong to the desktop; holding Escape leaves.
      await keyboard()?.lock?.();
    } catch (error) {
      // The browser or the page around this one does not allow it.
      console.warn("gst-vdi: full screen:", error);
    }
  }
}

function keyboard(): KeyboardLock | undefined {
  return (navigator as Navigator & { keyboard?: KeyboardLock }).keyboard;
}
