// Setup: the German table.
import type { Table } from "../table";
import { doctor } from "./doctor";
import { page } from "./page";
import { share } from "./share";

export const table: Table = { page, share, doctor };
