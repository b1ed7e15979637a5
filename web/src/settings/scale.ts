// Decision: the places of a slider for a bit rate, and the frame rates to choose from. Rates are felt in ratios, so the places are.

/** Places on the slider. */
export const PLACES = 100;

/** Frame rates that are offered besides the most that there is. */
const FRAME_RATES = [120, 60, 30, 20, 15, 10];

/** The place of a rate between its bounds. */
export function placeOf(bps: number, min: number, max: number): number {
  if (max <= min || bps <= min) return 0;
  return Math.min(PLACES, Math.round((PLACES * Math.log(bps / min)) / Math.log(max / min)));
}

/** The rate at a place, with two digits, so that it reads well; the bounds as they are. */
export function rateAt(place: number, min: number, max: number): number {
  if (place <= 0 || max <= min) return min;
  if (place >= PLACES) return max;
  const exact = min * (max / min) ** (place / PLACES);
  const unit = 10 ** Math.max(3, Math.floor(Math.log10(exact)) - 1);
  return Math.min(max, Math.max(min, Math.round(exact / unit) * unit));
}

/** What is offered where at most `max` can be had and `now` is set, highest first. */
export function frameRates(max: number, now: number): number[] {
  const offered = [max, now, ...FRAME_RATES.filter((rate) => rate < max)];
  return [...new Set(offered)].sort((a, b) => b - a);
}
