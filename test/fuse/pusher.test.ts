import { describe, expect, it } from "vitest";
import { Known } from "../../src/fuse/known.ts";
import { trimStretch } from "../../src/fuse/pusher.ts";
import type { DataOrder } from "../../src/vfs/data-order.ts";

/** Files of one block each, node = place + 2. */
const order: DataOrder = {
  count: 100,
  nodeAt: (place) => place + 2,
  sizeAt: () => 512,
  distance: (from, place) => (place - from) * 1024,
  stretchEnd: (from, last) => Math.min(last, from + 10),
  readStretch: () => 0,
};

function knownOf(told: readonly number[], cached: readonly number[] = []): Known {
  const known = new Known(102);
  for (const place of told) known.tell(place + 2);
  for (const place of cached) known.cache(place + 2);
  return known;
}

describe("a stretch is read to the last file that is wanted", () => {
  const cases = [
    { name: "all wanted", known: knownOf([5, 6, 7, 8, 9]), want: 10 },
    { name: "the end not known", known: knownOf([5, 6]), want: 7 },
    { name: "the end read already", known: knownOf([5, 6, 7, 8, 9], [8, 9]), want: 8 },
    { name: "only the first", known: knownOf([5]), want: 6 },
    { name: "not even the first any more: a worker was faster", known: knownOf([5, 6], [5, 6]), want: 6 },
  ];
  it.each(cases)("$name", ({ known, want }) => expect(trimStretch(order, known, 5, 10)).toBe(want));
});

describe("Known", () => {
  it("wants pages of what the kernel was told of, until they are there, and again when it was told again", () => {
    const known = knownOf([3]);
    const at = () => known.wantsPages(5);
    expect([at(), known.wantsPages(6)]).toEqual([true, false]);
    known.cache(5);
    expect(at()).toBe(false);
    known.tell(5);
    expect(at()).toBe(true);
  });
  it("does not mind nodes beyond its range", () => {
    const known = new Known(4);
    known.tell(1000);
    expect(known.wantsPages(1000)).toBe(false);
  });
});
