// Shell: the graphs of the last minutes. Loaded when somebody looks at them for the first time.
import "./statistics.css";
import { say } from "../chrome/curtain";
import { bitRate } from "../panel/overlay";
import { milliseconds } from "../panel/waterfall";
import { figure, words } from "../words/language";
import { graphOf, HEIGHT, range, topOf, WIDTH } from "./graph";
import type { Sample } from "./history";

interface Series {
  readonly name: "latencyOverTime" | "framesOverTime" | "bitrateOverTime" | "lossOverTime";
  value(sample: Sample): number | null;
  /** A second line in the same box. */
  besides?(sample: Sample): number | null;
  /** The least top, so that a calm line looks calm. */
  readonly least: number;
  say(value: number): string;
}

const SERIES: readonly Series[] = [
  { name: "latencyOverTime", value: ({ latencyMs }) => latencyMs, least: 50, say: (ms) => words.ms(milliseconds(ms)) },
  { name: "framesOverTime", value: ({ framesPerSecond }) => framesPerSecond, least: 30, say: (rate) => words.fps(figure(rate)) },
  { name: "bitrateOverTime", value: ({ bitrateBps }) => bitrateBps, besides: ({ targetBps }) => targetBps, least: 1e6, say: bitRate },
  { name: "lossOverTime", value: ({ packetsLost, framesDropped }) => packetsLost + framesDropped, least: 10, say: (count) => figure(count) },
];

const SVG = "http://www.w3.org/2000/svg";

export class Statistics {
  #drawn: { readonly series: Series; readonly name: Element; readonly now: Element; readonly span: Element; readonly top: Element; readonly svg: SVGElement; readonly paths: readonly SVGPathElement[] }[];

  constructor(root: HTMLElement) {
    this.#drawn = SERIES.map((series) => {
      const graph = root.appendChild(document.createElement("figure"));
      graph.dataset.series = series.name;
      const caption = graph.appendChild(document.createElement("figcaption"));
      const [name, now] = [document.createElement("span"), document.createElement("b")];
      caption.append(name, now);
      const box = graph.appendChild(document.createElement("div"));
      box.className = "box";
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("role", "img");
      const paths = ["area", "line", "besides"].map((kind) => {
        const path = svg.appendChild(document.createElementNS(SVG, "path"));
        path.setAttribute("class", kind);
        return path;
      });
      const top = document.createElement("span");
      top.className = "top";
      box.append(svg, top);
      const span = graph.appendChild(document.createElement("p"));
      return { series, name, now, span, top, svg, paths };
    });
  }

  show(samples: readonly Sample[]): void {
    for (const { series, name, now, span, top, svg, paths } of this.#drawn) {
      const values = samples.map((sample) => series.value(sample));
      const besides = series.besides === undefined ? [] : samples.map(series.besides.bind(series));
      const end = topOf([...values, ...besides], series.least);
      const line = graphOf(values, end);
      [line.area, line.path, graphOf(besides, end).path].forEach((path, index) => paths[index]?.setAttribute("d", path));
      const known = range(values);
      say(name, words[series.name]);
      say(now, known ? series.say(known.now) : words.unknown);
      say(top, series.say(end));
      const told = known ? words.between(series.say(known.least), series.say(known.most)) : words.unknown;
      say(span, told);
      svg.setAttribute("aria-label", `${words[series.name]}: ${told}`);
    }
  }
}
