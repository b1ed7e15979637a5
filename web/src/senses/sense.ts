// Shell: a microphone or camera of this browser, for the desktop, while its user wants that and the page is in control. The device is
// asked for at a click, and let go as soon as it is off, so that the browser's own mark goes out with ours.
//
//   impossible        off ──toggle──▶ asking ──allowed──▶ on
//                      ◀── toggle, refused, control or connection lost, device gone ──┘

/** `impossible`: the browser gives no page of this address a device. */
export type SenseState = "impossible" | "off" | "asking" | "on";

/** `changed`: the state; else why it did not become `on`, or is it no more although nobody has switched it off. */
export type SenseEvent = "changed" | "denied" | "missing" | "failed" | "lost";

/** What hears nothing of the desktop's own sound, and little of the room. */
export const VOICE: MediaStreamConstraints = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } };

/** What the desktop's camera has; a device that has no such size gives the nearest. */
export const FACE: MediaStreamConstraints = { video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } } };

export class Sense {
  #wanted: MediaStreamConstraints;
  #devices: Pick<MediaDevices, "getUserMedia"> | null;
  #callback: (event: SenseEvent) => void;
  #state: SenseState;
  #sender: RTCRtpSender | null = null;
  #track: MediaStreamTrack | null = null;
  /** Tells the present wish from earlier ones, whose answers may still come. */
  #wish = 0;

  constructor(devices: Pick<MediaDevices, "getUserMedia"> | null, wanted: MediaStreamConstraints, callback: (event: SenseEvent) => void) {
    this.#devices = devices;
    this.#wanted = wanted;
    this.#callback = callback;
    this.#state = devices ? "off" : "impossible";
  }

  get state(): SenseState {
    return this.#state;
  }

  /** Where it goes out now, which changes with the connection, and whether this page may be heard or seen. */
  use(sender: RTCRtpSender | null, allowed: boolean): void {
    if (!allowed || !sender) {
      const was = this.#state;
      this.off();
      if (was === "on") this.#callback("lost");
    }
    if (sender === this.#sender) return;
    this.#sender = sender;
    if (this.#track) this.#give(this.#track);
  }

  /** To be called in the course of a gesture: some browsers ask for nothing else. */
  async toggle(): Promise<void> {
    if (this.#state !== "off" || !this.#devices || !this.#sender) {
      this.off();
      return;
    }
    const wish = ++this.#wish;
    this.#become("asking");
    try {
      const stream = await this.#devices.getUserMedia(this.#wanted);
      const [track] = stream.getTracks();
      if (wish !== this.#wish || !track) {
        for (const unwanted of stream.getTracks()) unwanted.stop();
        return;
      }
      this.#track = track;
      track.addEventListener("ended", () => {
        if (track !== this.#track) return;
        this.off();
        this.#callback("lost");
      });
      this.#give(track);
      this.#become("on");
    } catch (error) {
      if (wish !== this.#wish) return;
      console.warn("gst-vdi: no device:", error);
      this.#become("off");
      const name = error instanceof DOMException ? error.name : "";
      this.#callback(name === "NotAllowedError" ? "denied" : name === "NotFoundError" ? "missing" : "failed");
    }
  }

  off(): void {
    if (this.#state === "off" || this.#state === "impossible") return;
    this.#wish++;
    this.#track?.stop();
    this.#track = null;
    this.#give(null);
    this.#become("off");
  }

  #give(track: MediaStreamTrack | null): void {
    this.#sender?.replaceTrack(track).catch((error: unknown) => {
      // Of a connection that is over; the next one gets it.
      console.warn("gst-vdi: the device is not sent:", error);
    });
  }

  #become(state: SenseState): void {
    this.#state = state;
    this.#callback("changed");
  }
}
