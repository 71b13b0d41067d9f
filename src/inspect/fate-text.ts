import type { Version } from "../layers/layered-image.ts";

/** What became of a version, in two or three words. */
export function fateText({ fate, by }: Version): string {
  if (by === undefined) return "seen";
  if (fate === "attributes") return `named again by ${by.layer}`;
  return `${fate} ${fate === "overwritten" || fate === "replaced" ? "by" : "of"} ${by.layer}`;
}
