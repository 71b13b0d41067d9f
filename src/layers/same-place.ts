import type { Tree } from "../mkfs/tree.ts";
import { piecesOf } from "./pieces.ts";
import type { Side, SideBlob } from "./side.ts";

/** Where bytes of two files lie; `claimed`: at the same place of what images call the same, and nobody has looked at. */
export type Places = "same" | "claimed" | "apart";

/** Sizes are the same. */
export function comparePlaces(before: Side, i: number, after: Side, j: number): Places {
  if (!hasSamePieces(before.image.tree, i, after.image.tree, j)) return "apart";
  const [one, other] = [blobsOf(before, i), blobsOf(after, j)];
  const all = (isSame: (a: SideBlob, b: SideBlob) => boolean) =>
    one.every((blob, n) => isSame(blob, other[n] as SideBlob));
  if (all(isSameBlob)) return "same";
  return all((a, b) => isSameBlob(a, b) || (a.claim !== undefined && a.claim === b.claim))
    ? "claimed"
    : "apart";
}

const isSameBlob = (a: SideBlob, b: SideBlob): boolean => a.keys.some((key) => b.keys.includes(key));

const blobsOf = ({ image, blobs }: Side, inode: number): SideBlob[] =>
  piecesOf(image.tree, inode).map(({ blob }) => blobs[blob] as SideBlob);

function hasSamePieces(a: Tree, i: number, b: Tree, j: number): boolean {
  const one = piecesOf(a, i);
  const other = piecesOf(b, j);
  return (
    one.length === other.length &&
    one.every(({ offset, length, dataAt }, n) => {
      const same = other[n];
      return same?.offset === offset && same.length === length && same.dataAt === dataAt;
    })
  );
}
