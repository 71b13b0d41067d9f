import { MAX_NAME } from "../bytes/limits.ts";
import { compareBytes, DOT, SLASH, showName } from "../bytes/name.ts";
import { type CheckContext, fail } from "./check.ts";
import { DIRENT_SIZE, direntCount, direntNameOff, direntNid, direntType, nameLength } from "./dirent.ts";
import { flatBlockAt } from "./image.ts";
import { inodeBit4, inodeSize } from "./inode.ts";

/** Told of each entry but `.` and `..`, `entry` being its byte offset. */
export type OnEntry = (nid: number, type: number, entry: number, nameLength: number) => void;

/**
 * Checks the blocks of a directory whose inode is valid and whose blocks were claimed: entry array,
 * names, order over all blocks, `.` and `..`.
 *
 * @param at byte offset of the directory's inode
 * @param nid its own, `parent` its parent's: what `.` and `..` must name
 * @throws FormatError
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one pass over all names, which hands on the last one
export function checkDirectory(
  ctx: CheckContext,
  at: number,
  nid: number,
  parent: number,
  onEntry: OnEntry,
): void {
  const { bytes, view: v } = ctx.meta;
  const { blockBits, blockSize } = ctx.sb;
  const size = inodeSize(v, at);
  let hasDot = inodeBit4(v, at);
  let hasDotDot = false;
  let previousAt = 0;
  let previousLength = 0;
  for (let k = 0; k * blockSize < size; k++) {
    const block = flatBlockAt(v, at, k, blockBits);
    const end = Math.min(blockSize, size - k * blockSize);
    const count = checkArray(ctx, block, end);
    for (let i = 0; i < count; i++) {
      const entry = block + i * DIRENT_SIZE;
      const nameAt = block + direntNameOff(v, entry);
      const length = nameLength(v, bytes, block, end, i, count);
      checkName(ctx, nameAt, length);
      if (previousLength > 0 && compareBytes(bytes, nameAt, length, bytes, previousAt, previousLength) <= 0)
        fail(
          ctx,
          entry,
          `name "${shown(ctx, nameAt, length)}" does not sort after "${shown(ctx, previousAt, previousLength)}"`,
        );
      previousAt = nameAt;
      previousLength = length;
      const target = direntNid(v, entry);
      if (bytes[nameAt] === DOT && length === 1) {
        if (target !== nid) fail(ctx, entry, `"." is nid ${target}, want ${nid}`);
        if (hasDot) fail(ctx, entry, '"." is there, the inode says it is left out');
        hasDot = true;
      } else if (bytes[nameAt] === DOT && length === 2 && bytes[nameAt + 1] === DOT) {
        if (target !== parent) fail(ctx, entry, `".." is nid ${target}, want ${parent}`);
        hasDotDot = true;
      } else onEntry(target, direntType(v, entry), entry, length);
    }
  }
  if (!hasDot) fail(ctx, at, 'directory has no "."');
  if (!hasDotDot) fail(ctx, at, 'directory has no ".."');
}

/** @returns the number of entries in the block */
function checkArray(ctx: CheckContext, block: number, end: number): number {
  const v = ctx.meta.view;
  if (end < DIRENT_SIZE) fail(ctx, block, `directory block of ${end} bytes holds no entry`);
  const first = direntNameOff(v, block);
  if (first < DIRENT_SIZE || first % DIRENT_SIZE !== 0 || first >= end)
    fail(ctx, block, `first name is at ${first} of ${end}, want a multiple of 12 inside the block`);
  const count = direntCount(v, block);
  for (let i = 1, before = first; i < count; i++) {
    const off = direntNameOff(v, block + i * DIRENT_SIZE);
    if (off <= before || off >= end)
      fail(ctx, block + i * DIRENT_SIZE, `name is at ${off}, want between ${before} and ${end}`);
    before = off;
  }
  return count;
}

/** That it may be too long is for whoever is told of the entry. */
function checkName(ctx: CheckContext, at: number, length: number): void {
  if (length < 1) fail(ctx, at, `name is ${length} bytes, want 1…${MAX_NAME}`);
  const { bytes } = ctx.meta;
  for (let i = at; i < at + length; i++)
    if (bytes[i] === 0 || bytes[i] === SLASH)
      fail(ctx, i, `name "${shown(ctx, at, length)}" holds a ${bytes[i] === 0 ? "NUL" : "slash"}`);
}

const shown = (ctx: CheckContext, at: number, length: number): string =>
  showName(ctx.meta.bytes.subarray(at, at + length));
