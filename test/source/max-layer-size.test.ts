import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { prepareImage } from "../../src/source/prepare.ts";
import { tarOf } from "../mkfs/emit.ts";
import { build, file } from "../mkfs/support.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { NO_REPORT } from "../support/no-report.ts";

/** Of one file. */
const tar = tarOf([file("f", "f".repeat(100_000))]);

/** Compressed for a library, which hands over what it has, and for a program, which writes by itself. */
const FORMS: [name: string, write: (path: string) => void][] = [
  ["gzip", (path) => writeFileSync(path, gzipSync(tar))],
  ["xz", (path) => sh('xz -c >"$P" <"$T"', { P: path, T: plain(path) })],
];

function plain(path: string): string {
  writeFileSync(`${path}.tar`, tar);
  return `${path}.tar`;
}

describe.each(FORMS)("--max-layer-size, of %s", (_, write) => {
  const work = scratchDir();
  const path = join(work, "layer");
  write(path);
  const refusal = (most: number) => `${path}: more than ${most} bytes (--max-layer-size)`;
  const prepare = (maxLayerSize: number | undefined) =>
    prepareImage({
      ...{ paths: [path], cacheDir: join(work, "cache"), blobDirs: [], report: NO_REPORT, warn: () => {} },
      maxLayerSize,
    });

  it("ends a longer layer of mount, and leaves nothing in the cache", async () => {
    await expect(prepare(tar.length - 1)).rejects.toThrow(refusal(tar.length - 1));
    expect(readdirSync(join(work, "cache/blobs"))).toEqual([]);
  });

  it("takes one that is as long", async () => {
    expect((await prepare(tar.length)).blobs.length).toBe(1);
  });

  it("ends a longer layer of create", async () => {
    const blobDir = scratchDir();
    const options = { blobDir, blobId: "x", bootstrap: join(blobDir, "x.boot") };
    await expect(build(path, { ...options, maxLayerSize: 1000 })).rejects.toThrow(refusal(1000));
    expect(readdirSync(blobDir)).toEqual([]);
    expect((await build(path, { ...options, maxLayerSize: tar.length })).blobSize).toBe(tar.length);
  });
});
