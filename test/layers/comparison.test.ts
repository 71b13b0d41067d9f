import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Change, Comparison } from "../../src/layers/comparison.ts";
import type { Attribute } from "../../src/layers/difference.ts";
import { LayeredImage } from "../../src/layers/layered-image.ts";
import { DataComparer } from "../../src/layers/same-data.ts";
import { type Side, sideOfLayers } from "../../src/layers/side.ts";
import { implicitParent } from "../../src/mkfs/archive-paths.ts";
import { Tree } from "../../src/mkfs/tree.ts";
import { Random } from "../fuzz/random.ts";
import { type Made, tarOf } from "../mkfs/emit.ts";
import { file } from "../mkfs/support.ts";
import { scratchDir } from "../support/image.ts";
import { needs } from "../support/needs.ts";
import { compareStack, type Lines } from "../unpackers/compare.ts";
import { RandomStack } from "../unpackers/random-stack.ts";
import { useUnpackers } from "../unpackers/use-unpackers.ts";
import { DIFF_ORACLE } from "./diff-oracle.ts";
import { randomTree } from "./random-tree.ts";
import { layersOf } from "./support.ts";

const PAIRS = 60;
const STACKS = 200;
type Line = readonly [letter: string, path: string, changed: readonly Attribute[]];

async function sidesOf(one: readonly Made[], other: readonly Made[]): Promise<[Side, Side]> {
  const layers = await layersOf([one, other], scratchDir());
  const [a, b] = layers.map((layer) => sideOfLayers(new LayeredImage([layer])));
  if (a === undefined || b === undefined) throw new Error("two layers, want two images");
  return [a, b];
}

const compare = (before: Side, after: Side, hasDirectoryTimes = true): Comparison =>
  new Comparison({ before, after, ignored: new Set(), isWhole: true, hasDirectoryTimes });

function linesOf(before: Side, after: Side, changes: Iterable<Change>): Line[] {
  const text = (path: Uint8Array) => Buffer.from(path).toString();
  return [...changes].map(({ letter, before: a, after: b, changed }) => [
    letter,
    text(a < 0 ? after.image.path(b) : before.image.path(a)),
    changed,
  ]);
}

