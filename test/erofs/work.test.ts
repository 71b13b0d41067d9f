import { describe, expect, it, vi } from "vitest";
import { Image } from "../../src/erofs/image.ts";
import { checkTree, readTables } from "../../src/erofs/open.ts";
import { TarTree } from "../../src/mkfs/from-tar.ts";
import { planImage } from "../../src/mkfs/plan.ts";
import { writeInodes, writeTables } from "../../src/mkfs/write.ts";
import { TarReader } from "../../src/tar/reader.ts";
import { DIMENSIONS } from "../mkfs/dimensions.ts";
import { type Made, tarOf } from "../mkfs/emit.ts";

const RULES = { whiteouts: "oci", warn: () => {} } as const;
const STYLE = { isRepeatable: false };
/** By which records of the format are read. */
const READS = ["getUint8", "getUint16", "getUint32", "getBigUint64", "getInt32"] as const;

/** The image of a layer, whatever lies below it. */
function imageOf(layer: readonly Made[]): Uint8Array {
  const tar = tarOf(layer);
  const reader = new TarReader({ view: (at, length) => tar.subarray(at, at + length) }, "tar");
  const made = new TarTree("tar", RULES);
  for (let e = reader.next(tar.length, true); e !== undefined; e = reader.next(tar.length, true))
    if (e !== "more") made.add(e);
  const tree = made.finish(true);
  const blobs = [
    { id: "tar", size: tar.length },
    { id: "side", size: made.side.size },
  ];
  const plan = planImage(tree, blobs, 0x10_0000, [], "tar");
  const bytes = writeInodes(plan, STYLE);
  writeTables(plan, bytes, STYLE);
  return bytes;
}

/** Reads of records that opening and checking take. */
function readsOf(bytes: Uint8Array): number {
  const spies = READS.map((name) => vi.spyOn(DataView.prototype, name));
  try {
    const tables = readTables(bytes, bytes.length, "boot");
    const sizes = tables.devices.map(() => Number.POSITIVE_INFINITY);
    new Image(checkTree(tables, sizes, false).handle);
    return spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

describe("twice as much is twice the work to check", () => {
  const n = 100;
  it.each(DIMENSIONS)("%s", (_, layers) => {
    const reads = [n, 2 * n, 4 * n].map((each) =>
      layers(each).reduce((sum, layer) => sum + readsOf(imageOf(layer)), 0),
    );
    const [once = 0, twice = 0, fourfold = 0] = reads;
    expect(once).toBeGreaterThan(20);
    expect(twice / once).toBeLessThan(2.4);
    expect(fourfold / twice).toBeLessThan(2.4);
  });
});
