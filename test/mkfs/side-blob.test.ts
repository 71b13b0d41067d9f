import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CreateRequest } from "../../src/mkfs/create.ts";
import { mountErofs, sh, workDir } from "../support/daemon.ts";
import { content, nodeAt, scratchDir, serve, tree } from "../support/image.ts";
import { END, entry, join as joined } from "../tar/emit.ts";
import { contentOfSparse, FORMS, type Form, type SparseFile, sparseEntry, sparseTar } from "./sparse-emit.ts";
import { build, merge } from "./support.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Bytes that no shift makes the same. */
const noise = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = (state >>> 24) | 1; // a hole is found out
  }
  return bytes;
};

/** A file of pieces `[offset, length]`. */
const sparse = (name: string, size: number, ...pieces: [offset: number, length: number][]): SparseFile => ({
  name,
  size,
  pieces: pieces.map(([offset, length], i) => ({ offset, data: noise(length, i + size) })),
});

/** Builds an archive in a directory that has `blobs/`. */
async function made(tar: Uint8Array, more: Partial<CreateRequest> = {}, dir = scratchDir()) {
  const layer = join(dir, "layer.tar");
  const blobs = join(dir, "blobs");
  writeFileSync(layer, tar);
  mkdirSync(blobs, { recursive: true });
  const built = await build(layer, { blobDir: blobs, blobLink: "hard", ...more });
  const files = built.blobs.map((id) => join(blobs, id));
  return { ...built, dir, layer, files, places: { dirs: [blobs], files: new Map<string, string>() } };
}
type Made = Awaited<ReturnType<typeof made>>;

function mustHold({ bootstrap, places }: Pick<Made, "bootstrap" | "places">, files: readonly SparseFile[]) {
  const { fs } = serve(bootstrap, places);
  for (const file of files) {
    const found = content(fs, nodeAt(fs, file.name), file.size);
    expect(Buffer.compare(found, contentOfSparse(file)), file.name).toBe(0);
  }
}

/** Every way to lie askew; the archive makes some of the data begin inside blocks. */
const ASKEW = [
  sparse("odd", 100_000, [1000, 700], [5000, 12_345], [60_001, 1]),
  sparse("end", 70_001, [69_000, 1001]),
  sparse("long", 4_000_000, [777, 1_200_000], [2_000_001, 900_001]),
  sparse("aligned", 40_960, [4096, 4096], [36_864, 4096]),
  sparse("after", 3_000_000, [0, 513], [1_048_576, 1_048_576], [2_500_000, 1]),
  sparse("tiny", 3, [1, 1]),
  sparse("hole", 9999),
  sparse("many", 200_000, ...Array.from({ length: 60 }, (_, i) => [i * 3001, 1 + i * 7] as [number, number])),
];

const PYTHON =
  'import sys, tarfile; t = tarfile.open(sys.argv[1]); t.extraction_filter = getattr(tarfile, "data_filter", None); t.extractall(sys.argv[2])';

