import { closeSync, fstatSync, openSync } from "node:fs";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { Image } from "../erofs/image.ts";
import { checkTree, readTables } from "../erofs/open.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { syncFileSystem } from "../syscalls/attributes.ts";
import { LayerUnpacker } from "./layer-unpacker.ts";
import { LowerDirectories } from "./overlay.ts";
import type { UnpackTask } from "./tasks.ts";

/**
 * Unpacks a layer into an empty directory, as overlayfs wants it. All of it is on disk then.
 *
 * @throws OperationalError, FormatError, SystemCallError, a system error
 */
export async function unpackLayer({ bootstrap, blobs, directory, below }: UnpackTask): Promise<null> {
  await loadSystemCalls();
  const fds: number[] = [];
  const opened = (path: string): number => {
    const fd = openSync(path, "r");
    fds.push(fd);
    return fd;
  };
  try {
    const image = openImage(opened(bootstrap), bootstrap, (id) => {
      const found = blobs.find((blob) => blob.id === id);
      if (found === undefined)
        throw new OperationalError(`${bootstrap}: it refers to ${id}, which is not there`);
      return opened(found.path);
    });
    new LayerUnpacker(image, new LowerDirectories(below)).unpack(directory);
    syncFileSystem(opened(directory));
    return null;
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** A layer's tree, and where its data are, by device. */
export interface OpenLayer {
  readonly image: Image;
  readonly devices: readonly number[];
}

function openImage(fd: number, path: string, openBlob: (id: string) => number): OpenLayer {
  const tables = readTables(fd, fstatSync(fd).size, path);
  if (tables.rafs?.isTarfs !== true) throw new FormatError("no bootstrap of a tar", { file: path, at: 0 });
  const devices = tables.devices.map(({ id }) => openBlob(id));
  const sizes = devices.map((device) => fstatSync(device).size);
  return { image: new Image(checkTree(tables, sizes, false, true).handle), devices };
}
