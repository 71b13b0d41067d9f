import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { sparseTar } from "../mkfs/sparse-emit.ts";
import { DISKS, smallDisk } from "../support/small-disk.ts";
import { blobOf, diffOf, filesOf, never, openStore } from "./support.ts";

/** Bytes that cannot be packed: a program unpacks what is as long. */
const NOISE = tarOf([{ name: "noise", data: randomBytes(1 << 20).toString("base64") }]);
/** A few packed bytes, which are unpacked at once. */
const ZEROS = tarOf([{ name: "zeros", data: "\0".repeat(2 << 20) }]);
/** What is not in blocks of its tar has to be copied. */
const SPARSE = sparseTar("pax 1.0", [
  {
    name: "sparse",
    size: 1 << 30,
    pieces: Array.from({ length: 400 }, (_, i) => ({ offset: 1_000_001 * i, data: Buffer.from("x") })),
  },
]);
const SMALL = tarOf([{ name: "f", data: "x" }]);

describe.each(DISKS)("a store on a full disk (%s)", (kind) => {
  const cases = [
    { name: "a long layer, gzip, by file", source: () => blobOf(NOISE, "gzip") },
    { name: "a long layer, gzip, by stream", source: () => blobOf(NOISE, "gzip", "stream") },
    { name: "a long layer, zstd, by file", source: () => blobOf(NOISE, "zstd") },
    { name: "a long layer, plain, by stream", source: () => blobOf(NOISE, "plain", "stream") },
    { name: "a long layer, plain, of another file system", source: () => blobOf(NOISE) },
    { name: "a layer that is short while it is packed", source: () => blobOf(ZEROS, "gzip") },
    { name: "a layer with a side blob", source: () => blobOf(SPARSE, "gzip") },
  ];
  it.each(cases)("names itself and leaves nothing: $name", async ({ source }) => {
    const disk = smallDisk(kind, 700);
    const { store, root } = await openStore(join(disk, "store"));
    await expect(store.convert(source(), never())).rejects.toThrow(
      `layer store ${root}: ENOSPC: the disk is full; make room there`,
    );
    expect(filesOf(root)).toEqual([]);
    // There is as much room as before.
    const { diffId } = await store.convert(blobOf(SMALL, "gzip"), never());
    expect(diffId).toBe(diffOf(SMALL));
  });

  it("also when only the bootstrap has no room, or a merged one", async () => {
    const many = tarOf(Array.from({ length: 2000 }, (_, i) => ({ name: `${i}`, data: "" })));
    const { file: elsewhere, ...source } = blobOf(many);
    const disk = smallDisk(kind, 300, `cp "${elsewhere}" blob; mkdir -m 700 store`);
    const { store, root } = await openStore(join(disk, "store"));
    const file = join(disk, "blob");
    const { diffId, bootstrapBytes } = await store.convert({ ...source, file }, never());
    expect(bootstrapBytes).toBeGreaterThan(150_000);
    await expect(store.merge([diffId], never())).rejects.toThrow(
      `layer store ${root}: ENOSPC: the disk is full; make room there`,
    );
    expect(filesOf(root)).toHaveLength(2);
    await store.remove("layer", diffId);
  });
});
