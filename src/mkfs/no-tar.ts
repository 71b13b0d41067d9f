import { readSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import { LONG_HEAD } from "../bytes/magic.ts";
import { FileBytes } from "../tar/file-bytes.ts";
import { type ArchiveMembers, archiveOf } from "../tar/image-archive.ts";
import type { Part } from "../tar/layer-file.ts";
import { TarReader } from "../tar/reader.ts";
import { kindOfFile } from "../tar/kind-of-file.ts";

/** Two blocks of zeros end a tar; GNU tar, BSD tar and Python fill up the record that they are in. */
const BLOCK = 512;
const END = 2 * BLOCK;
const RECORD = 10_240;
const PIECE = 1 << 20;

interface Circumstances {
  /** All of it is there. */
  readonly isEnd: boolean;
  /** See CreateRequest. */
  readonly isOfImage: boolean;
}

/**
 * An empty tar is one or more blocks of zeros and nothing else; so is a blank disk, but longer.
 *
 * @param part no header was found in it
 * @throws OperationalError when it is nothing, or something else
 */
export function mustBeEmptyTar(
  fd: number,
  part: Part,
  name: string,
  { isEnd, isOfImage }: Circumstances,
): void {
  const { size } = part;
  // Of an endless one this much says enough.
  if (!isEnd && (isOfImage || size < LONG_HEAD)) return;
  if (!isZero(fd, isEnd ? part : { ...part, size: LONG_HEAD })) {
    if (!isEnd) return;
    refuseOtherKind(fd, part, name);
    throw new OperationalError(`${name}: no tar: it begins with an end marker, and other bytes follow`);
  }
  if (isOfImage) return;
  if (size === 0) throw new OperationalError(`${name}: no bytes at all: did what should write it fail?`);
  if (size < END || size > RECORD || size % BLOCK !== 0)
    throw new OperationalError(
      `${name}: no tar: nothing but zeros, as on a blank disk (${size} bytes${isEnd ? "" : " so far"})`,
    );
}

/** @throws OperationalError when its bytes show what it is, and that is no tar */
export function refuseOtherKind(fd: number, part: Part, name: string): void {
  const found = kindOfFile(fd, part);
  if (found !== undefined && found.reads !== "tar")
    throw new OperationalError(`${name}: what is stored in it is ${found.what}, no tar`);
}

/**
 * Of what is stored before it is known what it is.
 *
 * @param isEnd all of it is there
 * @throws OperationalError when it is neither a tar nor an image
 */
export function mustBeOfUse(fd: number, size: number, name: string, isEnd: boolean): void {
  const part = { at: 0, size };
  const reads = size < BLOCK ? undefined : kindOfFile(fd, part)?.reads;
  if (reads === "tar" || reads === "erofs") return;
  const reader = new TarReader(new FileBytes(fd, name), name);
  try {
    reader.next(size, isEnd);
  } catch (error) {
    if (reader.isBlank) refuseOtherKind(fd, part, name);
    throw error;
  }
  if (reader.isBlank) mustBeEmptyTar(fd, part, name, { isEnd, isOfImage: false });
}

/** @throws OperationalError when the tar is an archive of images, which has layers but is none */
export function mustBeNoArchive(fd: number, members: ArchiveMembers, name: string): void {
  const archive = archiveOf(fd, members, () => {});
  if (archive !== undefined)
    throw new OperationalError(
      `${name}: ${archive.what}, no layer; nydusd-ts mount ${name} DIR mounts the image in it`,
    );
}

function isZero(fd: number, { at, size }: Part): boolean {
  const buffer = Buffer.alloc(Math.min(PIECE, size));
  for (let done = 0; done < size; ) {
    const n = readSync(fd, buffer, 0, Math.min(buffer.length, size - done), at + done);
    if (n === 0) return true; // it became shorter: what else reads it says so
    if (buffer.subarray(0, n).some((byte) => byte !== 0)) return false;
    done += n;
  }
  return true;
}
