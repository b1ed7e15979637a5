// Setup: wires the page together. It finds the elements, hands each class what it needs, and lets the connection's state
// decide what is shown and what acts. Nothing is decided here that could be tested elsewhere.
import "./style.css";
import "./picture/stage.css";
import "./chrome/curtain.css";
import "./chrome/bar.css";
import "./panel/panel.css";
import "./panel/waterfall.css";
import "./chrome/notices.css";
import "./input/keyrow.css";
import "./sizes.css";
import "./doctor/doctor.css";
import { browserClock } from "./clock";
import { ComingEnd } from "./chrome/coming";
import { Connection } from "./connection/connection";
import { Cursor } from "./picture/cursor";
import { Curtain, missing, say } from "./chrome/curtain";
import { Doctor } from "./doctor/doctor";
import { BrowserDoctor } from "./doctor/browser";
import { failureOf } from "./doctor/findings";
import { doctorWords } from "./doctor/words";
import { Fullscreen } from "./picture/fullscreen";
import { scaleOf } from "./picture/geometry";
import { clientName } from "./connection/identity";
import { keep, kept, type Habits } from "./input/habits";
import { Keyboard } from "./input/keyboard";
import { KeyRow } from "./input/keyrow";
import type { Platform } from "./input/keysyms";
import { Media } from "./picture/media";
import { announce, words } from "./words/messages";
import { Notices } from "./chrome/notices";
import { Overlay } from "./panel/overlay";
import { Pointer } from "./input/pointer";
import { PointerLock } from "./input/lock";
import { signallingUrl } from "./connection/signalling";
import { Touch } from "./input/touch";
import { WHOLE, within, zoomed, type View } from "./picture/view";
import { Wheel } from "./input/wheel";
import { publish } from "./window";

function find<E extends HTMLElement>(id: string): E {
  return (document.getElementById(id) as E | null) ?? missing(id);
}

const clock = browserClock;
const stage = find("stage");
const keys = find<HTMLTextAreaElement>("keys");
const unmute = find<HTMLButtonElement>("unmute");
const watching = find("watching");
const touch = window.matchMedia("(pointer: coarse)").matches;

for (const element of document.querySelectorAll<HTMLElement>("[data-word]")) say(element, wordAt(element.dataset.word));
for (const element of document.querySelectorAll<HTMLElement>("[data-label]")) element.setAttribute("aria-label", wordAt(element.dataset.label));
for (const element of document.querySelectorAll<HTMLElement>("[data-hint]")) element.title = wordAt(element.dataset.hint);

function wordAt(name: string | undefined): string {
  const found = name === undefined ? undefined : words[name as keyof typeof words];
  return typeof found === "string" ? found : missing(`word ${name ?? ""}`);
}

for (const element of document.querySelectorAll<HTMLElement>("[data-doctor]")) say(element, doctorWordAt(element.dataset.doctor));
for (const element of document.querySelectorAll<HTMLElement>("[data-doctor-label]")) element.setAttribute("aria-label", doctorWordAt(element.dataset.doctorLabel));

function doctorWordAt(name: string | undefined): string {
  const found = name === undefined ? undefined : doctorWords[name as keyof typeof doctorWords];
  return typeof found === "string" ? found : missing(`word ${name ?? ""}`);
}

const browserDoctor = new BrowserDoctor({ clock, createPeer: (config) => new RTCPeerConnection(config) });

const userStorage = {
  // Only asked for when it is needed: a browser that forbids storage throws at the mere name.
  getItem: (key: string) => localStorage.getItem(key),
  setItem: (key: string, value: string) => {
    localStorage.setItem(key, value);
  },
};

const connection = new Connection(
  signallingUrl(document.baseURI),
  clientName(
    userStorage,
    (bytes) => crypto.getRandomValues(bytes),
  ),
  {
    clock,
    random: Math.random,
    openSocket: (url, protocol) => new WebSocket(url, protocol),
    createPeer: (config) => {
      const peer = new RTCPeerConnection(config);
      browserDoctor.follow(peer, config);
      return peer;
    },
    failure: () => failureOf(browserDoctor.facts(false, true)),
    isHidden: () => document.visibilityState === "hidden",
  },
  (event) => {
    switch (event.type) {
      case "begun":
        media.reset();
        keyboard.forget();
        pointer.forget();
        break;
      case "ending":
        media.freeze();
        break;
      case "resumed":
        media.hurry();
        break;
      case "track":
        media.play(event.track, event.receiver);
        break;
      case "notice":
        notices.add(event.level, event.text, event.once);
        break;
      case "succeeded":
        media.hurry();
        keyboard.renew();
        pointer.renew();
        break;
      case "abandoned":
        media.abandon();
        break;
      case "controlTaken":
        notices.add("info", event.sameUser ? words.controlTakenByYou : words.controlTaken, null, {
          label: words.useHere,
          does: () => {
            connection.takeControl();
            focusDesktop();
          },
        });
        break;
      case "cut":
        notices.add("info", words.cut);
        break;
      case "changed":
        break;
    }
    refresh();
  },
);

