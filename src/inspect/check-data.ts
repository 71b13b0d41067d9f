import { SHA256 } from "../bytes/sha256.ts";
import { elementAt } from "../bytes/element-at.ts";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { Bits } from "../erofs/bits.ts";
import { HOLE } from "../erofs/image.ts";
import { INODE_SLOT_SIZE } from "../erofs/inode.ts";
import { rootOf, type WalkEntry, walk } from "../fs/walk.ts";
import { isRegular } from "./attr.ts";
import { HeaderCheck } from "./check-headers.ts";
import { runsOf } from "./data.ts";
import { type ImageView, readError } from "./image-view.ts";

const BUFFER = 1024 * 1024;

/**
 * Reads all data once: tars are what their ids say, their headers say of each file what the image says, and every file
 * can be read.
 *
 * @throws OperationalError naming the first blob or file that is wrong
 */
export async function checkData(view: ImageView): Promise<void> {
  for (let slot = 0; slot + 1 < view.files.length; slot++) await checkDigest(view, slot);
  const seen = new Bits(Math.ceil(view.tables.meta.addressed / INODE_SLOT_SIZE));
  const buffer = new Uint8Array(BUFFER);
  // A side blob is none, but is held to its digest; what other builders point into need be none.
  const { rafs, devices } = view.tables;
  const headers = new HeaderCheck(view, (slot) => !rafs?.isTarfs || SHA256.test(elementAt(devices, slot).id));
  for (const walked of walk(view.fs, rootOf(view.fs))) {
    if (!isRegular(walked.attr) || seen.has(walked.attr.ino)) continue;
    seen.add(walked.attr.ino);
    headers.check(walked);
    readThrough(view, walked, buffer);
  }
}

/**
 * Blobs of a flattened image have no file of their own, and ids that are no digest promise nothing. A side blob is no
 * tar, but its id is a digest, always: it is held to that like the others.
 */
async function checkDigest({ tables, files }: ImageView, slot: number): Promise<void> {
  const { id } = elementAt(tables.devices, slot);
  if (!SHA256.test(id)) return;
  const { path } = elementAt(files, slot + 1);
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: BUFFER })) hash.update(chunk as Buffer);
  } catch (error) {
    throw new OperationalError(`blob ${id}: ${path}: ${error instanceof Error ? error.message : error}`);
  }
  const found = hash.digest("hex");
  if (found !== id)
    throw new OperationalError(`blob ${id}: ${path}: its sha256 is ${found}: not the tar that was indexed`);
}

/** Holes are left out: a file may be nothing else, and larger than any disk. */
function readThrough(view: ImageView, { node, attr, path }: WalkEntry, buffer: Uint8Array): void {
  for (const { device, offset, length } of runsOf(view.image, attr, BUFFER)) {
    if (device === HOLE) continue;
    const n = view.fs.read(node, offset, length, buffer, 0);
    if (n !== length) throw readError(view, showName(path));
  }
}
