import type { BlobPiece, Tree } from "../mkfs/tree.ts";

/** Where a regular file's bytes lie, in order; what is between them is zeros. */
export function piecesOf(tree: Tree, inode: number): readonly BlobPiece[] {
  const length = tree.size[inode] as number;
  if (length === 0) return [];
  const run = { offset: 0, length, dataAt: tree.where[inode] as number, blob: tree.blob[inode] as number };
  return tree.pieces.get(inode) ?? [run];
}
