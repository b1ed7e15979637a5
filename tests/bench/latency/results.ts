// Decision: what all visits of one case come to, for each sender. `target/bench/latency.json` holds what is made here.

import { mean, percentile } from "../figures.js";
import type { Content } from "./display.js";
import { SENDERS, type SenderName } from "./senders.js";
import type { Picture } from "./shown.js";
import type { Told } from "./told.js";
import type { Visit } from "./visit.js";

export interface Case {
  size: string;
  content: Content;
  /** Beside a process that never rests. */
  loaded: boolean;
}

export const nameOf = ({ size, content, loaded }: Case): string => `${size}@60 ${content}${loaded ? ", busy machine" : ""}`;

export interface Percentiles {
  count: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface Result {
  latencyMs: Percentiles | null;
  /** Medians of the parts of the way that a browser tells of every sender. */
  partsMs: { toBrowser: number | null; decode: number | null; present: number | null };
  /** Medians of the stages that the product itself tells. */
  stagesMs: Record<string, { p50: number; p95: number }>;
  /** Per cent of one core. */
  cpu: { sender: number; xServer: number; browser: number };
  /** The sender's, by the names of its threads, the dearest first. */
  threads: [name: string, cpu: number][];
  picturesPerSecond: number;
  picturesDrawnPerSecond: number;
  framesPerSecond: number;
  bitrateKbps: number;
  psnrDb: number;
  ssim: number;
  unreadable: number;
  replaced: number;
  uncertaintyMs: number;
  memoryMb: number | null;
  /** The product's own figure beside the marker's truth, second by second. */
  own: { seconds: number; p50: [number, number]; p95: [number, number] } | null;
  /** Every latency, for plots. */
  latenciesMs: number[];
}

export interface Outcome extends Case {
  name: string;
  senders: Record<SenderName, Result>;
}

export function outcome(of: Case, visits: readonly Visit[]): Outcome {
  const [plain, playoutDelay, ours] = SENDERS.map((name) => result(of, visits.filter((visit) => visit.sender === name)));
  if (!plain || !playoutDelay || !ours) throw new Error("a sender is missing");
  return { ...of, name: nameOf(of), senders: { plain, "playout-delay": playoutDelay, ours } };
}

function result({ content }: Case, visits: readonly Visit[]): Result {
  const pictures = visits.flatMap((visit) => visit.shown.pictures);
  const seconds = sum(visits.map((visit) => visit.seconds));
  const perSecond = (values: number[]): number => sum(values) / seconds;
  // Of a static screen, what was shown was drawn after the window.
  const moves = content !== "static";
  const latenciesMs = pictures.map(({ latencyMs }) => latencyMs);
  const memory = visits.flatMap(({ memoryBytes }) => memoryBytes ?? []);
  return {
    latencyMs: percentiles(latenciesMs),
    partsMs: {
      toBrowser: median(pictures.map(({ toBrowserMs }) => toBrowserMs)),
      decode: median(pictures.map(({ decodeMs }) => decodeMs)),
      present: median(pictures.map(({ presentMs }) => presentMs)),
    },
    stagesMs: stages(visits.flatMap(({ told }) => told)),
    cpu: {
      sender: perSecond(visits.map(({ cpu }) => cpu.sender)) * 100,
      xServer: perSecond(visits.map(({ cpu }) => cpu.xServer)) * 100,
      browser: perSecond(visits.map(({ cpu }) => cpu.browser)) * 100,
    },
    threads: byThread(visits, seconds),
    picturesPerSecond: moves ? pictures.length / seconds : 0,
    picturesDrawnPerSecond: moves ? perSecond(visits.map(({ shown }) => shown.drawn)) : 0,
    framesPerSecond: moves ? perSecond(visits.map(({ shown }) => shown.frames)) : 0,
    bitrateKbps: (perSecond(visits.map(({ bytes }) => bytes)) * 8) / 1000,
    psnrDb: mean(visits.map(({ sharpness }) => sharpness.psnrDb)),
    ssim: mean(visits.map(({ sharpness }) => sharpness.ssim)),
    unreadable: sum(visits.map(({ shown }) => shown.unreadable)),
    replaced: sum(visits.map(({ shown }) => shown.replaced)),
    uncertaintyMs: Math.max(...visits.map(({ uncertaintyMs }) => uncertaintyMs)),
    memoryMb: memory.length > 0 ? Math.max(...memory) / 1e6 : null,
    own: own(visits),
    latenciesMs,
  };
}

/** Less than this is not told. */
const LEAST_CPU = 0.05;

function byThread(visits: readonly Visit[], seconds: number): Result["threads"] {
  const names = [...new Set(visits.flatMap(({ threads }) => Object.keys(threads)))];
  const cpu = (name: string): number => (sum(visits.map(({ threads }) => threads[name] ?? 0)) / seconds) * 100;
  return names
    .map((name): [string, number] => [name, cpu(name)])
    .filter(([, found]) => found >= LEAST_CPU)
    .sort(([, one], [, other]) => other - one);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const [p50 = 0, p95 = 0, p99 = 0, max = 0] = [0.5, 0.95, 0.99, 1].map((share) => percentile(values, share));
  return { count: values.length, p50, p95, p99, max };
}

function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? percentile(known, 0.5) : null;
}

function stages(told: readonly Told[]): Result["stagesMs"] {
  const measured = told.filter(({ estimated }) => !estimated).flatMap((one) => one.stages);
  const names = [...new Set(measured.map(({ stage }) => stage))];
  const middle = (name: string, field: "p50Us" | "p95Us"): number =>
    percentile(measured.filter(({ stage }) => stage === name).map((one) => one[field] / 1000), 0.5);
  return Object.fromEntries(names.map((name) => [name, { p50: middle(name, "p50Us"), p95: middle(name, "p95Us") }]));
}

/** A second with fewer pictures says nothing about its 95th percentile. */
const LEAST_PICTURES = 20;

/**
 * The product tells p50 and p95 of each second. The truth is put together in the same way, from the pictures of each
 * second, and both are compared by their middle: [told, true].
 */
export function own(visits: readonly Visit[]): Result["own"] {
  const told = visits.flatMap((visit) => visit.told.filter(({ estimated, frames }) => !estimated && frames >= LEAST_PICTURES));
  const seconds = visits.flatMap((visit) => bySecond(visit.shown.pictures)).filter((pictures) => pictures.length >= LEAST_PICTURES);
  if (told.length === 0 || seconds.length === 0) return null;
  const pair = (field: "p50Us" | "p95Us", share: number): [number, number] => [
    percentile(told.map(({ glassToGlass }) => glassToGlass[field] / 1000), 0.5),
    percentile(seconds.map((latencies) => percentile(latencies, share)), 0.5),
  ];
  return { seconds: told.length, p50: pair("p50Us", 0.5), p95: pair("p95Us", 0.95) };
}

function bySecond(pictures: readonly Picture[]): number[][] {
  const seconds = new Map<number, number[]>();
  for (const { atMs, latencyMs } of pictures) {
    const second = Math.floor((atMs - (pictures[0]?.atMs ?? 0)) / 1000);
    seconds.set(second, [...(seconds.get(second) ?? []), latencyMs]);
  }
  return [...seconds.values()];
}
