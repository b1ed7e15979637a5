// The wire: what pages may set of the session, mirrored from `settings` of the crate `protocol`.
import { byDefault, integer, list, oneOf, optional, struct, type Read } from "./schema";

const u32 = integer(0, 0xffff_ffff);
const bps = integer(0, Number.MAX_SAFE_INTEGER);

const contentHint = oneOf(["auto", "motion", "text"]);
/** What is given up first when the bit rate is short. */
export type ContentHint = Read<typeof contentHint>;

export const VIDEO_CODECS = ["H264", "VP8", "VP9", "AV1", "H265"] as const;
export const videoCodec = oneOf(VIDEO_CODECS);
/** A video codec, by its name in SDP. */
export type VideoCodec = Read<typeof videoCodec>;

const choice = struct({ bitrateBps: bps, framerate: u32, contentHint, codec: byDefault(videoCodec, "H264") });
/** What can be set of the session, and stands so. */
export type Choice = Read<typeof choice>;

export const settings = {
  now: choice,
  defaults: choice,
  minBitrateBps: bps,
  maxBitrateBps: bps,
  maxFramerate: u32,
  codecs: byDefault(list(videoCodec), []),
  trying: optional(videoCodec),
};
export const settingsReader = struct(settings);
/** What holds, and between which bounds it can be set. */
export type Settings = Read<typeof settingsReader>;

/** What is absent stays as it is. */
export const settingsWish = { bitrateBps: optional(bps), framerate: optional(u32), contentHint: optional(contentHint), codec: optional(videoCodec) };
