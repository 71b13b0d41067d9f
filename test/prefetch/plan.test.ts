import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { S_IFMT, S_IFREG } from "../../src/bytes/errno.ts";
import { type Extent, Image } from "../../src/erofs/image.ts";
import { inodeSize } from "../../src/erofs/inode.ts";
import { Planner, RUN } from "../../src/prefetch/plan.ts";
import type { Rows } from "../../src/prefetch/rows.ts";
import { resolveList, namesDirectory, wholeNodes } from "../../src/prefetch/request.ts";
import { ROOT_NODE } from "../../src/vfs/file-system.ts";
import { fixture, nodeAt, pathOf, serveFixture } from "../support/image.ts";

const FIXTURES = ["01-basic", "04-large", "07-prefetch", "08-nodata", "12-merged", "13-export-disk"];
const EROFS = ["20-erofs-default", "22-erofs-chunk-blockmap", "23-erofs-blobdev-indexes"];

interface Run {
  readonly device: number;
  readonly from: number;
  readonly end: number;
  readonly files: number;
}

const runsOf = (rows: Rows): Run[] =>
  Array.from({ length: rows.length }, (_, i) => ({
    device: rows.get(i, RUN.DEVICE),
    from: rows.get(i, RUN.ADDRESS),
    end: rows.get(i, RUN.ADDRESS) + rows.get(i, RUN.LENGTH),
    files: rows.get(i, RUN.FILES),
  }));

function expectInOrder(runs: readonly Run[]): void {
  for (const [i, run] of runs.entries()) {
    expect(run.end).toBeGreaterThan(run.from);
    const before = runs[i - 1];
    if (before?.device === run.device) expect(run.from).toBeGreaterThanOrEqual(before.end);
    else if (before !== undefined) expect(run.device).toBeGreaterThan(before.device);
  }
}

/** Extents of a piece of a file that lie in a file of their own. */
function extentsOf(image: Image, nid: number, offset: number, length: number): Extent[] {
  const at = image.inodeAt(nid);
  const end = Math.min(offset + length, inodeSize(image.v, at));
  const all: Extent[] = [];
  for (let from = offset; from < end; ) {
    const extent = { device: 0, address: 0, length: 0 };
    image.extent(at, from, end - from, extent);
    const wanted = Math.min(extent.length, end - from);
    if (extent.device >= 0) all.push({ ...extent, length: wanted });
    from += wanted;
  }
  return all;
}

/** Every byte, though it may take several runs that lie side by side. */
function expectCovered(runs: readonly Run[], { device, address, length }: Extent): void {
  let at = address;
  for (const run of runs) if (run.device === device && run.from <= at) at = Math.max(at, run.end);
  expect(at).toBeGreaterThanOrEqual(address + length);
}

function planner(name: string) {
  const { fs, opened } = serveFixture(name);
  const image = new Image(opened.handle);
  const files = fixture(name).entries.filter((e) => (Number.parseInt(e.mode, 8) & S_IFMT) === S_IFREG);
  return { fs, image, opened, files, planner: new Planner(fs, image) };
}

describe.each([...FIXTURES, ...EROFS])("%s", (name) => {
  it("everything is all data of all files, each counted once, and planned once", () => {
    const { image, files, planner: all } = planner(name);
    const runs = runsOf(all.plan(wholeNodes([ROOT_NODE])));
    expectInOrder(runs);
    const withData = new Set<number>();
    for (const { ino, size } of files)
      for (const extent of extentsOf(image, ino, 0, size)) {
        withData.add(ino);
        expectCovered(runs, extent);
      }
    expect(runs.reduce((sum, run) => sum + run.files, 0)).toBe(withData.size);
    expect(all.plan(wholeNodes([ROOT_NODE])).length).toBe(0);
  });

  it("pieces of files are what was asked for", () => {
    const { fs, image, files } = planner(name);
    if (files.length === 0) return;
    const piece = fc.tuple(fc.nat(files.length - 1), fc.nat(2 << 20), fc.nat(2 << 20));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const listed = pieces.map(([i, offset, length]) => ({ path: pathOf(files[i]), offset, length }));
        const { rows, missing } = resolveList(fs, listed);
        expect(missing).toBe(0);
        const runs = runsOf(new Planner(fs, image).plan(rows));
        expectInOrder(runs);
        for (const [i, offset, length] of pieces)
          for (const extent of extentsOf(image, files[i].ino, offset, length)) expectCovered(runs, extent);
      }),
      { numRuns: 30 },
    );
  });
});

describe("what a list names", () => {
  const { fs, opened } = serveFixture("07-prefetch");
  const find = (...paths: string[]) => {
    const all = Number.POSITIVE_INFINITY;
    const { rows, missing } = resolveList(
      fs,
      paths.map((path) => ({ path: Buffer.from(path), offset: 0, length: all })),
    );
    return { nodes: Array.from({ length: rows.length / 3 }, (_, i) => rows[3 * i]), missing };
  };

  it.each<[path: string, isThere: boolean]>([
    ["/", true],
    ["/etc", true],
    ["//etc///", true],
    ["/etc/.", true],
    ["/etc/..", true],
    ["/../../etc", true],
    ["/etc/nothere", false],
    ["/etc/nothere/..", false],
    [`/${"x".repeat(300)}`, false],
    [`/${"d/".repeat(5000)}`, false],
    ["/etc\0", false],
    ["/\xff\x1b[", false],
  ])("%j", (path, isThere) => {
    const { nodes, missing } = find(path);
    expect([nodes.length, missing]).toEqual(isThere ? [1, 0] : [0, 1]);
  });

  it("keeps its order, and says when directories are in it", () => {
    const { nodes } = find("/etc", "/nothere", "/");
    expect(nodes).toEqual([nodeAt(fs, "/etc"), ROOT_NODE]);
    expect(namesDirectory(fs, wholeNodes(nodes))).toBe(true);
    expect(namesDirectory(fs, wholeNodes([opened.report.prefetch[1]]))).toBe(
      fixture("07-prefetch").entries.some(
        (e) => e.ino === opened.report.prefetch[1] && e.mode.startsWith("004"),
      ),
    );
  });
});
