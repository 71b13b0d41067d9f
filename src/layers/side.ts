import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { ROOT, type Tree } from "../mkfs/tree.ts";
import type { PreparedLayer } from "../source/prepare.ts";
import type { LayeredImage } from "./layered-image.ts";
import { readBlob } from "./version-data.ts";

type Identity = NonNullable<PreparedLayer["tar"]["identity"]>;

/** An image as one side of a comparison. */
export interface Side {
  readonly image: LayeredImage;
  /** By the tree's numbers of blobs. */
  readonly blobs: readonly SideBlob[];
  /** By inode: names that are seen. */
  readonly names: Uint32Array;
  /** Fills a buffer with bytes of a blob. @throws OperationalError */
  readonly read: (blob: number, at: number, into: Uint8Array) => void;
}

/** What bytes of files lie in. */
export interface SideBlob {
  /** What it is known by: two that have one in common have the same bytes at the same places. */
  readonly keys: readonly string[];
  /** The sha256 that it has, or that an image says it has: whoever wrote that could call it what he liked. */
  readonly claim: string | undefined;
}

/** A file as a key: the very same one, whatever it is called. */
export const fileKey = ({ dev, ino, born }: Identity): string => `file ${dev} ${ino} ${born}`;

/** Layers as a side: their ids are what their tars hash to. */
export function sideOfLayers(image: LayeredImage): Side {
  const { layers, blobIds, tree } = image;
  const read: Side["read"] = (blob, at, into) => readBlob(layers, blobIds[blob] ?? "", at, into);
  const files = new Map(layers.map(({ id, tar: { identity } }) => [id, identity]));
  const blobs = blobIds.map((id): SideBlob => {
    const file = files.get(id);
    return { keys: [id, ...(file === undefined ? [] : [fileKey(file)])], claim: id };
  });
  return { image, blobs, names: namesByInode(tree), read };
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
