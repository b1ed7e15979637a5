// Shell: shows the picture and plays the sound. Video and audio are played by elements and streams of their own, so
// that sound can never hold the picture back. While a new session has no picture yet, the last one stays on the screen.
import type { Clock } from "../clock";
import type { FrameMetadata } from "../connection/frames";
import type { Size } from "./geometry";

/** `none`: no sound is sent. `blocked`: the browser wants a gesture first. */
export type Sound = "none" | "blocked" | "playing" | "muted";

export type MediaEvent =
  /** The first picture of a new track is on the screen. */
  | { type: "shown" }
  | { type: "resized"; size: Size }
  /** A frame is on the screen: of the picture that is shown, or (`coming`) of the one that follows it. */
  | { type: "frame"; frame: FrameMetadata; coming: boolean }
  | { type: "sound"; sound: Sound };

/** What the browser has paused goes on after so much time: at once, it might do so again without end. */
const RESUME_MS = 1000;
/** In so much time a page has painted twice that paints at all. */
const PAINT_MS = 200;

/** Gestures after which browsers allow sound. */
const GESTURES = ["pointerdown", "keydown", "touchend"] as const;

export class Media {
  #stage: HTMLElement;
  #audio: HTMLAudioElement;
  #clock: Pick<Clock, "after" | "frame">;
  #callback: (event: MediaEvent) => void;
  #video: HTMLVideoElement;
  #coming: HTMLVideoElement | null = null;
  /** The last picture of a session that is over. */
  #still: HTMLCanvasElement | null = null;
  #sound: Sound = "none";
  #muted = false;
  #receivers: RTCRtpReceiver[] = [];

  constructor(stage: HTMLElement, audio: HTMLAudioElement, clock: Pick<Clock, "after" | "frame">, callback: (event: MediaEvent) => void) {
    this.#stage = stage;
    this.#audio = audio;
    this.#clock = clock;
    this.#callback = callback;
    audio.addEventListener("pause", () => {
      this.#paused();
    });
    this.#video = this.#createVideo();
    this.#stage.prepend(this.#video);
  }

