import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { LayerSource } from "../../src/layer-store/stored-layer.ts";
import { tarOf } from "../mkfs/emit.ts";
import { childrenOf, emptyDir, sh, until, workDir } from "../support/daemon.ts";
import { blobOf, diffOf, filesOf, never, openStore } from "./support.ts";

const TAR = tarOf([{ name: "f", data: "x".repeat(100_000) }]);
const other = (i: number) => tarOf([{ name: `${1000 + i}`, data: "x" }]);
const GONE = new Error("nobody wants it any more");

/** A source that waits in the middle of its bytes until it is let go, and how often it was asked for. */
function held(packed: string) {
  const { file, ...source } = blobOf(TAR, packed, "stream");
  let asked = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* stream(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    asked++;
    let isFirst = true;
    for await (const piece of source.stream?.(signal) ?? []) {
      const half = piece.length >> 1;
      yield piece.subarray(0, half);
      if (isFirst) await released;
      isFirst = false;
      yield piece.subarray(half);
    }
  }
  return { source: { ...source, stream } satisfies LayerSource, release, asked: () => asked };
}

/** A quarter of a gibibyte of zeros in a file, as few bytes of gzip. */
function long(): LayerSource {
  const dir = workDir();
  const script = `truncate -s 256M "$D/f"; tar -C "$D" -cf - f | gzip -1 >"$D/blob"; rm "$D/f"; sha256sum <"$D/blob"`;
  const digest = `sha256:${sh(script, { D: dir }).slice(0, 64)}`;
  const file = join(dir, "blob");
  return {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest,
    size: statSync(file).size,
    file,
  };
}

/** That nothing is left of what was given up. */
async function nothingIsLeft(root: string) {
  expect(filesOf(root)).toEqual([]);
  expect(readdirSync(join(root, "staging"))).toEqual([]);
  await until(() => childrenOf(process.pid).length === 0, "the end of its programs");
}

const staged = (root: string) => readdirSync(join(root, "staging")).length;

describe("a conversion", () => {
  it.each(["plain", "gzip", "zstd"])("that several ask for is one: %s", async (packed) => {
    const { store } = await openStore();
    const { source, release, asked } = held(packed);
    const progress: number[] = [];
    const all = [
      store.convert(source, never()),
      store.convert(source, never(), (done, of) => progress.push(done / of)),
      store.convert(source, never()),
    ];
    await until(() => progress.length > 1, "progress");
    release();
    const layers = await Promise.all(all);
    expect(new Set(layers).size).toBe(1);
    expect(asked()).toBe(1);
    expect(progress.every((part) => part >= 0 && part <= 1)).toBe(true);
  });

  it.each(["plain", "gzip", "zstd"])(
    "goes on for who still waits, and ends with the last: %s",
    async (packed) => {
      const { store, root } = await openStore();
      const { source, release } = held(packed);
      const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
      const all = [one, two].map(({ signal }) => store.convert(source, signal));
      const caught = all.map((each) => each.catch((error: unknown) => error));
      await until(() => staged(root) === 1, "the conversion");
      one.abort(GONE);
      expect(await caught[0]).toBe(GONE);
      expect(staged(root)).toBe(1);
      two.abort(GONE);
      expect(await caught[1]).toBe(GONE);
      await nothingIsLeft(root);
      // The next one begins anew.
      const again = store.convert(held(packed).source, three.signal);
      three.abort(GONE);
      await expect(again).rejects.toBe(GONE);
      release();
      expect((await store.convert(blobOf(TAR, packed), never())).diffId).toBe(diffOf(TAR));
    },
  );

  it("that begins while another is given up is not done by a thread that ends", async () => {
    const { store } = await openStore();
    // The first may just have come to its end: what it then says must not make its thread free.
    for (let i = 0; i < 20; i++) {
      const stop = new AbortController();
      const givenUp = store
        .convert(blobOf(other(2 * i), "gzip"), stop.signal)
        .catch((error: unknown) => error);
      await setTimeout(i % 10);
      stop.abort(GONE);
      const next = [0, 1, 2].map((j) => store.convert(blobOf(other(1000 + 3 * i + j), "gzip"), never()));
      expect([GONE, store.get(diffOf(other(2 * i)))]).toContain(await givenUp);
      await Promise.all(next);
    }
  });

  it("of a long layer stops while a program decompresses it", async () => {
    const { store, root } = await openStore();
    const stop = new AbortController();
    const source = long();
    const result = store.convert(source, stop.signal).catch((error: unknown) => error);
    await until(() => childrenOf(process.pid).length === 1, "the program");
    await setTimeout(100);
    stop.abort(GONE);
    expect(await result).toBe(GONE);
    await nothingIsLeft(root);
  });

  it("that waits for its turn can be given up, too", async () => {
    const { store, root } = await openStore();
    const stop = new AbortController();
    const stuck = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => {
      const source = { ...held("plain").source, digest: `sha256:${`${i}`.repeat(64)}` };
      return store.convert(source, stop.signal).catch((error: unknown) => error);
    });
    stop.abort(GONE);
    expect(new Set(await Promise.all(stuck))).toEqual(new Set([GONE]));
    await nothingIsLeft(root);
    const gone = new AbortController();
    gone.abort(GONE);
    await expect(store.convert(blobOf(TAR), gone.signal)).rejects.toBe(GONE);
  });

  it("of the same tar by two digests at once makes one layer", async () => {
    const { store, root } = await openStore();
    const sources = ["plain", "gzip", "zstd"].map((packed) => blobOf(TAR, packed));
    const layers = await Promise.all(sources.map((source) => store.convert(source, never())));
    expect(new Set(layers.map(({ tar }) => tar)).size).toBe(1);
    expect([...store.all()]).toHaveLength(1);
    expect(filesOf(root)).toHaveLength(2);
  });

  it("keeps the files that have the names already: they may be mounted", async () => {
    const { store } = await openStore();
    const { tar, bootstrap } = await store.convert(blobOf(TAR, "gzip"), never());
    const inodes = () => [tar, bootstrap].map((path) => statSync(path).ino);
    const before = inodes();
    await store.convert(blobOf(TAR, "zstd"), never());
    expect(inodes()).toEqual(before);
  });
});

