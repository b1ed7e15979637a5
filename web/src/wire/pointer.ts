// The wire: where the pointer is, mirrored from the crate `protocol`.
import { integer, list, struct, tagged, text, type Read } from "./schema";

const u16 = integer(0, 0xffff);
const u32 = integer(0, 0xffff_ffff);
const i32 = integer(-0x8000_0000, 0x7fff_ffff);

/** How far a locked pointer has gone, and since which lock. */
export const way = { lock: u32, x: i32, y: i32 };

/** Data channel `pointer`, page to server. */
export const pointing = tagged({
  motion: { seq: u32, x: u16, y: u16 },
  travel: { seq: u32, ...way },
  shown: { seq: u32, x: u16, y: u16 },
  hidden: { seq: u32 },
});
export type Pointing = Read<typeof pointing>;

/** Data channel `pointer`, server to page. */
export const toPointer = tagged({
  pointers: { seq: u32, pointers: list(struct({ consumer: text, x: u16, y: u16 })) },
});
export type ToPointer = Read<typeof toPointer>;
