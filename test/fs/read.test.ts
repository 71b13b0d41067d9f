import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EINVAL, EISDIR, S_IFMT, S_IFREG } from "../../src/bytes/errno.ts";
import { newAttr, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { content, fixture, nodeAt, pathOf, serveFixture } from "../support/image.ts";

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

  it("the root is node 1 and has its nid as inode number", () => {
    const { fs } = serveFixture("01-basic");
    expect(fs.attr(ROOT_NODE, attr)).toBe(0);
    expect(attr.ino).toBe(128);
  });
});
