import { describe, expect, it } from "vitest";
import { newBoard, PushBoard } from "../../src/fuse/push-board.ts";

const KIB = 1024;

/** How often a pusher was called for while `positions` were read. */
function calls(positions: readonly number[], isListed = true): number {
  let count = 0;
  const board = new PushBoard(newBoard(100), () => count++);
  if (isListed) board.noteListing();
  for (const position of positions) board.noteRead(2, position);
  return count;
}

const steps = (n: number, step: number): number[] => Array.from({ length: n }, (_, i) => 1e9 + i * step);

describe("a pusher is called for", () => {
  const cases = [
    { name: "by one who reads file after file", positions: steps(129, 4 * KIB), want: 1 },
    { name: "again while there is none", positions: steps(300, 4 * KIB), want: 2 },
    { name: "not by fewer reads", positions: steps(128, 4 * KIB), want: 0 },
    { name: "not by one who goes backwards", positions: steps(1000, -4 * KIB), want: 0 },
    { name: "not by one who leaps", positions: steps(1000, 513 * KIB), want: 0 },
    { name: "not by one who reads one file again and again", positions: steps(1000, 0), want: 0 },
    {
      name: "by two who take turns at different places",
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

  it("by nobody before a directory was listed: the kernel knows no files to push to", () =>
    expect(calls(steps(1000, 4 * KIB), false)).toBe(0));
});

describe("a post", () => {
  /** The places posted while nodes were read, with node = place + 2. */
  function posts(places: readonly number[], fruitlessAt = -1): number[] {
    const board = new PushBoard(newBoard(5000));
    for (let node = 2; node < 5000; node++) board.places[node] = node - 1;
    board.noteListing();
    board.setOrdered(true);
    places.forEach((place, i) => {
      if (i === fruitlessAt) board.noteFruitless();
      board.noteRead(place + 2, 0);
    });
    return Array.from({ length: board.posted() }, (_, i) => board.at(i));
  }

  it("is made of a read that follows another, a little ahead", () =>
    expect(posts([10, 11, 27, 44, 43, 2000])).toEqual([11, 27, 43]));

  it("is not made for 512 reads after one that led to nothing", () => {
    const places = Array.from({ length: 700 }, (_, i) => i);
    const want = [...places.slice(1, 100), ...places.slice(613)];
    expect(posts(places, 100)).toEqual(want);
  });
});
