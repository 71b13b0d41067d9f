import {
  chownSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openImage } from "../../src/fs/open-image.ts";
import { Cache } from "../../src/source/cache.ts";
import { directoryDocuments } from "../../src/source/documents.ts";
import { Opened } from "../../src/source/opened.ts";
import { type PreparedImage, prepareImage } from "../../src/source/prepare.ts";
import { openedFile } from "../../src/tar/layer-file.ts";
import { openLayer } from "../../src/tar/source.ts";
import { tarOf } from "../mkfs/emit.ts";
import { file } from "../mkfs/support.ts";
import { content, nodeAt, scratchDir, serve } from "../support/image.ts";
import { USER } from "../support/user.ts";
import { sha256 } from "./images.ts";

const GOOD = tarOf([file("prog", "good")]);
const EVIL = tarOf([file("prog", "evil")]);
const REPORT = { start: () => {}, ready: () => {}, stop: () => {} };

function prepare(
  paths: readonly string[],
  cacheDir: string,
  warnings: string[] = [],
): Promise<PreparedImage> {
  const warn = (message: string) => warnings.push(message);
  return prepareImage({ paths, cacheDir, blobDirs: [], report: REPORT, warn });
}

const placesOf = ({ blobs, blobDirs, known }: PreparedImage) => ({
  dirs: blobDirs,
  files: new Map(blobs),
  known,
});

function progOf(image: PreparedImage): string {
  const { fs } = serve(image.bootstrap, placesOf(image));
  return Buffer.from(content(fs, nodeAt(fs, "prog"), 4)).toString();
}

/** Puts something else at a path. */
function swap(path: string, other: string): void {
  symlinkSync(other, `${path}.new`);
  renameSync(`${path}.new`, path);
}

describe("a layer is the file that was opened", () => {
  it.each([
    ["plain", EVIL],
    ["compressed", gzipSync(EVIL)],
  ])("whatever its path leads to when it is read: %s", async (_, bytes) => {
    const dir = scratchDir();
    const path = join(dir, "layer");
    writeFileSync(path, bytes);
    writeFileSync(join(dir, "base.tar"), GOOD);
    const fd = openSync(path, "r");
    const layer = openedFile(fd, path, path);
    swap(path, join(dir, "base.tar"));
    const opened = await openLayer(layer);
    let read = Buffer.alloc(0);
    if (opened.kind === "plain") {
      read = readFileSync(opened.fd);
      await opened.close();
    } else for await (const chunk of opened.chunks) read = Buffer.concat([read, chunk]);
    expect(read.equals(EVIL)).toBe(true);
    closeSync(fd);
  });

  it("also when it is opened once more to be served", async () => {
    const dir = scratchDir();
    const path = join(dir, "layer.tar");
    writeFileSync(path, EVIL);
    writeFileSync(join(dir, "secret"), "x".repeat(EVIL.length));
    const image = await prepare([path], join(dir, "cache"));
    expect(progOf(image)).toBe("evil");
    swap(path, join(dir, "secret"));
    expect(() => openImage(image.bootstrap, placesOf(image))).toThrow(
      "not the file that was found when the image was prepared",
    );
    image.close();
  });

  it("and of two with the same bytes the one that nobody else may write", async () => {
    const dir = scratchDir();
    const [own, theirs] = ["own.tar", "theirs.tar"].map((name) => join(dir, name));
    for (const path of [own, theirs]) writeFileSync(path, GOOD);
    chownSync(theirs, USER, USER);
    for (const paths of [
      [own, theirs],
      [theirs, own],
    ]) {
      const image = await prepare(paths, join(dir, "cache"));
      expect(image.blobs).toEqual([[sha256(GOOD), own]]);
      image.close();
    }
  });
});

describe("a note of the cache", () => {
  const KNOWN = { id: "0".repeat(64), kind: "stored" } as const;
  const setUp = () => {
    const dir = scratchDir();
    const path = join(dir, "layer");
    writeFileSync(path, EVIL);
    const fd = openSync(path, "r");
    const cache = new Cache(join(dir, "cache"));
    writeFileSync(join(cache.blobs, KNOWN.id), "");
    return { dir, path, cache, notes: join(dir, "cache/files"), layer: openedFile(fd, path, path), fd };
  };

  it("is of the file that was read, not of what has its path by now", () => {
    const { dir, path, cache, layer, fd } = setUp();
    writeFileSync(join(dir, "base.tar"), GOOD);
    swap(path, join(dir, "base.tar"));
    cache.remember(layer, KNOWN);
    const other = openSync(join(dir, "base.tar"), "r");
    expect(cache.find(openedFile(other, join(dir, "base.tar"), ""))).toBe(undefined);
    for (const each of [fd, other]) closeSync(each);
  });

  it("is found by the file that it is of", () => {
    const { cache, layer, path, fd } = setUp();
    expect(cache.remember(layer, KNOWN)).toBe(true);
    const again = openSync(path, "r");
    expect(cache.find(openedFile(again, path, ""))?.id).toBe(KNOWN.id);
    for (const each of [fd, again]) closeSync(each);
  });

  it("is not made of a file that has changed", () => {
    const { path, cache, notes, layer, fd } = setUp();
    writeFileSync(path, GOOD);
    expect(cache.remember(layer, KNOWN)).toBe(false);
    expect(readdirSync(notes)).toEqual([]);
    closeSync(fd);
  });

  it("is missing then, and that is said", async () => {
    const dir = scratchDir();
    const path = join(dir, "layer.tar");
    writeFileSync(path, GOOD);
    const warnings: string[] = [];
    const report = { ...REPORT, start: () => writeFileSync(path, GOOD) };
    const warn = (message: string) => warnings.push(message);
    const image = await prepareImage({
      paths: [path],
      cacheDir: join(dir, "cache"),
      blobDirs: [],
      report,
      warn,
    });
    image.close();
    expect(warnings).toEqual([
      `${path}: changed while it was read; what it is is not noted for the next time`,
    ]);
    expect(readdirSync(join(dir, "cache/files"))).toEqual([]);
  });
});

it("what lies in a directory, and which images, is said by the same bytes", () => {
  const dir = scratchDir();
  const opened = new Opened();
  const docs = directoryDocuments(dir, [], opened);
  for (const name of ["index.json", "manifest.json"]) {
    writeFileSync(join(dir, name), "one");
    expect(docs.bytes(name).toString()).toBe("one");
    writeFileSync(join(dir, name), "other");
    expect(docs.bytes(name).toString()).toBe("one");
  }
  opened.close();
});
