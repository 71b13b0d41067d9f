import { elementAt } from "../bytes/element-at.ts";
import { closeSync } from "node:fs";
import { BlobFiles } from "../blob/blob-files.ts";
import { type BlobFile, type BlobSearch, blobFile } from "../blob/locate.ts";
import { OperationalError } from "../bytes/errors.ts";
import { Image, type ImageHandle } from "../erofs/image.ts";
import { checkTree, type ImageTables, readTables, type TreeReport } from "../erofs/open.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { openBootstrap, openImage } from "../fs/open-image.ts";

/** An image that was checked, to be looked at by one thread. */
export interface ImageView {
  readonly tables: ImageTables;
  readonly report: TreeReport;
  readonly image: Image;
  readonly fs: ImageFileSystem;
  /** File 0 is the image itself, file i holds device slot i - 1; only the image when its blobs were not asked for. */
  readonly files: readonly BlobFile[];
  readonly blobs: BlobFiles;
  /** What was wrong with each blob whose data could not be read; a read answers only -EIO. */
  readonly failures: readonly string[];
}

/** How long a tar is that is not opened is not known: its device slot is believed. */
const UNKNOWN_SIZE = Number.MAX_SAFE_INTEGER;

/**
 * Opens an image and checks the whole of it.
 *
 * @param search where its blobs are; without, only metadata can be looked at, and no blob need be there
 * @throws OperationalError when a file is missing, too short or unreadable; FormatError when the image is broken
 */
export function openImageView(path: string, search?: BlobSearch): ImageView {
  const { fd, stats } = openBootstrap(path);
  try {
    const tables = readTables(fd, stats.size, path);
    let handle: ImageHandle;
    let report: TreeReport;
    let files: readonly BlobFile[] = [blobFile(path, stats)];
    if (search === undefined) {
      const sizes = tables.devices.map(() => UNKNOWN_SIZE);
      ({ handle, report } = checkTree(tables, sizes, false));
    } else ({ handle, report, files } = openImage(path, search));
    const failures: string[] = [];
    const blobs = new BlobFiles(files, (_, problem) => failures.push(problem));
    const image = new Image(handle);
    return { tables, report, image, fs: new ImageFileSystem(image, blobs), files, blobs, failures };
  } finally {
    closeSync(fd);
  }
}

/** The id of a device slot, or its number from 1 when the image gives it none. */
export const blobName = ({ tables }: ImageView, slot: number): string =>
  elementAt(tables.devices, slot).id || String(slot + 1);

/** Tells a read that failed, in the words of the blob that failed it. */
export function readError(view: ImageView, path: string): OperationalError {
  return new OperationalError(`${path}: ${view.failures.at(-1) ?? "cannot be read"}`);
}
