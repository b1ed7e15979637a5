// Shell: the doctor's window. It asks the server for its report, has the browser look, and shows what came of both; what that
// means is decided in doctor-findings.ts.
import type { Clock } from "../clock";
import { missing, say } from "../chrome/curtain";
import type { BrowserDoctor } from "./browser";
import { asText, findings, type Findings, type Row, type ServerReport } from "./findings";
import { doctorReport } from "../wire/protocol";
import { parse } from "../wire/schema";
import { doctorWords as words } from "../words/language";

/** Time for the server's report: it tests servers that may not answer. */
const REPORT_MS = 25_000;
/** How long the button says that the report is copied. */
const COPIED_MS = 2000;

export interface DoctorWorld {
  readonly clock: Clock;
  fetch(url: string, init: RequestInit): Promise<Response>;
  copy(text: string): Promise<void>;
  isConnected(): boolean;
  /** What stands at the end of the report: browser, page, time. */
  about(): readonly string[];
}

export class Doctor {
  #root: HTMLDialogElement;
  #browser: BrowserDoctor;
  #world: DoctorWorld;
  #text = "";
  #run = 0;

  constructor(root: HTMLDialogElement, browser: BrowserDoctor, world: DoctorWorld, closed: () => void) {
    this.#root = root;
    this.#browser = browser;
    this.#world = world;
    this.#part("close").addEventListener("click", () => {
      root.close();
    });
    this.#part("again").addEventListener("click", () => {
      void this.#examine();
    });
    this.#part("copy").addEventListener("click", () => {
      void this.#copy();
    });
    root.addEventListener("close", closed);
    // A click beside the window closes it, as Escape does.
    root.addEventListener("click", (event) => {
      if (event.target === root) root.close();
    });
  }

  get open(): boolean {
    return this.#root.open;
  }

  show(): void {
    if (!this.#root.open) this.#root.showModal();
    void this.#examine();
  }

  async #examine(): Promise<void> {
    const run = ++this.#run;
    this.#root.dataset.state = "looking";
    say(this.#part("title"), words.looking);
    say(this.#part("advice"), words.lookingDetail);
    this.#part<HTMLButtonElement>("copy").disabled = true;
    this.#part<HTMLButtonElement>("again").disabled = true;
    this.#part<HTMLTextAreaElement>("text").hidden = true;
    const [server] = await Promise.all([this.#ask(), this.#browser.examine()]);
    if (run !== this.#run) return;
    const facts = this.#browser.facts(this.#world.isConnected(), server !== null);
    const found = findings(facts, server);
    this.#text = asText(found, this.#world.about());
    this.#draw(found);
  }

  /** `null` if nothing answers. */
  async #ask(): Promise<ServerReport> {
    const { clock } = this.#world;
    const abort = new AbortController();
    const late = clock.after(REPORT_MS, () => {
      abort.abort();
    });
    try {
      const response = await this.#world.fetch("doctor", { cache: "no-store", signal: abort.signal });
      if (!response.ok) return { status: response.status };
      const report = parse(doctorReport, await response.text());
      return { report, aheadSeconds: clock.wallMs() / 1000 - report.unixSeconds };
    } catch {
      return null;
    } finally {
      late();
    }
  }

  async #copy(): Promise<void> {
    const button = this.#part<HTMLButtonElement>("copy");
    try {
      await this.#world.copy(this.#text);
      say(button, words.copied);
    } catch {
      // Without TLS, browsers give pages no clipboard: the text is there to be copied by hand.
      const text = this.#part<HTMLTextAreaElement>("text");
      text.value = this.#text;
      text.hidden = false;
      text.focus();
      text.select();
      say(button, words.copyFailed);
    }
    this.#world.clock.after(COPIED_MS, () => {
      say(button, words.copy);
    });
  }

  #draw(found: Findings): void {
    const { title, advice } = words.verdict[found.verdict];
    this.#root.dataset.state = found.outcome;
    this.#root.dataset.verdict = found.verdict;
    say(this.#part("title"), title);
    this.#part("advice").replaceChildren(...written("p", "", advice).childNodes);
    this.#part("browser").replaceChildren(...found.browser.map(item));
    this.#part("server").replaceChildren(...found.server.map(item));
    this.#part("pairs").hidden = found.pairs.length === 0;
    say(this.#part("pairsLabel"), words.details(found.pairs.length));
    this.#part("pairsList").replaceChildren(...found.pairs.map((pair) => element("li", "", pair)));
    this.#part<HTMLButtonElement>("copy").disabled = false;
    this.#part<HTMLButtonElement>("again").disabled = false;
  }

  #part<E extends Element = HTMLElement>(name: string): E {
    return this.#root.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
  }
}

/** Text in which options of the launcher stand whole. */
function written(tag: string, className: string, text: string): HTMLElement {
  const made = element(tag, className, "");
  // Every second part is an option.
  text.split(/(--[a-z][a-z-]*(?:=[a-z-]+)?)/).forEach((part, index) => {
    made.append(index % 2 === 0 ? part : element("span", "option", part));
  });
  return made;
}

function element(tag: string, className: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.textContent = text;
  return made;
}

function item({ outcome, name, target, message, advice }: Row): HTMLElement {
  const made = document.createElement("li");
  made.dataset.outcome = outcome;
  const sign = element("span", "sign", "");
  sign.role = "img";
  sign.ariaLabel = words.outcome[outcome];
  const body = document.createElement("div");
  if (target !== "") body.append(element("code", "", target));
  body.append(written("p", "", message));
  // What works needs no advice.
  if (advice !== "" && outcome !== "passed") body.append(written("p", "advice", advice));
  made.append(sign, element("span", "name", name), body);
  return made;
}
