// Setup: the English table.
import { doctor } from "./doctor";
import { page } from "./page";

export const table = { page, doctor } as const;
