import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MergeError } from "../../src/mkfs/merge-error.ts";
import { FormatError, OperationalError, UsageError } from "../../src/bytes/errors.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { parsePlatform } from "../../src/source/platform.ts";
import { type PreparedImage, prepareImage } from "../../src/source/prepare.ts";
import { ARCHIVES, membersOf, mutateArchive } from "./mutate-archive.ts";
import { scrutinize } from "./scrutiny.ts";
import { type MakeTarget, must, refusal, type Verdict } from "./target.ts";
import { NO_REPORT } from "../support/no-report.ts";

/** Archives of images and OCI layouts: documents, layers, and the image that becomes of them. */
export const archiveTarget: MakeTarget = (dir) => {
  writeFileSync(join(dir, "outside"), "not for images");
  const work = join(dir, "work");
  const cacheDir = join(dir, "cache");

  /** As it is, or unpacked where every name stays below. */
  const put = (input: Uint8Array): string => {
    const archive = join(work, "archive");
    const members = input.length % 4 === 0 ? membersOf(input) : undefined;
    if (members === undefined) {
      writeFileSync(archive, input);
      return archive;
    }
    mkdirSync(archive);
    for (const { name, data, link } of members) {
      if (!/^[\w.:-]+(\/[\w:.-]+)*$/.test(name) || name.includes("..") || link !== undefined) continue;
      try {
        mkdirSync(dirname(join(archive, name)), { recursive: true });
        writeFileSync(join(archive, name), data);
      } catch {
        // A name below a file.
      }
    }
    return archive;
  };

  const run = async (input: Uint8Array): Promise<Verdict> => {
    mkdirSync(work);
    try {
      return await mount(put(input));
    } finally {
      for (const each of [work, cacheDir]) rmSync(each, { recursive: true, force: true });
    }
  };
  const mount = async (path: string): Promise<Verdict> => {
    let prepared: PreparedImage;
    try {
      prepared = await prepareImage({
        paths: [path],
        cacheDir,
        blobDirs: [],
        report: NO_REPORT,
        warn: () => {},
        platform: parsePlatform("linux/amd64"),
      });
    } catch (error) {
      const made = existsSync(cacheDir) ? readdirSync(cacheDir, { recursive: true, encoding: "utf8" }) : [];
      const left = made.filter((name) => /(^|\/)\./.test(name)); // what is not whole yet has such a name
      must(left.length === 0, () => `a refusal leaves ${left}`);
      return refusal(error, FormatError, OperationalError, UsageError, MergeError);
    }
    await prepared.makeDurable(true);
    const places = { dirs: prepared.blobDirs, files: new Map(prepared.blobs) };
    for (const file of places.files.values())
      must(file.startsWith(work) || file.startsWith(cacheDir), () => `it reaches ${file}`);
    scrutinize(openImage(prepared.bootstrap, places), false);
    return "accepted";
  };
  return { seeds: ARCHIVES, longest: 256 << 10, memory: 512, mutate: mutateArchive, run };
};
