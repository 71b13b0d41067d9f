import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { BlobFiles } from "../blob/blob-files.ts";
import { S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { showName } from "../bytes/name.ts";
import { type Extent, HOLE, Image, INLINE } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { rootOf, type WalkEntry, walk } from "../fs/walk.ts";
import { newAttr, ROOT_NODE } from "../vfs/file-system.ts";

/** Bytes compared of a file. */
const SAMPLE = 64 << 10;
/** Longer paths cannot be opened (PATH_MAX, with room for what goes before them). */
const MAX_PATH = 4000;

/** A piece of a file that lies in one blob. */
interface Sample {
  readonly file: WalkEntry;
  readonly offset: number;
  readonly length: number;
}

/**
 * Compares what the kernel shows of an image with what this program reads of it: the root's attributes, and of
 * every blob some bytes. A kernel that takes devices for one another mounts all the same and shows wrong data.
 *
 * @param root path of the mount's root
 * @throws Error naming the first difference
 */
export function proveMount(root: string, opened: OpenedImage): void {
  let loss = "";
  const blobs = new BlobFiles(opened.files, (_, problem) => {
    loss = problem;
  });
  const image = new Image(opened.handle);
  const fs = new ImageFileSystem(image, blobs);
  try {
    proveRoot(root, fs);
    const wanted = Buffer.alloc(SAMPLE);
    const found = Buffer.alloc(SAMPLE);
    for (const { file, offset, length } of samples(image, fs, opened.report.dataEnds)) {
      const path = Buffer.concat([Buffer.from(root), file.path]);
      if (fs.read(file.node, offset, length, wanted, 0) !== length) throw new Error(loss);
      const read = readAt(path, found, offset, length);
      if (read !== length || !found.subarray(0, length).equals(wanted.subarray(0, length)))
        throw new Error(`${showName(file.path)}: the kernel shows other bytes than the image has`);
    }
  } finally {
    blobs.close();
  }
}

function proveRoot(root: string, fs: ImageFileSystem): void {
  const attr = newAttr();
  fs.attr(ROOT_NODE, attr);
  const stats = statSync(root);
  for (const field of ["mode", "uid", "gid", "ino", "nlink"] as const)
    if (stats[field] !== attr[field])
      throw new Error(`the root's ${field} is ${stats[field]}, the image has ${attr[field]}`);
}

/**
 * One piece of data for every file that has any: the blobs, or the image itself when there are none. All that a layer has may be
 * hidden, and would be looked for in the whole tree.
 *
 * @param ends where the data of each device ends, if that is known
 */
function* samples(image: Image, fs: ImageFileSystem, ends: readonly number[]): Generator<Sample> {
  const { devices, isFlat } = image.handle;
  const blobs = devices.map((_, i) => i + 1).filter((device) => ends[device - 1] !== 0);
  const missing = new Set(isFlat || devices.length === 0 ? [0] : blobs);
  const extent: Extent = { device: 0, address: 0, length: 0 };
  for (const file of walk(fs, rootOf(fs), () => true, false)) {
    if (missing.size === 0) return;
    const { ino, mode, size } = file.attr;
    if ((mode & S_IFMT) !== S_IFREG || file.path.length > MAX_PATH) continue;
    for (let offset = 0; offset < size && missing.size > 0; offset += extent.length) {
      image.extent(image.inodeAt(ino), offset, size, extent);
      const lies = extent.device === INLINE ? 0 : extent.device;
      if (lies !== HOLE && missing.delete(lies))
        yield { file, offset, length: Math.min(SAMPLE, extent.length) };
    }
  }
}

function readAt(path: Buffer, into: Buffer, offset: number, length: number): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let done = 0;
    for (let n = 1; n > 0 && done < length; done += n)
      n = readSync(fd, into, done, length - done, offset + done);
    return done;
  } finally {
    closeSync(fd);
  }
}
