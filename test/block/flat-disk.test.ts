import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskReader } from "../../src/block/disk-reader.ts";
import { FlatDisk, type Run } from "../../src/block/flat-disk.ts";
import { scratchDir } from "../support/image.ts";

/** What the two files of every disk below hold: no byte is what its neighbours or the other file have there. */
const FILES = [0, 1].map((file) =>
  Uint8Array.from({ length: 4096 }, (_, i) => (i * 7 + file * 101 + (i >> 8)) & 0xff),
);

/** Runs with holes between, as [gap, length, where from]: memory, or a byte of a file. */
const disks = fc
  .array(fc.tuple(fc.nat(50), fc.nat(300), fc.constantFrom("memory", 0, 1), fc.nat(3000)), { maxLength: 12 })
  .chain((parts) => fc.tuple(fc.constant(parts), fc.nat(100)))
  .map(([parts, tail]) => {
    let at = 0;
    const runs: Run[] = parts.map(([gap, length, where, from]) => {
      at += gap;
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 13 + from) & 0xff);
      const run: Run = { at, length, source: typeof where === "string" ? { bytes } : { file: where, from } };
      at += length;
      return run;
    });
    return { disk: new FlatDisk(at + tail, [...runs].reverse()), runs };
  });

/** The disk in one piece, made without its code. */
function wholeOf({ disk, runs }: { disk: FlatDisk; runs: readonly Run[] }): Uint8Array {
  const whole = new Uint8Array(disk.size);
  for (const { at, length, source } of runs)
    whole.set(
      "bytes" in source ? source.bytes : FILES[source.file].subarray(source.from, source.from + length),
      at,
    );
  return whole;
}

describe("a disk that is described as runs", () => {
  const dir = scratchDir();
  const paths = FILES.map((bytes, i) => {
    const path = join(dir, `${i}`);
    writeFileSync(path, bytes);
    return path;
  });

  it("has the same bytes whoever reads it, in any order and size", () => {
    const files = paths.map((name) => ({ fd: openSync(name, "r"), name }));
    fc.assert(
      fc.property(disks, fc.array(fc.tuple(fc.nat(4000), fc.nat(900)), { maxLength: 20 }), (made, reads) => {
        const whole = wholeOf(made);
        const reader = new DiskReader(made.disk, files);
        for (const [at, length] of reads) {
          const into = new Uint8Array(Math.max(0, Math.min(length, made.disk.size - at))).fill(0xee);
          reader.read(at, into);
          expect(into).toEqual(whole.slice(at, at + into.length));
        }
      }),
    );
    for (const { fd } of files) closeSync(fd);
  });

  it("is covered by its pieces, in order, with nothing twice", () =>
    fc.assert(
      fc.property(disks, fc.nat(3000), fc.nat(3000), ({ disk }, at, length) => {
        let done = Math.min(at, disk.size);
        for (const piece of disk.pieces(at, length)) {
          expect(piece.at).toBe(done);
          expect(piece.length).toBeGreaterThan(0);
          done += piece.length;
        }
        expect(done).toBe(Math.max(Math.min(at, disk.size), Math.min(at + length, disk.size)));
      }),
    ));

  it.each<[string, number, readonly [at: number, length: number][]]>([
    [
      "overlap",
      100,
      [
        [0, 20],
        [19, 1],
      ],
    ],
    ["leave it", 100, [[90, 11]]],
  ])("cannot be made of runs that %s", (_, size, runs) => {
    const make = () =>
      new FlatDisk(
        size,
        runs.map(([at, length]) => ({ at, length, source: { file: 0, from: 0 } })),
      );
    expect(make).toThrow(/run/);
  });

  it("tells of a file that became shorter, instead of showing zeros", () => {
    const path = join(dir, "short");
    writeFileSync(path, "ab");
    const disk = new FlatDisk(10, [{ at: 0, length: 10, source: { file: 0, from: 0 } }]);
    const fd = openSync(path, "r");
    expect(() => new DiskReader(disk, [{ fd, name: "short" }]).read(0, new Uint8Array(10))).toThrow(
      "short: ends at byte 2, it was longer when it was opened",
    );
    closeSync(fd);
  });
});
