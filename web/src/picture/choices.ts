// Shell: what the user has chosen for the picture in this browser: whether the desktop follows the window, and how it is
// scaled where it does not.
import type { Store } from "../connection/identity";
import { byDefault, flag, oneOf, parse, struct, type Read } from "../wire/schema";

const choices = struct({ follow: flag, scaling: byDefault(oneOf(["fit", "exact"]), "fit") });
export type PictureChoices = Read<typeof choices>;

/** The entry under which they are. */
const KEY = "gst-vdi.picture";

/** What holds until somebody chooses. On a phone the desktop does not follow unless asked to: nobody's windows fit there. */
export function pictureDefaults(touch: boolean): PictureChoices {
  return { follow: !touch, scaling: "fit" };
}

/** What was chosen before. */
export function pictureChoices(store: Store, touch: boolean): PictureChoices {
  try {
    const kept = store.getItem(KEY);
    if (kept !== null) return parse(choices, kept);
  } catch {
    // The browser forbids storage, or holds what another version wrote.
  }
  return pictureDefaults(touch);
}

/** Keeps them, where the browser keeps anything. */
export function keepPictureChoices(store: Store, chosen: PictureChoices): void {
  try {
    store.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // They hold for as long as the page is there.
  }
}