const media = new Media(stage, find<HTMLAudioElement>("sound"), (event) => {
  if (event.type === "frame") {
    // Sixty times a second, and nothing of it is shown.
    connection.frameSeen(event.frame, event.coming);
    return;
  }
  if (event.type === "shown") connection.pictureShown();
  refresh();
});

const keyboard = new Keyboard(keys, { clock, platform: platform(), touch, isLocal }, (message) => {
  connection.sendInput(message);
});

const pointer = new Pointer(stage, { clock, box: () => media.box, picture: () => media.size, desktop: () => connection.display ?? media.size }, (event) => {
  if (event.channel === "input") connection.sendInput(event.message);
  else connection.sendMotion(event.message);
});

const keyRow = new KeyRow(find("keyrow"), clock, { names: words.keyName, hide: words.hideKeyboard }, (action) => {
  if (action.type === "hide") keys.blur();
  else keyboard[action.type](action.keysym);
});

/** The row of keys stands on the touch keyboard, which covers the lower part of the page and tells nobody but the viewport. */
function showKeyRow(): void {
  const view = window.visualViewport;
  const covered = view ? window.innerHeight - view.height - view.offsetTop : 0;
  keyRow.show(touch && connection.mayAct && keys.inputMode === "text", (keysym) => keyboard.latched(keysym), covered);
}
keyboard.latchesChanged = showKeyRow;
window.visualViewport?.addEventListener("resize", showKeyRow);
window.visualViewport?.addEventListener("scroll", showKeyRow);

const cursor = new Cursor(stage);

const wheel = new Wheel(stage, clock, (message) => {
  connection.sendInput(message);
});

const pointerLock = new PointerLock(stage, (change) => {
  if (change === "locked") pointer.travel();
  else if (change === "unlocked") pointer.arrive();
  else notices.add("info", words.lockRefused);
});

let view: View = WHOLE;

/** Enlarges the part of the picture that the view is of. */
function look(next: View): void {
  view = next;
  stage.style.setProperty("--view-scale", String(view.scale));
  stage.style.setProperty("--view-x", `${view.x}px`);
  stage.style.setProperty("--view-y", `${view.y}px`);
}

const fingers = new Touch(stage, clock, (action) => {
  if (action.type === "scroll") wheel.scroll(action.dx, action.dy);
  else if (action.type === "zoom") look(zoomed(view, action.factor, action.around, action, pageSize()));
  else pointer.act(action);
});

/** What this user's hands are used to, kept by the browser. */
let habits: Habits = kept(userStorage);
useHabits(habits);

/** The user wants it otherwise, from now on and at the next visit. */
function useHabits(wanted: Partial<Habits>): void {
  habits = { ...habits, ...wanted };
  keyboard.macKeys = habits.macKeys;
  fingers.mode = habits.touchMode;
  keep(userStorage, habits);
}

function pageSize(): { width: number; height: number } {
  return { width: stage.clientWidth, height: stage.clientHeight };
}

const notices = new Notices(find("notices"), clock, {
  // Only asked for when it is needed: a browser that forbids storage throws at the mere name.
  getItem: (key) => sessionStorage.getItem(key),
  setItem: (key, value) => {
    sessionStorage.setItem(key, value);
  },
});

const curtain = new Curtain(find("curtain"), (action) => {
  if (action === "reload") location.reload();
  else connection.start();
});

const comingEnd = new ComingEnd(find("coming"), clock);

const fullscreen = new Fullscreen(document.documentElement, () => {
  refresh();
});

const overlay = new Overlay(find("panel"), find<HTMLButtonElement>("handle"), (action) => {
  switch (action) {
    case "fullscreen":
      void fullscreen.toggle();
      break;
    case "sound":
      media.toggleSound();
      break;
    case "keyboard":
      keys.inputMode = "text";
      keys.focus({ preventScroll: true });
      showKeyRow();
      return;
    case "unfocused":
      break;
  }
  focusDesktop();
});

const doctor = new Doctor(
  find<HTMLDialogElement>("doctor"),
  browserDoctor,
  {
    clock,
    fetch: (url, init) => fetch(new URL(url, document.baseURI), init),
    copy: (text) => navigator.clipboard.writeText(text),
    isConnected: () => connection.peer?.connectionState === "connected",
    about: () => [navigator.userAgent, new URL(".", document.baseURI).href, new Date().toISOString()],
  },
  focusDesktop,
);

for (const button of [find("diagnose"), find("openDoctor")]) {
  button.addEventListener("click", () => {
    doctor.show();
  });
}

/** From when on a connection that is coming up takes long. */
const LONG_MS = 6000;
let connectingSinceMs: number | null = null;
let longConnecting: (() => void) | null = null;

