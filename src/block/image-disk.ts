import { closeSync } from "node:fs";
import { BlobFiles } from "../blob/blob-files.ts";
import { type BlobSearch, openSame } from "../blob/locate.ts";
import { Image } from "../erofs/image.ts";
import { type ImageTables, readTables } from "../erofs/open.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { openBootstrap, openTables } from "../fs/open-image.ts";
import { alignedDisk, LARGE_BLOCK } from "./aligned-disk.ts";
import type { DiskFile } from "./disk-reader.ts";
import type { FlatDisk } from "./flat-disk.ts";
import { type BlobPlace, layoutOf } from "./layout.ts";
import { singleDevice } from "./single-device.ts";

/** What a disk is to be like. */
export interface DiskForm {
  /** Data are addressed in the disk itself, which names no devices. */
  readonly isSingle: boolean;
  /** For readers in larger sectors than the image's blocks: data are moved, and addressed in the disk itself. */
  readonly hasLargeBlocks: boolean;
}

/** As nydus-image writes it. */
export const FLATTENED: DiskForm = { isSingle: false, hasLargeBlocks: false };

/** An image as a disk, and the files that it lies in. */
export interface ImageDisk {
  readonly tables: ImageTables;
  readonly image: Image;
  /** For names of what lies in the disk; no byte of data is read by it. */
  readonly fs: ImageFileSystem;
  readonly disk: FlatDisk;
  /** Bytes of a block of the disk. */
  readonly blockSize: number;
  /** By device slot; none where data were moved. */
  readonly blobs: readonly BlobPlace[];
  /** As the runs of the disk number them; open. */
  readonly files: readonly DiskFile[];
  close(): void;
}

/**
 * Opens an image, checks the whole of it, and lays it out as a disk.
 *
 * @throws OperationalError, FormatError; nothing is open then
 */
export function openImageDisk(path: string, search: BlobSearch, form: DiskForm): ImageDisk {
  const file = openBootstrap(path);
  const { fd, stats } = file;
  const files: DiskFile[] = [{ fd, name: path }];
  const close = () => {
    for (const file of files) closeSync(file.fd);
  };
  try {
    const tables = readTables(fd, stats.size, path);
    const isMoved = form.hasLargeBlocks && tables.sb.blockSize < LARGE_BLOCK;
    const opened = openTables(tables, file, search, { strict: isMoved });
    for (const file of opened.files.slice(1)) files.push({ fd: openSame(file), name: file.path });
    const image = new Image(opened.handle);
    const fs = new ImageFileSystem(image, new BlobFiles(opened.files, () => {}));
    const sizes = [stats.size, ...opened.files.slice(1).map(({ size }) => size)];
    const common = { tables, image, fs, files, close };
    if (isMoved)
      return { ...common, disk: alignedDisk(tables, image, sizes), blockSize: LARGE_BLOCK, blobs: [] };
    const layout = layoutOf(tables, sizes);
    const disk = form.isSingle ? singleDevice(tables, image, layout) : layout.disk;
    return { ...common, disk, blockSize: tables.sb.blockSize, blobs: layout.blobs };
  } catch (error) {
    close();
    throw error;
  }
}
