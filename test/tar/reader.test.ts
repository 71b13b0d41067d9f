import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join as pathJoin } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { FormatError } from "../../src/bytes/errors.ts";
import { alignUp } from "../../src/bytes/u64.ts";
import type { TarEntry } from "../../src/tar/entry.ts";
import { FileBytes } from "../../src/tar/file-bytes.ts";
import { TarReader } from "../../src/tar/reader.ts";
import { END, entry, join, long, pax, readAll, readerOf, ZERO } from "./emit.ts";

const map = "2\n2\n3\n8\n2\n".padEnd(512, "\0");
const sparse = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "12" };

/** Each kind of header, data of all lengths around a block. */
const TAR = join(
  pax({ uid: "5" }, "g"),
  entry({ type: "5", name: "d/" }),
  entry({ name: "d/a", data: "x".repeat(511) }),
  long("K", "k".repeat(600)),
  long("L", "l".repeat(512)),
  entry({ type: "2", magic: "gnu" }),
  ZERO,
  pax({ path: "p".repeat(700), mtime: "-1.5", "SCHILY.xattr.user.a": "\0\n" }),
  entry({ data: "x".repeat(2000) }),
  pax(sparse),
  entry({ name: "s", data: `${map}abcde` }),
  entry({
    type: "S",
    magic: "gnu",
    name: "o",
    size: 0,
    patch: [
      [482, "\x01"],
      [483, "00000000005"],
    ],
  }),
  ZERO,
  entry({ name: "last", data: "x" }),
  END,
);
const ENTRIES = readAll(TAR);

/** Ends a test that hangs. */
const MOST = 10_000;

describe("a tar that grows", () => {
  it("gives the same entries, each as soon as its headers are there", () => {
    const reader = readerOf(TAR);
    const found: TarEntry[] = [];
    for (let limit = 0; limit <= TAR.length; limit++) {
      for (let next = reader.next(limit, false); next !== "more" && next !== undefined; ) {
        // A map in the data is there before the block that it ends in.
        expect(alignUp(limit, 512)).toBe(next.dataAt);
        found.push(next);
        next = reader.next(limit, false);
      }
    }
    expect(found).toEqual(ENTRIES);
    expect(reader.next(TAR.length, false)).toBeUndefined();
    expect(reader.end).toBe(TAR.length);
  });

  it("gives the same entries in pieces of any size", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(TAR.length), { maxLength: 30 }), (limits) => {
        const reader = readerOf(TAR);
        const found: TarEntry[] = [];
        for (const limit of [...limits.sort((a, b) => a - b), TAR.length]) {
          const isEnd = limit === TAR.length;
          for (let next = reader.next(limit, isEnd); next !== "more" && next !== undefined; ) {
            found.push(next);
            next = reader.next(limit, isEnd);
          }
        }
        expect(found).toEqual(ENTRIES);
      }),
    );
  });

  it("asks for nothing below its position", () => {
    let position = 0;
    const view = (at: number, length: number) => {
      expect(at).toBeGreaterThanOrEqual(position);
      return TAR.subarray(at, at + length);
    };
    const reader = new TarReader({ view }, "t");
    for (let limit = 0; limit <= TAR.length; limit += 256)
      for (let next = reader.next(limit, false); next !== "more" && next !== undefined; ) {
        next = reader.next(limit, false);
        ({ position } = reader);
      }
  });

  it("is told from one that ends early, after the entry was given", () => {
    const reader = readerOf(TAR);
    expect(reader.next(1536, false)).toMatchObject({ kind: "directory" });
    expect(reader.next(2048, false)).toMatchObject({ kind: "file", size: 511 });
    expect(reader.next(2100, false)).toBe("more");
    expect(() => reader.next(2100, true)).toThrow("t @0x600: d/a: the tar ends in its data, at byte 2100");
  });
});

