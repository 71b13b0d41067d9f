import type { Version } from "../layers/layered-image.ts";

/** Of a blob's id. */
export const SHOWN_ID = 12;

/** Byte of a tar where a file's data begin. */
export function placeText({ pieces }: Pick<Version, "pieces">): string {
  const [first] = pieces;
  return first === undefined ? "-" : `${first.blobId.slice(0, SHOWN_ID)}@${first.dataAt}`;
}