const sorted = (lines: readonly Line[]): Line[] =>
  [...lines].sort(([, a], [, b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

describe("what differs between two random trees", () => {
  needs(process.getuid?.() === 0 ? undefined : "only root may unpack what belongs to others");
  const found: [read: Line[], unread: Line[]][] = [];
  let dir = "";

  beforeAll(async () => {
    dir = scratchDir();
    for (let n = 0; n < PAIRS; n++) {
      const random = new Random(n + 1);
      const pair = [randomTree(random), randomTree(random)] as const;
      for (const [i, side] of ["a", "b"].entries()) {
        const at = join(dir, `${n}${side}`);
        mkdirSync(at);
        writeFileSync(`${at}.tar`, tarOf(pair[i]));
        if (process.getuid?.() === 0) execFileSync("tar", ["-C", at, "--numeric-owner", "-xpf", `${at}.tar`]);
      }
      const [before, after] = await sidesOf(...pair);
      const comparison = compare(before, after);
      const unread = linesOf(before, after, comparison.changes());
      comparison.readData();
      found.push([linesOf(before, after, comparison.changes()), unread]);
    }
  });

  it(`is what system calls say of them, unpacked by GNU tar (${PAIRS} pairs)`, () => {
    const said = execFileSync("python3", ["-c", DIFF_ORACLE, dir, `${PAIRS}`], { maxBuffer: 1 << 28 });
    const want: [Line[], Line[]][] = JSON.parse(said.toString());
    expect(found.map((lines) => lines.map(sorted))).toEqual(want);
    const letters = new Set(found.flat(2).map(([letter]) => letter));
    expect([...letters].sort()).toEqual(["?", "A", "D", "M", "T", "m"]);
    expect(new Set(found.flat(2).flatMap(([, , changed]) => changed)).size).toBe(7);
  });

  describe("of files and symlinks", () => {
    needs(spawnSync("git", ["--version"]).status === 0 ? undefined : "no git");

    it("is modified what git says is", () => {
      for (const [n, [lines]] of found.entries()) {
        const args = ["diff", "--no-index", "--no-renames", "--name-status", "-z", `${n}a`, `${n}b`];
        const words = spawnSync("git", args, { cwd: dir }).stdout.toString().split("\0");
        const paths = words.filter((_, i) => words[i - 1] === "M" && i % 2 === 1);
        const theirs = paths.filter((path) => !lstatSync(join(dir, path)).isFIFO());
        const ours = lines.filter(([letter]) => letter === "M").map(([, path]) => `${n}a${path}`);
        expect([n, ours.sort()]).toEqual([n, theirs.sort()]);
      }
    });
  });

  it("is nothing between a tree and itself, and backwards the other way round", async () => {
    const random = new Random(77);
    const [before, after] = await sidesOf(randomTree(random), randomTree(random));
    expect([...compare(before, before).changes()]).toEqual([]);
    const turned: Readonly<Record<string, string>> = { A: "D", D: "A" };
    const back = linesOf(after, before, compare(after, before).changes());
    expect(back.map(([letter, path, changed]) => [turned[letter] ?? letter, path, changed])).toEqual(
      linesOf(before, after, compare(before, after).changes()),
    );
  });
});

describe("layers of a random stack, one after the other", () => {
  const { dir, unpackers } = useUnpackers("comparison");

  it(`differ as what umoci and containerd unpack of them does (${STACKS} stacks)`, async () => {
    let compared = 0;
    for (let seed = 1; seed <= STACKS; seed++) {
      const stack = new RandomStack(new Random(seed)).layers();
      const states = [];
      for (let k = 1; k <= stack.length; k++)
        states.push(await compareStack(stack.slice(0, k), dir, unpackers()));
      if (states.some(({ ours }) => ours === undefined)) continue; // refused: there is no image
      const layers = await layersOf(stack, dir);
      const sides = layers.map((_, i) => sideOfLayers(new LayeredImage(layers.slice(0, i + 1))));
      for (let k = 1; k < stack.length; k++) {
        const [one, other] = [states[k - 1], states[k]];
        if ([one, other].some(({ containerd, umoci }) => containerd?.join("\n") !== umoci?.join("\n")))
          continue;
        if (one.umoci === undefined || other.umoci === undefined) continue;
        const comparison = compare(sides[k - 1], sides[k], false);
        comparison.readData();
        const ours = new Set(linesOf(sides[k - 1], sides[k], comparison.changes()).map(([, path]) => path));
        const gone = (from: Lines, to: Lines) => from.filter((line) => !to.includes(line));
        const lines = [...gone(one.umoci, other.umoci), ...gone(other.umoci, one.umoci)];
        const theirs = new Set(lines.map((line) => line.split(" ")[0] ?? ""));
        expect({ seed, k, ours: [...ours].sort() }).toEqual({ seed, k, ours: [...theirs].sort() });
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(STACKS / 8);
  });
});

describe("bytes of two files of one size", () => {
  const hole = (data: string, at: number, size: number): Made => ({
    ...{ name: "s", data },
    pax: {
      "GNU.sparse.size": `${size}`,
      "GNU.sparse.numblocks": "1",
      "GNU.sparse.map": `${at},${data.length}`,
    },
  });
  const letters = async (one: readonly Made[], other: readonly Made[]): Promise<string[]> => {
    const [before, after] = await sidesOf(one, other);
    const comparison = compare(before, after);
    comparison.readData();
    return linesOf(before, after, comparison.changes()).map(([letter, path]) => `${letter} ${path}`);
  };
  const [x, zeros] = ["x".repeat(512), "\0".repeat(512)];

  it.each([
    [
      "data where another has a hole are no zeros",
      hole(zeros, 4096, 1 << 20),
      hole(x, 8192, 1 << 20),
      ["M /s"],
    ],
    ["zeros that are written are a hole", hole(zeros, 4096, 1 << 20), hole(zeros, 8192, 1 << 20), []],
    ["the last byte counts", file("s", "a".repeat(600_001)), file("s", `${"a".repeat(600_000)}b`), ["M /s"]],
  ])("%s", async (_, one, other, want) => {
    expect(await letters([file("first", "1"), one], [other, file("first", "1")])).toEqual(want);
  });

  it("holes are passed over, however long nobody could read", () => {
    const reads: number[] = [];
    const side = (data: string): Side => {
      const tree = new Tree();
      const inode = tree.newInode({ ...implicitParent(), mode: 0o100_644, size: 2 ** 52 });
      tree.pieces.set(inode, [{ offset: 2 ** 51, length: data.length, dataAt: 7, blob: 0 }]);
      const read: Side["read"] = (_, at, into) => {
        reads.push(at);
        into.set(Buffer.from(data));
      };
      const image = new LayeredImage({ tree, blobIds: [data] });
      return { image, blobs: [{ keys: [data], claim: undefined }], names: new Uint32Array(1), read };
    };
    expect(new DataComparer(side("abc"), side("abc")).hasSame(0, 0)).toBe(true);
    expect(new DataComparer(side("abc"), side("abd")).hasSame(0, 0)).toBe(false);
    expect(reads).toEqual([7, 7, 7, 7]);
  });
});

describe("where one difference is enough", () => {
  const files = (names: string, data: string, mode = 0o644): Made[] =>
    [...names].map((name) => file(name, data, { mode }));

  it.each([
    ["no byte is read when a name shows it", files("abc", "1"), files("abcd", "2"), 0, true],
    ["none when attributes show it", files("ab", "1"), files("ab", "2", 0o600), 0, true],
    ["no file behind the first that differs", files("abc", "1"), files("abc", "2"), 1, true],
    ["all files up to that", [...files("abc", "1"), ...files("x", "0")], [...files("xabc", "1")], 4, true],
    ["all of them where nothing differs", files("abc", "123"), files("cba", "123"), 3, false],
  ])("%s", async (_, one, other, want, hasChanges) => {
    const [before, after] = await sidesOf(one, other);
    let reads = 0;
    const read: Side["read"] = (...of) => {
      reads++;
      before.read(...of);
    };
    const comparison = compare({ ...before, read }, after);
    comparison.readData(true);
    expect({ reads, hasChanges: comparison.changes().next().done === false }).toEqual({
      reads: want,
      hasChanges,
    });
  });
});