describe("a tar of any bytes", () => {
  /** Reads to the end or to a FormatError; anything else fails the test. @returns entries read */
  function survive(tar: Uint8Array, options = {}): number {
    const reader = readerOf(tar, options);
    for (let n = 0; n < MOST; n++) {
      try {
        if (reader.next(tar.length, true) === undefined) return n;
      } catch (error) {
        if (error instanceof FormatError) return n;
        throw error;
      }
    }
    throw new Error("it does not end");
  }

  it("a tar that is cut off anywhere gives its first entries, or says so", () => {
    for (let length = 0; length < TAR.length; length++) {
      const tar = TAR.subarray(0, length);
      const reader = readerOf(tar);
      const found: TarEntry[] = [];
      try {
        for (let next = reader.next(length, true); typeof next === "object"; next = reader.next(length, true))
          found.push(next);
        // Only between entries (and in padding and zeros) nothing is missed.
        const {
          dataAt,
          size,
          sparse: holes,
        } = ENTRIES[found.length - 1] ?? { dataAt: 0, size: 0, sparse: undefined };
        if (holes === undefined) expect(length).toBeGreaterThanOrEqual(dataAt + size);
        const next = ENTRIES[found.length]?.at ?? TAR.length;
        expect(length, "no header was begun").toBeLessThanOrEqual(next);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
      const firsts = ENTRIES.slice(0, found.length);
      expect(found.map(({ dataAt }) => dataAt).join()).toBe(firsts.map(({ dataAt }) => dataAt).join());
    }
  });

  const random = (seed: number) => () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };

  it("bytes turned at random make errors or entries", () => {
    const next = random(7);
    for (let round = 0; round < 3000; round++) {
      const tar = TAR.slice();
      for (let flips = 1 + Math.floor(next() * 4); flips > 0; flips--)
        tar[Math.floor(next() * tar.length)] = Math.floor(next() * 256);
      survive(tar, { ignoreZeros: next() < 0.5 });
    }
  });

  it("fields turned at random, with checksums that fit, make errors or entries", () => {
    const next = random(11);
    let read = 0;
    const headers = Array.from({ length: TAR.length / 512 }, (_, i) => i * 512).filter(
      (at) => Buffer.from(TAR.subarray(at + 257, at + 262)).toString() === "ustar",
    );
    const interesting = [0, 0x20, 0x2f, 0x30, 0x37, 0x80, 0xff, 0x53, 0x78, 0x67, 0x4c, 0x0a, 0x3d, 0x2c];
    for (let round = 0; round < 5000; round++) {
      const tar = TAR.slice();
      for (let flips = 1 + Math.floor(next() * 3); flips > 0; flips--) {
        const at =
          next() < 0.6
            ? headers[Math.floor(next() * headers.length)] + 100 + Math.floor(next() * 412)
            : Math.floor(next() * tar.length);
        tar[at] =
          next() < 0.7 ? interesting[Math.floor(next() * interesting.length)] : Math.floor(next() * 256);
      }
      for (const at of headers) {
        tar.fill(0x20, at + 148, at + 156);
        const sum = tar.subarray(at, at + 512).reduce((a, b) => a + b, 0);
        tar.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), at + 148);
      }
      read += survive(tar);
    }
    expect(read).toBeGreaterThan(10_000);
  });

  it("blocks of anything make errors or entries", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), (tar) => void survive(tar)));
  });

  it("a hostile list of attributes takes no long time", () => {
    const one = "25 SCHILY.xattr.user.x=1\n";
    const many = Array.from(
      { length: 40_000 },
      (_, i) => `25 SCHILY.xattr.${i.toString(36).padStart(6, "0")}=1\n`,
    );
    expect(readAll(join(pax(many.join("").slice(0, 25 * 40_000)), entry(), END))[0].xattrs).toHaveLength(
      40_000,
    );
    expect(readAll(join(pax(one.repeat(40_000)), entry(), END))[0].xattrs).toHaveLength(1);
  });
});

describe("FileBytes", () => {
  const dir = mkdtempSync(pathJoin(tmpdir(), "nydusd-ts-tar-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const big = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) ^ (i >> 8));
  const path = pathJoin(dir, "big");
  writeFileSync(path, big);

  it("gives the bytes that are asked for, in any order", () => {
    const fd = openSync(path, "r");
    const bytes = new FileBytes(fd, path);
    fc.assert(
      fc.property(fc.nat(299_999), fc.integer({ min: 0, max: 150_000 }), (at, wanted) => {
        const length = Math.min(wanted, big.length - at);
        expect(Buffer.compare(bytes.view(at, length), big.subarray(at, at + length))).toBe(0);
      }),
    );
    expect(() => bytes.view(299_999, 2)).toThrow(
      `${path} @0x493e0: the tar became shorter while it was read`,
    );
    closeSync(fd);
  });

  /** Reads a tar through it. @returns what the kernel counted: bytes and calls, those of the count included */
  function cost(tar: string, size: number): { entries: number; bytes: number; calls: number } {
    const fd = openSync(tar, "r");
    const reader = new TarReader(new FileBytes(fd, tar), tar);
    const count = (name: string) => {
      const io = readFileSync("/proc/self/io", "utf8");
      return Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(io)?.[1]);
    };
    const before = [count("rchar"), count("syscr")];
    let entries = 0;
    while (reader.next(size, true) !== undefined) entries++;
    const result = { entries, bytes: count("rchar") - before[0], calls: count("syscr") - before[1] };
    closeSync(fd);
    return result;
  }

  it("reads the headers of large files alone", () => {
    const tar = pathJoin(dir, "large");
    const fd = openSync(tar, "w");
    const size = 1 << 20;
    const header = entry({ data: "", size });
    for (let i = 0; i < 200; i++) writeSync(fd, header, 0, 512, i * (size + 512));
    ftruncateSync(fd, 200 * (size + 512));
    closeSync(fd);
    const { entries, bytes } = cost(tar, 200 * (size + 512));
    expect(entries).toBe(200);
    expect(bytes).toBeLessThan(2 << 20);
  });

  it("reads many small files at once", () => {
    const tar = pathJoin(dir, "small");
    const one = entry({ data: "x" });
    const all = Buffer.concat(Array.from({ length: 5000 }, () => one));
    writeFileSync(tar, all);
    const { entries, calls } = cost(tar, all.length);
    expect(entries).toBe(5000);
    expect(calls).toBeLessThan(200);
  });

  it("serves a reader", () => {
    const tar = pathJoin(dir, "tar");
    writeFileSync(tar, TAR);
    const fd = openSync(tar, "r");
    const reader = new TarReader(new FileBytes(fd, tar), tar);
    const found: unknown[] = [];
    for (let next = reader.next(TAR.length, true); next !== undefined; next = reader.next(TAR.length, true))
      found.push(next);
    expect(found).toEqual(ENTRIES);
    closeSync(fd);
  });
});

it("pauses after many headers that make no entry, when it is to", () => {
  const extensions = Array.from({ length: 5000 }, () => entry({ type: "g", data: "12 comment=\n" }));
  const tar = join(...extensions, entry({ name: "f" }), END);
  const view = (at: number, length: number) => tar.subarray(at, at + length);
  const paused = new TarReader({ view }, "tar", { pauses: true });
  expect(paused.next(tar.length, true)).toBe("more");
  expect(paused.next(tar.length, true)).toMatchObject({ kind: "file" });
  expect(new TarReader({ view }, "tar").next(tar.length, true)).toMatchObject({ kind: "file" });
});
