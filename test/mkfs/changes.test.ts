import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { readTables } from "../../src/erofs/open.ts";
import { RAFS_AT } from "../../src/erofs/rafs.ts";
import type { BuildResult } from "../../src/mkfs/bootstrap.ts";
import { createLayerImage } from "../../src/mkfs/create.ts";
import { mergeImages } from "../../src/mkfs/merge.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { nodeAt, scratchDir, serve, tree } from "../support/image.ts";
import { type Made, SPARSE, tarOf } from "./emit.ts";
import { build, dir, file, merge } from "./support.ts";

const symlink = (name: string, link: string): Made => ({ name, type: "2", link });
const hardlink = (name: string, link: string): Made => ({ name, type: "1", link });
const gone = (path: string): Made => file(path.replace(/([^/]+)$/, ".wh.$1"), "");

const BASE = [dir("keep/"), file("keep/precious"), symlink("l", "."), dir("d/"), file("d/one")];

/** What one layer over BASE leaves, beside `/keep` and `/l`. */
const STACKS: [name: string, layer: Made[], want: string][] = [
  [
    "a file through a link in the place of a directory",
    [dir("a/"), file("a/f"), file("l/a")],
    "/a /d /d/one",
  ],
  ["the same the other way round", [file("l/a"), dir("a/"), file("a/f")], "/a /a/f /d /d/one"],
  [
    "a whiteout through a link, of what the layer has",
    [dir("a/"), file("a/f"), gone("l/a")],
    "/a /a/f /d /d/one",
  ],
  ["a whiteout through a link, of what it has not", [gone("l/d"), file("a")], "/a"],
  ["an opaque directory through a link", [file("a"), file("l/d/.wh..wh..opq", "")], "/a /d"],
  ["a directory that was a file in its own layer", [file("d"), dir("d/")], "/d"],
  ["a name before its parent, which takes the place of a link", [file("l/x"), dir("l/")], "/d /d/one /x"],
  ["a hard link to a layer below", [hardlink("h", "d/one")], "/d /d/one /h"],
  ["a hard link to a layer below, which goes", [hardlink("h", "l/d/one"), gone("d")], "/h"],
  [
    "a hard link to a layer below, whose name becomes a directory",
    [hardlink("h", "d/one"), dir("d/one/")],
    "/d /d/one /h",
  ],
  [
    "a whiteout before and behind what comes in its place",
    [gone("d"), file("d/new"), gone("d")],
    "/d /d/new",
  ],
  ["`..` behind what is not there", [symlink("s", "none/../d"), file("s/two")], "/d /d/one /d/two /s"],
];

async function stackOf(layers: readonly Made[][]): Promise<{ boots: string[]; tars: string[] }> {
  const work = scratchDir();
  const tars = layers.map((layer, i) => {
    writeFileSync(join(work, `${i}.tar`), tarOf(layer));
    return join(work, `${i}.tar`);
  });
  const boots = tars.map((_, i) => join(work, `${i}.boot`));
  for (const [i, tar] of tars.entries()) {
    const { image } = await createLayerImage({
      ...{ layer: wholeFile(tar), blobId: IDS[i], blobDir: undefined, blobLink: "none", prefetch: [] },
      ...{ chunkSize: 0x10_0000, isRepeatable: false, ignoreZeros: false, whiteouts: "oci", warn: () => {} },
    });
    writeFileSync(boots[i], image);
  }
  return { boots, tars };
}

/** Of the blobs of layers: no numbers, which would be those of devices. */
const IDS = ["lower", "upper"];

const shown = ({ bootstrap, blobs }: BuildResult, tars: readonly string[]) =>
  serve(bootstrap, { dirs: [], files: new Map(blobs.map((id) => [id, tars[IDS.indexOf(id)]])) }).fs;

