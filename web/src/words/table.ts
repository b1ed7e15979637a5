// Setup: the shape of a language's table, which is that of the English one. A word that a language lacks is an error of
// the compiler, and so is one that English does not have.
import type { table as english } from "./en";

/** The same shape with any words in it. */
type Any<T> = T extends string ? string : T extends (...of: infer Of) => string ? (...of: Of) => string : { readonly [Name in keyof T]: Any<T[Name]> };

export type Table = Any<typeof english>;
export type PageWords = Table["page"];
export type ShareWords = Table["share"];
export type DoctorWords = Table["doctor"];
