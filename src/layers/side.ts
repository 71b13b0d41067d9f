import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { ROOT, type Tree } from "../mkfs/tree.ts";
import type { LayeredImage } from "./layered-image.ts";
import { readBlob } from "./version-data.ts";

/** An image as one side of a comparison. */
export interface Side {
  readonly image: LayeredImage;
  /** By the tree's numbers of blobs: what has the same key has the same bytes at the same places. */
  readonly blobKeys: readonly string[];
  /** By inode: names that are seen. */
  readonly names: Uint32Array;
  /** Fills a buffer with bytes of a blob. @throws OperationalError */
  readonly read: (blob: number, at: number, into: Uint8Array) => void;
}

/** Layers as a side: their ids are what their tars hash to. */
export function sideOfLayers(image: LayeredImage): Side {
  const { layers, blobIds, tree } = image;
  const read: Side["read"] = (blob, at, into) => readBlob(layers, blobIds[blob] ?? "", at, into);
  return { image, blobKeys: blobIds, names: namesByInode(tree), read };
}

/** How many names of each inode are seen. */
export function namesByInode(tree: Tree): Uint32Array {
  const names = new Uint32Array(tree.inodes);
  for (let node = ROOT; node < tree.nodes; node++)
    if (tree.isLive(node)) (names[tree.inode[node] as number] as number)++;
  return names;
}

/** S_IFMT bits of what a name leads to; 0: it is not there. */
export const typeOf = (tree: Tree, node: number): number =>
  tree.isLive(node) ? (tree.mode[tree.inode[node] as number] as number) & S_IFMT : 0;

/** Calls back for what is seen in a directory, in no order; for nothing of what is none. */
export function forEachChild(tree: Tree, node: number, found: (child: number) => void): void {
  if (typeOf(tree, node) !== S_IFDIR) return;
  for (let child = tree.firstChild[node] as number; child >= 0; child = tree.sibling[child] as number)
    if (tree.isLive(child)) found(child);
}
