// Setup: the German table.
import type { Table } from "../table";
import { doctor } from "./doctor";
import { page } from "./page";

export const table: Table = { page, doctor };
