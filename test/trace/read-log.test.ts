import fc from "fast-check";
import { expect, it } from "vitest";
import { FirstReads } from "../../src/trace/first-reads.ts";
import { newReadLog, ReadLog } from "../../src/trace/read-log.ts";

it("a read log gives what was added, in order, and counts what did not fit", () =>
  fc.assert(
    fc.property(fc.array(fc.nat(12)), (bursts) => {
      const shared = newReadLog(8);
      const writer = new ReadLog(shared);
      const reader = new ReadLog(shared);
      let n = 0;
      let lost = 0;
      for (const burst of bursts) {
        const first = n;
        for (let i = 0; i < burst; i++, n++) writer.add(n, 2 ** 40 + n, 3, 4);
        const kept = Math.min(burst, 8);
        lost += burst - kept;
        expect(reader.take()).toEqual(
          Array.from({ length: kept }, (_, i) => ({
            ...{ node: first + i, offset: 2 ** 40 + first + i, length: 3, at: 4 },
          })),
        );
      }
      expect(reader.dropped).toBe(lost);
    }),
  ));

it("a read log takes positions beyond 32 bits", () => {
  const shared = newReadLog(4);
  new Int32Array(shared).fill(2 ** 31 - 1, 0, 2);
  const log = new ReadLog(shared);
  for (let i = 0; i < 5; i++) log.add(i, 0, 0, 0);
  expect(log.take().map(({ node }) => node)).toEqual([0, 1, 2, 3]);
  expect(log.dropped).toBe(1);
});

it("a read log takes only the first read of a page", () => {
  const first = new FirstReads(3);
  const isFirst = (node: number, offset: number) => first.isFirst({ node, offset, length: 1, at: 0 });
  expect([isFirst(1, 0), isFirst(1, 100), isFirst(1, 4096), isFirst(2, 0)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect([isFirst(1, 4096), isFirst(3, 0), isFirst(2, 5000)]).toEqual([false, false, false]);
  expect([first.pieces, first.files, first.dropped]).toEqual([3, 2, 2]);
});
