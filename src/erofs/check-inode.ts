import { MAX_PATH } from "../bytes/limits.ts";
import * as errno from "../bytes/errno.ts";
import { type CheckContext, checkRange, claim, fail, noteOdd } from "./check.ts";
import { checkXattrs } from "./check-xattr.ts";
import * as chunk from "./chunk.ts";
import { flatBlockAt, tailStart } from "./image.ts";
import * as inode from "./inode.ts";

const MAX_DIRECTORY = 2 ** 31 - 1;
/** What nydus-image writes of a symlink, whatever its target is: Linux has MAX_PATH. */
const MAX_SYMLINK = 0xffff;

/**
 * Checks one inode with everything that hangs on it but a directory's blocks, and takes its bytes.
 *
 * @param at byte offset of the inode
 * @returns its mode
 * @throws FormatError
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: rules in the order of the format, none within another
export function checkInode(ctx: CheckContext, at: number): number {
  ctx.meta.need(at, inode.INODE_COMPACT);
  const v = ctx.meta.view;
  const format = inode.inodeFormat(v, at);
  if (format & ~inode.FORMAT_KNOWN)
    fail(ctx, at, `inode format is 0x${format.toString(16)}, want no bits above 0x1f`);
  const layout = inode.inodeLayout(v, at);
  if (layout === 1 || layout === 3)
    fail(ctx, at, `inode layout is ${layout}: compressed data cannot be served`);
  if (layout !== inode.FLAT_PLAIN && layout !== inode.FLAT_INLINE && layout !== inode.CHUNK_BASED)
    fail(ctx, at, `inode layout is ${layout}, want 0, 2 or 4`);
  const mode = inode.inodeMode(v, at);
  const bytes = inode.inodeBytes(v, at);
  ctx.meta.need(at, bytes);
  if (inode.inodeNlink(v, at) < 1) fail(ctx, at, "nlink is 0, want at least 1");
  const nsec = inode.inodeMtimeNsec(v, at, ctx.sb.fixedNsec);
  if (nsec >= 1e9) fail(ctx, at, `mtime has ${nsec} nanoseconds, want below 10^9`);
  const mtime = inode.inodeMtime(v, at, ctx.sb.epoch);
  if (!Number.isSafeInteger(mtime)) {
    const problem = `mtime is ${mtime}, want within 2^53 of 0`;
    if (!inode.inodeIsExtended(v, at)) fail(ctx, at, problem);
    noteOdd(ctx, at, problem);
  }
  const fixed = bytes + inode.inodeXattrBytes(v, at);
  const size = inode.inodeSize(v, at);
  if (size > Number.MAX_SAFE_INTEGER) fail(ctx, at, `size is ${size}, want below 2^53`);
  const type = mode & errno.S_IFMT;
  if (type === errno.S_IFREG) checkRegular(ctx, at, layout, size, fixed);
  else if (type === errno.S_IFDIR || type === errno.S_IFLNK) {
    const isDirectory = type === errno.S_IFDIR;
    const what = isDirectory ? "directory" : "symlink";
    const limit = isDirectory ? MAX_DIRECTORY : MAX_PATH;
    if (size < 1 || size > limit) {
      const problem = `${what} is ${size} bytes, want 1…${limit}`;
      if (isDirectory || size > MAX_SYMLINK) fail(ctx, at, problem);
      noteOdd(ctx, at, problem);
    }
    if (layout === inode.CHUNK_BASED) fail(ctx, at, `${what} is chunk-based, want a flat layout`);
    const tail = layout === inode.FLAT_INLINE ? tailStart(size, ctx.sb.blockSize) : size;
    checkTail(ctx, at + fixed, size - tail);
    claim(ctx, at, fixed + (size - tail), `${what} inode`, at);
    if (tail > 0 && inode.inodeStartBlock(v, at) < 0) fail(ctx, at, `${what} has no data`);
    if (!isDirectory) {
      claimBlocks(ctx, at, what);
      checkSymlink(ctx, at, size);
    }
  } else if (!isSpecial(type)) fail(ctx, at, `mode is 0${mode.toString(8)}: no such file type`);
  else claim(ctx, at, fixed, "inode", at);
  if (fixed > bytes) checkXattrs(ctx, at + bytes, fixed - bytes);
  return mode;
}

const isSpecial = (type: number): boolean =>
  type === errno.S_IFCHR || type === errno.S_IFBLK || type === errno.S_IFIFO || type === errno.S_IFSOCK;

function checkRegular(ctx: CheckContext, at: number, layout: number, size: number, fixed: number): void {
  const v = ctx.meta.view;
  if (layout === inode.CHUNK_BASED) {
    checkChunks(ctx, at, size);
    return;
  }
  const tail = layout === inode.FLAT_INLINE ? tailStart(size, ctx.sb.blockSize) : size;
  checkTail(ctx, at + fixed, size - tail);
  claim(ctx, at, fixed + (size - tail), "inode", at);
  const start = inode.inodeStartBlock(v, at);
  if (tail > 0 && start >= 0) checkRange(ctx, 0, start * ctx.sb.blockSize, tail, at);
}

function checkChunks(ctx: CheckContext, at: number, size: number): void {
  const { blockBits, blockSize } = ctx.sb;
  const v = ctx.meta.view;
  const format = inode.inodeChunkFormat(v, at);
  if (format & ~chunk.CHUNK_KNOWN)
    fail(ctx, at, `chunk format is 0x${format.toString(16)}, want no bits above 0x7f`);
  const chunkSize = chunk.chunkSizeOf(v, at, blockBits);
  const count = Math.ceil(size / chunkSize);
  const unit = chunk.chunkEntrySize(v, at);
  const array = chunk.chunkArrayAt(v, at);
  if (array + count * unit > ctx.meta.size)
    fail(ctx, at, `${count} chunks of a file of ${size} bytes do not fit in the image`);
  claim(ctx, at, array + count * unit - at, "inode", at);
  for (let k = 0, entry = array; k < count; k++, entry += unit) {
    const block = chunk.chunkBlock(v, entry, format);
    if (block < 0) continue;
    const device = chunk.chunkDevice(v, entry, format, ctx.deviceMask);
    checkRange(ctx, device, block * blockSize, Math.min(chunkSize, size - k * chunkSize), entry);
  }
}

/** Claims the blocks of a directory or symlink whose inode is valid: they lie in the image itself. */
export function claimBlocks(ctx: CheckContext, at: number, what: string): void {
  const v = ctx.meta.view;
  const size = inode.inodeSize(v, at);
  const isInline = inode.inodeLayout(v, at) === inode.FLAT_INLINE;
  const length = isInline ? tailStart(size, ctx.sb.blockSize) : size;
  claim(ctx, inode.inodeStartBlock(v, at) * ctx.sb.blockSize, length, what, at);
}

function checkTail(ctx: CheckContext, at: number, length: number): void {
  if (length > 0 && (at % ctx.sb.blockSize) + length > ctx.sb.blockSize)
    fail(ctx, at, `inline tail of ${length} bytes crosses a block boundary`);
}

/** A target that is long is left at that: it is noted already. */
function checkSymlink(ctx: CheckContext, at: number, size: number): void {
  if (size > MAX_PATH) return;
  const { blockBits, blockSize } = ctx.sb;
  for (let k = 0; k * blockSize < size; k++) {
    const from = flatBlockAt(ctx.meta.view, at, k, blockBits);
    const end = from + Math.min(blockSize, size - k * blockSize);
    const nul = ctx.meta.bytes.subarray(from, end).indexOf(0);
    if (nul < 0) continue;
    noteOdd(ctx, from + nul, "symlink target has a NUL");
    return;
  }
}
