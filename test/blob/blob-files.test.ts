import {
  appendFileSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BlobFiles } from "../../src/blob/blob-files.ts";
import { HeldFiles } from "../../src/blob/held-files.ts";
import { ABSENT, type BlobFile, blobFile } from "../../src/blob/locate.ts";
import { MAX_OPEN, OpenFiles } from "../../src/blob/open-files.ts";
import { EIO } from "../../src/bytes/errno.ts";
import { fixture, image, nodeAt, scratchDir, serve, tree } from "../support/image.ts";

const SIZE = 10_000;
const byteAt = (blob: number, at: number): number => (blob * 31 + at * 7) & 0xff;

interface Made {
  readonly dir: string;
  readonly paths: string[];
  readonly files: BlobFile[];
}

/** Files of `SIZE` bytes, each with bytes of its own. */
function blobs(count: number): Made {
  const dir = scratchDir();
  const paths = Array.from({ length: count }, (_, i) => join(dir, `blob${i}`));
  const files = paths.map((path, i) => {
    writeFileSync(
      path,
      Uint8Array.from({ length: SIZE }, (__, at) => byteAt(i, at)),
    );
    return blobFile(path, statSync(path));
  });
  return { dir, paths, files };
}

interface Reader {
  readonly blobs: BlobFiles;
  readonly losses: [blob: number, problem: string][];
}

function reader({ files }: Made, max?: number): Reader {
  const losses: [number, string][] = [];
  return {
    blobs: new BlobFiles(
      files,
      (blob, problem) => losses.push([blob, problem]),
      undefined,
      new OpenFiles(max),
    ),
    losses,
  };
}

/** The answer of a read, whose bytes must be right when there are any. */
function read(of: BlobFiles, blob: number, address: number, length: number): number {
  const out = new Uint8Array(length + 4).fill(0xee);
  const n = of.read(blob, address, length, out, 2);
  for (let i = 0; i < n; i++) expect(out[2 + i]).toBe(byteAt(blob, address + i));
  return n;
}

/** File descriptors of this process that lead below a directory. */
function openBelow(dir: string): string[] {
  const fds = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return fds.filter((path) => path.startsWith(`${dir}/`)).map((path) => path.slice(dir.length + 1));
}

