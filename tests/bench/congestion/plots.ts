// Decision: the outcomes as pictures: for each link what it carries, what every sender made of it and how long its queue was.

import type { SeriesOption } from "echarts";
import { FONT, INK, PALE, draw, title } from "../chart.js";
import { niceEnd } from "../latency/plots.js";
import { CONTROLLERS, type Controller, type Outcome } from "./outcome.js";
import { rateAt, type Scenario } from "./scenarios.js";

const COLOURS: Record<Controller, string> = { vdi: "#1769c4", gcc: "#e39a2d", none: "#9aa3ad" };
const TITLES: Record<Controller, string> = { vdi: "gst-vdi", gcc: "gcc (rtpgccbwe)", none: "no congestion control" };
const LINK = "what the link carries";
const LINK_COLOUR = "#dfe9dc";
/** Pixels from the top to the plots, of each plot, and between them. */
const [TOP, HIGH, GAP] = [120, 210, 58];
/** A queue that is longer is told by where its curve leaves the plot. */
const MOST_QUEUE_MS = 1000;

/** Names and contents of the files: one for each link. */
export function plots(scenarios: readonly Scenario[], outcomes: readonly Outcome[]): [name: string, svg: string][] {
  return scenarios.flatMap((scenario): [string, string][] => {
    const all = CONTROLLERS.flatMap((name) => outcomes.find((one) => one.scenario === scenario.name && one.controller === name) ?? []);
    return all.length > 0 ? [[`congestion-${scenario.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`, plot(scenario, all)]] : [];
  });
}

function plot(scenario: Scenario, outcomes: readonly Outcome[]): string {
  const lengthS = Math.max(...outcomes.map(({ curve }) => (curve.at(-1)?.fromMs ?? 0) / 1000));
  const queue = Math.min(MOST_QUEUE_MS, Math.max(50, ...outcomes.flatMap(({ curve }) => curve.map(({ queueDelayMs }) => queueDelayMs ?? 0))));
  const most = Math.max(...outcomes.flatMap(({ curve }) => curve.map(({ deliveredBps }) => deliveredBps)), scenario.ceilingBps) / 1e6;
  const grid = [0, 1].map((row) => ({ left: 62, right: 24, top: TOP + row * (HIGH + GAP), height: HIGH }));
  return draw(TOP + 2 * (HIGH + GAP), {
    title: title(`Link: ${scenario.name}`, `What arrives in each 100 ms (strong), what the sender believes (dashed), and the longest time in the queue${scenario.down === "" ? "" : `; ${scenario.down}`}`),
    legend: { data: [LINK, ...outcomes.map(({ controller }) => TITLES[controller])], left: 24, top: 66, itemWidth: 18, itemHeight: 10, icon: "roundRect", textStyle: { fontSize: 12.5 } },
    grid,
    graphic: ["Mbit/s", "queueing delay in ms"].map((text, row) => ({ type: "text", left: 24, top: TOP + row * (HIGH + GAP) - 22, style: { text, fill: INK, font: `600 13px ${FONT}` } })),
    xAxis: grid.map((_, gridIndex) => ({
      gridIndex,
      type: "value",
      min: 0,
      max: Math.ceil(lengthS),
      axisLabel: { formatter: "{value} s", fontSize: 11 },
      splitLine: { show: false },
    })),
    yAxis: [Math.ceil(most * 1.1), niceEnd(queue)].map((max, gridIndex) => ({
      gridIndex,
      type: "value",
      min: 0,
      max,
      axisLabel: { fontSize: 11 },
      splitLine: { lineStyle: { color: PALE } },
    })),
    series: [capacity(scenario, lengthS), ...outcomes.flatMap(curves)],
  });
}

function capacity({ plan }: Scenario, lengthS: number): SeriesOption {
  const steps = Array.from({ length: Math.ceil(lengthS * 10) + 1 }, (_, index) => index / 10);
  return {
    name: LINK,
    type: "line",
    step: "end",
    showSymbol: false,
    lineStyle: { width: 0 },
    itemStyle: { color: LINK_COLOUR },
    areaStyle: { color: LINK_COLOUR, opacity: 1 },
    data: steps.map((atS) => [atS, rateAt(plan, atS) / 1e6]),
  };
}

function curves({ controller, curve }: Outcome): SeriesOption[] {
  const colour = COLOURS[controller];
  const line = (row: number, width: number, type: "solid" | "dashed", value: (point: Outcome["curve"][number]) => number | null): SeriesOption => ({
    name: TITLES[controller],
    type: "line",
    xAxisIndex: row,
    yAxisIndex: row,
    showSymbol: false,
    clip: true,
    lineStyle: { width, color: colour, type },
    itemStyle: { color: colour },
    data: curve.map((point) => [point.fromMs / 1000, value(point)]),
  });
  return [
    line(0, 1.8, "solid", ({ deliveredBps }) => deliveredBps / 1e6),
    line(0, 1.3, "dashed", ({ estimateBps }) => estimateBps === null ? null : estimateBps / 1e6),
    line(1, 1.6, "solid", ({ queueDelayMs }) => queueDelayMs),
  ];
}
