import { describe, expect, it } from "vitest";
import { refusal, serve } from "../support/image.ts";
import { BLOCK, Crafted, DIRECTORY, FILE, HEAD, ROOT_AT } from "./crafted.ts";
import { cpuTime } from "../support/cpu-time.ts";

/**
 * Images made so that a careless reader works for hours. Each has some ten megabytes; to refuse it, or to
 * find out leniently what of it is valid, must take no longer than to read an honest image of that size.
 */
const MAX_MS = 10_000;
const nameOf = (i: number): string => `n${i.toString().padStart(7, "0")}`;

/** A root with `count` entries, each naming what `nid` says; its blocks begin at block 2. */
function rootWith(image: Crafted, count: number, type: number, nid: (i: number) => number): number {
  const entries = Array.from({ length: count }, (_, i): [string, number, number] => [
    nameOf(i),
    nid(i),
    type,
  ]);
  const size = image.directory(2, ROOT_AT / 32, ROOT_AT / 32, entries);
  image.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, size, 2);
  return Math.ceil(size / BLOCK) + 2;
}

/** Blocks that `rootWith` takes, with those before. */
const rootEnd = (count: number): number => 3 + Math.ceil(count / Math.floor(BLOCK / 20));

interface Hostile {
  readonly name: string;
  readonly make: () => Crafted;
  /** "" when the image is odd but valid. */
  readonly want: string;
  readonly corrupt: number;
}

const FILES = 100_000;
const CHUNKS = 1_000_000;

