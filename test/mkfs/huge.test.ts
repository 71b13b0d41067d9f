import { closeSync, ftruncateSync, openSync, readdirSync, readSync, unlinkSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { newAttr } from "../../src/vfs/file-system.ts";
import { mountErofs, sh, workDir } from "../support/daemon.ts";
import { nodeAt, placesOf, serve } from "../support/image.ts";
import { NO_KERNEL_DRIVER } from "../support/kernel.ts";
import { base256, END, entry, pax } from "../tar/emit.ts";
import { build, merge } from "./support.ts";

const TIB = 2 ** 40;
/** Blocks of a tar are counted in 512 bytes: this is where 32 bits end. */
const WRAP = 2 ** 32 * 512;

/** Bytes of a file at a place of it. */
type Mark = readonly [at: number, text: string];
interface HugeFile {
  readonly name: string;
  readonly size: number;
  readonly marks: readonly Mark[];
}

const made: string[] = [];
afterEach(() => {
  for (const tar of made.splice(0)) unlinkSync(tar);
});

/** A tar of terabytes that takes a few KiB: what no mark names is a hole of its file. */
class HugeTar {
  readonly path: string;
  readonly files: HugeFile[] = [];
  private readonly fd: number;
  private at = 0;

  constructor(name = "huge.tar") {
    this.path = join(workDir(), name);
    this.fd = openSync(this.path, "w");
    made.push(this.path);
  }

  file(name: string, size: number, ...marks: Mark[]): this {
    this.put(entry({ name, size: size < 8 ** 11 ? size : base256(BigInt(size), 12) }));
    for (const [at, text] of marks) writeSync(this.fd, text, this.at + at);
    this.at += Math.ceil(size / 512) * 512;
    this.files.push({ name, size, marks });
    return this;
  }

  /** A file of pieces, in a map of records; `data` is stored. */
  sparse(name: string, size: number, map: readonly number[], data: string, ...marks: Mark[]): this {
    const records = {
      "GNU.sparse.size": String(size),
      "GNU.sparse.numblocks": String(map.length / 2),
      "GNU.sparse.map": map.join(","),
    };
    this.put(pax(records));
    this.put(entry({ name, data }));
    this.files.push({ name, size, marks });
    return this;
  }

  /** A file that ends where the next header is to be. */
  upTo(at: number): this {
    return this.file(`filler-${this.files.length}`, at - this.at - 512, [0, "filler"]);
  }

  /** @param cut bytes that are missing of the last file's padding; without, an end marker follows */
  end(cut = 0): this {
    if (cut === 0) this.put(END);
    ftruncateSync(this.fd, this.at - cut);
    closeSync(this.fd);
    return this;
  }

  private put(bytes: Uint8Array): void {
    writeSync(this.fd, bytes, 0, bytes.length, this.at);
    this.at += bytes.length;
  }
}

/** Builds beside the tar, which is its own blob. */
const image = (tar: HugeTar, more: Parameters<typeof build>[1] = {}) =>
  build(tar.path, { blobId: basename(tar.path), bootstrap: `${tar.path}.boot`, ...more });

/** What our reader and the kernel's show of the marks. */
function mustShow(bootstrap: string, tars: readonly string[], files: readonly HugeFile[]): void {
  const { fs } = serve(bootstrap, placesOf(tars));
  const attr = newAttr();
  for (const { name, size, marks } of files) {
    const node = nodeAt(fs, name);
    fs.attr(node, attr);
    expect(attr.size, name).toBe(size);
    for (const [at, text] of marks) {
      const found = Buffer.alloc(text.length);
      expect(fs.read(node, at, text.length, found, 0), `${name} at ${at}`).toBe(text.length);
      expect(found.toString("latin1"), `${name} at ${at}`).toBe(text);
    }
  }
  if (NO_KERNEL_DRIVER !== undefined) return;
  const root = workDir();
  mountErofs(bootstrap, tars, root);
  try {
    for (const { name, marks } of files) {
      const fd = openSync(join(root, name), "r");
      for (const [at, text] of marks) {
        const found = Buffer.alloc(text.length);
        readSync(fd, found, 0, text.length, at);
        expect(found.toString("latin1"), `the kernel: ${name} at ${at}`).toBe(text);
      }
      closeSync(fd);
    }
  } finally {
    sh('umount "$D"', { D: root });
  }
}

const TARS: [name: string, make: () => HugeTar, more?: Parameters<typeof build>[1]][] = [
  ["a file of 1 TiB", () => new HugeTar().file("f", TIB, [0, "first"], [TIB - 4, "last"]).end()],
  ["a file of one byte more", () => new HugeTar().file("f", TIB + 1, [0, "first"], [TIB - 3, "over"]).end()],
  [
    "a file of 5 TiB",
    () => new HugeTar().file("f", 5 * TIB, [0, "a"], [TIB - 2, "abcd"], [4 * TIB, "e"]).end(),
  ],
  [
    "data at block 2^32 - 1, whose number says hole",
    () =>
      new HugeTar()
        .upTo(WRAP - 1024)
        .file("f", 8, [0, "no hole!"])
        .end(),
  ],
  [
    "data at that block, at the very end of the tar",
    () =>
      new HugeTar()
        .upTo(WRAP - 1024)
        .file("f", 512, [0, "no hole!"])
        .end(),
  ],
  ["a header at block 2^32", () => new HugeTar().upTo(WRAP).file("f", 3, [0, "far"]).end()],
  [
    "a file across block 2^32",
    () =>
      new HugeTar()
        .upTo(WRAP - 2 ** 21)
        .file("f", 2 ** 22, [0, "a"], [2 ** 21 - 515, "wrap"])
        .end(),
  ],
  [
    "the same in chunks of 4 KiB",
    () =>
      new HugeTar()
        .upTo(WRAP - 2 ** 21)
        .file("f", 2 ** 22, [0, "a"], [2 ** 21 - 515, "wrap"])
        .end(),
    { chunkSize: 0x1000 },
  ],
  [
    "sparse files behind block 2^32",
    () =>
      new HugeTar()
        .upTo(WRAP + 4096)
        .sparse(
          "f",
          2 ** 23,
          [4096, 1024, 2 ** 20, 512],
          "d".repeat(1536),
          [0, "\0"],
          [4096, "d"],
          [2 ** 20, "d"],
        )
        .sparse("g", 2 ** 23, [100, 1000], "g".repeat(1000), [98, "\0\0gg"], [1098, "gg\0\0"])
        .end(),
  ],
  [
    "a sparse file of 16 TiB, in chunks that nydus cannot count",
    () =>
      new HugeTar()
        .sparse("f", 16 * TIB, [2 ** 43, 512], "d".repeat(512), [0, "\0"], [2 ** 43 - 1, "\0d"])
        .end(),
    { chunkSize: 0x1000 },
  ],
];

describe("where numbers end", () => {
  it.each(TARS)("%s", async (_, make, more) => {
    const tar = make();
    const blobDir = workDir();
    const { bootstrap, blobs } = await image(tar, { blobDir, ...more });
    const tars = blobs.map((id) => (id === basename(tar.path) ? tar.path : join(blobDir, id)));
    mustShow(bootstrap, tars, tar.files);
  });

  it("a file that another entry has replaced is nowhere", async () => {
    const tar = new HugeTar().file("f", WRAP, [0, "old"]).file("f", 3, [0, "new"]).end();
    const { bootstrap } = await image(tar);
    mustShow(bootstrap, [tar.path], tar.files.slice(1));
  });

  it("layers that are more than 2^32 blocks together, and one that is it alone", async () => {
    const tars = ["a", "b", "c"].map((name) =>
      new HugeTar(name).file(name, 0.9 * TIB - ((0.9 * TIB) % 512), [0, name]).end(),
    );
    tars.push(
      new HugeTar("d")
        .upTo(3 * TIB)
        .file("d", 1, [0, "d"])
        .end(),
    );
    for (const tar of tars) await image(tar);
    const boots = tars.map(({ path }) => `${path}.boot`);
    const find = (ids: readonly string[]) =>
      ids.map((id) => tars.find(({ path }) => basename(path) === id)?.path ?? "");
    const files = tars.flatMap((tar) => tar.files.filter(({ name }) => name.length === 1));
    for (const count of [3, 4]) {
      const merged = merge(boots.slice(0, count));
      mustShow(merged.bootstrap, find(merged.blobs), files.slice(0, count));
      // What was merged can be merged again.
      const again = merge([merged.bootstrap]);
      mustShow(again.bootstrap, find(again.blobs), files.slice(0, count));
    }
  });

  it("a tar within an archive, shifted beyond block 2^32", async () => {
    const tar = new HugeTar().file("f", 5, [0, "moved"]).end();
    const { bootstrap } = await image(tar);
    const archive = new HugeTar("archive").upTo(3 * TIB).end();
    const fd = openSync(archive.path, "r+");
    writeSync(fd, "moved", 3 * TIB + 512);
    ftruncateSync(fd, 3 * TIB + 2048);
    closeSync(fd);
    const to = { id: "archive", size: 3 * TIB + 2048 };
    const merged = merge([bootstrap], { moved: [{ from: basename(tar.path), to, at: 3 * TIB }] });
    mustShow(merged.bootstrap, [archive.path], tar.files);
  });

  it("more chunks than nydus numbers are refused by name, and nothing is written", async () => {
    const tar = new HugeTar()
      .file("small", 1)
      .file("d/f", TIB / 4)
      .end();
    await expect(image(tar, { chunkSize: 0x1000 })).rejects.toThrow(
      `${tar.path}: entry "d/f": with it its blob has 67108865 chunks of 4096 bytes, want at most 16777216 (--chunk-size)`,
    );
    expect(readdirSync(dirname(tar.path))).toEqual([basename(tar.path)]);
  });
});
