import { closeSync } from "node:fs";
import { BlobFiles } from "../blob/blob-files.ts";
import { type BlobSearch, openSame } from "../blob/locate.ts";
import { Image } from "../erofs/image.ts";
import { type ImageTables, readTables } from "../erofs/open.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { openBootstrap, openTables } from "../fs/open-image.ts";
import type { DiskFile } from "./disk-reader.ts";
import type { FlatDisk } from "./flat-disk.ts";
import { type BlobPlace, layoutOf } from "./layout.ts";
import { singleDevice } from "./single-device.ts";

/** An image as a disk, and the files that it lies in. */
export interface ImageDisk {
  readonly tables: ImageTables;
  readonly image: Image;
  /** For names of what lies in the disk; no byte of data is read by it. */
  readonly fs: ImageFileSystem;
  readonly disk: FlatDisk;
  /** By device slot. */
  readonly blobs: readonly BlobPlace[];
  /** As the runs of the disk number them; open. */
  readonly files: readonly DiskFile[];
  close(): void;
}

/**
 * Opens an image, checks the whole of it, and lays it out as a disk.
 *
 * @param isSingle its data are to be addressed in the disk itself
 * @throws OperationalError, FormatError; nothing is open then
 */
export function openImageDisk(path: string, search: BlobSearch, isSingle: boolean): ImageDisk {
  const file = openBootstrap(path);
  const { fd, stats } = file;
  const files: DiskFile[] = [{ fd, name: path }];
  const close = () => {
    for (const file of files) closeSync(file.fd);
  };
  try {
    const tables = readTables(fd, stats.size, path);
    const opened = openTables(tables, file, search);
    for (const file of opened.files.slice(1)) files.push({ fd: openSame(file), name: file.path });
    const image = new Image(opened.handle);
    const layout = layoutOf(tables, [stats.size, ...opened.files.slice(1).map(({ size }) => size)]);
    const disk = isSingle ? singleDevice(tables, image, layout) : layout.disk;
    const fs = new ImageFileSystem(image, new BlobFiles(opened.files, () => {}));
    return { tables, image, fs, disk, blobs: layout.blobs, files, close };
  } catch (error) {
    close();
    throw error;
  }
}
