import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { createImage, createLayerImage, type LayerRequest, readLayer } from "../../src/mkfs/create.ts";
import { createFrom } from "../../src/mkfs/create-from.ts";
import { mergeImages } from "../../src/mkfs/merge.ts";
import { MergeError } from "../../src/mkfs/merge-error.ts";
import { WHITEOUT_SPECS, type WhiteoutSpec } from "../../src/mkfs/whiteout.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { Random } from "../fuzz/random.ts";
import { TARS } from "../fuzz/tars.ts";
import { scratchDir } from "../support/image.ts";
import { RandomStack } from "../unpackers/random-stack.ts";
import { tarOf } from "./emit.ts";

const OPTIONS = {
  blobLink: "none",
  prefetch: [],
  chunkSize: 0x10_0000,
  keepsBlobs: true,
  ignoreZeros: false,
  warn: () => {},
} as const;

/** The image of a stack, by images of its layers and by what was read of them; or what each way says. */
async function bothWays(tars: readonly Uint8Array[], whiteouts: WhiteoutSpec, isRepeatable: boolean) {
  const dir = scratchDir();
  const layers = tars.map((bytes, i): LayerRequest => {
    const tar = join(dir, `${i}.tar`);
    writeFileSync(tar, bytes);
    return {
      ...OPTIONS,
      layer: wholeFile(tar),
      blobDir: dir,
      isOfImage: true,
      blobId: `${i}`,
      whiteouts,
      isRepeatable,
    };
  });
  const bootstrap = join(dir, "image.boot");
  const said = async (build: (layer: LayerRequest) => Promise<object>): Promise<Uint8Array | string> => {
    try {
      const built = [];
      for (const layer of layers) built.push({ ...(await build(layer)), ...layer, name: layer.layer.path });
      // biome-ignore lint/suspicious/noExplicitAny: either form
      mergeImages({ ...OPTIONS, blobDir: dir, whiteouts, bootstrap, layers: built as any });
      return readFileSync(bootstrap);
    } catch (error) {
      if ([FormatError, OperationalError, MergeError].some((kind) => error instanceof kind)) return "refused";
      throw error;
    }
  };
  return [await said(createLayerImage), await said(readLayer)] as const;
}

describe("layers that are read and laid over one another without images of them make the very same image", () => {
  it.each(WHITEOUT_SPECS)("random stacks, whiteouts %s", async (whiteouts) => {
    let [same, refused] = [0, 0];
    for (let seed = 1; seed <= 150; seed++) {
      const stack = new RandomStack(new Random(seed)).layers().map((layer) => tarOf(layer));
      const [images, read] = await bothWays(stack, whiteouts, seed % 2 === 0);
      if (images === "refused") refused++;
      else same++;
      expect([seed, read]).toEqual([seed, images]);
    }
    expect(same).toBeGreaterThan(30);
    expect(refused).toBeGreaterThan(10);
  });

  it("tars of every feature: sparse files, side blobs, attributes, devices, links", async () => {
    for (const [i, tar] of TARS.entries()) {
      const [images, read] = await bothWays([tar, TARS[(i + 1) % TARS.length]], "oci", false);
      expect([i, read]).toEqual([i, images]);
    }
    expect(TARS.length).toBeGreaterThan(2);
  });

  it("layers whose bootstraps are files of more than is read at once", async () => {
    const dir = scratchDir();
    const many = (prefix: string) =>
      Array.from({ length: 20_000 }, (_, i) => ({ name: `${prefix}${i % 2}/${"n".repeat(60)}${i}` }));
    const tars = [many("lower"), [{ name: "lower0/.wh..wh..opq" }, ...many("upper")]].map((made, i) => {
      const path = join(dir, `${i}.tar`);
      writeFileSync(path, tarOf(made));
      return path;
    });
    const options = { ...OPTIONS, whiteouts: "oci" as const, isRepeatable: false, blobDir: undefined };
    const layers: string[] = [];
    for (const path of tars) {
      layers.push(`${path}.boot`);
      const layer = wholeFile(path);
      await createImage({ ...options, layer, isOfImage: true, blobId: undefined, bootstrap: `${path}.boot` });
    }
    expect(Math.min(...layers.map((path) => statSync(path).size))).toBeGreaterThan(3 << 20);
    const [fromFiles, atOnce] = [join(dir, "files.boot"), join(dir, "once.boot")];
    mergeImages({ ...options, layers, bootstrap: fromFiles });
    const report = { start: () => {}, ready: () => {}, stop: () => {} };
    await createFrom({ ...options, layers: tars, blobId: undefined, bootstrap: atOnce, report });
    expect(readFileSync(fromFiles).equals(readFileSync(atOnce))).toBe(true);
  });
});
