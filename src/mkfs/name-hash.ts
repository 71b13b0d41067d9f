import { randomBytes } from "node:crypto";

/**
 * A key of this process: whoever writes an archive cannot know which of its names would meet in the table of a tree. A table
 * with collisions at will takes work with the square of the names.
 */
const KEY = new Uint32Array(Uint8Array.from(randomBytes(8)).buffer);
const START = KEY[0];
const FACTOR = KEY[1] | 1;

/**
 * 32 bits of a name in a directory, the high ones folded into the low ones for tables.
 *
 * @param length so many bytes are there: for each name that is looked up, so it is not checked here
 */
export function hashName(directory: number, name: Uint8Array, at: number, length: number): number {
  let h = Math.imul(directory ^ START, FACTOR);
  for (let i = at; i < at + length; i++) h = Math.imul(h ^ (h >>> 15) ^ (name[i] as number), FACTOR);
  return (h ^ (h >>> 15)) >>> 0;
}
