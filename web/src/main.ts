// Setup: wires the page together. It finds the elements, hands each class what it needs, and lets the connection's state
// decide what is shown and what acts. Nothing is decided here that could be tested elsewhere.
import "./styles";
import { browserClock } from "./clock";
import { Alone } from "./chrome/alone";
import { ComingEnd } from "./chrome/coming";
import { ControlNews } from "./chrome/control";
import { ownVideo } from "./connection/chroma";
import { Connection } from "./connection/connection";
import { Drawer } from "./settings/drawer";
import { HabitChoice } from "./settings/habits";
import { ScreenChoice } from "./settings/screen";
import { Cursor } from "./picture/cursor";
import { Curtain, missing } from "./chrome/curtain";
import { History } from "./statistics/history";
import { StatisticsPart } from "./statistics/part";
import { Doctor } from "./doctor/doctor";
import { BrowserDoctor } from "./doctor/browser";
import { failureOf } from "./doctor/findings";
import { Fullscreen } from "./picture/fullscreen";
import { Resizing } from "./picture/resizing";
import { saveScreenshot } from "./picture/screenshot";
import { View } from "./picture/view";
import type { ScreenInfo } from "./wire/protocol";
import { scaleOf } from "./picture/geometry";
import { Door } from "./connection/door";
import { clientName } from "./connection/identity";
import { followPage } from "./connection/page";
import { Hands, isLocal, platform } from "./input/hands";
import { Media } from "./picture/media";
import { LanguageChoice } from "./panel/language";
import { speak, words } from "./words/language";
import { announce } from "./words/messages";
import { writeWords } from "./words/page";
import { Notices } from "./chrome/notices";
import { Overlay } from "./panel/overlay";
import { PeopleList } from "./people/people";
import { Pointers } from "./people/pointers";
import { RecordingControl } from "./recording/recording";
import { Senses } from "./senses/senses";
import { Share } from "./share/share";
import { lazily } from "./storage";
import { Tabs } from "./panel/tabs";
import { signallingUrl } from "./connection/signalling";
import { publish } from "./window";

function find<E extends HTMLElement>(id: string): E {
  return (document.getElementById(id) as E | null) ?? missing(id);
}

const clock = browserClock;
const root = document.documentElement;
const stage = find("stage");
const keys = find<HTMLTextAreaElement>("keys");
const unmute = find<HTMLButtonElement>("unmute");
const watching = find("watching");
const touch = window.matchMedia("(pointer: coarse)").matches;

const store = lazily(() => localStorage);

const languages = new LanguageChoice(find<HTMLSelectElement>("language"), store, navigator.languages, () => {
  void speakChosen();
});

/** Has the page speak the language that was chosen. What cannot be loaded leaves the one that is spoken. */
async function speakChosen(): Promise<void> {
  try {
    await speak(languages.language);
  } catch (error) {
    console.warn("the page's words cannot be loaded:", error);
  }
  delete root.dataset.words;
  writeWords(root);
  languages.show();
  share.show();
  refresh();
}

const browserDoctor = new BrowserDoctor({ clock, createPeer: (config) => new RTCPeerConnection(config) });

/** What the server says of the screen, once it has. */
let screenInfo: ScreenInfo | null = null;

