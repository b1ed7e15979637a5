// Decision: how this browser is brought to decode all channels of the sound. Chromium makes one of two unless its own answer asks
// for both. It decodes `multiopus`, but never says so, and would refuse an offer of it; it does what an answer says that claims it.
// So such an offer is shown to it as one of stereo, and its answer is made one to the real offer.

/** For each place in Chromium's order (left, right, centre, LFE, then the two or four behind) its place in Vorbis' (RFC 7845, 5.1.1.2). */
const ORDER: Readonly<Record<number, readonly number[]>> = { 6: [0, 2, 1, 5, 3, 4], 8: [0, 2, 1, 7, 3, 4, 5, 6] };

interface Multiopus {
  readonly payloadType: string;
  readonly channels: number;
  /** As the offer has them. */
  readonly parameters: string;
}

function multiopus(offer: string): Multiopus | null {
  const [, payloadType, channels] = /^a=rtpmap:(\d+) multiopus\/48000\/(\d+)\r?$/im.exec(offer) ?? [];
  if (payloadType === undefined) return null;
  const [, parameters = ""] = new RegExp(`^a=fmtp:${payloadType} (.*?)\r?$`, "m").exec(offer) ?? [];
  return { payloadType, channels: Number(channels), parameters };
}

/** Whether this browser is one that decodes it: those built on Chromium, which say that of themselves. */
export function takesSurround(userAgent: string): boolean {
  return /Chrom(e|ium)\//.test(userAgent);
}

/** It said so, and did not. */
let refuses = false;

/** What this browser says of itself; nothing where it says nothing. */
export function ownSurround(): boolean {
  const { navigator } = globalThis as { navigator?: Navigator };
  return !refuses && takesSurround(navigator?.userAgent ?? "");
}

/** The browser does not do what an offer asks. Whether it will be asked for less from now on, since that was for more than stereo. */
export function giveUpSurround(offer: string): boolean {
  const more = multiopus(offer) !== null;
  refuses ||= more;
  return more;
}

/** The offer as it is shown to the browser. */
export function disguised(offer: string): string {
  return offer.replace(/^(a=rtpmap:\d+) multiopus\/48000\/\d+(?=\r?$)/gim, "$1 opus/48000/2");
}

function claiming(answer: string, { payloadType, channels, parameters }: Multiopus): string {
  return answer
    .replace(new RegExp(`^a=fmtp:${payloadType} .*\r?\n`, "m"), "")
    .replace(new RegExp(`^a=rtpmap:${payloadType} (?:multi)?opus/48000/\\d+\r?$`, "im"), `a=rtpmap:${payloadType} multiopus/48000/${channels}\r\na=fmtp:${payloadType} ${parameters}\r`);
}

/** The answer asks for both channels where the offer has two (RFC 7587, 7: without that it is one that wants mono). */
function inStereo(offer: string, answer: string): string {
  const [, payloadType] = /^a=fmtp:(\d+) .*\bsprop-stereo=1\b/m.exec(offer) ?? [];
  if (payloadType === undefined) return answer;
  return answer.replace(new RegExp(`^(a=fmtp:${payloadType} )(?!.*\\bstereo=)`, "m"), "$1stereo=1;");
}

/** The browser's answer as its own description, by which it decodes, each channel for the right speaker. */
export function undisguised(offer: string, answer: string): string {
  const found = multiopus(offer);
  if (!found) return inStereo(offer, answer);
  const order = ORDER[found.channels] ?? [];
  const parameters = found.parameters.replace(/(channel_mapping=)([\d,]+)/, (_, name: string, list: string) => {
    const mapping = list.split(",");
    return name + (order.length === mapping.length ? order.map((at) => mapping[at]) : mapping).join(",");
  });
  return claiming(answer, { ...found, parameters });
}

/** The same for the server, whose order is that of the offer. */
export function answerTo(offer: string, answer: string): string {
  const found = multiopus(offer);
  return found ? claiming(answer, found) : inStereo(offer, answer);
}
