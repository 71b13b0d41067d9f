import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { nameEnd } from "../bytes/name.ts";
import type { ImageFileSystem } from "../fs/image-file-system.ts";
import { newAttr, ROOT_NODE } from "../vfs/file-system.ts";
import type { ListEntry } from "./list.ts";
import { Rows } from "./rows.ts";

/** Columns of a request: a node, and a piece of it in bytes; of a directory, all below it. */
export const REQUEST = { NODE: 0, OFFSET: 1, LENGTH: 2, WIDTH: 3 } as const;

/** A list as numbers, which another thread can be given. */
export interface PrefetchRequest {
  readonly rows: Float64Array;
  /** Paths that are not in the image. */
  readonly missing: number;
}

/** Finds what a list names. Links are not followed, as nydusd does not. */
export function resolveList(fs: ImageFileSystem, entries: Iterable<ListEntry>): PrefetchRequest {
  const rows = new Rows(REQUEST.WIDTH);
  let missing = 0;
  for (const { path, offset, length } of entries) {
    const node = findPath(fs, path);
    if (node > 0) rows.add(node, offset, length);
    else missing++;
  }
  return { rows: rows.toArray(), missing };
}

/** All of these nodes, in this order. */
export function wholeNodes(nodes: readonly number[]): Float64Array {
  const rows = new Rows(REQUEST.WIDTH);
  for (const node of nodes) rows.add(node, 0, Number.POSITIVE_INFINITY);
  return rows.toArray();
}

/** Whether directories have to be walked for it: in a large image that takes a moment. */
export function namesDirectory(fs: ImageFileSystem, request: Float64Array): boolean {
  const attr = newAttr();
  for (let at = REQUEST.NODE; at < request.length; at += REQUEST.WIDTH)
    // Below the length.
    if (fs.attr(request[at] as number, attr) === 0 && (attr.mode & S_IFMT) === S_IFDIR) return true;
  return false;
}

/** @returns the node, 0 when there is none, or -errno */
function findPath(fs: ImageFileSystem, path: Uint8Array): number {
  let node: number = ROOT_NODE;
  for (let at = 0; at < path.length && node > 0; ) {
    const end = nameEnd(path, at, path.length);
    if (end > at) node = fs.lookup(node, path, at, end - at);
    at = end + 1;
  }
  return node;
}
