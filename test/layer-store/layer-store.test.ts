import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { SOME_OF_EVERYTHING, tarOf } from "../mkfs/emit.ts";
import { emptyDir, mountErofs, sh, workDir } from "../support/daemon.ts";
import { ABSENT } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { dumpTree } from "../support/tree.ts";
import { blobOf, diffOf, filesOf, keyOf, never, openStore, PACKED, sha256 } from "./support.ts";

const TAR = tarOf(SOME_OF_EVERYTHING);

describe("a layer", () => {
  const ways = Object.keys(PACKED).flatMap((packed) =>
    (["file", "stream"] as const).map((comes) => ({ packed, comes })),
  );
  it.each(ways)("$packed, by $comes, is its tar and a bootstrap", async ({ packed, comes }) => {
    const { store, root } = await openStore();
    const layer = await store.convert(blobOf(TAR, packed, comes), never());
    expect(layer.diffId).toBe(diffOf(TAR));
    expect(Buffer.compare(readFileSync(layer.tar), TAR)).toBe(0);
    expect(layer.tarBytes).toBe(TAR.length);
    expect(layer.bootstrapBytes).toBe(statSync(layer.bootstrap).size);
    execFileSync("fsck.erofs", [layer.bootstrap, `--device=${layer.tar}`], { stdio: "ignore" });
    expect(filesOf(root)).toEqual([`blobs/${sha256(TAR)}`, `boots/${basename(layer.bootstrap)}`]);
    expect(statSync(layer.tar).mode & 0o777).toBe(0o444);
    expect(store.get(layer.diffId)).toBe(layer);
    expect(store.usage()).toEqual({ tars: TAR.length, bootstraps: layer.bootstrapBytes, merged: 0 });
  });

  it("that is plain has one file more of no byte: the blob's own", async () => {
    const { store } = await openStore();
    const source = blobOf(TAR);
    const { tar } = await store.convert(source, never());
    expect(statSync(tar).ino).toBe(statSync(source.file as string).ino);
  });

  it("is there when the store is opened again, and what is half-made is not", async () => {
    const { store, root } = await openStore();
    const layer = await store.convert(blobOf(TAR, "gzip"), never());
    const merged = await store.merge([layer.diffId], never());
    await store.close();
    writeFileSync(join(root, "blobs", "0".repeat(64)), "a tar without a bootstrap");
    sh('mkdir "$R/staging/x"; echo x >"$R/staging/x/y"', { R: root });
    const again = await openStore(root);
    expect(again.store.get(layer.diffId)).toEqual(layer);
    expect(again.store.mergedOf(merged.key)).toEqual(merged);
    expect(filesOf(root)).toHaveLength(3);
    expect(again.said).toEqual([]);
  });

  it("is removed with its files, and bytes of another name stay", async () => {
    const { store, root } = await openStore();
    const [one, two] = [blobOf(TAR), blobOf(tarOf([{ name: "f", data: "x" }]), "gzip")];
    const [plain, gzip] = [await store.convert(one, never()), await store.convert(two, never())];
    expect(await store.remove("layer", plain.diffId)).toBe(plain.bootstrapBytes);
    expect(await store.remove("layer", gzip.diffId)).toBe(gzip.bootstrapBytes + gzip.tarBytes);
    expect(await store.remove("layer", gzip.diffId)).toBe(0);
    expect([...store.all()]).toEqual([]);
    expect(filesOf(root)).toEqual([]);
  });
});

describe("layers laid over one another", () => {
  const LOWER = tarOf([
    { name: "a", data: "lower" },
    { name: "gone", data: "x" },
    { name: "d/", type: "5" },
    { name: "d/old", data: "old" },
  ]);
  const UPPER = tarOf([
    { name: "a", data: "upper" },
    { name: ".wh.gone" },
    { name: "d/.wh..wh..opq" },
    { name: "d/new", data: "n".repeat(5000) },
  ]);

  it("are what the kernel shows of them", async () => {
    needs(ABSENT["erofs-file"]);
    const { store } = await openStore();
    const layers = [
      await store.convert(blobOf(LOWER, "gzip"), never()),
      await store.convert(blobOf(UPPER), never()),
    ];
    const merged = await store.merge(
      layers.map(({ diffId }) => diffId),
      never(),
    );
    const mountpoint = emptyDir();
    mountErofs(
      merged.bootstrap,
      merged.blobs.map(({ path }) => path),
      mountpoint,
    );
    expect(dumpTree(mountpoint).map(({ path, sha256: found }) => [path, found])).toEqual([
      ["/", undefined],
      ["/a", sha256(Buffer.from("upper"))],
      ["/d", undefined],
      ["/d/new", sha256(Buffer.from("n".repeat(5000)))],
    ]);
    sh(`umount "$M"`, { M: mountpoint });
    expect(merged.blobs.map(({ id }) => id)).toEqual([sha256(UPPER)]);
    expect(store.usage().merged).toBe(merged.bootstrapBytes);
    expect(await store.remove("merged", merged.key)).toBe(merged.bootstrapBytes);
    expect(store.mergedOf(merged.key)).toBeUndefined();
  });

  it("are merged once, however many ask, and again after they were removed", async () => {
    const { store } = await openStore();
    const { diffId } = await store.convert(blobOf(LOWER), never());
    const all = await Promise.all(Array.from({ length: 5 }, () => store.merge([diffId], never())));
    expect(new Set(all).size).toBe(1);
    expect(all[0]?.key).toBe(keyOf([diffId]));
    await store.remove("merged", keyOf([diffId]));
    expect(await store.merge([diffId], never())).toEqual(all[0]);
  });

  const missing = [
    { name: "none at all", ids: [], want: "no layers to merge" },
    { name: "one that is not there", ids: [`sha256:${"0".repeat(64)}`], want: /layer sha256:0+: not there$/ },
    { name: "no diffID", ids: ["../../etc/passwd"], want: /layer \.\.\/\.\.\/etc\/passwd: no diffID$/ },
  ];
  it.each(missing)("cannot be $name", async ({ ids, want }) => {
    const { store } = await openStore();
    await expect(store.merge(ids, never())).rejects.toThrow(want);
  });
});

it("a store is refused to a second process, which is told whose it is", async () => {
  const { root } = await openStore();
  await expect(openStore(root)).rejects.toThrow(`layer store ${root}: process ${process.pid} uses it`);
});

it("a store in a directory that others may write to is refused", async () => {
  const dir = workDir();
  sh('chmod 777 "$D"', { D: dir });
  await expect(openStore(dir)).rejects.toThrow(`layer store ${dir}: every user may write to it`);
});