describe("a blob that changes while it is served", () => {
  it("truncated: what is left is read, what is lost answers EIO, and it is said once", () => {
    const made = blobs(2);
    const { blobs: of, losses } = reader(made);
    expect(read(of, 0, 0, SIZE)).toBe(SIZE);
    truncateSync(made.paths[0], 4_000);
    expect(read(of, 0, 0, 4_000)).toBe(4_000);
    expect(read(of, 0, 3_999, 1)).toBe(1);
    expect(read(of, 0, 3_999, 2)).toBe(-EIO);
    expect(read(of, 0, 4_000, 1)).toBe(-EIO);
    expect(read(of, 0, 9_000, 1_000)).toBe(-EIO);
    expect(read(of, 0, 100, 100)).toBe(100);
    expect(read(of, 1, 0, SIZE)).toBe(SIZE);
    expect(losses).toEqual([[0, `${made.paths[0]}: ends before byte 4001: it was truncated`]]);
    of.close();
  });

  it("truncated under several threads: it is said by the first to see it", () => {
    const made = blobs(2);
    const losses: string[] = [];
    const lost = new Uint8Array(new SharedArrayBuffer(2));
    const threads = ["one", "two"].map(
      (name) => new BlobFiles(made.files, (blob) => losses.push(`${name}: ${blob}`), lost),
    );
    for (const path of made.paths) truncateSync(path, 10);
    expect(threads.map((of) => read(of, 1, 0, SIZE))).toEqual([-EIO, -EIO]);
    expect(threads.reverse().map((of) => read(of, 0, 0, SIZE))).toEqual([-EIO, -EIO]);
    expect(losses).toEqual(["one: 1", "two: 0"]);
    for (const of of threads) of.close();
  });

  it("truncated and written again: it is read again", () => {
    const made = blobs(1);
    const { blobs: of, losses } = reader(made);
    truncateSync(made.paths[0], 0);
    expect(read(of, 0, 0, 1)).toBe(-EIO);
    appendFileSync(
      made.paths[0],
      Uint8Array.from({ length: SIZE }, (_, at) => byteAt(0, at)),
    );
    expect(read(of, 0, 0, SIZE)).toBe(SIZE);
    expect(losses.length).toBe(1);
    of.close();
  });

  it("deleted while open: it is read as before", () => {
    const made = blobs(1);
    const { blobs: of, losses } = reader(made);
    expect(read(of, 0, 0, 1)).toBe(1);
    rmSync(made.paths[0]);
    expect(read(of, 0, 0, SIZE)).toBe(SIZE);
    expect(losses).toEqual([]);
    of.close();
  });

  it("deleted before its first read: lost, unless all were opened at the start", () => {
    const made = blobs(2);
    const lazy = reader(made);
    const held = new HeldFiles();
    const eager = reader({ ...made, files: held.hold(made.files) });
    rmSync(made.paths[1]);
    expect(read(lazy.blobs, 1, 0, 10)).toBe(-EIO);
    expect(lazy.losses).toEqual([
      [1, `${made.paths[1]}: ENOENT: no such file or directory, open '${made.paths[1]}'`],
    ]);
    expect(read(eager.blobs, 1, 0, SIZE)).toBe(SIZE);
    expect(eager.losses).toEqual([]);
    lazy.blobs.close();
    eager.blobs.close();
    held.release(held.hold(made.files.slice(0, 1)));
  });

  it("replaced before it is held: refused by its name", () => {
    const made = blobs(2);
    replace(made.paths[1]);
    const held = new HeldFiles();
    expect(() => held.hold(made.files)).toThrow(
      `${made.paths[1]}: not the file that was there when the image was mounted`,
    );
    expect(held.size).toBe(0);
  });

  it("replaced while open: the file that was opened is read", () => {
    const made = blobs(1);
    const { blobs: of, losses } = reader(made);
    expect(read(of, 0, 0, 1)).toBe(1);
    replace(made.paths[0]);
    expect(read(of, 0, 0, SIZE)).toBe(SIZE);
    expect(losses).toEqual([]);
    of.close();
  });

  it("replaced after it was closed for others: refused, and said once", () => {
    const made = blobs(3);
    const { blobs: of, losses } = reader(made, 2);
    for (const blob of [0, 1, 2]) expect(read(of, blob, 0, 10)).toBe(10);
    replace(made.paths[0]);
    expect(read(of, 0, 0, 10)).toBe(-EIO);
    expect(read(of, 0, 0, 10)).toBe(-EIO);
    expect(losses).toEqual([[0, `${made.paths[0]}: not the file that was there when the image was mounted`]]);
    expect(openBelow(made.dir).sort()).toEqual(["blob1", "blob2"]);
    of.close();
  });

  it("replaced by a directory: refused without a file left open", () => {
    const made = blobs(1);
    const { blobs: of, losses } = reader(made);
    rmSync(made.paths[0]);
    renameSync(scratchDir(), made.paths[0]);
    expect(read(of, 0, 0, 10)).toBe(-EIO);
    expect(losses).toEqual([[0, `${made.paths[0]}: not a regular file`]]);
    expect(openBelow(made.dir)).toEqual([]);
    of.close();
  });
});

/** Another file with other bytes at the same path. */
function replace(path: string): void {
  writeFileSync(`${path}.new`, new Uint8Array(SIZE));
  renameSync(`${path}.new`, path);
}

