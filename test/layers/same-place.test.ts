import { expect, it } from "vitest";
import { LayeredImage } from "../../src/layers/layered-image.ts";
import { comparePlaces } from "../../src/layers/same-place.ts";
import type { Side, SideBlob } from "../../src/layers/side.ts";
import { implicitParent } from "../../src/mkfs/archive-paths.ts";
import { Tree } from "../../src/mkfs/tree.ts";

const blob = (claim: string | undefined, ...keys: string[]): SideBlob => ({ keys, claim });

/** One file whose first half lies in one blob, and its second in another. */
function side(dataAt: number, ...blobs: readonly SideBlob[]): Side {
  const tree = new Tree();
  const inode = tree.newInode({ ...implicitParent(), mode: 0o100_644, size: 20 });
  tree.pieces.set(inode, [
    { offset: 0, length: 10, dataAt, blob: 0 },
    { offset: 10, length: 10, dataAt: 0, blob: 1 },
  ]);
  const image = new LayeredImage({ tree, blobIds: ["", ""] });
  return { image, blobs, names: new Uint32Array(1), read: () => {} };
}

it.each([
  ["same", "one key in common", 0, blob("x", "x", "f"), blob("y", "f"), 0],
  ["claimed", "keys on one side, and the claim of another", 0, blob("x", "x", "f"), blob("x", "g"), 0],
  ["claimed", "claims only", 0, blob("x", "f"), blob("x", "g"), 0],
  ["apart", "nothing in common", 0, blob("x", "x"), blob("y", "g"), 0],
  ["apart", "no claim on either side", 0, blob(undefined, "f"), blob(undefined, "g"), 0],
  ["apart", "another place of the same", 512, blob("x", "x"), blob("x", "x"), 0],
] as const)("two halves are %s: %s", (want, _, at, one, other, otherAt) => {
  const known = blob("k", "k");
  expect(comparePlaces(side(at, one, known), 0, side(otherAt, other, known), 0)).toBe(want);
  expect(comparePlaces(side(otherAt, other, known), 0, side(at, one, known), 0)).toBe(want);
});
