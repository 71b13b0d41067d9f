import { describe, expect, it } from "vitest";
import {
  areForgotten,
  NLOOKUP,
  newNlookup,
  nlookupOf,
  outstandingOf,
  restoreOutstanding,
} from "../../src/fuse/nlookup.ts";

type Counts = readonly (readonly [given: number, forgotten: number])[];

/** @param counts of each of two workers */
function nlookup(...counts: Counts): SharedArrayBuffer {
  const shared = newNlookup(2);
  counts.forEach(([given, forgotten], worker) => {
    nlookupOf(shared, worker)[NLOOKUP.GIVEN] = given;
    nlookupOf(shared, worker)[NLOOKUP.FORGOTTEN] = forgotten;
  });
  return shared;
}

describe("an image is forgotten", () => {
  const restored = (outstanding: number | undefined, ...counts: Counts) => {
    const shared = nlookup(...counts);
    restoreOutstanding(shared, outstanding);
    return shared;
  };
  it.each([
    ["before the first lookup", nlookup(), 0, true],
    ["not while lookups are outstanding", nlookup([3, 2], [0, 0]), 1, false],
    ["when another worker got the FORGETs", nlookup([3, 0], [0, 3]), 0, true],
    ["not by FORGETs that came before as many lookups", nlookup([3, 0], [0, 2]), 1, false],
    ["not while lookups of an earlier process are outstanding", restored(5, [1, 1], [0, 4]), 1, false],
    ["when those are forgotten", restored(5, [1, 1], [0, 5]), 0, true],
    ["never when an earlier process left that unknown", restored(undefined, [1, 1]), undefined, false],
  ] as const)("%s", (_, shared, outstanding, isForgotten) => {
    expect(outstandingOf(shared)).toBe(outstanding);
    expect(areForgotten([shared])).toBe(isForgotten);
  });

  it("of several only when all are", () => {
    expect(areForgotten([nlookup(), nlookup([1, 1])])).toBe(true);
    expect(areForgotten([nlookup(), nlookup([1, 0])])).toBe(false);
  });

  it("again once what was unknown is restored", () => {
    const shared = restored(undefined);
    restoreOutstanding(shared, 2);
    expect(outstandingOf(shared)).toBe(2);
  });
});
