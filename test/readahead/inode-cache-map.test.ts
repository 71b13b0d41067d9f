import { expect, it } from "vitest";
import { InodeCacheMap } from "../../src/readahead/inode-cache-map.ts";

const of = (map: InodeCacheMap, node: number) => ({
  lookedUp: map.wasLookedUp(node),
  lacks: map.lacksPages(node),
  has: map.hasPages(node),
});

it("follows an inode through the kernel's cache", () => {
  const map = new InodeCacheMap(10);
  const other = new InodeCacheMap(map.shared);
  const steps: [name: string, step: () => void, want: object][] = [
    ["never handed out", () => {}, { lookedUp: false, lacks: false, has: false }],
    ["looked up", () => map.noteLookup(5), { lookedUp: true, lacks: true, has: false }],
    ["read by another worker", () => other.notePages(5), { lookedUp: true, lacks: false, has: true }],
    ["looked up again: evicted", () => map.noteLookup(5), { lookedUp: true, lacks: true, has: false }],
    ["taken over", () => map.noteTakeover(5), { lookedUp: true, lacks: false, has: false }],
    ["looked up by this process", () => map.noteLookup(5), { lookedUp: true, lacks: true, has: false }],
  ];
  for (const [name, step, want] of steps) {
    step();
    expect([name, of(map, 5)]).toEqual([name, want]);
  }
  expect(of(map, 6)).toEqual({ lookedUp: false, lacks: false, has: false });
});

it("does not mind nodes beyond its range", () => {
  const map = new InodeCacheMap(4);
  map.noteLookup(1000);
  map.notePages(1000);
  expect(of(map, 1000)).toEqual({ lookedUp: true, lacks: false, has: false });
});
