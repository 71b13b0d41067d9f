import { expect, it } from "vitest";
import {
  droppedRequests,
  FILE_OPCODES,
  FileAccounts,
  fileCounts,
  newAccounts,
} from "../../src/counters/file-accounts.ts";
import { OP } from "../../src/vfs/opcodes.ts";

const EIO = 5;
const ENODATA = 61;
const { LOOKUP, GETATTR, READ, GETXATTR, STATFS } = OP;

/** What a column list says of the opcodes that are in it. */
const byOpcode = (list: readonly number[]) =>
  Object.fromEntries(list.map((count, i) => [FILE_OPCODES[i], count]).filter(([, count]) => count > 0));

it("file accounts count requests by file and thread", () => {
  const buffers = [newAccounts(100), newAccounts(100)];
  const now = () => performance.timeOrigin + performance.now();
  const before = now();
  const [one, two] = buffers.map((buffer) => new FileAccounts(buffer));
  one.count(LOOKUP, 7, 128, 42);
  one.count(LOOKUP, 7, 128, 0); // there is no such name
  one.count(READ, 42, 4096, 0);
  one.count(READ, 42, 4095, 0);
  const between = now();
  two.count(READ, 42, -EIO, 0);
  two.count(GETATTR, 42, 104, 0);
  two.count(GETXATTR, 42, -ENODATA, 0);
  two.count(STATFS, 42, 80, 0); // of the whole
  const files = fileCounts(buffers);
  expect([...files.keys()].sort()).toEqual([42, 7]);
  const { bytes, firstRead, sizes, hits, errors } = files.get(42) ?? expect.fail();
  expect({ bytes, sizes }).toEqual({ bytes: 8191, sizes: [0, 1, 1, 0, 0, 0, 0, 0] });
  expect(firstRead).toBeGreaterThanOrEqual(before);
  expect(firstRead).toBeLessThanOrEqual(between);
  expect(byOpcode(hits)).toEqual({ [READ]: 2, [GETATTR]: 1, [GETXATTR]: 1 });
  expect(byOpcode(errors)).toEqual({ [READ]: 1 });
  expect(byOpcode(files.get(7)?.hits ?? [])).toEqual({ [LOOKUP]: 2 });
});

it("file accounts have a bound, keep what is in it, and say how many files they left out", () => {
  const buffer = newAccounts(100, 2);
  const accounts = new FileAccounts(buffer);
  for (const node of [3, 4, 5, 3, 6, 4]) accounts.count(READ, node, 1, 0);
  accounts.count(READ, 100, 1, 0); // no node of the image
  accounts.count(LOOKUP, 3, 128, 2 ** 40);
  const reads = [...fileCounts([buffer]).values()].map(({ node, bytes }) => [node, bytes]);
  expect(reads).toEqual([
    [3, 2],
    [4, 2],
  ]);
  expect(droppedRequests([buffer])).toBe(4);
});