describe("the order of a layer's entries counts", () => {
  it.each(STACKS)("%s", async (_, layer, want) => {
    const { boots, tars } = await stackOf([BASE, layer]);
    const paths = tree(shown(merge(boots), tars)).map(({ path }) => path);
    const others = paths.filter((path) => path !== "/" && path !== "/l" && !path?.startsWith("/keep"));
    expect(others.sort().join(" ")).toBe(want);
    expect(paths).toContain("/keep/precious");
  });

  it("in a file of one's own, too: attributes, links, data and holes are those of the entry", async () => {
    const sparse = { ...SPARSE, name: "l/s", mode: 0o640, uid: 7, gid: 8, mtime: 1_500_000_000 };
    const xattr = file("l/x", "x", { pax: { "SCHILY.xattr.user.a": "value" } });
    const { boots, tars } = await stackOf([
      BASE,
      [sparse, xattr, { name: "l/c", type: "3", device: [5, 300] }],
    ]);
    const fs = shown(merge(boots), tars);
    const by = new Map(tree(fs).map((e) => [e.path, e]));
    expect(by.get("/s")).toMatchObject({
      mode: "0100640",
      uid: 7,
      gid: 8,
      mtime: 1_500_000_000,
      size: 1 << 20,
    });
    expect(by.get("/x")).toMatchObject({ size: 1, xattrs: expect.anything() });
    expect(by.get("/c")).toMatchObject({ rdev: [5, 300] });
    expect(nodeAt(fs, "/l/s")).toBeLessThan(0);
  });
});

describe("changes are kept in an image", () => {
  const rows: [name: string, layer: Made[], isKept: boolean][] = [
    [
      "not of a layer that names its parents",
      [dir("d/"), file("d/f"), gone("d/x"), hardlink("h", "d/f")],
      false,
    ],
    ["of one that does not", [file("d/f")], true],
    ["of one with a path through a symlink", [dir("d/"), symlink("s", "d"), file("s/f")], true],
    ["of one in which a file becomes a directory", [file("d"), dir("d/")], true],
    ["of one with a hard link to what is not in it", [hardlink("h", "d/f")], true],
  ];
  it.each(rows)("%s", async (_, layer, isKept) => {
    const { boots } = await stackOf([layer]);
    const bytes = readFileSync(boots[0]);
    const { rafs } = readTables(bytes, bytes.length, "boot");
    expect((rafs?.changes.length ?? 0) > 0).toBe(isKept);
  });

  it("without owners when those are left out", async () => {
    const path = join(scratchDir(), "layer.tar");
    const image = async (uid: number) => {
      writeFileSync(path, tarOf([file("d/f", "f", { uid })]));
      return readFileSync((await build(path, { isRepeatable: true, blobId: "1" })).bootstrap);
    };
    expect(await image(1)).toEqual(await image(2));
  });

  it("a hard link that no layer has a target for is refused when they are merged", async () => {
    const { boots } = await stackOf([BASE, [hardlink("h", "none")]]);
    expect(() => merge(boots)).toThrow(
      /entry "h": hard link to "none", which is neither in its layer nor in one below$/,
    );
  });

  it("and bytes turned in them are refused, or say something else", async () => {
    const { boots, tars } = await stackOf([
      BASE,
      [{ ...SPARSE, name: "l/s" }, file("l/x", "x"), symlink("l/y", "z"), hardlink("l/h", "l/x")],
    ]);
    const good = readFileSync(boots[1]);
    const { rafs } = readTables(good, good.length, "boot");
    const range = rafs?.changes ?? { at: 0, length: 0 };
    const work = scratchDir();
    let refused = 0;
    for (let i = 0; i < range.length; i++) {
      const image = Uint8Array.from(good);
      image[range.at + i] = [0, 0x7f, 0xff][i % 3];
      try {
        const bootstrap = join(work, "merged.boot");
        const layers = [boots[0], { name: "turned", image }];
        const options = { bootstrap, blobDir: undefined, prefetch: [], warn: () => {} };
        tree(shown(mergeImages({ ...options, layers, whiteouts: "oci" }), tars));
      } catch (error) {
        refused++;
        if (!(error instanceof FormatError || error instanceof OperationalError)) throw error;
      }
    }
    expect(refused).toBeGreaterThan(range.length / 3);
  });

  it("and without them two names that are one are refused: which of them came last is not known", async () => {
    const { boots } = await stackOf([BASE, [dir("a/"), file("a/f"), file("l/a")]]);
    const image = Uint8Array.from(readFileSync(boots[1]));
    image.fill(0, RAFS_AT + 56, RAFS_AT + 72);
    writeFileSync(boots[1], image);
    expect(() => merge(boots)).toThrow(/entry "a": two names of its layer lead to it, one through a symlink/);
  });
});
