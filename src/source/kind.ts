import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, StartError } from "../bytes/errors.ts";
import { MAGIC, SUPER_AT } from "../erofs/superblock.ts";

/** What a source is: an image to mount as it is, one layer's tar (compressed or not), or a directory of images. */
export type Kind = "image" | "layer" | "oci-layout";

/** @throws StartError when there is nothing of use */
export function kindOf(path: string): Kind {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new StartError(`${path}: no such file`);
  if (stats.isDirectory()) {
    if (existsSync(join(path, "oci-layout"))) return "oci-layout";
    throw new StartError(`${path}: a directory, but no OCI image layout: it has no file oci-layout`);
  }
  if (!stats.isFile()) return "layer"; // a fifo or device: read once
  return hasSuperblock(path) ? "image" : "layer";
}

function hasSuperblock(path: string): boolean {
  const magic = new DataView(new ArrayBuffer(4));
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new StartError(messageOf(error));
  }
  try {
    return readSync(fd, magic, 0, 4, SUPER_AT) === 4 && magic.getUint32(0, true) === MAGIC;
  } finally {
    closeSync(fd);
  }
}
