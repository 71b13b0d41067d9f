import { expect, it } from "vitest";
import { showName } from "../../src/bytes/name.ts";
import { PathTable, pathsOf } from "../../src/fs/path-table.ts";
import { fixture, pathOf, serveFixture } from "../support/image.ts";

it.each(["01-basic", "06-bigdir", "08-nodata", "12-merged", "20-erofs-default", "26-erofs-48bit-dotomit"])(
  "%s: every node has one of its paths",
  (name) => {
    const { fs, opened } = serveFixture(name);
    const table = new PathTable(fs, Math.ceil(opened.handle.shared.byteLength / 32));
    const paths = new Map<number, string[]>();
    for (const entry of fixture(name).entries) {
      const node = pathOf(entry).toString() === "/" ? 1 : entry.ino;
      paths.set(node, [...(paths.get(node) ?? []), showName(pathOf(entry))]);
    }
    for (const [node, names] of paths)
      expect(names).toContain(showName(table.pathOf(node) ?? new Uint8Array(0)));
    for (const node of [0, 2 ** 31, 2 ** 53 - 1]) expect(table.pathOf(node)).toBeUndefined();
    const some = new Set([...paths.keys()].filter((_, i) => i % 3 === 0));
    const found = pathsOf(fs, some);
    expect([...found.keys()].sort()).toEqual([...some].sort());
    for (const [node, path] of found) expect(paths.get(node)).toContain(path);
  },
);
