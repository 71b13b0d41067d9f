import { walk } from "../fs/walk.ts";
import { describe, describeLine } from "./describe.ts";
import { findPath } from "./find.ts";
import { openImageView } from "./image-view.ts";

/** Lines are handed on in pieces of so many characters: one a line would be a system call each. */
const PIECE = 64 * 1024;

/**
 * Lists everything from `path` down, a line each.
 *
 * @param json JSON objects instead of lines for people
 * @param print gets text that ends with a newline
 * @throws OperationalError when there is no such path; FormatError when the image is broken
 */
export function listTree(
  bootstrap: string,
  path: string,
  json: boolean,
  print: (text: string) => void,
): void {
  const view = openImageView(bootstrap);
  let text = "";
  for (const walked of walk(view.fs, findPath(view.fs, path))) {
    text += json ? `${JSON.stringify(describe(view, walked))}\n` : `${describeLine(view, walked)}\n`;
    if (text.length < PIECE) continue;
    print(text);
    text = "";
  }
  print(text);
}