const connection = new Connection(
  signallingUrl(document.baseURI),
  clientName(
    store,
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
        resizing.forget();
        screenInfo = null;
        share.forget();
        drawer.told(null);
        people.told(null);
        recording.forget();
        hands.forget();
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
        notices.tell(event);
        break;
      case "succeeded":
      case "healed":
        media.hurry();
        hands.renew();
        break;
      case "abandoned":
        media.abandon();
        break;
      case "controlTaken":
        controlNews.taken(event.sameUser);
        break;
      case "screen":
        if (event.message !== undefined && event.message !== screenInfo?.message && resizing.follow && connection.role === "controller") {
          notices.add("warning", words.keepsSize, { particulars: event.message });
        }
        screenInfo = event;
        break;
      case "clipboard":
        share.allow(event);
        break;
      case "files":
        share.allowFiles(event);
        break;
      case "settings":
        drawer.told(event);
        break;
      case "people":
      case "invitations":
      case "invited":
      case "notInvited":
        people.hear(event);
        break;
      case "recording":
      case "recordingFailed":
        recording.hear(event);
        break;
      case "rumble":
        // Nothing of it is shown.
        hands.rumble(event);
        return;
      case "controlRefused":
        notices.add("info", words.controlRefused);
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

const media = new Media(stage, find<HTMLAudioElement>("sound"), browserClock, (event) => {
  if (event.type === "frame") {
    // Sixty times a second, and nothing of it is shown.
    connection.frameSeen(event.frame, event.coming);
    return;
  }
  if (event.type === "shown") connection.pictureShown();
  refresh();
});

const hands = new Hands({
  clock,
  stage,
  keys,
  row: find("keyrow"),
  touch,
  storage: store,
  box: () => media.box,
  picture: () => media.size,
  desktop: () => connection.display ?? media.size,
  part: () => view.part,
  pastes: (event) => share.pastes(event),
  sendInput: (message) => {
    share.input(message);
  },
  sendPointing: (message) => {
    connection.sendMotion(message);
  },
  sendGamepad: (message) => connection.sendInput(message),
  lockRefused: () => {
    notices.add("info", words.lockRefused);
  },
});

const view = new View(stage, clock, () => {
  refresh();
});
const resizing = new Resizing(clock, (viewport) => connection.sendControl({ type: "viewport", ...viewport }));

const cursor = new Cursor(stage);
const pointers = new Pointers(stage, clock, () => ({ box: media.box, picture: media.size, desktop: connection.display ?? media.size, part: view.part }));

const notices = new Notices(
  find("notices"),
  clock,
  lazily(() => sessionStorage),
);
const controlNews = new ControlNews(notices, clock);

// A page that was not fetched securely has no devices at all, whatever the types say.
const devices = (navigator as { mediaDevices?: MediaDevices }).mediaDevices ?? null;
const senses = new Senses(find, devices, notices, focusDesktop);

const recording = new RecordingControl(find<HTMLButtonElement>("record"), find("recorded"), notices, (on) => {
  connection.sendControl({ type: "record", on });
  focusDesktop();
});

const share = new Share({ clock, platform: platform(), stage, panel: find("share"), files: find("files"), target: find("dropTarget"), random: Math.random, storage: store, pill: find("pasting"), notices, isLocal, reached: () => connection.signalled && connection.state.name === "streaming", focusDesktop, reveal }, (message) => {
  connection.sendInput(message);
});

/** Shows what is shared, since something happens there. */
function reveal(): void {
  if (!overlay.open) overlay.toggle();
  tabs.show("tabShare");
}

const curtain = new Curtain(find("curtain"), (action) => {
  if (action === "reload") location.reload();
  else connection.start();
});

const door = new Door({ clock, fetch: (init) => fetch(document.baseURI, init) }, () => {
  connection.stop();
  connection.refuse({ kind: "turnedAway" });
});

const comingEnd = new ComingEnd(find("coming"), clock, () => {
  connection.sendControl({ type: "extend" });
  focusDesktop();
});

const fullscreen = new Fullscreen(root, () => {
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
    case "screenshot":
      void takeScreenshot();
      break;
    case "lock":
      // The panel is out of reach of a pointer that is locked.
      if (overlay.open) overlay.toggle();
      hands.toggleLock();
      break;
    case "keyboard":
      // On a phone the panel would cover what is written.
      if (overlay.open) overlay.toggle();
      hands.raiseKeyboard();
      return;
    case "unfocused":
      break;
  }
  focusDesktop();
});

/** Saves the picture, as far as there is one. */
async function takeScreenshot(): Promise<void> {
  const { picture } = media;
  if (!picture) {
    notices.add("info", words.noPictureYet);
    return;
  }
  try {
    await saveScreenshot(picture, new Date(), clock);
  } catch (error) {
    console.warn("gst-vdi: no screenshot:", error);
    notices.add("warning", words.screenshotFailed);
  }
}

const tabs = new Tabs(find("panel"), refresh);
const alone = new Alone(find("panel"));
const habits = new HabitChoice(find("habits"), hands, touch);

const drawer = new Drawer(find("partSettings"), store, (codec) => ownVideo().includes(codec), (event) => {
  switch (event.type) {
    case "wish":
      connection.sendControl({ type: "settings", ...event.wish });
      break;
    case "preferred":
      prefer();
      break;
    case "defaults":
      languages.forget();
      habits.forget();
      screenChoice.forget();
      break;
  }
});

const places = { root: find("partPeople"), asked: find("asked"), takeControl: find<HTMLButtonElement>("takeControl") };
const people = new PeopleList(places, drawer.preferences.name, clock, (event) => {
  if (event.type === "name") drawer.prefer({ name: event.name });
  connection.sendControl(event);
  // Who asked is not shown any more, and neither is the button.
  if (event.type === "keepControl" || event.type === "giveControl") focusDesktop();
});

const screenChoice = new ScreenChoice(find("partScreen"), store, touch, ({ follow, scaling, part }) => {
  resizing.follow = follow;
  view.scaling = scaling;
  view.part = part;
});

const history = new History();
const statistics = new StatisticsPart(find("partStatistics"), history);

/** Brings the page in line with what somebody prefers of it. */
function prefer(): void {
  root.dataset.theme = drawer.preferences.theme;
  media.volume = drawer.preferences.volume;
  share.clipboardWanted = drawer.preferences.clipboard;
  refresh();
}

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

/** Gives the keyboard to the desktop. */
function focusDesktop(): void {
  if (connection.mayAct) keys.focus({ preventScroll: true });
}

let countdown: (() => void) | null = null;
let acted = false;

/** Brings everything in line with the connection's state. */
function refresh(): void {
  const { state, mayAct } = connection;
  root.dataset.state = state.name;
  root.dataset.role = connection.role ?? "";
  document.title = state.name === "streaming" ? words.desktop : `${words.state[state.name]} · ${words.desktop}`;

  curtain.show(announce(state, clock.nowMs(), media.seen), media.seen && state.name === "reconnecting");
  offerDoctor(state.name);
  door.look(state);
  countdown?.();
  const waits = state.name === "reconnecting" && state.retryAtMs !== null;
  countdown = waits ? clock.after(1000, refresh) : null;

  share.use(connection.channel("clipboard"));
  senses.use(connection.peer, mayAct && connection.role === "controller");
  hands.enabled = mayAct;
  if (mayAct && !acted) focusDesktop();
  acted = mayAct;

  unmute.hidden = state.name !== "streaming" || media.sound !== "blocked";
  comingEnd.show(state.name === "streaming" ? connection.coming : null, connection.role);
  watching.hidden = state.name !== "streaming" || connection.role !== "viewer";
  const { media: info, display, quality, limitedSeconds, stats, latency, latencySeconds, role, consumers } = connection;
  const { width, height } = view.room;
  const controls = state.name === "streaming" && role === "controller";
  const resizable = screenInfo?.resizable === true;
  resizing.update({ window: { width, height, scale: window.devicePixelRatio }, controls, resizable });
  screenChoice.fixed = role === "viewer" ? "followOthers" : controls && !resizable ? "followNever" : null;
  if (screenInfo) screenChoice.monitors = screenInfo.monitors;
  view.show(display ?? media.size);
  cursor.show(connection.cursor, scaleOf(media.box, media.size, display ?? media.size), window.devicePixelRatio);
  people.show(connection.consumer, role);
  controlNews.show(role, people.inControl(connection.consumer));
  pointers.use(connection.channel("pointer"));
  pointers.show(people.present, state.name === "streaming" && role === "viewer" && drawer.preferences.pointer);
  recording.show(controls);
  alone.show(state.name === "streaming" && info !== null, role, media.sound, clock.nowMs());
  tabs.offer("tabPeople", !alone.is);
  if (tabs.shown === "tabSettings") drawer.show(mayAct);
  history.add(stats, latency, quality);
  if (tabs.shown === "tabStatistics") void statistics.show();
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
    acts: mayAct,
    locked: document.pointerLockElement === stage,
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
    hands.keyboard.releaseAll();
    if (event.code === "KeyM") overlay.toggle(true);
    else void fullscreen.toggle();
  },
  { capture: true },
);