describe("sparse files that do not lie in blocks", () => {
  it.each(FORMS)("%s: are what Python unpacks, to the kernel, too", async (form) => {
    const dir = workDir();
    const image = await made(sparseTar(form, ASKEW), {}, dir);
    mustHold(image, ASKEW);
    expect(image.blobs).toEqual([image.sideId, image.id]); // "after" comes first
    sh(`mkdir "$D/python" "$D/erofs"; python3 -c '${PYTHON}' "$D/layer.tar" "$D/python"`, { D: dir });
    mountErofs(image.bootstrap, image.files, join(dir, "erofs"));
    sh('diff -r "$D/python" "$D/erofs"; fsck.erofs $DEVICES "$B"', {
      ...{ D: dir, B: image.bootstrap },
      DEVICES: image.files.map((f) => `--device=${f}`).join(" "),
    });
  });

  it("GNU tar, which keeps each piece in blocks, unpacks the same", async () => {
    const files = [
      sparse("a", 50_000, [100, 1024], [7001, 4096], [20_003, 29_997]),
      sparse("b", 5_000_000, [513, 512], [4_000_001, 512 * 700 + 3]),
    ];
    for (const form of FORMS) {
      const dir = workDir();
      const image = await made(sparseTar(form, files), {}, dir);
      sh('mkdir "$D/tar" "$D/erofs"; tar -C "$D/tar" -xf "$D/layer.tar"', { D: dir });
      mountErofs(image.bootstrap, image.files, join(dir, "erofs"));
      sh('diff -r "$D/tar" "$D/erofs"', { D: dir });
    }
  });

  it("GNU tar's own, with more holes than chunks could say", { timeout: 300_000 }, async () => {
    const dir = workDir();
    // 4.5 million chunks of 4096 bytes, which is what the pieces lie in.
    sh(
      `mkdir "$D/made" "$D/tar" "$D/erofs"; cd "$D/made"; truncate -s 18G f; printf end >>f
       for at in 1 77 40001 3000003; do printf %s "piece $at" | dd of=f bs=4096 seek=$at conv=notrunc status=none; done
       tar --sparse --format=pax -cf ../layer.tar f; tar -C ../tar -xSf ../layer.tar`,
      { D: dir },
    );
    const tar = readFileSync(join(dir, "layer.tar"));
    const image = await made(tar, {}, dir);
    expect(image.sideId).toBeDefined();
    const side = statSync(join(dir, "blobs", image.sideId ?? ""));
    expect(side.blocks * 512).toBeLessThan(100_000); // the rest is holes
    expect(side.size + statSync(image.bootstrap).size).toBeLessThan(3 << 20);
    mountErofs(image.bootstrap, image.files, join(dir, "erofs"));
    const places = [0, 1, 2, 77, 78, 40_001, 3_000_003, 3_000_004, 18 * 262_144 - 1, 18 * 262_144];
    sh(
      `for at in ${places.join(" ")}; do
         cmp <(dd if="$D/tar/f" bs=4096 skip=$at count=1 status=none) <(dd if="$D/erofs/f" bs=4096 skip=$at count=1 status=none)
       done; test "$(stat -c %s "$D/tar/f")" = "$(stat -c %s "$D/erofs/f")"`,
      { D: dir },
    );
  });

  it("hold what their pieces say, whatever those are", { timeout: 300_000 }, async () => {
    const unit = fc.constantFrom(1, 1, 512, 4096);
    const number = (most: number) => fc.tuple(unit, fc.nat(most)).map(([u, n]) => Math.floor(n / u) * u);
    const piece = fc.tuple(number(300_000), number(100_000));
    const file = fc.tuple(fc.array(piece, { maxLength: 12 }), number(2_000_000)).map(([gaps, rest]) => {
      let at = 0;
      const pieces = gaps.map(([gap, length]): [number, number] => {
        at += gap + length;
        return [at - length, length];
      });
      return sparse("f", at + rest, ...pieces);
    });
    const named = fc
      .array(file, { minLength: 1, maxLength: 4 })
      .map((files) => files.map((f, i) => ({ ...f, name: `f${i}` })));
    const property = async (form: Form, files: SparseFile[]) => {
      const image = await made(sparseTar(form, files));
      mustHold(image, files);
      const side = image.sideId === undefined ? 0 : statSync(join(image.places.dirs[0], image.sideId)).size;
      // At most what copying each block that is no block of the tar would take.
      const blocks = files.flatMap(({ pieces }) =>
        pieces.map(({ data }) => (Math.ceil(data.length / 512) + 1) * 512),
      );
      const index = files.reduce((sum, { size }) => sum + Math.ceil(size / 512) * 8, 0);
      expect(side).toBeLessThanOrEqual(blocks.reduce((a, b) => a + b, 0) + index);
      const merged = merge([image.bootstrap]);
      mustHold({ ...merged, places: image.places }, files);
    };
    await fc.assert(fc.asyncProperty(fc.constantFrom(...FORMS), named, property), { numRuns: 150 });

    const dir = workDir();
    const all = fc.sample(file, { numRuns: 50, seed: 7 }).map((f, i) => ({ ...f, name: `f${i}` }));
    const image = await made(sparseTar("pax 1.0", all), {}, dir);
    mkdirSync(join(dir, "erofs"));
    mountErofs(image.bootstrap, image.files, join(dir, "erofs"));
    for (const f of all)
      expect(Buffer.compare(readFileSync(join(dir, "erofs", f.name)), contentOfSparse(f)), f.name).toBe(0);
  });
});

