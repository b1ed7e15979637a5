// Decision: what all plots have in common. SVG, by ECharts, which needs no browser for it.

import { init, setPlatformAPI, type EChartsOption } from "echarts";

export const INK = "#22272e";
export const PALE = "#e4e8ec";
export const FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif";
export const WIDTH = 1100;
/** Width of a character to the height of its font, at most: there is nothing here to measure text with. */
const CHARACTER_EM = 0.62;

setPlatformAPI({
  measureText: (text, font) => {
    const size = Number(/(\d+(?:\.\d+)?)px/.exec(font ?? "")?.[1] ?? 12);
    return { width: text.length * size * CHARACTER_EM };
  },
});

/** A plot of this height. */
export function draw(height: number, option: EChartsOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption({ animation: false, backgroundColor: "#ffffff", textStyle: { fontFamily: FONT, color: INK }, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** What stands at its top. */
export const title = (text: string, subtext: string) => ({
  text,
  subtext,
  left: 24,
  top: 14,
  textStyle: { fontSize: 19, color: INK, fontWeight: 600 },
  subtextStyle: { fontSize: 12.5, color: "#5b6570" },
});