describe("removing", () => {
  it("takes no layer that is being merged", async () => {
    const { store } = await openStore();
    const layers = await Promise.all([0, 1].map((i) => store.convert(blobOf(other(i)), never())));
    const ids = layers.map(({ diffId }) => diffId);
    const merging = store.merge(ids, never());
    expect(await store.remove("layer", ids[0] ?? "")).toBe(0);
    await merging;
    expect(await store.remove("layer", ids[0] ?? "")).toBeGreaterThan(0);
  });

  it("beside conversions of the same layer leaves it whole, or away", async () => {
    const { store, root } = await openStore();
    const sources = ["plain", "gzip", "zstd"].map((packed) => blobOf(TAR, packed));
    for (let i = 0; i < 30; i++) {
      const [source = blobOf(TAR)] = [sources[i % 3]];
      const converting = store.convert(source, never());
      for (let j = 0; j < i; j++) await store.remove("layer", diffOf(TAR));
      const { diffId } = await converting;
      const names = filesOf(root);
      expect(names).toHaveLength(store.get(diffId) === undefined ? 0 : 2);
    }
  });
});

it("closing ends work under way, leaves nothing of it, and gives the store to others", async () => {
  const { store, root } = await openStore();
  const stuck = [1, 2, 3, 4].map((i) =>
    store.convert({ ...held("gzip").source, digest: `sha256:${`${i}`.repeat(64)}` }, never()),
  );
  const caught = stuck.map((each) => each.catch((error: unknown) => (error as Error).message));
  await until(() => staged(root) > 0, "the conversions");
  await store.close();
  expect(new Set(await Promise.all(caught))).toEqual(new Set([`layer store ${root}: closed`]));
  await nothingIsLeft(root);
  await expect(store.convert(blobOf(TAR), never())).rejects.toThrow("closed");
  await openStore(root);
});

it("128 layers, of every packing, are one image", async () => {
  const { store } = await openStore();
  const packed = ["plain", "gzip", "zstd"];
  const sources = Array.from({ length: 128 }, (_, i) => blobOf(other(i), packed[i % 3]));
  const layers = await Promise.all(sources.map((source) => store.convert(source, never())));
  const merged = await store.merge(
    layers.map(({ diffId }) => diffId),
    never(),
  );
  expect(merged.blobs.map(({ path }) => path)).toEqual(layers.map(({ tar }) => tar));
});

describe("work on what is in the store", () => {
  const many = (from: number) =>
    tarOf(Array.from({ length: 20_000 }, (_, i) => ({ name: `${from + i}`, data: "x" })));

  it("can be given up: a merge, which leaves nothing", async () => {
    const { store, root } = await openStore();
    const layers = await Promise.all([0, 1].map((i) => store.convert(blobOf(many(100_000 * i)), never())));
    const before = filesOf(root);
    const stop = new AbortController();
    const result = store
      .merge(
        layers.map(({ diffId }) => diffId),
        stop.signal,
      )
      .catch((error: unknown) => error);
    await until(() => staged(root) > 0, "the merge");
    stop.abort(GONE);
    expect(await result).toBe(GONE);
    expect(filesOf(root)).toEqual(before);
    expect(staged(root)).toBe(0);
  });

  it("can be given up: unpacking, which leaves the directory empty", async () => {
    const { store } = await openStore();
    const { diffId } = await store.convert(blobOf(many(0)), never());
    const directory = emptyDir();
    const stop = new AbortController();
    const result = store.unpack(diffId, directory, [], stop.signal).catch((error: unknown) => error);
    await until(() => readdirSync(directory).length > 0, "files");
    stop.abort(GONE);
    expect(await result).toBe(GONE);
    expect(readdirSync(directory)).toEqual([]);
  });
});
