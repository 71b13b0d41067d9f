import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EINVAL, EISDIR, S_IFMT, S_IFREG } from "../../src/bytes/errno.ts";
import { newAttr, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { BLOCK, Crafted, DIRECTORY, FILE, HEAD, ROOT_AT } from "../erofs/crafted.ts";
import {
  content,
  fixture,
  image,
  nodeAt,
  pathOf,
  placesOf,
  type Scratch,
  serve,
  serveFixture,
} from "../support/image.ts";

/** Every way in which data is stored: tar chunks, joined devices, inline tails, block maps, indexes, holes. */
const FIXTURES = [
  "01-basic",
  "04-large",
  "12-merged",
  "13-export-disk",
  "14-rafs4k-disk",
  "20-erofs-default",
  "22-erofs-chunk-blockmap",
  "23-erofs-blobdev-indexes",
  "24-erofs-tar-index",
  "26-erofs-48bit-dotomit",
];

describe.each(FIXTURES)("%s", (name) => {
  const { fs, losses } = serveFixture(name);
  const files = fixture(name)
    .entries.filter((e) => (Number.parseInt(e.mode, 8) & S_IFMT) === S_IFREG && e.size > 0)
    .map((e) => ({ path: pathOf(e).toString(), node: nodeAt(fs, pathOf(e)), size: e.size }))
    .map((f) => ({ ...f, bytes: content(fs, f.node, f.size, 1 << 30) }));

  it("reads of any place and length are that part of the file", () => {
    expect(files.length).toBeGreaterThan(0);
    const part = fc.constantFrom(...files).chain((file) => {
      const border = fc.tuple(fc.nat(Math.ceil(file.size / 512)), fc.integer({ min: -2, max: 2 }));
      return fc.record({
        file: fc.constant(file),
        offset: fc.oneof(
          fc.nat(file.size + 10),
          border.map(([k, by]) => Math.max(0, k * 512 + by)),
        ),
        length: fc.oneof(fc.nat(10), fc.nat(9_000), fc.nat(file.size + 10)),
        at: fc.nat(20),
      });
    });
    fc.assert(
      fc.property(part, ({ file, offset, length, at }) => {
        const out = new Uint8Array(at + length + 1).fill(0xa5);
        const want = file.bytes.subarray(offset, offset + length);
        expect(fs.read(file.node, offset, length, out, at)).toBe(want.length);
        expect(Buffer.compare(out.subarray(at, at + want.length), want)).toBe(0);
        expect(out.subarray(0, at).every((b) => b === 0xa5)).toBe(true);
        expect(out.subarray(at + want.length).every((b) => b === 0xa5)).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(losses).toEqual([]);
  });

  it("nothing is behind the end", () => {
    for (const { node, size } of files)
      for (const offset of [size, size + 1, 2 ** 31, 2 ** 53, 2 ** 63])
        expect(fs.read(node, offset, 4096, new Uint8Array(4096), 0)).toBe(0);
  });
});

describe("what is not a file", () => {
  const { fs } = serveFixture("01-basic");
  const out = new Uint8Array(4096);

  it.each([
    ["/", -EISDIR],
    ["/etc", -EISDIR],
    ["/lnk", -EINVAL],
    ["/dev/null", -EINVAL],
    ["/dev/fifo", -EINVAL],
  ])("%s is not read", (path, want) => expect(fs.read(nodeAt(fs, path), 0, 10, out, 0)).toBe(want));

  it.each([
    ["/", -EINVAL],
    ["/etc/one", -EINVAL],
    ["/dev/null", -EINVAL],
    ["/lnk", 7],
  ])("%s read as a symlink", (path, want) => expect(fs.readlink(nodeAt(fs, path), out, 0)).toBe(want));
});

describe("attributes beyond expected.json", () => {
  const attr = newAttr();
  it.each([
    ["01-basic", "/etc/b513", 2],
    ["01-basic", "/etc/empty", 0],
    ["20-erofs-default", "/b4097", 16],
    ["20-erofs-default", "/sparse", 128],
  ])("%s %s has %i blocks of 512 bytes, its size rounded up as the kernel does", (name, path, want) => {
    const { fs } = serveFixture(name);
    expect(fs.attr(nodeAt(fs, path), attr)).toBe(0);
    expect(attr.blocks).toBe(want);
  });

  it("a fifo has no device number, whatever its tar header put there", () => {
    const { path, places } = image("01-basic", [0x3390, "05010000"]);
    const { fs } = serve(path, places);
    expect(fs.attr(nodeAt(fs, "/dev/fifo"), attr)).toBe(0);
    expect(attr.rdev).toBe(0);
  });

  it("the root is node 1 and has its nid as inode number", () => {
    const { fs } = serveFixture("01-basic");
    expect(fs.attr(ROOT_NODE, attr)).toBe(0);
    expect(attr.ino).toBe(128);
  });
});

describe("chunks", () => {
  /** `/f` in chunks of a block, each of which is a device and a block of it. */
  function chunked(chunks: [device: number, block: number][]): Scratch {
    const made = new Crafted(8, 0xc, 2);
    made.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, made.directory(2, 128, 128, [["f", 130, 1]]), 2);
    made.inode(ROOT_AT + 64, HEAD.CHUNKED, FILE, chunks.length * BLOCK, 0x20);
    for (const [i, [device, block]] of chunks.entries()) {
      made.v.setUint16(ROOT_AT + 128 + i * 8 + 2, device, true);
      made.v.setUint32(ROOT_AT + 128 + i * 8 + 4, block, true);
    }
    const { dir, path } = made.save();
    const devices = [1, 2].map((device) => {
      const blocks = Array.from({ length: 8 }, (_, block) => Buffer.alloc(BLOCK, device * 16 + block));
      made.v.setUint32(9 * 128 + (device - 1) * 128 + 64, 8, true);
      made.v.setUint32(9 * 128 + (device - 1) * 128 + 68, device * 8 + 8, true);
      writeFileSync(join(dir, `device${device}`), Buffer.concat(blocks));
      return join(dir, `device${device}`);
    });
    writeFileSync(path, made.bytes);
    return { dir, path, places: placesOf(devices) };
  }

  const HOLE = 0xffffffff;
  const cases: { name: string; chunks: [number, number][] }[] = [
    {
      name: "side by side",
      chunks: [
        [1, 2],
        [1, 3],
        [1, 4],
      ],
    },
    {
      name: "side by side, but on two devices",
      chunks: [
        [1, 2],
        [2, 3],
        [1, 4],
      ],
    },
    {
      name: "the same again",
      chunks: [
        [1, 2],
        [1, 2],
        [2, 2],
        [2, 2],
      ],
    },
    {
      name: "backwards",
      chunks: [
        [2, 7],
        [2, 6],
        [2, 5],
      ],
    },
    {
      name: "with holes between and at the ends",
      chunks: [
        [1, HOLE],
        [1, HOLE],
        [1, 0],
        [2, HOLE],
        [1, 1],
        [1, 2],
        [1, HOLE],
      ],
    },
    {
      name: "device ids with bits above the mask, as nydus writes them",
      chunks: [
        [0x0101, 5],
        [0xff02, 6],
      ],
    },
    {
      name: "in the unified space, from one device to the next",
      chunks: [
        [0, 22],
        [0, 23],
        [0, 24],
        [0, 25],
      ],
    },
    {
      name: "on the image itself",
      chunks: [
        [0, 1],
        [0, 0xffffffff],
        [0, 1],
      ],
    },
  ];
  it.each(cases)("$name", ({ chunks }) => {
    const { path, places } = chunked(chunks);
    const { fs } = serve(path, places);
    const bytes = readFileSync(path);
    const blocks = chunks.map(([device, block]) => {
      const id = device & 3;
      if (block === HOLE) return Buffer.alloc(BLOCK);
      if (id > 0) return Buffer.alloc(BLOCK, id * 16 + block);
      if (block < 8) return bytes.subarray(block * BLOCK, (block + 1) * BLOCK);
      return Buffer.alloc(BLOCK, block < 24 ? 16 + block - 16 : 32 + block - 24);
    });
    const want = Buffer.concat(blocks);
    const node = nodeAt(fs, "/f");
    for (const step of [want.length, BLOCK, BLOCK - 1, BLOCK + 1, 100])
      expect(Buffer.compare(content(fs, node, want.length, step), want)).toBe(0);
  });
});
