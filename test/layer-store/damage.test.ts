import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { sparseTar } from "../mkfs/sparse-emit.ts";
import { emptyDir } from "../support/daemon.ts";
import { blobOf, diffOf, filesOf, never, openStore, sha256 } from "./support.ts";

/** Its files are more than the data that lie askew. */
const SPARSE = sparseTar("pax 1.0", [
  { name: "sparse", size: 1 << 20, pieces: [{ offset: 70_001, data: Buffer.from("piece") }] },
]);
const TAR = tarOf(Array.from({ length: 100 }, (_, i) => ({ name: `${i}`, data: "x" })));

/** Changes bytes of a file that nobody may write to. */
function change(path: string, work: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  work(bytes);
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
}
const zeros = (path: string) => change(path, (bytes) => bytes.fill(0));
const shorter = (path: string) => {
  chmodSync(path, 0o644);
  truncateSync(path, statSync(path).size >> 1);
};
/** As an older version of the builder would have named it. */
const older = (path: string) => renameSync(path, path.replace(/\.v\d+\.boot$/, ".v0.boot"));

/** A store with a layer and what was merged of it, closed; and how it is opened again. */
async function filled(tar: Uint8Array) {
  const { store, root } = await openStore();
  const layer = await store.convert(blobOf(tar, "gzip"), never());
  const merged = await store.merge([layer.diffId], never());
  const image = readFileSync(merged.bootstrap);
  await store.close();
  const files = filesOf(root);
  return { root, layer, merged, image, files, open: () => openStore(root) };
}

describe("a layer of which only the tar is worth something is made again", () => {
  const cases: {
    name: string;
    tar?: Uint8Array;
    damage: (bootstrap: string, side: string) => void;
    want: RegExp;
  }[] = [
    { name: "a bootstrap of zeros", damage: zeros, want: /magic is 0x0/ },
    {
      name: "a bootstrap without bytes",
      damage: (path) => writeFileSync(path, ""),
      want: /0 bytes is too short/,
    },
    { name: "a lost side blob", tar: SPARSE, damage: (_, side) => rmSync(side), want: /no bytes, want 2048/ },
    {
      name: "a short side blob",
      tar: SPARSE,
      damage: (_, side) => shorter(side),
      want: /1024 bytes, want 2048/,
    },
    {
      name: "an older, damaged bootstrap",
      damage: (path) => {
        zeros(path);
        older(path);
      },
      want: /\.v0\.boot @0x400: magic is 0x0/,
    },
  ];
  it.each(cases)("$name", async ({ tar = TAR, damage, want }) => {
    const { root, layer, merged, image, files, open } = await filled(tar);
    const bootstrap = readFileSync(layer.bootstrap);
    damage(layer.bootstrap, layer.side?.path ?? "");
    const { store, said } = await open();
    const told = said.filter((line) => !line.startsWith(merged.bootstrap));
    expect(told).toEqual([expect.stringMatching(want)]);
    expect(told[0]).toMatch(/: to be made again of \S+$/);
    expect(store.get(layer.diffId)).toEqual(layer);
    expect(readFileSync(layer.bootstrap)).toEqual(bootstrap);
    await store.remove("merged", merged.key);
    await store.merge([layer.diffId], never());
    expect(readFileSync(merged.bootstrap)).toEqual(image);
    expect(filesOf(root)).toEqual(files);
  });

  it("what is damaged in the middle of a bootstrap, when it is read", async () => {
    const { layer, merged, image, open } = await filled(TAR);
    const bootstrap = readFileSync(layer.bootstrap);
    change(layer.bootstrap, (bytes) => bytes.fill(0xff, bytes.length >> 1));
    const { store, said } = await open();
    expect(said).toEqual([]);
    await store.remove("merged", merged.key);
    await store.merge([layer.diffId], never());
    expect(said).toEqual([expect.stringMatching(/\.boot @0x\w+: .*: it is made again of \S+$/)]);
    expect(readFileSync(layer.bootstrap)).toEqual(bootstrap);
    expect(readFileSync(merged.bootstrap)).toEqual(image);
  });

  it("what an older version of the builder has made, when it is needed, and is there until then", async () => {
    const { root, layer, merged, image, files, open } = await filled(TAR);
    older(layer.bootstrap);
    older(merged.bootstrap);
    const { store, said } = await open();
    expect(said).toEqual([]);
    const name = basename(layer.bootstrap).replace(/v\d+\.boot$/, "v0.boot");
    expect(store.get(layer.diffId)).toEqual({ ...layer, bootstrap: join(dirname(layer.bootstrap), name) });
    expect(store.mergedOf(merged.key)?.bootstrap).toMatch(/\.v0\.boot$/);
    expect(await store.merge([layer.diffId], never())).toEqual(merged);
    expect(readFileSync(merged.bootstrap)).toEqual(image);
    expect(store.get(layer.diffId)).toEqual(layer);
    await store.close();
    await open();
    expect(filesOf(root)).toEqual(files);
  });

  it("an older bootstrap, also when it is unpacked", async () => {
    const { layer, open } = await filled(TAR);
    older(layer.bootstrap);
    const { store } = await open();
    await store.unpack(layer.diffId, emptyDir(), [], never());
    expect(store.get(layer.diffId)).toEqual(layer);
  });
});

