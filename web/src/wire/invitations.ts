// The wire: invitations, mirrored from `invitations` of the crate `protocol`.
import { byDefault, flag, integer, list, number, oneOf, struct, text, type Read } from "./schema";

/** The query of the page's address by which somebody comes with an invitation. */
export const INVITE_QUERY = "invite";

const id = integer(0, 0xffff_ffff);
const role = oneOf(["controller", "viewer"]);

const invitation = struct({ id, role, seconds: number });
/** One that holds. */
export type Invitation = Read<typeof invitation>;

/** Which hold, and whether this page may invite. */
export const invitations = { allowed: byDefault(flag, false), invitations: byDefault(list(invitation), []) };

/** The one time that its token is told. */
export const invited = { id, token: text };

/** Why there is none. */
export const notInvited = { reason: oneOf(["notAllowed", "tooMany", "badDuration"]) };

export const invite = { role, seconds: id };
export const revoke = { id };
