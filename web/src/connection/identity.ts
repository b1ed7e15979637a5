// Shell: the name that a browser gives itself, so that the server knows two pages of one user from pages of two. It is
// random, says nothing of the person, and stays in this profile.

/** Where it is kept, in the browser `localStorage`: all tabs have the same. */
export type Store = Pick<Storage, "getItem" | "setItem">;
/** The entry under which it is. */
export const CLIENT_KEY = "gst-vdi.client";
const BYTES = 16;
const NAME = /^[0-9a-f]{32}$/;

/** The browser's name; `null` where nothing is kept, since a name that nobody else knows says nothing. */
export function clientName(store: Store, random: (bytes: Uint8Array<ArrayBuffer>) => void): string | null {
  try {
    const known = store.getItem(CLIENT_KEY);
    if (known !== null && NAME.test(known)) return known;
    const bytes = new Uint8Array(BYTES);
    random(bytes);
    store.setItem(CLIENT_KEY, Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    // Another tab may have been quicker, and a browser may keep nothing without saying so.
    return store.getItem(CLIENT_KEY);
  } catch {
    return null;
  }
}
