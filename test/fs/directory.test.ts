import { dirname } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENAMETOOLONG, ENOTDIR, EUCLEAN } from "../../src/bytes/errno.ts";
import type { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import { type Entry, newAttr, newEntry, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { fixture, nodeAt, pathOf, serveFixture } from "../support/image.ts";

/** A directory of each kind: many blocks of 512 and of 4096 bytes, block and inline tail, no `.` on disk. */
const DIRECTORIES: [fixture: string, path: string][] = [
  ["06-bigdir", "/big"],
  ["01-basic", "/etc"],
  ["20-erofs-default", "/many"],
  ["26-erofs-48bit-dotomit", "/many"],
  ["26-erofs-48bit-dotomit", "/"],
  ["24-erofs-tar-index", "/d"],
];

interface Listed {
  readonly name: Buffer;
  readonly node: number;
  readonly type: number;
  readonly cookie: number;
  readonly next: number;
}

/** The entries from `cookie` on, each found by its cookie; going on from one to the next shows the same. */
function listFrom(fs: ImageFileSystem, node: number, cookie: number): Listed[] {
  const all = collect(fs, node, cookie, (e) => fs.entry(node, e.next, e));
  expect(digest(collect(fs, node, cookie, (e) => fs.nextEntry(e)))).toBe(digest(all));
  return all;
}

function collect(fs: ImageFileSystem, node: number, cookie: number, goOn: (e: Entry) => number): Listed[] {
  const all: Listed[] = [];
  const e: Entry = newEntry();
  let at = cookie;
  for (let more = fs.entry(node, cookie, e); more === 1; more = goOn(e)) {
    const name = Buffer.from(e.bytes.slice(e.nameAt, e.nameAt + e.nameLength));
    all.push({ name, node: e.node, type: e.type, cookie: at, next: e.next });
    at = e.next;
  }
  return all;
}

/** Comparing strings is much faster than comparing a thousand objects. */
const digest = (entries: Listed[]): string =>
  entries.map((e) => `${e.name.toString("hex")} ${e.node} ${e.type} ${e.cookie} ${e.next}`).join("\n");

const find = (fs: ImageFileSystem, node: number, name: Uint8Array): number =>
  fs.lookup(node, Uint8Array.from([0x78, ...name, 0x78]), 1, name.length);

describe.each(DIRECTORIES)("%s %s", (name, path) => {
  const { fs } = serveFixture(name);
  const node = nodeAt(fs, path);
  const all = listFrom(fs, node, 0);

  it("lists each name once, in byte order but for a `.` that is not on disk", () => {
    const below = fixture(name).entries.map((e) => dirname(e.path ?? pathOf(e).toString()));
    expect(all.length).toBe(2 + below.filter((d, i) => i > 0 && d === path).length);
    const names = name.startsWith("26") ? all.slice(1) : all;
    for (let i = 1; i < names.length; i++)
      expect(Buffer.compare(names[i - 1].name, names[i].name)).toBeLessThan(0);
  });

  it("has cookies that grow", () => {
    for (const { cookie, next } of all) expect(next).toBeGreaterThan(cookie);
  });

  it("tells each entry's type", () => {
    const attr = newAttr();
    for (const entry of all) {
      expect(fs.attr(entry.node, attr)).toBe(0);
      expect(entry.type).toBe(attr.mode >> 12);
    }
  });

  it("finds `.` and `..`", () => {
    expect(find(fs, node, Buffer.from("."))).toBe(node);
    expect(find(fs, node, Buffer.from(".."))).toBe(ROOT_NODE);
    expect(all.filter((e) => e.name.toString() === ".").map((e) => e.node)).toEqual([node]);
    expect(all.filter((e) => e.name.toString() === "..").map((e) => e.node)).toEqual([ROOT_NODE]);
  });

  it("finds by binary search what a scan finds", () => {
    const known = fc.constantFrom(...all.map((e) => e.name));
    const near = fc
      .tuple(known, fc.nat(255), fc.integer({ min: -3, max: 3 }), fc.nat(2))
      .map(([name, at, by, how]) => {
        const other = Buffer.from(name);
        if (how === 0) return other.subarray(0, at % (other.length + 1));
        if (how === 1) return Buffer.concat([other, Buffer.of(at)]).subarray(0, 255);
        other[at % other.length] += by;
        return other;
      });
    const names = fc.oneof(
      known,
      near,
      fc.uint8Array({ minLength: 1, maxLength: 255 }).map((b) => Buffer.from(b)),
    );
    fc.assert(
      fc.property(names, (name) => {
        const scanned = all.find((e) => e.name.equals(name))?.node ?? 0;
        expect(find(fs, node, name)).toBe(scanned);
      }),
      { numRuns: 2_000 },
    );
  });

  it("finds every name", () => {
    for (const entry of all) expect(find(fs, node, entry.name)).toBe(entry.node);
  });

  it("goes on from any cookie with the same rest", () => {
    fc.assert(
      fc.property(fc.nat(all.length - 1), (i) => {
        expect(digest(listFrom(fs, node, all[i].cookie))).toBe(digest(all.slice(i)));
      }),
      { numRuns: 100 },
    );
  });

  it("ends at the cookie behind the last entry", () => {
    expect(listFrom(fs, node, all[all.length - 1].next)).toEqual([]);
  });

  it("answers a cookie that it never gave with some rest of the directory", () => {
    const names = all.map((e) => e.name.toString("hex"));
    const cookies = fc.oneof(
      fc.nat(100_000),
      fc.maxSafeNat(),
      fc.constantFrom(2 ** 31, 2 ** 53, 2 ** 63, 2 ** 64),
    );
    fc.assert(
      fc.property(cookies, (cookie) => {
        const rest = listFrom(fs, node, cookie).map((e) => e.name.toString("hex"));
        expect(rest).toEqual(rest.length === 0 ? [] : names.slice(-rest.length));
      }),
      { numRuns: 500 },
    );
  });
});

describe("lookup", () => {
  const { fs } = serveFixture("01-basic");

  it("answers a file for its own `.`, as file handles ask for, and for nothing else", () => {
    const file = nodeAt(fs, "/etc/one");
    expect(find(fs, file, Buffer.from("."))).toBe(file);
    expect(find(fs, file, Buffer.from(".."))).toBe(-ENOTDIR);
    expect(find(fs, file, Buffer.from("x"))).toBe(-ENOTDIR);
    expect(fs.entry(file, 0, newEntry())).toBe(-ENOTDIR);
  });

  it("takes names of 255 bytes and refuses longer ones", () => {
    expect(find(fs, ROOT_NODE, Buffer.alloc(255, 0x61))).toBe(0);
    expect(find(fs, ROOT_NODE, Buffer.alloc(256, 0x61))).toBe(-ENAMETOOLONG);
  });

  it("has one node for all names of a file", () => {
    expect(new Set(["/bin/sh", "/bin/dash", "/bin/busybox"].map((p) => nodeAt(fs, p))).size).toBe(1);
  });

  it("answers EUCLEAN for numbers that are no node", () => {
    for (const node of [0, 2, 129, 141, 2 ** 31, 2 ** 32 - 1, 2 ** 53, 2 ** 64]) {
      expect(fs.attr(node, newAttr())).toBe(-EUCLEAN);
      expect(find(fs, node, Buffer.from("x"))).toBe(-EUCLEAN);
      expect(find(fs, node, Buffer.from("."))).toBe(-EUCLEAN);
      expect(fs.entry(node, 0, newEntry())).toBe(-EUCLEAN);
      expect(fs.read(node, 0, 1, new Uint8Array(1), 0)).toBe(-EUCLEAN);
      expect(fs.readlink(node, new Uint8Array(4096), 0)).toBe(-EUCLEAN);
      expect(fs.listxattr(node, new Uint8Array(0), 0, 0, true)).toBe(-EUCLEAN);
      expect(fs.getxattr(node, Buffer.from("user.x"), 0, 6, new Uint8Array(0), 0, 0)).toBe(-EUCLEAN);
    }
  });
});

describe("statfs", () => {
  // As the kernel's `statfs` counts them: the image's blocks and those of its devices.
  it.each([
    ["01-basic", { blocks: 120, blockSize: 512, files: 21 }],
    ["20-erofs-default", { blocks: 41, blockSize: 4096, files: 226 }],
  ])("%s", (name, want) => {
    const into = { blocks: 0, blockSize: 0, files: 0 };
    expect(serveFixture(name).fs.statfs(ROOT_NODE, into)).toBe(0);
    expect(into).toEqual(want);
  });
});
