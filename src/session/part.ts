import type { EntryChange } from "../pseudo/change.ts";
import type { Resident } from "./submount.ts";

/** What is new in a change. */
export interface Part {
  readonly placed?: readonly Resident[];
  readonly entries?: readonly EntryChange[];
  readonly forwarded?: readonly Resident[];
  readonly freed?: readonly number[];
}
