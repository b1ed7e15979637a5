// Decision: the outcomes as pictures: latency as distributions, where the time goes, and what it costs.

import type { SeriesOption } from "echarts";
import { FONT, INK, PALE, WIDTH, draw, title } from "../chart.js";
import { percentile } from "../figures.js";
import type { Outcome, Result } from "./results.js";
import { SENDERS, type SenderName } from "./senders.js";
import { LETTERS } from "./words.js";

const COLOURS: Record<SenderName, string> = { plain: "#9aa3ad", "playout-delay": "#e39a2d", ours: "#1769c4" };
const PALE_COLOURS: Record<SenderName, string> = { plain: "#d5d9de", "playout-delay": "#f5d9ad", ours: "#a5c7ee" };
const NAMES: Record<SenderName, string> = {
  plain: "(a) ximagesrc ! x264enc ! webrtcbin",
  "playout-delay": "(b) the same, playout-delay 0/0",
  ours: "(c) gst-vdi",
};

/** Names and contents of the files. */
export function plots(outcomes: readonly Outcome[]): [name: string, svg: string][] {
  const moving = outcomes.filter(({ senders }) => SENDERS.every((name) => senders[name].latenciesMs.length > 0));
  return [
    ["latency", distributions(moving)],
    ["waterfall", waterfall(moving)],
    ["cpu", costs(outcomes)],
  ];
}

/** Of each case a small plot: share of pictures that were on the glass within so many milliseconds. */
function distributions(outcomes: readonly Outcome[]): string {
  const [across, top, cell, gap] = [3, 128, 188, 74];
  const place = (index: number) => ({ column: index % across, row: Math.floor(index / across) });
  const wide = (WIDTH - 24 - across * 56) / across;
  const left = (index: number): number => 52 + place(index).column * (wide + 56);
  const upper = (index: number): number => top + place(index).row * (cell + gap);
  const height = top + Math.ceil(outcomes.length / across) * (cell + gap);
  return draw(height, {
    title: title("Glass-to-glass latency", "Share of pictures that were presented within so many milliseconds after an X client drew them; dots are p50 and p95"),
    legend: { data: SENDERS.map((name) => NAMES[name]), left: 24, top: 66, itemWidth: 18, itemHeight: 10, icon: "roundRect", textStyle: { fontSize: 12.5 } },
    grid: outcomes.map((_, index) => ({ left: left(index), top: upper(index) + 14, width: wide, height: cell })),
    graphic: outcomes.map(({ name }, index) => ({
      type: "text",
      left: left(index),
      top: upper(index) - 10,
      style: { text: name, fill: INK, font: `600 13px ${FONT}` },
    })),
    xAxis: outcomes.map(({ senders }, index) => ({
      gridIndex: index,
      type: "value",
      min: 0,
      max: niceEnd(Math.max(...SENDERS.map((name) => percentile(senders[name].latenciesMs, 0.97)))),
      axisLabel: { formatter: "{value} ms", fontSize: 11, color: "#5b6570", hideOverlap: true },
      splitLine: { lineStyle: { color: PALE } },
      axisLine: { lineStyle: { color: "#b8c0c8" } },
    })),
    yAxis: outcomes.map((_, index) => ({
      gridIndex: index,
      type: "value",
      min: 0,
      max: 100,
      interval: 25,
      axisLabel: { formatter: "{value} %", fontSize: 11, color: "#5b6570" },
      splitLine: { lineStyle: { color: PALE } },
    })),
    series: outcomes.flatMap(({ senders }, index) => SENDERS.map((name) => curve(name, senders[name], index))),
  });
}

/** The end of an axis: the next multiple of a round step. */
export function niceEnd(value: number): number {
  const step = [5, 10, 20, 50, 100, 200, 500].find((candidate) => value / candidate <= 8) ?? 1000;
  return Math.ceil(value / step) * step;
}

const SHARES = Array.from({ length: 200 }, (_, index) => (index + 1) / 200);

function curve(name: SenderName, { latenciesMs }: Result, index: number): SeriesOption {
  const at = (share: number): [number, number] => [percentile(latenciesMs, share), share * 100];
  return {
    name: NAMES[name],
    type: "line",
    xAxisIndex: index,
    yAxisIndex: index,
    showSymbol: false,
    clip: true,
    lineStyle: { width: name === "ours" ? 2.6 : 1.8, color: COLOURS[name] },
    itemStyle: { color: COLOURS[name] },
    data: [[Math.max(0, Math.min(...latenciesMs)), 0], ...SHARES.map(at)],
    markPoint: {
      symbol: "circle",
      symbolSize: 8,
      label: { show: false },
      data: [0.5, 0.95].map((share) => ({ name: `p${share * 100}`, coord: at(share) })),
    },
  };
}

/** A part of a bar: what it is called, and how long it is. */
interface Piece {
  name: string;
  ms: number;
}

const UNTIL_RECEIVED = "drawn until received by the browser";
const X_DRAWS = "X server draws";
/** Everything that a bar can be made of, in the order of the way. The stages in the middle are the product's own. */
const KINDS: readonly (readonly [name: string, colour: string])[] = [
  [UNTIL_RECEIVED, "#7a8794"],
  [X_DRAWS, "#3f4a55"],
  ["capture", "#0b3c6f"],
  ["convert", "#1769c4"],
  ["encode", "#5aa0e6"],
  ["packetise", "#9cc8f2"],
  ["send", "#c9e1f8"],
  ["network", "#f0c27b"],
  ["decode", "#4aa3a2"],
  ["wait and present", "#b7a0cf"],
];
const TO_BROWSER = KINDS.slice(2, 8).map(([name]) => name);