describe("a side blob", () => {
  const cases: [name: string, files: SparseFile[], size: number][] = [
    ["no file", [], 0],
    ["blocks of the tar", [sparse("f", 1 << 20, [4096, 4096], [8192 + 512, 1024])], 0],
    ["a piece that ends with the file", [sparse("f", 5000, [4096, 904])], 0],
    ["all but a last piece that ends with the file", [sparse("f", 5000, [100, 512], [4096, 904])], 1024],
    ["one odd byte", [sparse("f", 512, [100, 1])], 512],
    ["a file of less than a block", [sparse("f", 100, [1, 1])], 512],
    ["data that lies nowhere in the same place of a block", [sparse("f", 40_000, [100, 30_000])], 59 * 512],
  ];
  it.each(cases)("%s takes what it must", async (_, files, size) => {
    const { sideId, places } = await made(sparseTar("pax 1.0", files));
    expect(sideId === undefined ? 0 : statSync(join(places.dirs[0], sideId)).size).toBe(size);
  });

  it("holds no chunk that the tar has: of a long piece only what lies askew", async () => {
    // The first piece ends inside a block of the tar as of the file; the second begins in the same place of both.
    const file = sparse("f", 4 << 20, [0, 700], [(1 << 20) + 700, 1 << 20]);
    const { sideId, blobs, places, ...image } = await made(sparseTar("pax 0.1", [file]));
    expect(blobs.length).toBe(2);
    expect(statSync(join(places.dirs[0], sideId ?? "")).size).toBeLessThan(64 << 10);
    mustHold({ ...image, places }, [file]);
  });

  it("is named by its bytes, and every build makes the same", async () => {
    const one = await made(sparseTar("pax 1.0", ASKEW));
    const two = await made(sparseTar("pax 1.0", ASKEW));
    const bytes = readFileSync(join(one.places.dirs[0], one.sideId ?? ""));
    expect(sha256(bytes)).toBe(one.sideId);
    expect(bytes.length % 512).toBe(0);
    expect(two.sideId).toBe(one.sideId);
    expect(readFileSync(two.bootstrap).equals(readFileSync(one.bootstrap))).toBe(true);
    expect(one.blobSize).toBe(statSync(one.layer).size);
  });

  it("of a stream is that of the file", async () => {
    for (const form of FORMS) {
      const tar = sparseTar(form, ASKEW);
      const plain = await made(tar);
      const dir = scratchDir();
      const gz = join(dir, "layer.gz");
      writeFileSync(gz, gzipSync(tar));
      mkdirSync(join(dir, "blobs"));
      const blobDir = join(dir, "blobs");
      const streamed = await build(gz, { blobDir, blobId: plain.id });
      expect(readdirSync(blobDir).sort()).toEqual([...streamed.blobs].sort());
      expect(streamed.sideId).toBe(plain.sideId);
      expect(readFileSync(streamed.bootstrap).equals(readFileSync(plain.bootstrap))).toBe(true);
      mustHold({ ...streamed, places: { dirs: [blobDir], files: new Map() } }, ASKEW);
    }
  });

  it("has nothing of a file that another entry has replaced, and one copy for all names", async () => {
    const old = sparseEntry("pax 1.0", sparse("odd", 1_000_000, [1, 900_001]));
    const link = entry({ name: "link", type: "1", link: "odd" });
    const rest = joined(sparseEntry("pax 1.0", ASKEW[0]), link, END);
    const alone = await made(rest);
    const both = await made(joined(old, rest));
    expect(both.sideId).toBe(alone.sideId);
    const { fs } = serve(both.bootstrap, both.places);
    const [link1, odd] = tree(fs).filter(({ path }) => path !== "/");
    expect([link1.nlink, link1.sha256, odd.sha256]).toEqual([
      2,
      sha256(contentOfSparse(ASKEW[0])),
      sha256(contentOfSparse(ASKEW[0])),
    ]);
    const gone = await made(joined(old, entry({ name: "odd", data: "now" }), END));
    expect([gone.sideId, gone.blobs]).toEqual([undefined, [gone.id]]);
  });
});

