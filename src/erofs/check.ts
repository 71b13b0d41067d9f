import { FormatError } from "../bytes/errors.ts";
import type { Bits } from "./bits.ts";
import { type AddressSpace, addressOn, deviceAt, deviceSlot } from "./device.ts";
import { INODE_SLOT_SIZE } from "./inode.ts";
import type { MetaFile } from "./meta-file.ts";
import type { Superblock } from "./superblock.ts";
import type { Prefixes } from "./xattr.ts";

/** What the checks of one image share. */
export interface CheckContext extends AddressSpace {
  readonly meta: MetaFile;
  readonly sb: Superblock;
  /** Real length of each device's file in bytes, 0 when it is missing. */
  readonly deviceSizes: readonly number[];
  readonly deviceMask: number;
  readonly prefixes: Prefixes;
  /** Inode slots of the image that some metadata has taken: what is taken once cannot be taken again. */
  readonly claimed: Bits;
  /** Ranges taken since the last check began, as pairs of first slot and slot after the last. */
  readonly taken: number[];
  /** Slots that may still be given back; bounds the work that a crafted image can cause in a lenient pass. */
  returnable: number;
  /** Where the last data ends that lies on each device's file. */
  readonly dataEnds: number[];
  hasXattrs: boolean;
  hasAcls: boolean;
  /** What the kernel shows although it breaks the format is refused, too. */
  readonly isStrict: boolean;
  /** How much of that there is, and the first. */
  odd: number;
  firstOdd: FormatError | undefined;
}

/** @throws FormatError always */
export function fail(ctx: CheckContext, at: number, problem: string): never {
  throw new FormatError(problem, { file: ctx.meta.file, at });
}

/**
 * Something that breaks the format, that builders write all the same, and that the kernel shows in its own way, as does
 * `ImageFileSystem`: counted, and refused by a strict check only.
 */
export function noteOdd(ctx: CheckContext, at: number, problem: string): void {
  if (ctx.isStrict) fail(ctx, at, problem);
  ctx.odd++;
  ctx.firstOdd ??= new FormatError(problem, { file: ctx.meta.file, at });
}

/**
 * Takes `[at, at + length)` for one piece of metadata. Nothing that a builder writes overlaps, and because
 * nothing may, the work of checking an image is bounded by its size, however it was crafted.
 *
 * @param inode byte offset of the inode that the piece belongs to, for messages
 * @throws FormatError if the range is outside the image or taken already
 */
export function claim(ctx: CheckContext, at: number, length: number, what: string, inode: number): void {
  if (length === 0) return;
  const range = () => `${what} of ${length} bytes at 0x${at.toString(16)}`;
  if (at + length > ctx.meta.size)
    fail(ctx, inode, `${range()} does not end inside the image, at 0x${ctx.meta.size.toString(16)}`);
  ctx.meta.mustHold(at, length);
  const first = Math.floor(at / INODE_SLOT_SIZE);
  const end = Math.floor((at + length - 1) / INODE_SLOT_SIZE) + 1;
  for (let slot = first; slot < end; slot++) {
    if (ctx.claimed.has(slot)) {
      ctx.taken.push(first, slot);
      fail(ctx, inode, `${range()} overlaps other metadata, at 0x${(slot * INODE_SLOT_SIZE).toString(16)}`);
    }
    ctx.claimed.add(slot);
  }
  ctx.taken.push(first, end);
  // After the loop: a range that cannot be taken costs no reading.
  ctx.meta.need(at, length);
}

/** Gives back what a check has taken that then failed, so that what it hid can still be found valid. */
export function giveBack(ctx: CheckContext): void {
  for (let i = 0; i < ctx.taken.length; i += 2) {
    const end = ctx.taken[i + 1] as number;
    for (let slot = ctx.taken[i] as number; slot < end && ctx.returnable > 0; slot++, ctx.returnable--)
      ctx.claimed.delete(slot);
  }
}

/**
 * Checks that file bytes lie inside the file that is said to hold them.
 *
 * @param device as on disk: 0 is the unified space, i is slot i - 1
 * @param address byte address there
 * @param at where in the image this is said
 */
export function checkRange(
  ctx: CheckContext,
  device: number,
  address: number,
  length: number,
  at: number,
): void {
  const { devices, deviceSizes, isFlat, blockSize, meta } = ctx;
  if (device > devices.length) fail(ctx, at, `device ${device}, want at most ${devices.length}`);
  const found = deviceAt(ctx, device, address);
  const end = addressOn(ctx, device, found, address) + length;
  if (found === 0) {
    if (end > meta.size) fail(ctx, at, `data ends at byte ${end}, the image has ${meta.size}`);
    return;
  }
  const { blocks, unifiedAt, id } = deviceSlot(ctx, found);
  const real = isFlat ? meta.size - unifiedAt : (deviceSizes[found - 1] ?? 0);
  // The device table counts whole blocks; a tar may end inside one more.
  if (end >= (blocks + 1) * blockSize)
    fail(ctx, at, `data ends at byte ${end} of device ${found}, which has ${blocks} blocks of ${blockSize}`);
  if (end > Number.MAX_SAFE_INTEGER) fail(ctx, at, `data ends at byte ${end}, want below 2^53`);
  if (end > real) fail(ctx, at, `data ends at byte ${end} of blob ${id || found}, its file has ${real}`);
  if (end > (ctx.dataEnds[found - 1] ?? 0)) ctx.dataEnds[found - 1] = end;
}
