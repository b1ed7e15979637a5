// Setup: the English table.
import { doctor } from "./doctor";
import { page } from "./page";
import { share } from "./share";

export const table = { page, share, doctor } as const;
