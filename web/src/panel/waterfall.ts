// Shell: draws the way from a change on the desktop to the screen, stage by stage, in the panel. What there is to draw is
// stages.ts's decision.
import { missing, say } from "../chrome/curtain";
import type { Latency, PageStats } from "../wire/protocol";
import { figure, words } from "../words/language";
import { chart, type Bar, type Chart } from "./stages";

/** Totals in the little curve: a minute at one a second. */
const HISTORY = 60;
/** The curve's own units: wide as the history, high as this. */
const CURVE_HEIGHT = 24;
/** A total that fills the curve when nothing was slower, so that a calm line looks calm. */
const CALM_MS = 50;
/** Figures that are older than this are told to be: while nothing changes on the desktop, there are no new ones. */
const FRESH_SECONDS = 3;

/** One digit below ten, none above: more would be noise. */
export function milliseconds(ms: number): string {
  return figure(ms, ms < 9.95 ? 1 : 0);
}

/** Points of a curve over the last seconds, newest at the right. */
export function curve(values: readonly number[]): string {
  const top = Math.max(CALM_MS, ...values);
  const from = HISTORY - values.length;
  return values.map((value, index) => `${from + index},${(CURVE_HEIGHT - 1 - (value / top) * (CURVE_HEIGHT - 2)).toFixed(1)}`).join(" ");
}

/** Words of a table that may lack a name, which a newer server knows. */
function named(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

export class Waterfall {
  #root: HTMLElement;
  #rows: HTMLElement;
  #history: number[] = [];
  #counted: Latency | PageStats | null = null;

  constructor(root: HTMLElement) {
    this.#root = root;
    this.#rows = this.#part("rows");
  }

  /** `ageSeconds`: how old what the server told is. */
  show(latency: Latency | null, ageSeconds: number, stats: PageStats | null): void {
    const drawn = chart(latency, stats);
    const told = latency ?? stats;
    if (!told) this.#history = [];
    else if (drawn && told !== this.#counted) this.#history = [...this.#history, drawn.p50Us / 1000].slice(-HISTORY);
    this.#counted = told;
    this.#part("curve").setAttribute("points", curve(this.#history));

    const source = drawn?.source ?? "measured";
    this.#root.dataset.source = source;
    this.#say("latencyLabel", words.latencyLabel[source]);
    this.#say("latency", drawn ? milliseconds(drawn.p50Us / 1000) : words.unknown);
    this.#say("latencyP95", drawn && drawn.p95Us !== null ? words.p95(milliseconds(drawn.p95Us / 1000)) : "");
    this.#say("slowest", drawn?.slowest ? slowest(drawn.slowest) : "");
    this.#say("certainty", drawn ? certainty(drawn, latency ? ageSeconds : 0) : "");
    this.#part("table").hidden = drawn === null;
    this.#part("meaning").hidden = drawn === null;
    this.#say("sourceMeaning", words.latencyHint[source]);
    if (drawn) this.#draw(drawn);
  }

  #draw({ bars, axisUs, slowest }: Chart): void {
    this.#say("axisMiddle", milliseconds(axisUs / 2000));
    this.#say("axisEnd", words.ms(milliseconds(axisUs / 1000)));
    while (this.#rows.children.length > bars.length) this.#rows.lastElementChild?.remove();
    bars.forEach((bar, index) => {
      const row = this.#rows.children[index] ?? this.#rows.appendChild(createRow());
      drawRow(row as HTMLElement, bar, axisUs, bar === slowest);
    });
    this.#explain(bars.map(({ stage }) => stage));
  }

  /** Says of each stage where it ends. */
  #explain(stages: readonly string[]): void {
    const list = this.#part("stagesMeaning");
    const known = stages.flatMap((stage) => {
      const [name, meaning] = [named(words.stageName, stage), named(words.stageHint, stage)];
      return name !== undefined && meaning !== undefined ? [[name, meaning] as const] : [];
    });
    if (list.textContent === known.flat().join("")) return;
    list.replaceChildren(
      ...known.map((pair) => {
        const row = document.createElement("div");
        pair.forEach((text, index) => (row.appendChild(document.createElement(index === 0 ? "dt" : "dd")).textContent = text));
        return row;
      }),
    );
  }

  #say(part: string, text: string): void {
    say(this.#part(part), text);
  }

  #part<E extends Element = HTMLElement>(name: string): E {
    return this.#root.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
  }
}

function slowest({ stage, p50Us }: Bar): string {
  return words.slowest(named(words.stageName, stage) ?? stage, milliseconds(p50Us / 1000));
}

function certainty({ source, uncertaintyUs }: Chart, ageSeconds: number): string {
  const exact = uncertaintyUs === null ? words.notExact[source] : words.uncertainty(milliseconds(uncertaintyUs / 1000));
  return ageSeconds < FRESH_SECONDS ? exact : words.lastChange(Math.floor(ageSeconds));
}

/** A row of the table: name, bar, median, 95th percentile. */
function createRow(): HTMLElement {
  const row = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const bar = document.createElement("td");
  bar.className = "bar";
  const p95 = bar.appendChild(document.createElement("i"));
  p95.className = "p95";
  const p50 = bar.appendChild(document.createElement("i"));
  p50.className = "p50";
  row.append(name, bar, document.createElement("td"), document.createElement("td"));
  return row;
}

function drawRow(row: HTMLElement, { stage, fromUs, p50Us, p95Us }: Bar, axisUs: number, isSlowest: boolean): void {
  const [name, bar, p50, p95] = row.children;
  if (!name || !bar || !p50 || !p95) return;
  row.dataset.stage = stage;
  row.dataset.slowest = String(isSlowest);
  say(name, named(words.stageName, stage) ?? stage);
  say(p50, milliseconds(p50Us / 1000));
  say(p95, milliseconds(p95Us / 1000));
  for (const [part, us] of [[bar.children[0], p95Us], [bar.children[1], p50Us]] as const) {
    // A style that a script sets needs no exception from the content security policy.
    const { style } = part as HTMLElement;
    style.insetInlineStart = `${((100 * fromUs) / axisUs).toFixed(2)}%`;
    style.width = `${((100 * us) / axisUs).toFixed(2)}%`;
  }
}
