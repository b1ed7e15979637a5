// Shell: the part of the panel with the graphs, whose drawing is loaded when somebody looks at them for the first time.
import type { History } from "./history";
import type { Statistics } from "./statistics";

export class StatisticsPart {
  #root: HTMLElement;
  #history: History;
  #statistics: Statistics | null = null;

  constructor(root: HTMLElement, history: History) {
    this.#root = root;
    this.#history = history;
  }

  async show(): Promise<void> {
    try {
      const loaded = await import("./statistics");
      this.#statistics ??= new loaded.Statistics(this.#root);
      this.#statistics.show(this.#history.samples);
    } catch (error) {
      console.warn("gst-vdi: the statistics cannot be loaded:", error);
    }
  }
}
