import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { sh } from "../support/daemon.ts";
import { type Expected, fixture, placesOf, serve, tree } from "../support/image.ts";
import { sorted } from "../support/tree.ts";
import { build, merge, withoutIno } from "./support.ts";

/** Fixtures that nydus-image made from one layer. */
const LAYERS = ["01-basic", "03-gnu-longname", "04-large", "06-bigdir", "08-nodata"];
const layerOf = (name: string): string => join(dirname(fixture(name).path), "layer.tar");

/** nydus-image keeps a symlink's mode as the tar has it; unpacked, every symlink has this one. */
const unpacked = (entry: Expected): Expected =>
  entry.mode.startsWith("0120") ? { ...entry, mode: "0120777" } : entry;

describe("the layers of genuine images", () => {
  it.each(LAYERS)("%s becomes the same tree", async (name) => {
    const { bootstrap } = await build(layerOf(name));
    const { fs } = serve(bootstrap, placesOf(fixture(name).devices));
    expect(withoutIno(sorted(tree(fs)))).toEqual(withoutIno(sorted(fixture(name).entries.map(unpacked))));
  });

  it("three layers become the same tree, with the blobs in the same order", async () => {
    const dir = dirname(fixture("12-merged").path);
    const layers = await Promise.all([1, 2, 3].map((n) => build(join(dir, `l${n}.tar`))));
    const merged = merge(layers.map(({ bootstrap }) => bootstrap));
    const { fs, opened } = serve(merged.bootstrap, placesOf(fixture("12-merged").devices));
    expect(withoutIno(sorted(tree(fs)))).toEqual(withoutIno(sorted(fixture("12-merged").entries)));
    const genuine = serve(fixture("12-merged").path, placesOf(fixture("12-merged").devices)).opened;
    const ids = (of: typeof opened) => of.handle.devices.map(({ id, blocks }) => ({ id, blocks }));
    expect(ids(opened)).toEqual(ids(genuine));
  });

  it("the genuine bootstraps of those layers become the same tree, too", () => {
    const dir = dirname(fixture("12-merged").path);
    const merged = merge([1, 2, 3].map((n) => join(dir, `l${n}.boot`)));
    const { fs } = serve(merged.bootstrap, placesOf(fixture("12-merged").devices));
    expect(withoutIno(sorted(tree(fs)))).toEqual(withoutIno(sorted(fixture("12-merged").entries)));
  });

  it.each(LAYERS)(
    "%s: the same bytes every time, no more than nydus-image's, and fsck.erofs is content",
    async (name) => {
      const [one, two] = [await build(layerOf(name)), await build(layerOf(name))];
      const bytes = readFileSync(one.bootstrap);
      expect(bytes.equals(readFileSync(two.bootstrap))).toBe(true);
      expect(bytes.length).toBeLessThanOrEqual(readFileSync(fixture(name).path).length);
      const device = one.blobs.length > 0 ? '--device="$T"' : "";
      sh(`fsck.erofs ${device} "$B"`, { B: one.bootstrap, T: layerOf(name) });
    },
  );
});
