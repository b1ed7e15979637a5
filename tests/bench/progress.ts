// Shell around a small decision: how far the measurements are, on standard error: a bar on a terminal, else a line a step.

const BAR_CELLS = 24;
/** A step that takes longer than planned never looks finished. */
const MOST_OF_A_STEP = 0.97;
const REDRAW_MS = 1000;
/** For a terminal that does not know its width. */
const USUAL_COLUMNS = 80;

/** How far: seconds as planned, and as they were. */
export interface Way {
  plannedSeconds: number;
  /** Plan of the steps that are done, and how long they took. */
  donePlanSeconds: number;
  doneTookSeconds: number;
  /** The step at work: its plan, and how long it has taken. */
  stepPlanSeconds: number;
  stepTookSeconds: number;
}

/** Share that is done, and seconds that are left at the pace so far. */
export function ahead(way: Way): { share: number; leftSeconds: number } {
  const pace = way.donePlanSeconds > 0 ? way.doneTookSeconds / way.donePlanSeconds : 1;
  const stepShare = Math.min(MOST_OF_A_STEP, way.stepTookSeconds / (way.stepPlanSeconds * pace || 1));
  const done = way.donePlanSeconds + stepShare * way.stepPlanSeconds;
  const planned = Math.max(way.plannedSeconds, way.donePlanSeconds + way.stepPlanSeconds);
  return { share: done / planned, leftSeconds: (planned - done) * pace };
}

/** The bar, no wider than the terminal. */
export function bar(words: string, { share, leftSeconds }: { share: number; leftSeconds: number }, width: number): string {
  const full = Math.round(share * BAR_CELLS);
  const left = leftSeconds >= 90 ? `${Math.round(leftSeconds / 60)} min` : `${Math.round(leftSeconds)} s`;
  const text = `[${"█".repeat(full)}${"░".repeat(BAR_CELLS - full)}] ${Math.floor(share * 100)} %, ${left} left  ${words}`;
  return text.slice(0, Math.max(0, width - 1));
}

export class Progress {
  private readonly way: Way;
  private words = "";
  private since = performance.now();
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(
    plannedSeconds: number,
    private readonly out: NodeJS.WriteStream = process.stderr,
  ) {
    this.way = { plannedSeconds, donePlanSeconds: 0, doneTookSeconds: 0, stepPlanSeconds: 0, stepTookSeconds: 0 };
    if (out.isTTY) this.timer = setInterval(() => { this.draw(); }, REDRAW_MS).unref();
  }

  /** The next step begins; the one before is done. */
  enter(words: string, planSeconds: number): void {
    this.finish();
    this.words = words;
    this.way.stepPlanSeconds = planSeconds;
    const { share } = ahead(this.way);
    if (!this.out.isTTY) this.out.write(`${Math.floor(share * 100)} %  ${words}\n`);
    this.draw();
  }

  /** A line that stays. */
  say(line: string): void {
    this.clear();
    this.out.write(`${line}\n`);
    this.draw();
  }

  end(): void {
    this.finish();
    clearInterval(this.timer);
    this.clear();
  }

  private finish(): void {
    const now = performance.now();
    this.way.donePlanSeconds += this.way.stepPlanSeconds;
    if (this.way.stepPlanSeconds > 0) this.way.doneTookSeconds += (now - this.since) / 1000;
    this.way.stepPlanSeconds = 0;
    this.since = now;
  }

  private clear(): void {
    if (this.out.isTTY) this.out.write("\r\u001b[K");
  }

  private draw(): void {
    if (!this.out.isTTY) return;
    this.way.stepTookSeconds = (performance.now() - this.since) / 1000;
    this.out.write(`\r\u001b[K${bar(this.words, ahead(this.way), this.out.columns || USUAL_COLUMNS)}`);
  }
}
