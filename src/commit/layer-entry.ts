import type { BigIntStats } from "node:fs";
import { type Xattr, xattrsOf } from "../syscalls/attributes.ts";
import type { EntryHeader, EntryKind } from "../tar/entry.ts";

/** An entry of the layer. */
export interface Change {
  readonly entry: EntryHeader;
  readonly body: Iterable<Uint8Array>;
}

const BILLION = 1_000_000_000n;
const EMPTY = new Uint8Array(0);

/** Labels of this host's policy, which say nothing of the image. */
const OF_HOST = new Set(["security.selinux"]);

/**
 * What a tar says of an inode.
 *
 * @param path of the layer
 * @param more target of a symlink, or first name of a hard link; extended attributes
 */
export function headerOf(
  kind: EntryKind,
  path: Uint8Array,
  stats: BigIntStats,
  { link = EMPTY, xattrs = [] }: { link?: Uint8Array | undefined; xattrs?: readonly Xattr[] },
): EntryHeader {
  const nsec = ((stats.mtimeNs % BILLION) + BILLION) % BILLION;
  return {
    ...{ kind, path, link, xattrs },
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number((stats.mtimeNs - nsec) / BILLION),
    mtimeNsec: Number(nsec),
    rdev: kind === "char" || kind === "block" ? Number(stats.rdev) : 0,
    size: kind === "file" ? Number(stats.size) : 0,
  };
}

/** Attributes as a layer has them, in an order of their own. Those that overlayfs keeps for itself its mount does not show. */
export const layerXattrs = (file: Uint8Array): Xattr[] =>
  xattrsOf(file)
    .filter(({ name }) => !OF_HOST.has(Buffer.from(name).toString("latin1")))
    .sort((a, b) => Buffer.compare(a.name, b.name));

/** An empty file, whose name alone means something; always the same. */
export function marker(directory: Uint8Array, name: Uint8Array): Change {
  const path = Buffer.concat([directory, name]);
  const none = { mode: 0, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0, rdev: 0, size: 0 };
  return { entry: { kind: "file", path, link: EMPTY, xattrs: [], ...none }, body: [] };
}
