import { describe, expect, it } from "vitest";
import { barText, lineText, type Moment, Progress } from "../../bin/progress.ts";

const MIB = 2 ** 20;
const moment = (some: Partial<Moment>): Moment => {
  const { total = 100 * MIB, done = 0 } = some;
  return { work: "layers", count: 2, ready: 0, total, done, part: Math.min(1, done / total), ms: 0, ...some };
};

describe("a bar", () => {
  it.each<[Partial<Moment>, string]>([
    [{}, `${"░".repeat(24)} 0% | 0.0 MiB of 100 MiB | layer 1 of 2 | 0.0 MiB/s`],
    [
      { done: 50 * MIB, ms: 5000, ready: 1 },
      `${"█".repeat(12)}${"░".repeat(12)} 50% | 50 MiB of 100 MiB | layer 2 of 2 | 10 MiB/s | 5 s left`,
    ],
    [
      { done: MIB, ms: 2000 },
      `${"░".repeat(24)} 1% | 1.0 MiB of 100 MiB | layer 1 of 2 | 0.5 MiB/s | 3 min 18 s left`,
    ],
    // More than was said, and all of it ready.
    [
      { done: 101 * MIB, ms: 10_100, ready: 2 },
      `${"█".repeat(24)} 100% | 100 MiB of 100 MiB | layer 2 of 2 | 10 MiB/s | 0 s left`,
    ],
    // Through a pipe: no end is known, but time passes.
    [{ total: 0, part: 0, done: 3 * MIB, ms: 3000 }, "3.0 MiB | layer 1 of 2 | 1.0 MiB/s | 3 s"],
    [{ total: 0, part: 0 }, "0.0 MiB | layer 1 of 2 | 0.0 MiB/s | 0 s"],
  ])("%j", (some, want) => expect(barText(moment(some))).toBe(want));
});

it("a line says the same", () => {
  expect(lineText(moment({ done: MIB, ms: 1000 }))).toBe(
    "layers: 0 of 2 ready, 1.0 MiB of 100 MiB, 1.0 MiB/s",
  );
  expect(lineText(moment({ total: 0, done: MIB, ms: 1000 }))).toBe(
    "layers: 0 of 2 ready, 1.0 MiB, 1.0 MiB/s",
  );
});

it("never runs backwards, says nothing of what is done at once, and leaves an empty line", () => {
  let written = "";
  let time = 0;
  const cell = new Float64Array(1);
  const shown = new Progress(
    true,
    (text) => (written += text),
    () => time,
  );
  shown.start("layers", [4 * MIB], [cell]);
  shown.show();
  expect(written).toBe("");
  const percent = (done: number) => {
    time += 1000;
    cell[0] = done * MIB;
    written = "";
    shown.show();
    return Number(/ (\d+)%/.exec(written)?.[1]);
  };
  // A decompressor that failed, and another one that begins again.
  expect([percent(1), percent(2), percent(0), percent(1), percent(3), percent(4), percent(5)]).toEqual([
    ...[25, 50, 50, 50, 75, 100, 100],
  ]);
  written = "";
  shown.stop();
  expect(written).toBe("\r\u001b[K");
});

it("goes on where the sources were stored when their layers begin", () => {
  const written: string[] = [];
  let time = 0;
  const shown = new Progress(
    true,
    (text) => written.push(text),
    () => time,
  );
  const show = (cell: Float64Array, done: number) => {
    time += 1000;
    cell[0] = done * MIB;
    shown.show();
    const [, percent, bytes, total, what] =
      /(\d+)% \| ([\d.]+) MiB of ([\d.]+) MiB \| (\w+ \d of \d)/.exec(written.at(-1) ?? "") ?? [];
    return [Number(percent), Number(bytes), Number(total), what];
  };
  const sources = new Float64Array(1);
  shown.start("sources", [10 * MIB], [sources]);
  expect([show(sources, 5), show(sources, 10)]).toEqual([
    [35, 5, 10, "source 1 of 1"],
    [70, 10, 10, "source 1 of 1"],
  ]);
  shown.ready();
  shown.stop();
  const layers = new Float64Array(1);
  shown.start("layers", [20 * MIB, 20 * MIB], [layers]);
  expect([show(layers, 0), show(layers, 20), show(layers, 40)]).toEqual([
    [70, 10, 50, "layer 1 of 2"],
    [85, 30, 50, "layer 1 of 2"],
    [100, 50, 50, "layer 1 of 2"],
  ]);
  shown.stop();
});
