import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { createImage } from "../../src/mkfs/create.ts";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { compressionOf } from "../../src/tar/source.ts";
import { concat, mutateBytes } from "./mutate.ts";
import { mutateTar } from "./mutate-tar.ts";
import { scrutinize } from "./scrutiny.ts";
import { requestOf } from "./seed-image.ts";
import { type MakeTarget, must, refusal, type Target, type Verdict } from "./target.ts";
import { TARS } from "./tars.ts";

const ID = "c".repeat(64);
/** One input in so many goes through the programs that users have, too: each costs a process. */
const PROGRAMS_EVERY = 32;
/** Nothing is in it. */
const NOWHERE = "/none";

const zstd = (tar: Uint8Array, ...options: string[]): Uint8Array =>
  Uint8Array.from(execFileSync("zstd", ["-q", "-c", ...options], { input: tar }));
const SEEDS = [
  ...TARS.map((tar) => gzipSync(tar)),
  Buffer.concat([gzipSync(TARS[0].subarray(0, 4000)), gzipSync(TARS[0].subarray(4000))]),
  ...TARS.map((tar, i) => zstd(tar, ...(i === 0 ? [] : ["--no-check", "-19"]))),
  Buffer.concat([Buffer.from("502a4d1804000000abcdabcd", "hex"), zstd(TARS[1])]), // a frame to be skipped
].map((bytes) => Uint8Array.from(bytes));

/** Compressed layers: the decompressors' input, and tars that are made anew within. */
export const layerTarget: MakeTarget = (dir) => {
  const path = process.env["PATH"];
  const [layer, bootstrap] = ["layer", "boot"].map((name) => join(dir, name));
  let count = 0;

  /** @returns the tar that was taken out, undefined when it is refused */
  const build = async (programs: string | undefined): Promise<Uint8Array | undefined> => {
    process.env["PATH"] = programs;
    try {
      const { isPlain } = await createImage(requestOf(layer, bootstrap, ID, dir));
      if (isPlain) return readFileSync(layer);
      const files = [new Map([[ID, join(dir, ID)]]), new Map<string, string>()];
      const opened = files.flatMap((named) => {
        try {
          return [openImage(bootstrap, { dirs: [dir], files: named })];
        } catch (error) {
          refusal(error, OperationalError); // a file for a blob that the image does not have
          return [];
        }
      });
      must(opened.length > 0, () => "what was built cannot be opened");
      scrutinize(opened[0], false);
      return readFileSync(join(dir, ID));
    } catch (error) {
      refusal(error, FormatError, OperationalError);
      must(String(readdirSync(dir)) === "layer", () => `a refusal leaves ${readdirSync(dir)}`);
      return undefined;
    } finally {
      process.env["PATH"] = path;
      for (const name of readdirSync(dir)) if (name !== "layer") rmSync(join(dir, name));
    }
  };

  const run = async (input: Uint8Array): Promise<Verdict> => {
    writeFileSync(layer, input);
    const tar = await build(NOWHERE);
    // Programs go on behind what is no member where a library does not, and the other way round: no more is compared.
    if (++count % PROGRAMS_EVERY === 0) await build(path);
    return tar === undefined ? "refused" : "accepted";
  };
  return { seeds: SEEDS, longest: 64 << 10, memory: 512, mutate, run };
};

const mutate: Target["mutate"] = (input, other, random) => {
  if (compressionOf(input) !== "gzip" || random.once(2)) return mutateBytes(input, other, random);
  try {
    const tar = Uint8Array.from(gunzipSync(input));
    return concat(gzipSync(mutateTar(tar, tar, random)), random.once(8) ? other : new Uint8Array(0));
  } catch {
    return mutateBytes(input, other, random);
  }
};
