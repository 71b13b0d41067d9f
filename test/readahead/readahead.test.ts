import { describe, expect, it } from "vitest";
import { COUNT, countersOf, newCounters } from "../../src/counters/counters.ts";
import { HintBoard, newHintBoard } from "../../src/readahead/hint-board.ts";
import { InodeCacheMap } from "../../src/readahead/inode-cache-map.ts";
import { readAhead, type Store, trimRun } from "../../src/readahead/readahead.ts";
import type { DataOrder } from "../../src/vfs/data-order.ts";

const COUNT_OF_FILES = 100;
/** Files of one block each, node = rank + 2, ten of them in one run; each block holds its file's rank. */
const order: DataOrder = {
  count: COUNT_OF_FILES,
  nodeAt: (rank) => rank + 2,
  sizeAt: () => 512,
  distance: (from, rank) => (rank - from) * 1024,
  runEnd: (from, last) => Math.min(last, from + 10),
  readRun: (from, end, out, at) => {
    for (let rank = from; rank < end; rank++)
      out.fill(rank, at + (rank - from) * 1024, at + (rank - from) * 1024 + 512);
    return (end - from) * 1024;
  },
};

function mapOf(lookedUp: readonly number[], cached: readonly number[] = []): InodeCacheMap {
  const inodes = new InodeCacheMap(COUNT_OF_FILES + 2);
  for (const rank of lookedUp) inodes.noteLookup(rank + 2);
  for (const rank of cached) inodes.notePages(rank + 2);
  return inodes;
}

describe("a run is read to the last file that is wanted", () => {
  const cases = [
    { name: "all wanted", inodes: mapOf([5, 6, 7, 8, 9]), want: 10 },
    { name: "the end not looked up", inodes: mapOf([5, 6]), want: 7 },
    { name: "the end read already", inodes: mapOf([5, 6, 7, 8, 9], [8, 9]), want: 8 },
    { name: "only the first", inodes: mapOf([5]), want: 6 },
    { name: "not even the first any more: a worker was faster", inodes: mapOf([5, 6], [5, 6]), want: 6 },
  ];
  it.each(cases)("$name", ({ inodes, want }) => expect(trimRun(order, inodes, 5, 10)).toBe(want));
});

/** A board whose hints come while the readahead thread waits: those of one wait, then the end. */
class ScriptedBoard extends HintBoard {
  private readonly script: readonly number[][];
  private waits = 0;

  constructor(script: readonly number[][]) {
    super(newHintBoard(COUNT_OF_FILES + 2));
    this.script = script;
    for (let node = 2; node < COUNT_OF_FILES + 2; node++) this.ranks[node] = node - 1;
    this.noteListing();
  }

  override wait(hints: number, ms: number): boolean {
    const reads = this.script[this.waits++];
    if (reads === undefined) return false; // as after IDLE_MS
    for (const rank of reads) this.noteRead(rank + 2, 0);
    return super.wait(hints, ms);
  }
}

/** What readers of files in order lead to. */
function run(reads: readonly number[][], inodes: InodeCacheMap, answer: (rank: number) => ReturnType<Store>) {
  const board = new ScriptedBoard(reads);
  const counters = countersOf(newCounters(1), 0);
  const stored: number[] = [];
  const store: Store = (node, data, at, size) => {
    expect([data.getUint8(at), data.getUint8(at + size - 1), at >= 64]).toEqual([node - 2, node - 2, true]);
    stored.push(node - 2);
    for (let i = at - 64; i < at; i++) data.setUint8(i, 0xff); // the header of a message
    return answer(node - 2);
  };
  readAhead({ store, inodes, board, counters, order });
  const { PUSHED_FILES, PUSHED_BYTES, PUSH_REFUSED } = COUNT;
  return { stored, counts: [PUSHED_FILES, PUSHED_BYTES, PUSH_REFUSED].map((count) => counters[count]) };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const all = () => mapOf(range(0, COUNT_OF_FILES));

describe("readAhead", () => {
  it("stores what comes next in the data, but for the marker file", () => {
    const { stored, counts } = run([[9, 10, 11]], all(), () => "stored");
    expect(stored).toEqual(range(12, 44).filter((rank) => rank !== 28));
    expect(counts).toEqual([31, 31 * 512, 0]);
  });

  it("goes on with twice as much when the reader has got through", () => {
    const { stored } = run(
      [
        [9, 10, 11],
        [28, 44],
      ],
      all(),
      () => "stored",
    );
    expect(stored).toEqual(
      range(12, COUNT_OF_FILES).filter((rank) => rank !== 28 && rank !== 44 && rank !== 77),
    );
  });

  it("stores only into inodes that the kernel has, without pages", () => {
    const inodes = mapOf(range(10, 40), range(20, 30));
    expect(run([[9, 10, 11]], inodes, () => "stored").stored).toEqual(
      range(12, 40).filter((rank) => (rank < 20 || rank >= 30) && rank !== 30),
    );
    expect(inodes.hasPages(12 + 2)).toBe(true);
  });

  it("counts what the kernel refuses, and goes on", () => {
    const { stored, counts } = run([[9, 10, 11]], all(), (rank) => (rank === 13 ? "refused" : "stored"));
    expect(stored.length).toBe(31);
    expect(counts).toEqual([30, 30 * 512, 1]);
  });

  it("ends at once when the connection is gone", () => {
    const { stored, counts } = run(
      [
        [9, 10, 11],
        [28, 44],
      ],
      all(),
      (rank) => (rank === 13 ? "gone" : "stored"),
    );
    expect([stored, counts]).toEqual([
      [12, 13],
      [1, 512, 1],
    ]);
  });

  it("ends after a while without hints, and is called for again by the next sequential reader", () => {
    let calls = 0;
    const board = new HintBoard(newHintBoard(10), () => calls++);
    board.wait = () => false;
    board.noteListing();
    const read = () => {
      for (const i of range(0, 129)) board.noteRead(2, 4096 * i);
    };
    board.setOrdered(true);
    read();
    expect(calls).toBe(0);
    readAhead({ store: () => "gone", inodes: all(), board, counters: countersOf(newCounters(1), 0), order });
    read();
    expect(calls).toBe(1);
  });
});