describe("merged", () => {
  const lower = sparseTar("pax 1.0", ASKEW);
  const file = (name: string, data = name) => entry({ name, data });

  it("layers keep their side blobs, as long as something refers to them", async () => {
    const more = sparse("more", 123_457, [3, 100_001]);
    const dir = workDir();
    const images = [
      await made(lower),
      await made(joined(file("plain"), END)),
      await made(joined(sparseEntry("old GNU", more), file(".wh.long", ""), file("tiny", "new"), END)),
    ];
    const merged = merge(images.map(({ bootstrap }) => bootstrap));
    const blobs = images.flatMap(({ places }) => places.dirs);
    const places = { dirs: blobs, files: new Map<string, string>() };
    const left = ASKEW.filter(({ name }) => name !== "long" && name !== "tiny");
    mustHold({ ...merged, places }, [...left, more]);
    expect([...merged.blobs].sort()).toEqual(images.flatMap((image) => image.blobs).sort());
    mkdirSync(join(dir, "erofs"));
    const found = merged.blobs.map(
      (id) => blobs.map((d) => join(d, id)).find((path) => statSync(path, { throwIfNoEntry: false })) ?? "",
    );
    mountErofs(merged.bootstrap, found, join(dir, "erofs"));
    for (const f of [...left, more])
      expect(Buffer.compare(readFileSync(join(dir, "erofs", f.name)), contentOfSparse(f)), f.name).toBe(0);

    const whiteouts = ASKEW.map(({ name }) => file(`.wh.${name}`, ""));
    const empty = merge([images[0].bootstrap, (await made(joined(...whiteouts, END))).bootstrap]);
    expect(empty.blobs).toEqual([]);
  });

  it("the same layer twice has one side blob", async () => {
    const image = await made(lower);
    const merged = merge([image.bootstrap, image.bootstrap]);
    expect(merged.blobs).toEqual(image.blobs);
    mustHold({ ...merged, places: image.places }, ASKEW);
  });
});

describe("is refused, and leaves nothing:", () => {
  const refusals: [name: string, tar: Uint8Array, more: Partial<CreateRequest>, want: RegExp][] = [
    [
      "no directory for the side blob",
      sparseTar("pax 1.0", ASKEW),
      { blobDir: undefined },
      /layer\.tar: sparse file "odd" cannot be mapped to blocks of the tar: it needs --blob-dir for a side blob$/,
    ],
    [
      "more to copy than is sensible",
      joined(
        entry(),
        sparseTar("pax 1.0", [
          sparse(
            "f",
            2 ** 50,
            ...Array.from({ length: 17 }, (_, i) => [i * 2 ** 45 + 1, 1] as [number, number]),
          ),
        ]),
      ),
      {},
      /layer\.tar @0x200: entry "f": copies of sparse files that do not lie in chunks take 4563402752 bytes, want at most 4294967296$/,
    ],
    [
      "a bootstrap that cannot be written",
      sparseTar("pax 1.0", ASKEW),
      { bootstrap: "/no/where/image.boot" },
      /ENOENT: .*\/no\/where\//,
    ],
    [
      "a tar that ends early",
      sparseTar("pax 1.0", ASKEW).subarray(0, 60_000),
      {},
      /the tar ends in its data/,
    ],
  ];
  it.each(refusals)("%s", async (_, tar, more, want) => {
    const dir = scratchDir();
    await expect(made(tar, { bootstrap: join(dir, "x.boot"), ...more }, dir)).rejects.toThrow(want);
    expect(readdirSync(dir, { recursive: true }).sort()).toEqual(["blobs", "layer.tar"]);
    const gz = join(dir, "layer.gz");
    writeFileSync(gz, gzipSync(tar));
    if ("blobDir" in more) return;
    const streamed = { bootstrap: join(dir, "x.boot"), blobDir: join(dir, "blobs"), ...more };
    await expect(build(gz, streamed)).rejects.toThrow(new RegExp(want.source.replace("\\.tar", "\\.gz")));
    expect(readdirSync(dir, { recursive: true }).sort()).toEqual(["blobs", "layer.gz", "layer.tar"]);
  });
});
