import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TarTree } from "../../src/mkfs/from-tar.ts";
import { planImage } from "../../src/mkfs/plan.ts";
import { writeInodes, writeTables } from "../../src/mkfs/write.ts";
import { FormatError } from "../../src/bytes/errors.ts";
import { checkTree, readTables } from "../../src/erofs/open.ts";
import { TarReader } from "../../src/tar/reader.ts";
import { generator, scratchDir } from "../support/image.ts";
import { often } from "../support/often.ts";
import { SOME_OF_EVERYTHING, SPARSE, tarOf } from "./emit.ts";

const CASES = often("NYDUSD_TS_MUTANTS", 1000, 3000);

const TAR = tarOf([...SOME_OF_EVERYTHING, SPARSE]);
const HEADERS = Array.from({ length: TAR.length / 512 }, (_, i) => i * 512).filter(
  (at) => Buffer.from(TAR.subarray(at + 257, at + 262)).toString() === "ustar",
);

function mutant(random: (below: number) => number): Uint8Array {
  const tar = TAR.slice();
  for (let flips = 1 + random(4); flips > 0; flips--) {
    const at = random(3) === 0 ? random(tar.length) : HEADERS[random(HEADERS.length)] + random(345);
    tar[at] = random(2) === 0 ? random(256) : "0/.7129xgLKSd\0 "[random(15)].charCodeAt(0);
  }
  for (const at of HEADERS) {
    tar.fill(0x20, at + 148, at + 156);
    const sum = tar.subarray(at, at + 512).reduce((a, b) => a + b, 0);
    tar.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), at + 148);
  }
  return tar;
}

function imageOf(tar: Uint8Array): Uint8Array {
  const reader = new TarReader({ view: (at, length) => tar.subarray(at, at + length) }, "tar");
  const made = new TarTree("tar", { whiteouts: "oci", warn: () => {} });
  for (let e = reader.next(tar.length, true); e !== undefined; e = reader.next(tar.length, true))
    if (e !== "more") made.add(e);
  const tree = made.finish();
  const blobs = [
    { id: "blob", size: tar.length },
    { id: "side", size: made.side.size },
  ];
  const plan = planImage(tree, blobs, 0x10_0000, [], "tar");
  const image = writeInodes(plan, { isRepeatable: false });
  writeTables(plan, image, { isRepeatable: false });
  return image;
}

describe("a tar with bytes turned", () => {
  it(`is refused, or makes an image without a fault (${CASES} cases)`, { timeout: 300_000 }, () => {
    const path = join(scratchDir(), "image.boot");
    const random = generator(3);
    let refused = 0;
    for (let i = 0; i < CASES; i++) {
      let image: Uint8Array;
      const tar = mutant(random);
      try {
        image = imageOf(tar);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        refused++;
        continue;
      }
      writeFileSync(path, image);
      const fd = openSync(path, "r");
      const tables = readTables(fd, image.length, path);
      checkTree(
        tables,
        tables.devices.map(({ id, blocks }) => (id === "blob" ? tar.length : blocks * 512)),
        false,
      );
      closeSync(fd);
    }
    expect(refused).toBeGreaterThan(CASES / 20);
    expect(refused).toBeLessThan(CASES * 0.95);
    expect(process.memoryUsage().rss).toBeLessThan(512 << 20);
  });
});