const cases: Hostile[] = [
  {
    name: "5,000 directories that share the blocks of one with 50,000 entries",
    make: () => {
      const n = 5_000;
      const shared = rootEnd(n) + n / 64 + 2;
      const inodes = rootEnd(n);
      const image = new Crafted(Math.ceil(shared) + rootEnd(50_000) + 8);
      rootWith(image, n, 2, (i) => inodes * (BLOCK / 32) + i * 2);
      const names = Array.from({ length: 50_000 }, (_, i): [string, number, number] => [nameOf(i), 0, 1]);
      const block = Math.ceil(shared);
      const size = image.directory(block, inodes * (BLOCK / 32), ROOT_AT / 32, names);
      for (let i = 0; i < n; i++) image.inode(inodes * BLOCK + i * 64, HEAD.PLAIN, DIRECTORY, size, block);
      return image;
    },
    want: "image @0x6d018: nid is 0, which is no inode",
    corrupt: 54_999,
  },
  {
    name: "100,000 files that claim one array of 1,000,000 chunks",
    make: () => {
      const inodes = rootEnd(FILES);
      const array = (CHUNKS * 4) / BLOCK;
      const image = new Crafted(inodes + Math.ceil((FILES * 64) / BLOCK) + Math.ceil(array) + 1, 4);
      rootWith(image, FILES, 1, (i) => inodes * (BLOCK / 32) + i * 2);
      // From the last on, so that each array holds the inodes that are met later.
      for (let i = 0; i < FILES; i++)
        image.inode(inodes * BLOCK + i * 64, HEAD.CHUNKED, FILE, CHUNKS * BLOCK, 0);
      return image;
    },
    want: "image @0x1ee044: data ends at byte 135942144, the image has 12431360",
    corrupt: FILES,
  },
  {
    name: "100,000 files with 64 KiB of xattrs that overlap",
    make: () => {
      const inodes = rootEnd(FILES);
      const image = new Crafted(inodes + Math.ceil((FILES * 64) / BLOCK) + 65);
      rootWith(image, FILES, 1, (i) => inodes * (BLOCK / 32) + i * 2);
      for (let i = 0; i < FILES; i++) image.inode(inodes * BLOCK + i * 64, HEAD.PLAIN, FILE, 0, 0, 0xffff);
      return image;
    },
    want: "image @0x1ee040: shared xattr 4294901761 is outside the image",
    corrupt: FILES,
  },
  {
    name: "100,000 files of 2^62 bytes",
    make: () => {
      const inodes = rootEnd(FILES);
      const image = new Crafted(inodes + Math.ceil((FILES * 64) / BLOCK), 4);
      rootWith(image, FILES, 1, (i) => inodes * (BLOCK / 32) + i * 2);
      for (let i = 0; i < FILES; i++) image.inode(inodes * BLOCK + i * 64, HEAD.CHUNKED, FILE, 2 ** 62, 0);
      return image;
    },
    want: "image @0x1ee000: size is 4611686018427388000, want below 2^53",
    corrupt: FILES,
  },
  {
    name: "500,000 entries that name the root",
    make: () => {
      const n = 500_000;
      const image = new Crafted(rootEnd(n));
      rootWith(image, n, 2, () => ROOT_AT / 32);
      return image;
    },
    want: "image @0x2018: directory nid 128 is named twice",
    corrupt: 500_000,
  },
  {
    name: "500,000 names of one file",
    make: () => {
      const n = 500_000;
      const image = new Crafted(rootEnd(n) + 1);
      const end = rootWith(image, n, 1, () => ROOT_AT / 32 + 2);
      image.inode(ROOT_AT + 64, HEAD.PLAIN, FILE, 0, 0);
      expect(end).toBeLessThanOrEqual(rootEnd(n));
      return image;
    },
    want: "",
    corrupt: 0,
  },
  {
    name: "20,000 directories, each in the one before",
    make: () => {
      const depth = 20_000;
      const image = new Crafted(2 + depth / 16 + depth);
      const inodeAt = (i: number) => (i === 0 ? ROOT_AT : 2 * BLOCK + i * 256);
      const nid = (i: number) => inodeAt(i) / 32;
      const first = 2 + depth / 16;
      for (let i = 0; i < depth; i++) {
        const next: [string, number, number][] = i + 1 < depth ? [["d", nid(i + 1), 2]] : [];
        const size = image.directory(first + i, nid(i), nid(Math.max(0, i - 1)), next);
        image.inode(inodeAt(i), HEAD.PLAIN, DIRECTORY, size, first + i);
      }
      return image;
    },
    want: "",
    corrupt: 0,
  },
  {
    name: "1,000,000 chunks on device 0 with 254 unified devices",
    make: () => {
      const table = 9 * 128 + 254 * 128;
      const start = Math.ceil(table / BLOCK);
      const image = new Crafted(start + 4 + Math.ceil((CHUNKS * 4) / BLOCK), 0xc, 254);
      const nid = (start * BLOCK) / 32;
      image.v.setUint16(1024 + 14, nid, true);
      for (let i = 0; i < 254; i++) {
        image.v.setUint32(9 * 128 + i * 128 + 64, 1, true);
        image.v.setUint32(9 * 128 + i * 128 + 68, 0xfffffff0, true);
      }
      const file = (start + 2) * BLOCK;
      const size = image.directory(start + 1, nid, nid, [["f", file / 32, 1]]);
      image.inode(start * BLOCK, HEAD.PLAIN, DIRECTORY, size, start + 1);
      image.inode(file, HEAD.CHUNKED, FILE, CHUNKS * BLOCK, 0);
      return image;
    },
    want: "",
    corrupt: 0,
  },
];

describe("opening takes time linear in the image's size", () => {
  it.each(cases)("$name", ({ make, want, corrupt }) => {
    const made = make().save();
    const start = cpuTime();
    const said = refusal(made);
    const strictMs = cpuTime() - start;
    const { opened } = serve(made.path, made.places, true);
    const lenientMs = cpuTime() - start - strictMs;
    expect(said).toBe(want);
    expect(opened.report.corrupt).toBe(corrupt);
    expect(strictMs).toBeLessThan(MAX_MS);
    expect(lenientMs).toBeLessThan(MAX_MS);
  });
});
