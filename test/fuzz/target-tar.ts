import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { unpackImage } from "../../src/inspect/unpack.ts";
import { createImage } from "../../src/mkfs/create.ts";
import { isMarker } from "../../src/mkfs/whiteout.ts";
import type { TarEntry } from "../../src/tar/entry.ts";
import { contentOf, readerOf } from "../tar/emit.ts";
import { mutateTar } from "./mutate-tar.ts";
import { type Shown, scrutinize } from "./scrutiny.ts";
import { requestOf } from "./seed-image.ts";
import { type MakeTarget, must, refusal, type Verdict } from "./target.ts";
import { TARS } from "./tars.ts";

const BLOB_ID = "a".repeat(64);
/** Files of an image that is unpacked and built again: what takes gigabytes of holes says no more. */
const SMALL = 2 << 20;

/** One layer: the reader, at once and byte by byte, the builder, and the image against its tar and its own unpacking. */
export const tarTarget: MakeTarget = (dir) => {
  const names = ["layer", "again.tar", "a.boot", "b.boot"].map((name) => join(dir, name));
  const [layer, again, first, second] = names;
  const sideDir = join(dir, "sides");
  mkdirSync(sideDir);
  const look = (bootstrap: string, tar: string): Map<string, Shown> => {
    const search = { dirs: [sideDir], files: new Map([[BLOB_ID, tar]]) };
    return scrutinize(openImage(bootstrap, { ...search, files: namedIn(bootstrap, search.files) }), false);
  };
  /** A file given for a blob that the image does not have is refused, and an image of no data has none. */
  const namedIn = (bootstrap: string, files: ReadonlyMap<string, string>): ReadonlyMap<string, string> => {
    try {
      openImage(bootstrap, { dirs: [sideDir], files });
      return files;
    } catch (error) {
      if (error instanceof OperationalError && error.message.startsWith("--blob ")) return new Map();
      throw error;
    }
  };

  const run = async (input: Uint8Array): Promise<Verdict> => {
    const entries = readBothWays(input);
    writeFileSync(layer, input);
    try {
      await createImage(requestOf(layer, first, BLOB_ID, sideDir));
    } catch (error) {
      must(
        readdirSync(sideDir).length === 0 && !readdirSync(dir).includes("a.boot"),
        () => "a refusal leaves output",
      );
      return refusal(error, FormatError, OperationalError);
    }
    must(entries !== undefined, () => "built from what the reader refuses");
    const shown = look(first, layer);
    compareWithEntries(shown, entries, input);
    if ([...shown.values()].reduce((sum, { size }) => sum + size, 0) < SMALL) {
      const search = { dirs: [sideDir], files: namedIn(first, new Map([[BLOB_ID, layer]])) };
      await unpackImage({ bootstrap: first, search, output: again, warn: () => {} });
      // A tree, not a layer: a directory may have the name of a marker, which an entry of its own would not mean.
      await createImage({ ...requestOf(again, second, BLOB_ID, sideDir), whiteouts: "none" });
      const before = [...shown].map(comparable).sort();
      const after = [...look(second, again)].map(comparable).sort();
      const odd = before.findIndex((line, i) => line !== after[i]);
      must(
        odd < 0 && before.length === after.length,
        () => `unpacked and built again: ${after[odd]}, want ${before[odd]}`,
      );
    }
    for (const each of [first, second, again]) rmSync(each, { force: true });
    for (const name of readdirSync(sideDir)) rmSync(join(sideDir, name));
    return "accepted";
  };
  return { seeds: TARS, longest: 128 << 10, memory: 512, mutate: mutateTar, run };
};

const comparable = ([path, { mode, size, nlink, rest, content }]: [string, Shown]): string =>
  JSON.stringify([path, mode, size, nlink, rest, content]);

/** All entries; undefined when they are refused. What is read as it comes must be what is read at once. */
function readBothWays(tar: Uint8Array): TarEntry[] | undefined {
  const whole = readAll(tar, tar.length);
  const pieces = readAll(tar, 512);
  must(JSON.stringify(whole) === JSON.stringify(pieces), () => "read in pieces, the tar says something else");
  return whole.entries;
}

function readAll(tar: Uint8Array, step: number): { entries: TarEntry[] | undefined; problem: string } {
  const entries: TarEntry[] = [];
  const reader = readerOf(tar);
  try {
    for (let limit = Math.min(step, tar.length); ; ) {
      const entry = reader.next(limit, limit === tar.length);
      if (entry === undefined) return { entries, problem: "" };
      if (entry !== "more") entries.push(entry);
      else must(limit < tar.length, () => "more is wanted than there is");
      if (entry === "more") limit = Math.min(limit + step, tar.length);
    }
  } catch (error) {
    refusal(error, FormatError);
    return { entries: undefined, problem: String(error) };
  }
}

/** What plain entries say, each path of which is there once, must be in the image. */
function compareWithEntries(
  shown: ReadonlyMap<string, Shown>,
  entries: readonly TarEntry[],
  tar: Uint8Array,
): void {
  if (entries.some(({ kind }) => kind === "symlink" || kind === "hardlink")) return;
  const pathOf = ({ path }: TarEntry): string =>
    Buffer.from(path)
      .toString("latin1")
      .split("/")
      .filter((part) => part !== "" && part !== ".")
      .join("/");
  const paths = entries.map(pathOf);
  for (const [i, entry] of entries.entries()) {
    const path = paths[i];
    const { kind, size, mode } = entry;
    if (kind !== "file" || path === "" || path.split("/").includes("..")) continue;
    // Replaced by a later one, or gone with a directory that was.
    if (
      paths.some(
        (other, k) =>
          k > i && (other === path || path.startsWith(`${other}/`) || other.startsWith(`${path}/`)),
      )
    )
      continue;
    const found = shown.get(`/${path}`);
    if (found === undefined) {
      must(path.includes(".wh."), () => `${path} is not in the image`);
      continue;
    }
    // What a marker holds means nothing; a directory of its name is made for what lies below it.
    if (isMarker(entry.path)) {
      must(
        (found.mode & 0xf000) === 0x4000 || found.size === 0,
        () => `${path}: a marker of ${found.size} bytes`,
      );
      continue;
    }
    must(found.size === size && (found.mode & 0o7777) === mode, () => `${path}: ${JSON.stringify(found)}`);
    if (size > 64 << 10 || found.content === "") continue;
    must(found.content === sha256(contentOf(tar, entry)), () => `${path}: other bytes than in the tar`);
  }
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
