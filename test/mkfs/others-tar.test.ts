import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFrom } from "../../src/mkfs/create-from.ts";
import { OthersTar } from "../../src/mkfs/others-tar.ts";
import { placeBlob } from "../../src/mkfs/place-blob.ts";
import { strangerOf } from "../../src/safe-open/strangers.ts";
import { scratchDir } from "../support/image.ts";
import { memoryDir } from "../support/memory-dir.ts";
import { USER } from "../support/user.ts";
import { tarOf } from "./emit.ts";
import { type SparseFile, sparseTar } from "./sparse-emit.ts";
import { build, file } from "./support.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const SPARSE: SparseFile = {
  name: "odd",
  size: 300_000,
  pieces: [
    { offset: 1000, data: new Uint8Array(70_000).fill(1) },
    { offset: 200_001, data: new Uint8Array(99).fill(2) },
  ],
};
const PLAIN = tarOf([
  file("a", "x".repeat(400_000)),
  file("b"),
  ...Array.from({ length: 300 }, (_, i) => file(`f${i}`)),
]);
const ASKEW = sparseTar("pax 1.0", [SPARSE]);

const others: [whose: string, make: (path: string) => void][] = [
  ["a stranger's", (path) => chownSync(path, USER, USER)],
  ["everybody's", (path) => chmodSync(path, 0o666)],
];

/** A layer of that content, and a blob directory. */
function placed(tar: Uint8Array, make: (path: string) => void = () => {}) {
  const dir = scratchDir();
  const layer = join(dir, "layer.tar");
  const blobDir = join(dir, "blobs");
  mkdirSync(blobDir);
  writeFileSync(layer, tar);
  make(layer);
  return { dir, layer, blobDir, target: join(blobDir, sha256(tar)) };
}

const create = ({ layer, blobDir, dir }: ReturnType<typeof placed>, blobLink: "hard" | "none" = "hard") =>
  createFrom({
    ...{ layers: [layer], blobDir, bootstrap: join(dir, "image.boot"), blobId: undefined, blobLink },
    ...{ chunkSize: 0x10_0000, isRepeatable: false, ignoreZeros: false, prefetch: [] },
    ...{ whiteouts: "oci", warn: () => {}, report: { start: () => {}, ready: () => {}, stop: () => {} } },
  });

describe.each(others)("%s tar", (_, make) => {
  it.each([
    ["plain", PLAIN],
    ["with a side blob", ASKEW],
    ["empty", new Uint8Array(1024)],
  ])("makes the image that root's makes: %s", async (_name, tar) => {
    const own = placed(tar);
    const theirs = placed(tar, make);
    const want = await create(own, "none");
    const found = await create(theirs, "none");
    expect(found.blobs).toEqual(want.blobs);
    expect(readFileSync(found.bootstrap).equals(readFileSync(want.bootstrap))).toBe(true);
    expect(readdirSync(theirs.blobDir)).toEqual(readdirSync(own.blobDir));
  });

  it("is copied into a blob directory, not linked", async () => {
    const at = placed(PLAIN, make);
    await create(at);
    expect(readFileSync(at.target).equals(PLAIN)).toBe(true);
    const { ino, nlink } = statSync(at.target);
    expect([ino === statSync(at.layer).ino, nlink, strangerOf(statSync(at.target))]).toEqual([
      false,
      1,
      undefined,
    ]);
  });
});

it("a tar on another file system is copied while it is read, and the bootstrap is the same", async () => {
  const own = placed(PLAIN);
  const far = { ...placed(PLAIN), layer: join(memoryDir(1 << 20), "layer.tar") };
  writeFileSync(far.layer, PLAIN);
  const [want, found] = [await create(own), await create(far)];
  expect(readFileSync(found.bootstrap).equals(readFileSync(want.bootstrap))).toBe(true);
  expect(readFileSync(far.target).equals(PLAIN)).toBe(true);
  expect(statSync(far.target).nlink).toBe(statSync(far.blobDir).dev === statSync(far.layer).dev ? 2 : 1);
  expect(readdirSync(far.blobDir)).toEqual([sha256(PLAIN)]);
});

