import fc from "fast-check";
import { expect, it } from "vitest";
import { forEachNid, type ImageHandle, nodeCount } from "../../src/erofs/image.ts";
import { Bits } from "../../src/erofs/bits.ts";

function handle(nids: readonly number[], slots: number, rootNid = 0): ImageHandle {
  const bits = new Bits(slots);
  for (const nid of nids) bits.add(nid);
  return { valid: bits.shared, rootNid } as ImageHandle;
}

it("nodes end with the last inode, however long the image is", () => {
  expect(nodeCount(handle([], 1 << 27))).toBe(2);
  expect(nodeCount(handle([2, 36], 1 << 27, 2))).toBe(37);
  expect(nodeCount(handle([2], 8, 5))).toBe(6);
});

it("every valid nid is found, once, in order", () =>
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(199)), fc.integer({ min: 200, max: 240 }), (nids, slots) => {
      const found: number[] = [];
      const image = handle(nids, slots);
      forEachNid(image, (nid) => found.push(nid));
      expect(found).toEqual([...nids].sort((a, b) => a - b));
      expect(nodeCount(image)).toBe(Math.max(1, ...nids) + 1);
    }),
  ));
