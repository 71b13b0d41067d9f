import { closeSync, ftruncateSync, openSync, truncateSync, writeSync } from "node:fs";
import { expect, it } from "vitest";
import { messageOf } from "../../src/bytes/errors.ts";
import { MetaFile } from "../../src/erofs/meta-file.ts";
import { readTables } from "../../src/erofs/open.ts";
import { content, image, nodeAt, refusal, serve, xattrsOf } from "../support/image.ts";
import { BLOCK, Crafted, DIRECTORY, FILE, HEAD, ROOT_AT } from "./crafted.ts";

const GIB = 2 ** 30;
const XATTR_PREFIXES = 0x40;
const CHUNKED_FILE = 0x4;

/** Puts blocks of a crafted image far apart in a file of `size` bytes that is holes otherwise. */
function scatter(path: string, made: Crafted, size: number, moves: [block: number, to: number][]): void {
  const fd = openSync(path, "r+");
  ftruncateSync(fd, 0);
  ftruncateSync(fd, size);
  const first = Math.min(...moves.map(([block]) => block));
  writeSync(fd, made.bytes, 0, first * BLOCK, 0);
  for (const [block, to] of moves) writeSync(fd, made.bytes, block * BLOCK, BLOCK, to);
  closeSync(fd);
}

it("metadata and data behind 2 and 3 GiB are served, and what lies between costs no memory", () => {
  const made = new Crafted(16, CHUNKED_FILE | XATTR_PREFIXES);
  const [inodeAt, dataAt, prefixAt] = [2.25 * GIB, 3 * GIB, 2.5 * GIB];
  const size = made.directory(2, ROOT_AT / 32, ROOT_AT / 32, [["f", inodeAt / 32, 1]]);
  made.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, size, 2);
  // Block 3: the file, its xattr `user.long.n` and two chunks, of which the first is a hole.
  made.inode(3 * BLOCK, HEAD.CHUNKED, FILE, BLOCK + 5, 0, 3);
  made.bytes.set([1, 0x80, 2, 0, 0x6e, 0x61, 0x62], 3 * BLOCK + 64 + 12);
  made.v.setUint32(3 * BLOCK + 64 + 20, 0xffffffff, true);
  made.v.setUint32(3 * BLOCK + 64 + 24, dataAt / BLOCK, true);
  made.bytes.set(Buffer.from("hello"), 4 * BLOCK);
  made.bytes.set([6, 0, 1, ...Buffer.from("long.")], 5 * BLOCK);
  made.v.setUint8(1024 + 91, 1);
  made.v.setUint32(1024 + 92, prefixAt / 4, true);

  const { path, places } = made.save();
  scatter(path, made, 3.5 * GIB, [
    [3, inodeAt],
    [4, dataAt],
    [5, prefixAt],
  ]);
  const before = process.memoryUsage().rss;
  const { fs } = serve(path, places);
  const node = nodeAt(fs, "/f");
  expect(
    Buffer.from(content(fs, node, BLOCK + 5))
      .subarray(BLOCK - 1)
      .toString(),
  ).toBe("\0hello");
  expect(xattrsOf(fs, node)).toEqual({ "user.long.n": Buffer.from("ab").toString("base64") });
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
});

/** Each says that 2 GiB of it are metadata, and is some kilobytes on disk. */
it.each([
  ["a directory", (made: Crafted) => made.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, 2 ** 31 - 1, 8)],
  [
    "an array of chunks",
    (made: Crafted) => {
      const size = made.directory(2, ROOT_AT / 32, ROOT_AT / 32, [["f", (3 * BLOCK) / 32, 1]]);
      made.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, size, 2);
      made.inode(3 * BLOCK, HEAD.CHUNKED, FILE, 2 ** 29 * BLOCK, 0);
    },
  ],
])("%s of holes is refused before it takes memory", (_, make) => {
  const made = new Crafted(4, CHUNKED_FILE);
  make(made);
  const { dir, path, places } = made.save();
  truncateSync(path, 4 * GIB);
  const before = process.memoryUsage().rss;
  expect(refusal({ dir, path, places })).toMatch(
    /^image @0x[38]000: more than 1073741824 bytes of metadata$/,
  );
  // Leniently it is one broken inode, unless it is the root.
  expect(refusal({ dir, path, places }, true)).toMatch(/^$|more than 1073741824/);
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
});

/** What a TARFS bootstrap says of itself, by offset: see erofs/rafs. */
it.each([
  [
    "a prefetch table of holes ends where it begins",
    [
      [0x4a8, GIB / 2],
      [0x4b0, 2 ** 26],
    ],
    "",
  ],
  [
    "so long a blob table is refused",
    [
      [0x488, GIB / 2],
      [0x490, 2 ** 29],
    ],
    "blob table is 536870912 bytes, want",
  ],
])("%s, and takes no memory", (_, words, want) => {
  const { path } = image("07-prefetch");
  truncateSync(path, GIB);
  const fd = openSync(path, "r+");
  for (const [at, value] of words) writeSync(fd, new Uint8Array(new Uint32Array([value]).buffer), 0, 4, at);
  let [said, loaded] = ["", 0];
  try {
    const tables = readTables(fd, GIB, "b");
    loaded = tables.meta.loaded.reduce((sum, each) => sum + each, 0);
    expect(tables.rafs?.prefetch).toEqual([]);
  } catch (error) {
    said = messageOf(error);
  }
  closeSync(fd);
  expect(said).toContain(want);
  expect(loaded).toBeLessThan(3);
});

it("metadata behind 4 GiB are refused", () => {
  const made = new Crafted(8, CHUNKED_FILE);
  const size = made.directory(2, ROOT_AT / 32, ROOT_AT / 32, [["f", (4 * GIB) / 32, 1]]);
  made.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, size, 2);
  const { dir, path, places } = made.save();
  truncateSync(path, 5 * GIB);
  expect(refusal({ dir, path, places })).toBe(
    "image @0x100000000: metadata behind byte 4294967296 of an image cannot be read",
  );
});

it("an image that becomes shorter while it is read is refused", () => {
  const { path } = image("01-basic");
  const fd = openSync(path, "r");
  const meta = new MetaFile(fd, 0x5000, "b");
  truncateSync(path, 0x4000);
  expect(() => meta.need(0, 1)).toThrow("b @0x4000: the image became shorter while it was read");
  closeSync(fd);
});
