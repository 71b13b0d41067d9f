import { describe, expect, it } from "vitest";
import { EUCLEAN } from "../../src/bytes/errno.ts";
import type { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import { newEntry, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { fixture, image, list, nodeAt, refusal, serve, tree } from "../support/image.ts";
import { BLOCK, Crafted, DIRECTORY, FILE, HEAD, ROOT_AT } from "./crafted.ts";

const ROOT = ROOT_AT / 32;
const NAMES = 300; // entries of 12 + 8 bytes: two blocks

/**
 * `/a` and `/b`, of which `b` has two blocks of files; `a` comes first and says that its blocks are `b`'s.
 *
 * @param from the block of `b` that `a` takes first
 */
function thief(from: 0 | 1): Crafted {
  const made = new Crafted(64);
  const nid = (slot: number) => ROOT + slot * 2;
  const [a, b] = [nid(1), nid(2)];
  const rootSize = made.directory(10, ROOT, ROOT, [
    ["a", a, 2],
    ["b", b, 2],
  ]);
  made.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, rootSize, 10);
  const files = Array.from({ length: NAMES }, (_, i): [string, number, number] => [
    `f${i.toString().padStart(7, "0")}`,
    nid(3 + i),
    1,
  ]);
  const size = made.directory(20, b, ROOT, files);
  made.inode(a * 32, HEAD.PLAIN, DIRECTORY, from === 0 ? size : size - BLOCK, 20 + from);
  made.inode(b * 32, HEAD.PLAIN, DIRECTORY, size, 20);
  for (let i = 0; i < NAMES; i++) made.inode(nid(3 + i) * 32, HEAD.PLAIN, FILE, 0, 0);
  return made;
}

const names = (fs: ImageFileSystem, path: string): string[] =>
  list(fs, nodeAt(fs, path)).map((e) => Buffer.from(e.name).toString());

describe("a lenient open serves all but what is corrupt", () => {
  const thieves: { from: 0 | 1; want: string }[] = [
    { from: 0, want: 'image @0x14000: "." is nid 132, want 130' },
    { from: 1, want: 'image @0x1040: directory has no "."' },
  ];
  it.each(thieves)("a directory that takes another's blocks, from its block $from on", ({ from, want }) => {
    const made = thief(from).save();
    expect(refusal(made)).toBe(want);
    const { fs, opened } = serve(made.path, made.places, true);
    expect(opened.report.corrupt).toBe(1);
    expect(nodeAt(fs, "/a")).toBe(-EUCLEAN);
    expect(names(fs, "/")).toEqual(["a", "b"]);
    expect(names(fs, "/b").length).toBe(NAMES);
    for (const name of names(fs, "/b")) expect(nodeAt(fs, `/b/${name}`)).toBeGreaterThan(0);
  });

  it("a wrong entry for a file that has other names", () => {
    // /bin/dash says it is a directory; it is the same inode as /bin/busybox and /bin/sh.
    const made = image("01-basic", [0x326e, "02"]);
    const { fs, opened } = serve(made.path, made.places, true);
    expect(opened.report.corrupt).toBe(1);
    expect(nodeAt(fs, "/bin/dash")).toBe(-EUCLEAN);
    expect(nodeAt(fs, "/bin/busybox")).toBe(nodeAt(fs, "/bin/sh"));
    expect(nodeAt(fs, "/bin/sh")).toBeGreaterThan(0);
  });

  it("an entry that names the root: it is listed, leads nowhere, and the root stays", () => {
    const made = image("01-basic", [0x34e0, "80"], [0x34ea, "02"]);
    const { fs } = serve(made.path, made.places, true);
    const entry = newEntry();
    const etc = nodeAt(fs, "/etc");
    const found = list(fs, etc).find((e) => Buffer.from(e.name).toString() === "one");
    expect(found).toMatchObject({ node: 0, type: 0 });
    expect(nodeAt(fs, "/etc/one")).toBe(-EUCLEAN);
    expect(fs.entry(ROOT_NODE, 0, entry)).toBe(1);
    expect(names(fs, "/")).toEqual(["bin", "dev", "etc", "lnk", "lnkabs", "tmp"]);
  });
});

describe("the report", () => {
  it("counts everything and keeps the first problems", () => {
    const made = new Crafted(8);
    const entries = Array.from({ length: 100 }, (_, i): [string, number, number] => [`n${i + 100}`, 0, 1]);
    made.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, made.directory(2, ROOT, ROOT, entries), 2);
    const { path, places } = made.save();
    const { report } = serve(path, places, true).opened;
    expect(report).toMatchObject({ corrupt: 100, inodes: 1, directories: 1 });
    expect(report.problems.map((p) => p.message)).toEqual(
      Array.from(
        { length: 16 },
        (_, i) => `${path} @0x${(0x2018 + i * 12).toString(16)}: nid is 0, which is no inode`,
      ),
    );
  });

  it.each([
    ["01-basic", { inodes: 19, directories: 5, prefetch: [] }],
    ["07-prefetch", { inodes: 19, directories: 5, prefetch: [162, 140] }],
    ["20-erofs-default", { inodes: 226, directories: 4, prefetch: [] }],
  ])("%s", (name, want) => {
    const { path, devices } = fixture(name);
    const places = { dirs: [], files: new Map(devices.map((d, i) => [String(i + 1), d])) };
    for (const lenient of [false, true])
      expect(serve(path, places, lenient).opened.report).toMatchObject({ ...want, corrupt: 0, problems: [] });
  });
});

it("a valid image is the same, opened strictly or leniently", () => {
  const { path, places } = image("12-merged");
  expect(tree(serve(path, places, true).fs)).toEqual(tree(serve(path, places, false).fs));
});
