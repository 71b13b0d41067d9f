import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { EROFS_MAGIC, SUPER_AT } from "../erofs/superblock.ts";
import { wholeFile } from "../tar/layer-file.ts";
import { compressionOf, openLayer } from "../tar/source.ts";
import { Archive, beginsArchive } from "./archive.ts";
import type { Cache } from "./cache.ts";

/** What a source is. */
export type Source =
  /** An image to mount as it is. */
  | { readonly kind: "image" }
  /** One layer's tar, compressed or not. */
  | { readonly kind: "layer" }
  /** A directory of images. */
  | { readonly kind: "oci-layout" }
  /** Images in a tar. */
  | { readonly kind: "archive"; readonly archive: Archive }
  /** Images in a tar that is compressed. */
  | { readonly kind: "compressed-archive" };

/** Decompressed bytes in which the first entry of a tar is looked for. */
const HEAD = 64 << 10;

/**
 * @param cache asked first what a compressed file is: looking into it takes a decompressor
 * @throws OperationalError when there is nothing of use
 */
export async function sourceOf(path: string, cache: () => Cache): Promise<Source> {
  if (path === "-") return { kind: "layer" };
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new OperationalError(`${path}: no such file`);
  if (stats.isDirectory()) {
    if (existsSync(join(path, "oci-layout"))) return { kind: "oci-layout" };
    throw new OperationalError(`${path}: a directory, but no OCI image layout: it has no file oci-layout`);
  }
  if (!stats.isFile()) return { kind: "layer" }; // a fifo or device: read once
  const head = headOf(path);
  if (head.length >= SUPER_AT + 4 && head.readUInt32LE(SUPER_AT) === EROFS_MAGIC) return { kind: "image" };
  if (compressionOf(head) !== "none") {
    const known = cache().find(wholeFile(path));
    const isArchive = known === undefined ? await isCompressedArchive(path) : known.kind === "archive";
    return { kind: isArchive ? "compressed-archive" : "layer" };
  }
  const archive = Archive.open(path);
  return archive === undefined ? { kind: "layer" } : { kind: "archive", archive };
}

function headOf(path: string): Buffer {
  const head = Buffer.alloc(SUPER_AT + 4);
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new OperationalError(messageOf(error));
  }
  try {
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** Decompresses a little of it. What is damaged is reported when all of it is read. */
async function isCompressedArchive(path: string): Promise<boolean> {
  const layer = await openLayer(wholeFile(path));
  if (layer.kind === "plain") return false;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of layer.chunks) {
      pieces.push(chunk);
      bytes += chunk.length;
      if (bytes >= HEAD) break;
    }
  } catch {
    return false;
  } finally {
    await layer.close();
  }
  return beginsArchive(Buffer.concat(pieces), path);
}
