// Setup: how long the page waits for what before it does something about it, and the like.

/** From the first byte to the welcome: a healthy server answers in milliseconds. */
export const WELCOME_TIMEOUT_MS = 8000;
/** From the first byte to a media path; the server itself gives up after 15 s and says so. */
export const CONNECT_TIMEOUT_MS = 20_000;
/** The same for one that goes on with a session: what the network does to the first try, it may not do to the next. */
export const SUCCESSOR_WELCOME_TIMEOUT_MS = 3000;
/** How long a path may be `disconnected` before it counts as lost: shorter gaps heal by themselves. */
export const DISCONNECTED_MS = 1000;
/** How long the answer to a probing ping may take. */
export const PROBE_MS = 1000;
/** After standing still for longer than this, the server has most likely given the page up: it waits for six seconds. */
export const LONG_GAP_MS = 6000;
/** How long the answer to a ping may take after that, or this many round trips. To begin anew takes half a second. */
export const QUICK_PROBE_MS = 300;
export const QUICK_PROBE_ROUND_TRIPS = 3;
/** Bytes waiting on the pointer channel above which a motion is left out: the next one says where the pointer is. */
export const MAX_POINTER_BACKLOG_BYTES = 4096;
/** A stream that lasted this long was a good one: after its loss the delays begin anew. */
export const GOOD_STREAM_MS = 5000;

/** How long a lost path may go unmentioned: most are replaced before anybody has noticed. */
export const QUIET_MS = 1500;
/** How long the signalling may be cut before the user is told: nothing that he sees depends on it. */
export const CUT_NOTICE_MS = 10_000;
/** Least time between two successors that come of a mere doubt: if the first was no remedy, the next is none. */
export const DOUBT_PAUSE_MS = 10_000;
/** A successor that set out so lately did so in the present network. */
export const FRESH_MS = 500;