/** Offers the doctor on the curtain when connecting has failed, or takes long. */
function offerDoctor(name: typeof connection.state.name): void {
  if (name === "connecting") connectingSinceMs ??= clock.nowMs();
  else connectingSinceMs = null;
  longConnecting?.();
  const leftMs = connectingSinceMs === null ? 0 : connectingSinceMs + LONG_MS - clock.nowMs();
  longConnecting = leftMs > 0 ? clock.after(leftMs, refresh) : null;
  find("diagnose").hidden = name === "streaming" || name === "ended" || leftMs > 0;
}

function platform(): Platform {
  const name = navigator.platform;
  return /^(Mac|iP)/.test(name) ? "mac" : name.startsWith("Win") ? "windows" : "other";
}

/** Whether an element belongs to the page's own panel and buttons. */
function isLocal(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("[data-local]") !== null;
}

/** Gives the keyboard to the desktop. */
function focusDesktop(): void {
  if (connection.mayAct) keys.focus({ preventScroll: true });
}

let countdown: (() => void) | null = null;
let acted = false;

/** Brings everything in line with the connection's state. */
function refresh(): void {
  const { state, mayAct } = connection;
  const root = document.documentElement;
  root.dataset.state = state.name;
  root.dataset.role = connection.role ?? "";
  document.title = state.name === "streaming" ? words.desktop : `${words.state[state.name]} · ${words.desktop}`;

  curtain.show(announce(state, clock.nowMs(), media.seen), media.seen && state.name === "reconnecting");
  offerDoctor(state.name);
  countdown?.();
  const waits = state.name === "reconnecting" && state.retryAtMs !== null;
  countdown = waits ? clock.after(1000, refresh) : null;

  keyboard.enabled = pointer.enabled = wheel.enabled = fingers.enabled = mayAct;
  if (!mayAct) pointerLock.leave();
  if (mayAct && !acted) focusDesktop();
  acted = mayAct;

  unmute.hidden = state.name !== "streaming" || media.sound !== "blocked";
  comingEnd.show(state.name === "streaming" ? connection.coming : null, connection.role);
  watching.hidden = state.name !== "streaming" || connection.role !== "viewer";
  const { media: info, display, quality, limitedSeconds, stats, latency, latencySeconds, role, consumers } = connection;
  cursor.show(connection.cursor, scaleOf(media.box, media.size, display ?? media.size), window.devicePixelRatio);
  overlay.show({
    state: state.name,
    media: info,
    size: media.size,
    display,
    quality,
    limitedSeconds,
    stats,
    latency,
    latencySeconds,
    role,
    consumers,
    sound: media.sound,
    fullscreen: fullscreen.active,
  });
}

// The page's shortcuts are taken before the keyboard's own listener sees them.
window.addEventListener(
  "keydown",
  (event) => {
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return;
    if (event.code !== "KeyM" && event.code !== "KeyF") return;
    event.preventDefault();
    if (event.repeat) return;
    keyboard.releaseAll();
    if (event.code === "KeyM") overlay.toggle(true);
    else void fullscreen.toggle();
  },
  { capture: true },
);

// Control, Shift and a click lock the pointer, and unlock it, as in Selkies. It comes before the pointer's own listener.
stage.addEventListener(
  "pointerdown",
  (event) => {
    if (!event.ctrlKey || !event.shiftKey || event.button !== 0 || event.pointerType !== "mouse" || !connection.mayAct) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    keyboard.releaseAll();
    void pointerLock.toggle();
  },
  { capture: true },
);

stage.addEventListener("pointerdown", (event) => {
  keys.style.setProperty("--caret-x", `${Math.min(event.clientX, window.innerWidth * 0.75)}px`);
  keys.style.setProperty("--caret-y", `${Math.min(event.clientY + 16, window.innerHeight * 0.85)}px`);
  if (!touch || document.activeElement !== keys) focusDesktop();
});
for (const type of ["pointerdown", "pointermove", "wheel"] as const) {
  stage.addEventListener(type, (event) => {
    keyboard.reconcile(event);
  }, { passive: true });
}
unmute.addEventListener("click", focusDesktop);
find("takeControl").addEventListener("click", () => {
  connection.takeControl();
});

window.addEventListener("focus", () => {
  if (document.activeElement === document.body) focusDesktop();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connection.wake();
});
// The picture is drawn in another size, and the pointer with it.
window.addEventListener("resize", () => {
  look(within(view, pageSize()));
  refresh();
});
window.addEventListener("online", () => {
  connection.networkChanged();
});
// Where browsers tell of it: from Wi-Fi to cable, for example.
(navigator as { connection?: EventTarget }).connection?.addEventListener("change", () => {
  connection.networkChanged();
});
window.addEventListener("pagehide", () => {
  connection.stop();
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) connection.start();
});

overlay.offerFullscreen(document.fullscreenEnabled);
if (touch) {
  // Without this every tap would raise the touch keyboard; the panel's button asks for it.
  keys.inputMode = "none";
  keys.addEventListener("blur", () => {
    keys.inputMode = "none";
    keyboard.releaseAll();
    showKeyRow();
  });
}
publish(connection, media, keyboard);
if ("RTCPeerConnection" in window) connection.start();
else connection.refuse({ kind: "noWebRtc" });