  /** Size of the picture as decoded; 0 × 0 before the first. */
  get size(): Size {
    return { width: this.#video.videoWidth, height: this.#video.videoHeight };
  }

  /** Where the element stands on the page; the picture is drawn inside it with `object-fit: contain`. */
  get box(): DOMRect {
    return this.#video.getBoundingClientRect();
  }

  /** Whether there is a picture, be it the last one of a session that is over. */
  get seen(): boolean {
    return this.#still !== null || this.#video.videoWidth > 0;
  }

  /** What is on the screen now, in its own size; `null` before the first picture. */
  get picture(): HTMLVideoElement | HTMLCanvasElement | null {
    return this.#still ?? (this.#video.videoWidth > 0 ? this.#video : null);
  }

  get sound(): Sound {
    return this.#sound;
  }

  /** From 0 to 1. */
  set volume(volume: number) {
    this.#audio.volume = volume;
  }

  play(track: MediaStreamTrack, receiver: RTCRtpReceiver): void {
    // Of connections that are over nothing is kept: a browser has only so many.
    this.#receivers = [...this.#receivers.filter((one) => one !== receiver && one.track.readyState === "live"), receiver];
    wantNoDelay(receiver);
    if (track.kind === "video") this.#playVideo(track);
    else this.#playAudio(track);
  }

  /** What the browser has learnt of delays while the page stood still is of no use for what comes now. */
  hurry(): void {
    for (const receiver of this.#receivers) wantNoDelay(receiver);
  }

  /** What the browser has paused goes on: a headset was unplugged, a call came in, a key for media was pressed. */
  resume(): void {
    if (this.#sound === "playing" && this.#audio.paused && isLive(this.#audio)) this.#startAudio();
    if (this.#video.paused && isLive(this.#video) && !document.hidden) this.#begin(this.#video);
  }

  /** Keeps the present picture, since browsers show black once a track has ended. */
  freeze(): void {
    if (this.#video.videoWidth === 0 || this.#still) return;
    const still = document.createElement("canvas");
    still.width = this.#video.videoWidth;
    still.height = this.#video.videoHeight;
    still.getContext("2d")?.drawImage(this.#video, 0, 0);
    this.#still = still;
    this.#video.after(still);
  }

  /** The picture that was to follow does not. */
  abandon(): void {
    this.#coming?.remove();
    this.#coming = null;
  }

  /** Begins a new session: sound stops, the last picture stays. */
  reset(): void {
    this.abandon();
    this.#receivers = [];
    this.#audio.srcObject = null;
    this.#become("none");
  }

  /** Turns the sound on or off; on counts as the gesture that browsers want. */
  toggleSound(): void {
    if (this.#sound === "none") return;
    this.#muted = this.#sound === "playing";
    this.#audio.muted = this.#muted;
    if (this.#muted) this.#become("muted");
    else this.#startAudio();
  }

  #createVideo(): HTMLVideoElement {
    const video = document.createElement("video");
    video.muted = true;
    video.autoplay = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.tabIndex = -1;
    video.setAttribute("aria-hidden", "true");
    video.addEventListener("resize", () => {
      if (video === this.#video) this.#callback({ type: "resized", size: this.size });
    });
    video.addEventListener("pause", () => {
      this.#paused();
    });
    return video;
  }

  #playVideo(track: MediaStreamTrack): void {
    this.#coming?.remove();
    const video = this.#createVideo();
    video.classList.add("coming");
    this.#coming = video;
    const shown = (): void => {
      if (video !== this.#coming || !video.classList.contains("coming")) return;
      video.classList.remove("coming");
      // The browser may not have painted it yet. What it stands behind stays in front of it until then.
      if (!this.seen || document.hidden) takeOver();
      else {
        this.#clock.frame(() => this.#clock.frame(takeOver));
        // A page that is hidden now paints no frame.
        this.#clock.after(PAINT_MS, takeOver);
      }
    };
    const takeOver = (): void => {
      if (video !== this.#coming) return;
      this.#coming = null;
      const old = this.#video;
      this.#video = video;
      old.srcObject = null;
      old.remove();
      this.#still?.remove();
      this.#still = null;
      this.#callback({ type: "resized", size: this.size });
      this.#callback({ type: "shown" });
    };
    // The first tells of a painted frame, the second comes on hidden pages too.
    if ("requestVideoFrameCallback" in video) {
      video.requestVideoFrameCallback(shown);
      this.#watchFrames(video);
    }
    video.addEventListener("loadeddata", shown, { once: true });
    video.srcObject = new MediaStream([track]);
    this.#stage.prepend(video);
    this.#begin(video);
  }

  #paused(): void {
    this.#clock.after(RESUME_MS, () => {
      this.resume();
    });
  }

  #begin(video: HTMLVideoElement): void {
    video.play().catch((error: unknown) => {
      // A muted video may always play; it is only interrupted when the next session replaces it.
      if (video === this.#video || video === this.#coming) console.warn("gst-vdi: the video does not play:", error);
    });
  }

  /** Reports each frame of a video until another one takes its place. */
  #watchFrames(video: HTMLVideoElement): void {
    video.requestVideoFrameCallback((_, frame) => {
      if (video !== this.#coming && video !== this.#video) return;
      this.#watchFrames(video);
      this.#callback({ type: "frame", frame, coming: video === this.#coming });
    });
  }

  #playAudio(track: MediaStreamTrack): void {
    this.#audio.srcObject = new MediaStream([track]);
    this.#audio.muted = this.#muted;
    if (this.#muted) this.#become("muted");
    else this.#startAudio();
  }

  #startAudio(): void {
    const stream = this.#audio.srcObject;
    this.#audio.play().then(
      () => {
        if (this.#audio.srcObject === stream) this.#become(this.#muted ? "muted" : "playing");
      },
      (error: unknown) => {
        if (this.#audio.srcObject !== stream) return;
        if (!(error instanceof DOMException && error.name === "NotAllowedError")) console.warn("gst-vdi: the sound does not play:", error);
        this.#become("blocked");
        this.#awaitGesture();
      },
    );
  }

  #awaitGesture(): void {
    const wanted = new AbortController();
    const resume = (): void => {
      wanted.abort();
      if (this.#sound === "blocked") this.#startAudio();
    };
    for (const gesture of GESTURES) window.addEventListener(gesture, resume, { capture: true, signal: wanted.signal });
  }

  #become(sound: Sound): void {
    if (sound === this.#sound) return;
    this.#sound = sound;
    this.#callback({ type: "sound", sound });
  }
}

/** Whether there is something to play. */
function isLive({ srcObject }: HTMLMediaElement): boolean {
  return srcObject instanceof MediaStream && srcObject.active;
}

/** Asks for the shortest wait; what the network needs is added by the browser as it measures. */
function wantNoDelay(receiver: RTCRtpReceiver): void {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
  else if ("playoutDelayHint" in receiver) (receiver as { playoutDelayHint: number }).playoutDelayHint = 0;
}