describe("open files", () => {
  it("are opened when first read, once", () => {
    const made = blobs(3);
    const { blobs: of } = reader(made);
    expect(openBelow(made.dir)).toEqual([]);
    for (let i = 0; i < 5; i++) read(of, 1, i, 10);
    expect(openBelow(made.dir)).toEqual(["blob1"]);
    of.close();
    expect(openBelow(made.dir)).toEqual([]);
  });

  it("are never more than the bound, the least recently used closed first", () => {
    const made = blobs(8);
    const { blobs: of, losses } = reader(made, 3);
    for (let i = 0; i < 200; i++) {
      read(of, (i * i + 3 * i) % 8, i, 20);
      expect(openBelow(made.dir).length).toBeLessThanOrEqual(3);
    }
    for (const blob of [0, 1, 2, 0, 3]) read(of, blob, 0, 1);
    expect(openBelow(made.dir).sort()).toEqual(["blob0", "blob2", "blob3"]);
    expect(losses).toEqual([]);
    of.close();
    expect(openBelow(made.dir)).toEqual([]);
  });

  it("are held for others up to a bound, which they neither open nor close", () => {
    const made = blobs(3);
    const held = new HeldFiles(2);
    const files = held.hold(made.files);
    const { blobs: of, losses } = reader({ ...made, files });
    expect(held.size).toBe(2);
    for (const path of made.paths.slice(0, 2)) rmSync(path);
    for (let blob = 0; blob < 3; blob++) expect(read(of, blob, 0, SIZE)).toBe(SIZE);
    expect(openBelow(made.dir).sort()).toEqual(["blob0 (deleted)", "blob1 (deleted)", "blob2"]);
    of.close();
    expect(read(of, 0, 0, SIZE)).toBe(SIZE);
    expect(losses).toEqual([]);
    expect(openBelow(made.dir).sort()).toEqual(["blob0 (deleted)", "blob1 (deleted)"]);
    held.release(files);
    expect(openBelow(made.dir)).toEqual([]);
  });

  it("are held once, until the last image that reads them is gone", () => {
    const made = blobs(3);
    const held = new HeldFiles();
    const one = held.hold(made.files.slice(0, 2));
    const two = held.hold(made.files.slice(1));
    expect(openBelow(made.dir).sort()).toEqual(["blob0", "blob1", "blob2"]);
    expect(one[1].fd).toBe(two[0].fd);
    held.release(one);
    expect(openBelow(made.dir).sort()).toEqual(["blob1", "blob2"]);
    held.release(two);
    expect(openBelow(made.dir)).toEqual([]);
  });

  it("are not held when one of them is gone", () => {
    const made = blobs(3);
    rmSync(made.paths[2]);
    const held = new HeldFiles();
    expect(() => held.hold(made.files)).toThrow("ENOENT");
    expect(openBelow(made.dir)).toEqual([]);
    expect(held.size).toBe(0);
  });

  it("leave out what a lenient open did not find", () => {
    const made = blobs(2);
    const held = new HeldFiles();
    const files = held.hold([made.files[0], ABSENT, made.files[1]]);
    expect(openBelow(made.dir).sort()).toEqual(["blob0", "blob1"]);
    held.release(files);
    expect(openBelow(made.dir)).toEqual([]);
  });

  it("are at most 256 by default, more than an image's devices and their image", () => {
    expect(MAX_OPEN).toBeGreaterThanOrEqual(255);
  });
});

describe("an image whose tar changes while it is served", () => {
  it("loses the files behind the cut, and no others", () => {
    const { path, dir } = image("12-merged");
    const tars = fixture("12-merged").devices.map((from, i) => {
      const to = join(dir, `${i}.tar`);
      writeFileSync(to, readFileSync(from));
      return to;
    });
    const { fs, losses } = serve(path, { dirs: [], files: new Map(tars.map((t, i) => [String(i + 1), t])) });
    const before = tree(fs);
    truncateSync(tars[1], 3_072);
    const out = new Uint8Array(100);
    const answers = before
      .filter((e) => e.sha256 !== undefined)
      .map((e) => [
        e.path,
        fs.read(nodeAt(fs, e.path ?? ""), 0, e.size, new Uint8Array(8_192), 0) === e.size,
      ]);
    expect(answers.filter(([, isWhole]) => !isWhole).map(([p]) => p)).toEqual(["/hl_a", "/hl_c", "/meta/f"]);
    expect(fs.read(nodeAt(fs, "/hl_a"), 0, 100, out, 0)).toBe(-EIO);
    expect(losses.length).toBe(1);
    expect(losses[0]).toMatch(/1\.tar: ends before byte \d+: it was truncated$/);
  });
});
