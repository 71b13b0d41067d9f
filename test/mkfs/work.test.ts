import { describe, expect, it, vi } from "vitest";
import { Image } from "../../src/erofs/image.ts";
import { checkTree, readTables } from "../../src/erofs/open.ts";
import { TarTree } from "../../src/mkfs/from-tar.ts";
import { LayerMerge } from "../../src/mkfs/layer-merge.ts";
import { planImage } from "../../src/mkfs/plan.ts";
import { ChangeReader } from "../../src/mkfs/read-changes.ts";
import { writeInodes, writeTables } from "../../src/mkfs/write.ts";
import { TarReader } from "../../src/tar/reader.ts";
import { DIMENSIONS } from "./dimensions.ts";
import { type Made, tarOf } from "./emit.ts";

const RULES = { whiteouts: "oci", warn: () => {} } as const;
const STYLE = { isRepeatable: false };

/** Bytes that are looked at, names followed, slots of tables, children and attributes looked at. */
function workOf(layers: readonly Made[][]): number {
  let work = 0;
  const merged = new LayerMerge(RULES);
  for (const [i, layer] of layers.entries()) {
    const tar = tarOf(layer);
    const view = (at: number, length: number) => {
      work += length;
      return tar.subarray(at, at + length);
    };
    const reader = new TarReader({ view }, "tar");
    const made = new TarTree("tar", RULES);
    for (let e = reader.next(tar.length, true); e !== undefined; e = reader.next(tar.length, true))
      if (e !== "more") made.add(e);
    const tree = made.finish(true);
    const blobs = [
      { id: `tar-${i}`, size: tar.length },
      { id: `side-${i}`, size: made.side.size },
    ];
    const plan = planImage(tree, blobs, 0x10_0000, [], "tar");
    const bytes = writeInodes(plan, STYLE);
    writeTables(plan, bytes, STYLE);
    const tables = readTables(bytes, bytes.length, "boot");
    const places = plan.blobs.map(({ size }, blob) => ({ blob: 2 * i + blob, shift: 0, size }));
    const changes = tables.rafs?.changes ?? { at: 0, length: 0 };
    const sizes = tables.devices.map(() => Number.POSITIVE_INFINITY);
    if (changes.length > 0) merged.applyChanges(new ChangeReader(tables, changes, places).all(), "boot");
    else merged.applyTree(new Image(checkTree(tables, sizes, false).handle), places);
    work += bytes.length + tree.steps + made.xattrs.seen;
  }
  return work + merged.tree.steps + merged.xattrs.seen;
}

it("names are hashed with a key of the process", async () => {
  const hashes = new Set<number>();
  for (let i = 0; i < 4; i++) {
    vi.resetModules();
    const { hashName } = await import("../../src/mkfs/name-hash.ts");
    hashes.add(hashName(0, Uint8Array.of(0x61), 0, 1));
  }
  expect(hashes.size).toBeGreaterThan(1);
});

describe("twice as much is twice the work", () => {
  const n = 200;
  it.each(DIMENSIONS)("%s", (_, layers) => {
    const [once, twice, fourfold] = [n, 2 * n, 4 * n].map((each) => workOf(layers(each)));
    expect(twice / once).toBeLessThan(2.4);
    expect(fourfold / twice).toBeLessThan(2.4);
  });
});