describe("a layer that cannot be made again is absent, and can be converted", () => {
  const cases: { name: string; damage: (tar: string, bootstrap: string) => void; want: RegExp[] }[] = [
    {
      name: "a lost tar",
      damage: (tar) => rmSync(tar),
      want: [/: not there: removed$/, /is not there: removed$/],
    },
    {
      name: "a short tar",
      damage: (tar) => shorter(tar),
      want: [/bytes, want \d+: to be made again/, /removed: sha256:\w+: its bytes are damaged/],
    },
    {
      name: "a tar with other bytes, and a damaged bootstrap",
      damage: (tar, bootstrap) => {
        change(tar, (bytes) => bytes.fill("y", 600, 601));
        zeros(bootstrap);
      },
      want: [/to be made again/, /removed: sha256:\w+: its bytes are damaged/],
    },
    {
      name: "a tar that is none any more, and a damaged bootstrap",
      damage: (tar, bootstrap) => {
        change(tar, (bytes) => bytes.fill("y", 0, 600));
        zeros(bootstrap);
      },
      want: [/to be made again/, /removed: sha256:\w+: its bytes are damaged/],
    },
  ];
  it.each(cases)("$name", async ({ damage, want }) => {
    const { root, layer, merged, image, files, open } = await filled(TAR);
    damage(layer.tar, layer.bootstrap);
    const { store, said } = await open();
    expect(said).toEqual(want.map((each) => expect.stringMatching(each)));
    expect(store.get(layer.diffId)).toBeUndefined();
    await store.remove("merged", merged.key);
    expect(filesOf(root)).toEqual([]);
    expect((await store.convert(blobOf(TAR, "zstd"), never())).diffId).toBe(diffOf(TAR));
    await store.merge([layer.diffId], never());
    expect(readFileSync(merged.bootstrap)).toEqual(image);
    expect(filesOf(root)).toEqual(files);
  });
});

describe("a tar that may be the only one is kept", () => {
  it("when it cannot be read now", async () => {
    const { layer, open } = await filled(TAR);
    zeros(layer.bootstrap);
    renameSync(layer.tar, `${layer.tar}.aside`);
    mkdirSync(layer.tar);
    const first = await open();
    expect(first.said).toEqual([
      expect.stringMatching(/to be made again/),
      expect.stringMatching(/: kept as it is: EISDIR/),
    ]);
    await first.store.close();
    rmdirSync(layer.tar);
    renameSync(`${layer.tar}.aside`, layer.tar);
    const { store } = await open();
    expect(store.get(layer.diffId)).toEqual(layer);
  });

  it("when its bytes are right, and this builder makes nothing of them", async () => {
    const { root, layer, open } = await filled(TAR);
    const text = Buffer.alloc(4096, "no tar");
    const id = sha256(text);
    writeFileSync(join(root, "blobs", id), text);
    writeFileSync(join(dirname(layer.bootstrap), basename(layer.bootstrap).replace(/^\w+/, id)), "");
    const { store, said } = await open();
    expect(said[1]).toMatch(/: kept as it is: sha256:\w+ @0x0: /);
    expect(store.get(`sha256:${id}`)).toBeUndefined();
    expect(readFileSync(join(root, "blobs", id))).toEqual(text);
  });
});

it("a merged bootstrap is made anew for who has found it damaged", async () => {
  const { layer, merged, image, open } = await filled(TAR);
  change(merged.bootstrap, (bytes) => bytes.fill(0xff, bytes.length >> 1));
  const { store, said } = await open();
  expect(said).toEqual([]);
  expect(await store.merge([layer.diffId], never())).toEqual(merged);
  expect(readFileSync(merged.bootstrap)).not.toEqual(image);
  expect(await store.merge([layer.diffId], never(), true)).toEqual(merged);
  expect(readFileSync(merged.bootstrap)).toEqual(image);
});

it("a merged bootstrap that is damaged goes, and is merged again", async () => {
  const { layer, merged, image, open } = await filled(TAR);
  zeros(merged.bootstrap);
  const { store, said } = await open();
  expect(said).toEqual([expect.stringMatching(/magic is 0x0.*: removed$/)]);
  expect(store.mergedOf(merged.key)).toBeUndefined();
  await store.merge([layer.diffId], never());
  expect(readFileSync(merged.bootstrap)).toEqual(image);
});

it("files of other names are nobody's business", async () => {
  const { root, layer, files, open } = await filled(TAR);
  const others = ["blobs/notes", "boots/notes.boot", `boots/${"0".repeat(64)}.boot`, "merged/x", "mine"];
  for (const name of others) writeFileSync(join(root, name), "x");
  const { store, said } = await open();
  expect(said).toEqual([]);
  expect(store.get(layer.diffId)).toEqual(layer);
  expect(filesOf(root)).toEqual([...files, ...others].sort());
});
