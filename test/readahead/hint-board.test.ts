import { describe, expect, it } from "vitest";
import { HintBoard, newHintBoard } from "../../src/readahead/hint-board.ts";

const KIB = 1024;

/** How often readahead was called for while `positions` were read. */
function calls(positions: readonly number[], isListed = true): number {
  let count = 0;
  const board = new HintBoard(newHintBoard(100), () => count++);
  if (isListed) board.noteListing();
  for (const position of positions) board.noteRead(2, position);
  return count;
}

const steps = (n: number, step: number): number[] => Array.from({ length: n }, (_, i) => 1e9 + i * step);

describe("readahead is called for", () => {
  const cases = [
    { name: "by one who reads file after file", positions: steps(129, 4 * KIB), want: 1 },
    { name: "again while there is none", positions: steps(300, 4 * KIB), want: 2 },
    { name: "not by fewer reads", positions: steps(128, 4 * KIB), want: 0 },
    { name: "not by one who goes backwards", positions: steps(1000, -4 * KIB), want: 0 },
    { name: "not by one who leaps", positions: steps(1000, 513 * KIB), want: 0 },
    { name: "not by one who reads one file again and again", positions: steps(1000, 0), want: 0 },
    {
      name: "by two who take turns at different ranks",
      positions: steps(140, 4 * KIB).flatMap((at) => [at, at + 1e9]),
      want: 2,
    },
    {
      name: "not by one who goes on after some files, but not for long, as a program that starts",
      positions: steps(1000, 4 * KIB).map((at, i) => at + Math.floor(i / 5) * 2 ** 30 * (i % 2 ? 1 : -1)),
      want: 0,
    },
  ];
  it.each(cases)("$name", ({ positions, want }) => expect(calls(positions)).toBe(want));

  it("by nobody before a directory was listed: the kernel knows no files to store", () =>
    expect(calls(steps(1000, 4 * KIB), false)).toBe(0));
});

describe("a hint", () => {
  /** The ranks hinted at while nodes were read, with node = rank + 2. */
  function hints(ranks: readonly number[], fruitlessAt = -1): number[] {
    const board = new HintBoard(newHintBoard(5000));
    for (let node = 2; node < 5000; node++) board.ranks[node] = node - 1;
    board.noteListing();
    board.setOrdered(true);
    ranks.forEach((rank, i) => {
      if (i === fruitlessAt) board.noteFruitless();
      board.noteRead(rank + 2, 0);
    });
    return Array.from({ length: board.hints() }, (_, i) => board.hintAt(i));
  }

  it("is made of a read that follows another, a little ahead", () =>
    expect(hints([10, 11, 27, 44, 43, 2000])).toEqual([11, 27, 43]));

  it("is not made for 512 reads after one that led to nothing", () => {
    const ranks = Array.from({ length: 700 }, (_, i) => i);
    const want = [...ranks.slice(1, 100), ...ranks.slice(613)];
    expect(hints(ranks, 100)).toEqual(want);
  });
});
