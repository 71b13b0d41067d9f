import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkImage } from "../../src/inspect/check.ts";
import { inspectOnce } from "../../src/inspect/inspect.ts";
import { listTree } from "../../src/inspect/ls.ts";
import { statImages } from "../../src/inspect/stat.ts";
import { unpackImage } from "../../src/inspect/unpack.ts";
import { contentOfSparse, sparseTar } from "../mkfs/sparse-emit.ts";
import { build } from "../mkfs/support.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";

/** Its first bytes are in the side blob, a part of the rest in the tar. */
const FILE = {
  name: "odd",
  size: 3_000_000,
  pieces: [
    { offset: 0, data: Buffer.alloc(700, "a") },
    { offset: 1_048_576 + 700, data: Buffer.alloc(1_048_576, "bcd") },
  ],
};

let image: Awaited<ReturnType<typeof made>>;
async function made() {
  const dir = scratchDir();
  const blobs = join(dir, "blobs");
  mkdirSync(blobs);
  const tar = join(dir, "layer.tar");
  writeFileSync(tar, sparseTar("pax 1.0", [FILE]));
  const { bootstrap, id, sideId = "" } = await build(tar, { blobDir: blobs, blobLink: "hard" });
  return { dir, bootstrap, id, sideId, blobs, search: { dirs: [blobs], files: new Map<string, string>() } };
}
beforeAll(async () => {
  image = await made();
});

/** What is printed, as one text. */
async function said(look: (print: (text: string) => void) => void | Promise<void>): Promise<string> {
  let text = "";
  await look((piece) => {
    text += piece;
  });
  return text;
}

describe("an image with a side blob", () => {
  const check = ({ bootstrap, search }: typeof image) =>
    said((print) => checkImage({ bootstrap, search, data: true, verbose: false, version: "" }, print));

  it("is checked: the side blob must have the sha256 that is its id, too", async () => {
    const { id, sideId } = image;
    expect(await check(image)).toMatch(new RegExp(`0: ${sideId}, .*\n.*1: ${id}, `));
    const spoilt = await made();
    const path = join(spoilt.blobs, sideId);
    const bytes = readFileSync(path);
    bytes[0] ^= 1;
    writeFileSync(path, bytes);
    await expect(check(spoilt)).rejects.toThrow(`blob ${sideId}: ${path}: its sha256 is `);
  });

  it("is unpacked", async () => {
    const { dir, bootstrap, search } = image;
    const output = join(dir, "out.tar");
    await unpackImage({ bootstrap, search, output, warn: expect.unreachable });
    writeFileSync(join(dir, "want"), contentOfSparse(FILE));
    sh('tar -xOf "$D/out.tar" odd | cmp - "$D/want"', { D: dir });
  });

  it("is listed, with the place of its first data", async () => {
    const text = await said((print) => listTree(image.bootstrap, "/odd", true, print));
    expect(JSON.parse(text)).toMatchObject({ slot: 0, blob_id: image.sideId, offset: 0, size: FILE.size });
  });

  it("is counted: chunks of both blobs, no hole", () => {
    const { base_image } = statImages(image.bootstrap, undefined);
    const side = statSync(join(image.blobs, image.sideId)).size;
    expect(base_image.files).toBe(1);
    expect(base_image.comp_size).toBeGreaterThanOrEqual(1_048_576 + 700);
    expect(base_image.comp_size).toBeLessThanOrEqual(1_048_576 + side);
  });

  it("is inspected: both blobs, and the chunks in each", async () => {
    const { bootstrap, id, sideId } = image;
    const blobs = JSON.parse(await said((print) => inspectOnce(bootstrap, "blobs", print)));
    const size = (of: string) => statSync(join(image.blobs, of)).size;
    expect(blobs).toMatchObject([
      { blob_id: sideId, compressed_size: size(sideId) },
      { blob_id: id, compressed_size: size(id) },
    ]);
    const text = await said((print) => inspectOnce(bootstrap, "stat odd", print));
    expect(text).toMatch(new RegExp(`file offset: 0,[^]*blob id: ${sideId}[^]*blob id: ${id}`));
  });
});
