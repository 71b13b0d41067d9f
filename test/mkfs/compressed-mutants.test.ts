import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { type CreateResult, createImage } from "../../src/mkfs/create.ts";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { generator, scratchDir } from "../support/image.ts";
import { often } from "../support/often.ts";
import { tarOf } from "./emit.ts";

const CASES = often("NYDUSD_TS_MUTANTS", 100, 400);

/** Some hundred files with text in them: what is compressed is a few kilobytes of all that the formats have. */
const TAR = tarOf(
  Array.from({ length: 200 }, (_, i) => ({
    name: `d${i % 7}/file-${i}`,
    data: `${i * 7919} `.repeat((i * 31) % 97),
    mode: i % 3 === 0 ? 0o755 : 0o644,
  })),
);
const FORMS: [name: string, bytes: Buffer][] = [
  ["tar", Buffer.from(TAR)],
  ["gzip", gzipSync(TAR)],
  ["gzip, two members", Buffer.concat([gzipSync(TAR.subarray(0, 40_000)), gzipSync(TAR.subarray(40_000))])],
  ["zstd", execFileSync("zstd", ["-q", "-c"], { input: TAR })],
  ["zstd without checksum", execFileSync("zstd", ["-q", "-c", "--no-check"], { input: TAR })],
];

/** Bytes turned, taken out, put in, or the end cut off. */
function mutant(of: Buffer, random: (below: number) => number): Buffer {
  const bytes = Buffer.from(of);
  const at = random(bytes.length);
  const kind = random(4);
  if (kind === 0) return bytes.subarray(0, at);
  if (kind === 1) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(64))]);
  if (kind === 2)
    return Buffer.concat([
      bytes.subarray(0, at),
      Buffer.alloc(1 + random(64), random(256)),
      bytes.subarray(at),
    ]);
  for (let flips = 1 + random(3); flips > 0; flips--) bytes[random(bytes.length)] ^= 1 << random(8);
  return bytes;
}

const path = process.env["PATH"];
afterEach(() => {
  process.env["PATH"] = path;
});

describe.each([
  ["programs", path],
  ["libraries", "/none"],
])("with %s", (_, programs) => {
  it.each(FORMS)(
    `a broken %s is refused, or makes the image of what is in it (${CASES} cases)`,
    { timeout: 600_000 },
    async (_name, whole) => {
      process.env["PATH"] = programs;
      const dir = scratchDir();
      const blobs = join(dir, "blobs");
      mkdirSync(blobs);
      const random = generator(5);
      const request = {
        blobDir: blobs,
        blobLink: "none" as const,
        ignoreZeros: false,
        isRepeatable: false,
        chunkSize: 0x10_0000,
        prefetch: [],
        whiteouts: "oci" as const,
        warn: () => {},
      };
      let refused = 0;
      for (let i = 0; i < CASES; i++) {
        const source = join(dir, "layer");
        writeFileSync(source, mutant(whole, random));
        let made: CreateResult;
        try {
          const layer = wholeFile(source);
          made = await createImage({ ...request, layer, blobId: "blob", bootstrap: join(dir, "x.boot") });
        } catch (error) {
          if (!(error instanceof FormatError || error instanceof OperationalError)) throw error;
          expect(error.message.startsWith(source)).toBe(true);
          expect([...readdirSync(blobs), ...readdirSync(dir)].sort()).toEqual(["blobs", "layer"]);
          refused++;
          continue;
        }
        // Whatever was taken for the tar: indexing that again, as a plain file, gives the same.
        const tar = made.isPlain ? source : join(blobs, "blob");
        const again = await createImage({
          ...request,
          layer: wholeFile(tar),
          blobId: "blob",
          bootstrap: join(dir, "y.boot"),
        });
        expect(again.isPlain).toBe(true);
        expect(readFileSync(join(dir, "y.boot")).equals(readFileSync(join(dir, "x.boot")))).toBe(true);
        for (const name of ["x.boot", "y.boot", "blobs/blob"]) rmSync(join(dir, name), { force: true });
      }
      expect(refused).toBeGreaterThan(CASES / 20);
      expect(refused).toBeLessThanOrEqual(CASES);
    },
  );
});