/** The pieces of one sender's bar; where it tells its own stages, they stand for the way to the browser. */
export function pieces({ partsMs: { toBrowser, decode, present }, stagesMs }: Result): Piece[] {
  const told = TO_BROWSER.map((name): [string, number | null] => [name, stagesMs[name]?.p50 ?? null]).filter(([, ms]) => ms !== null);
  const sum = told.reduce((total, [, ms]) => total + (ms ?? 0), 0);
  const way: [string, number | null][] =
    told.length === 0
      ? [[UNTIL_RECEIVED, toBrowser]]
      : // What the stages leave of it is the X server's: from the client's request until damage is told.
        [[X_DRAWS, toBrowser === null ? null : Math.max(0, toBrowser - sum)], ...told];
  return [...way, ["decode", decode] as const, ["wait and present", present] as const].flatMap(([name, ms]) => (ms === null ? [] : [{ name, ms }]));
}

function waterfall(outcomes: readonly Outcome[]): string {
  // A line for each sender, and an empty one between two cases.
  const rows = outcomes.flatMap(({ name, senders }) => [
    ...SENDERS.map((sender) => ({
      label: `${sender === "plain" ? name : ""}  (${LETTERS[sender]})`,
      pieces: pieces(senders[sender]),
      end: senders[sender].latencyMs ? `${senders[sender].latencyMs.p50.toFixed(1)} ms` : "",
    })),
    { label: "", pieces: [], end: "" },
  ]);
  const used = new Set(rows.flatMap((row) => row.pieces.map(({ name }) => name)));
  const kinds = KINDS.filter(([name]) => used.has(name));
  const most = Math.max(...rows.map(({ pieces }) => pieces.reduce((sum, { ms }) => sum + ms, 0)), 1);
  const [top, rowPx] = [142, 20];
  return draw(top + rows.length * rowPx + 40, {
    title: title("Where the time goes", "Medians of each stage; the figure at the end is the measured p50 of the whole way, which is not exactly their sum"),
    legend: { data: kinds.map(([name]) => name), left: 24, top: 66, width: WIDTH - 48, itemWidth: 14, itemHeight: 10, icon: "roundRect", textStyle: { fontSize: 12 } },
    grid: { left: 262, right: 70, top, height: rows.length * rowPx },
    xAxis: { type: "value", min: 0, max: niceEnd(most), axisLabel: { formatter: "{value} ms", fontSize: 11 }, splitLine: { lineStyle: { color: PALE } } },
    yAxis: {
      type: "category",
      inverse: true,
      data: rows.map(({ label }) => label),
      axisLabel: { fontSize: 12, color: INK, interval: 0 },
      axisTick: { show: false },
    },
    series: [
      ...kinds.map(
        ([kind, colour]): SeriesOption => ({
          name: kind,
          type: "bar",
          stack: "way",
          barWidth: 15,
          itemStyle: { color: colour },
          data: rows.map(({ pieces }) => pieces.find(({ name }) => name === kind)?.ms ?? 0),
        }),
      ),
      {
        type: "bar",
        stack: "way",
        data: rows.map(({ end }) => ({ value: 0, label: { show: true, position: "right", formatter: end, fontSize: 11, color: INK } })),
      },
    ],
  });
}

function costs(outcomes: readonly Outcome[]): string {
  const top = 128;
  const parts = [
    ["sender", COLOURS],
    ["xServer", PALE_COLOURS],
  ] as const;
  return draw(top + 400, {
    title: title("Cost of the sender", "Processor time of sender (strong) and X server (pale), in per cent of one core"),
    legend: { data: SENDERS.map((name) => NAMES[name]), left: 24, top: 66, itemWidth: 18, itemHeight: 10, icon: "roundRect", textStyle: { fontSize: 12.5 }, selectedMode: false },
    grid: { left: 62, right: 24, top, bottom: 76 },
    xAxis: {
      type: "category",
      data: outcomes.map(({ name }) => name.replace(/[ ,]+/, "\n").replace(", ", ",\n")),
      axisLabel: { fontSize: 11.5, color: INK, interval: 0, lineHeight: 16 },
      axisTick: { show: false },
    },
    yAxis: { type: "value", axisLabel: { formatter: "{value} %", fontSize: 11 }, splitLine: { lineStyle: { color: PALE } } },
    series: SENDERS.flatMap((sender) =>
      parts.map(
        ([part, colours]): SeriesOption => ({
          name: NAMES[sender],
          type: "bar",
          stack: sender,
          barMaxWidth: 26,
          itemStyle: { color: colours[sender] },
          data: outcomes.map(({ senders }) => Number(senders[sender].cpu[part].toFixed(2))),
          ...(part === "xServer" && {
            // On top of the pile: the sum.
            label: {
              show: true,
              position: "top" as const,
              fontSize: 10.5,
              color: INK,
              formatter: ({ dataIndex }: { dataIndex: number }) => {
                const cpu = outcomes[dataIndex]?.senders[sender].cpu;
                return cpu ? (cpu.sender + cpu.xServer).toFixed(0) : "";
              },
            },
          }),
        }),
      ),
    ),
  });
}