stage.addEventListener("pointerdown", () => {
  if (!touch || document.activeElement !== keys) focusDesktop();
});
unmute.addEventListener("click", focusDesktop);
find("takeControl").addEventListener("click", () => {
  connection.sendControl({ type: "takeControl" });
});

/** What had the focus is gone: dead keys and input methods need the desktop to have it. */
function focusAgain(): void {
  if (document.activeElement === document.body && getSelection()?.type !== "Range") focusDesktop();
}
window.addEventListener("focus", focusAgain);
// A notice that is dismissed takes the focus with it, and one that is clicked leaves it to nobody.
for (const name of ["bar", "notices"]) find(name).addEventListener("click", focusAgain);
document.addEventListener("pointerlockchange", refresh);
// The picture is drawn in another size, and the pointer with it.
window.addEventListener("resize", refresh);
followPage(connection, media);

overlay.offer("fullscreen", document.fullscreenEnabled);
overlay.offer("lock", hands.canLock);
publish(connection, media, hands.keyboard, () => screenInfo);
// The connection comes up meanwhile; nobody should read a sentence in English first.
prefer();
screenChoice.begin();
root.dataset.words = "loading";
void speakChosen();
if ("RTCPeerConnection" in window) connection.start();
else connection.refuse({ kind: "noWebRtc" });
