import { describe, expect, it } from "vitest";
import { type Span, Streams } from "../../src/readahead/streams.ts";

/** Feeds ranks and gives the spans they led to, `from-to`, "" for none. */
function follow(streams: Streams, ranks: readonly number[]): string[] {
  const span: Span = { stream: 0, from: 0, to: 0 };
  return ranks.map((rank) => {
    streams.follow(rank, span);
    return span.from < span.to ? `${span.from}-${span.to}` : "";
  });
}

describe("a stream", () => {
  const cases = [
    { name: "starts with the second neighbour", ranks: [10, 11], want: ["", "12-44"] },
    { name: "takes a small step", ranks: [10, 26], want: ["", "27-59"] },
    { name: "does not take a large one", ranks: [10, 27], want: ["", ""] },
    { name: "does not go backwards", ranks: [10, 9, 8, 7], want: ["", "", "", ""] },
    {
      name: "doubles when the reader gets through",
      ranks: [10, 11, 44, 109],
      want: ["", "12-44", "45-109", "110-238"],
    },
    { name: "says nothing of a rank read twice", ranks: [10, 11, 11], want: ["", "12-44", ""] },
    { name: "follows two readers", ranks: [10, 500, 11, 501], want: ["", "", "12-44", "502-534"] },
  ];
  it.each(cases)("$name", ({ ranks, want }) => expect(follow(new Streams(), ranks)).toEqual(want));

  it("goes on at its marker, and not before", () => {
    const streams = new Streams();
    expect(follow(streams, [10, 11])).toEqual(["", "12-44"]);
    const span: Span = { stream: 0, from: 12, to: 44 };
    expect([27, 28, 29].map((rank) => streams.isMarker(span, rank))).toEqual([false, true, false]);
    expect(follow(streams, [13, 20, 28])).toEqual(["", "", "44-108"]);
  });

  it("begins farther ahead of readers that were first, until they are not any more", () => {
    const streams = new Streams();
    const span: Span = { stream: 0, from: 0, to: 0 };
    const starts: number[] = [];
    let rank = 1;
    for (const [stored, late] of [
      [0, 9],
      [0, 9],
      [5, 9],
      [9, 5],
      [9, 0],
      [9, 0],
    ]) {
      streams.follow(rank - 1, span);
      streams.follow(rank, span);
      starts.push(span.from - rank);
      streams.note(span, stored, late);
      rank = span.to;
    }
    expect(starts).toEqual([1, 33, 65, 129, 65, 33]);
  });

  it("is given up when readers are first however far ahead it begins, or nothing can be stored", () => {
    const streams = new Streams();
    const span: Span = { stream: 0, from: 0, to: 0 };
    follow(streams, [10, 11]);
    expect([0, 1, 2, 3, 4, 5, 6].map(() => streams.note(span, 0, 9))).toEqual([
      ...[true, true, true, true, true, true, false],
    ]);
    expect(new Streams().note(span, 0, 0)).toBe(false);
    expect(new Streams().note(span, 1, 0)).toBe(true);
  });

  it("stops doubling", () => {
    const streams = new Streams();
    const sizes: number[] = [];
    for (let rank = 0, i = 0; i < 10; i++) {
      const span: Span = { stream: 0, from: 0, to: 0 };
      streams.follow(rank, span);
      sizes.push(span.to - span.from);
      rank = i === 0 ? 1 : span.to;
    }
    expect(sizes).toEqual([0, 32, 64, 128, 256, 512, 1024, 2048, 2048, 2048]);
  });

  it("forgets the oldest of more readers than it follows", () => {
    const streams = new Streams();
    const starts = Array.from({ length: 9 }, (_, i) => 1000 * (i + 1));
    follow(streams, starts);
    expect(follow(streams, [1001])).toEqual([""]);
    expect(follow(streams, [9001])).toEqual(["9002-9034"]);
  });
});