describe("what is copied of a tar that others may write to", () => {
  it.each(["a byte that was copied", "a byte that was not"])(
    "has to be what was hashed: %s",
    async (which) => {
      const at = placed(ASKEW, others[0][1]);
      const { blobs } = await create(at, "none");
      const side = join(at.blobDir, readdirSync(at.blobDir).find((name) => blobs.includes(name)) ?? "");
      const fd = openSync(at.layer, "r+");
      const layer = { kind: "plain", fd, at: 0, size: ASKEW.length, close: () => closeSync(fd) };
      const tar = new OthersTar(
        layer as never,
        {
          ...{ layer: { path: at.layer, name: "layer.tar" }, blobId: undefined, done: undefined },
        } as never,
      );
      await tar.whole(() => {});
      const dataAt = ASKEW.indexOf(1, 1024);
      const copies = [{ dataAt, sideAt: readFileSync(side).indexOf(1), length: 70_000 }];
      const sideFd = openSync(side, "r");
      await tar.proveCopies(copies, sideFd);
      writeSync(fd, "x", which === "a byte that was copied" ? dataAt + 69_999 : ASKEW.length - 1);
      await expect(tar.proveCopies(copies, sideFd)).rejects.toThrow("layer.tar: changed while it was read");
      await tar.close();
    },
  );
});

describe("a blob directory that has a file of the tar's name", () => {
  it("keeps it when it has the same bytes", async () => {
    const at = placed(PLAIN);
    writeFileSync(at.target, PLAIN);
    const { ino } = statSync(at.target);
    await create(at);
    expect(statSync(at.target).ino).toBe(ino);
  });

  it("refuses one of that length and other bytes, and makes no image", async () => {
    const at = placed(PLAIN);
    const bad = Buffer.from(PLAIN);
    bad[600] ^= 1;
    writeFileSync(at.target, bad);
    await expect(create(at)).rejects.toThrow(`${at.target}: its bytes are not those that its name says`);
    expect(readFileSync(at.target).equals(bad)).toBe(true);
    expect(readdirSync(at.dir).sort()).toEqual(["blobs", "layer.tar"]);
    expect(readdirSync(at.blobDir)).toHaveLength(1);
  });

  it.each<[what: string, put: (at: ReturnType<typeof placed>) => void]>([
    ["a stranger's file with these bytes", ({ target }) => others[0][1](writeAt(target))],
    ["a file with these bytes that all may write", ({ target }) => others[1][1](writeAt(target))],
    ["a link", ({ target, dir }) => symlinkSync(writeAt(join(dir, "elsewhere")), target)],
    [
      "another name of a stranger's tar",
      ({ target, dir }) => linkSync(theirs(join(dir, "elsewhere")), target),
    ],
  ])("replaces %s", async (_, put) => {
    const at = placed(PLAIN);
    put(at);
    await create(at);
    expect(statSync(at.target).ino).toBe(statSync(at.layer).ino);
  });

  const writeAt = (path: string) => {
    writeFileSync(path, PLAIN);
    return path;
  };
  const theirs = (path: string) => {
    others[0][1](writeAt(path));
    return path;
  };
});

it("links nothing else that has come to lie at the tar's path", () => {
  const at = placed(PLAIN);
  const fd = openSync(at.layer, "r");
  writeFileSync(join(at.dir, "other"), "secret");
  renameSync(join(at.dir, "other"), at.layer);
  placeBlob({ fd, stats: fstatSync(fd) }, at.layer, at.blobDir, sha256(PLAIN));
  expect(readFileSync(at.target).equals(PLAIN)).toBe(true);
  expect(readdirSync(at.blobDir)).toEqual([sha256(PLAIN)]);
});

it("a tar that only root may write is linked", async () => {
  const at = placed(PLAIN);
  await create(at);
  expect(statSync(at.target).ino).toBe(statSync(at.layer).ino);
  await build(at.layer);
});
