import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { type BlobFile, type BlobPlaces, locateBlob } from "../blob/locate.ts";
import { codeOf, messageOf, StartError } from "../bytes/errors.ts";
import type { ImageHandle } from "../erofs/image.ts";
import { checkTree, type ImageTables, readTables, type TreeReport } from "../erofs/open.ts";

/** An image that was checked, and where its bytes are: all that a serving thread needs, cloneable. */
export interface OpenedImage {
  readonly handle: ImageHandle;
  /** File 0 is the image itself, file i holds device slot i - 1. */
  readonly files: readonly BlobFile[];
  readonly report: TreeReport;
}

/**
 * Opens an image, finds its blobs and checks the whole of it.
 *
 * @param lenient serve what is sound of a broken image, and what is there of its blobs
 * @throws StartError when a file is missing, too short or unreadable; FormatError when the image is broken
 */
export function openImage(path: string, places: BlobPlaces, lenient: boolean): OpenedImage {
  const fd = openRegular(path);
  try {
    const stats = fstatSync(fd);
    const tables = readTables(fd, stats.size, path);
    const self: BlobFile = { path, size: stats.size, dev: stats.dev, ino: stats.ino };
    const blobs = tables.isFlat ? [] : findBlobs(tables, places, lenient);
    const sizes = blobs.map((b) => b.size);
    const { handle, report } = checkTree(tables, sizes, lenient);
    return { handle, files: [self, ...blobs], report };
  } finally {
    closeSync(fd);
  }
}

function openRegular(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new StartError(
      `bootstrap ${path}: ${codeOf(error) === "ENOENT" ? "no such file" : messageOf(error)}`,
    );
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new StartError(`bootstrap ${path}: not a regular file`);
}

/** Files of the device slots, in their order. A lenient open takes an absent or short one for what it is. */
function findBlobs({ devices, sb }: ImageTables, places: BlobPlaces, lenient: boolean): BlobFile[] {
  return devices.map(({ id, blocks }, i) => {
    const wanted = blocks * sb.blockSize;
    let file: BlobFile;
    try {
      file = locateBlob(places, i, id, wanted);
    } catch (error) {
      if (!lenient) throw error;
      return { path: id, size: 0, dev: -1, ino: -1 };
    }
    if (file.size < wanted && !lenient)
      throw new StartError(
        `blob ${id || i + 1}: ${file.path}: ${file.size} bytes is too short (wanted: ${wanted})`,
      );
    return file;
  });
}
