import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { BlobFiles } from "../../src/blob/blob-files.ts";
import type { BlobFile } from "../../src/blob/locate.ts";
import * as errno from "../../src/bytes/errno.ts";
import { FormatError, messageOf, OperationalError } from "../../src/bytes/errors.ts";
import { Image } from "../../src/erofs/image.ts";
import { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import { type OpenedImage, openImage } from "../../src/fs/open-image.ts";
import { newAttr, newEntry, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { fixture, fixtureNames, placesOf, scratchDir, sign } from "../support/image.ts";
import { often } from "../support/often.ts";
import { cpuTime } from "../support/cpu-time.ts";

/**
 * Images with random bytes changed must be refused, or be served without an exception and without a read
 * beyond what a file holds. `NYDUSD_TS_FLIPS` sets the number of cases, `NYDUSD_TS_FLIP_SEED` the first seed;
 * a failure names the seed of its case, which alone repeats it.
 */
const CASES = often("NYDUSD_TS_FLIPS", 3_000, 10_000);
const SEED = Number(process.env["NYDUSD_TS_FLIP_SEED"] ?? 1);
/** No case may take longer, on a machine with other things to do. */
const MAX_CASE_MS = 5_000;
const MAX_RSS = 512 * 1024 * 1024;
const READS = 3;
const INCOMPAT = 1104;

/** mulberry32: 32 bits of state are enough to tell cases apart. */
class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed | 0;
  }
  /** An integer in [0, below). */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

/** A fixture's image in a file of its own that is changed and put right again in place. */
class Target {
  readonly name: string;
  readonly path: string;
  private readonly fd: number;
  private readonly devices: readonly string[];
  private readonly original: Uint8Array;
  /** Where things are: each inode, the tables at the start. */
  private readonly hot: number[];

  constructor(name: string) {
    const { path, devices, entries } = fixture(name);
    this.name = name;
    this.devices = devices;
    this.original = new Uint8Array(readFileSync(path));
    if (entries.length === 0) hideFeatures(this.original);
    this.path = join(scratchDir(), name);
    writeFileSync(this.path, this.original);
    this.fd = openSync(this.path, "r+");
    const v = new DataView(this.original.buffer);
    const metaAt = v.getUint32(1064, true) << this.original[1036];
    this.hot = entries.map((e) => metaAt + e.ino * 32);
  }

  /** The image changed as `seed` says, for as long as `use` runs. */
  with(seed: number, use: (random: Random) => void): void {
    const random = new Random(seed);
    const bytes = this.original.slice();
    for (let n = 1 + random.below(8); n > 0; n--) this.change(bytes, random);
    if (random.chance(90)) sign(bytes);
    const ranges = differences(this.original, bytes);
    for (const [at, end] of ranges) writeSync(this.fd, bytes, at, end - at, at);
    try {
      use(random);
    } finally {
      for (const [at, end] of ranges) writeSync(this.fd, this.original, at, end - at, at);
    }
  }

  open(lenient: boolean): OpenedImage {
    return openImage(this.path, placesOf(this.devices), { lenient });
  }

  isWhole(): boolean {
    return readFileSync(this.path).equals(this.original);
  }

  close(): void {
    closeSync(this.fd);
  }

  private change(bytes: Uint8Array, random: Random): void {
    const at = this.place(random);
    const length = random.chance(75) ? 1 : 2 ** random.below(7);
    const from = this.place(random);
    const how = random.below(6);
    for (let i = at; i < Math.min(at + length, bytes.length); i++) {
      if (how === 0) bytes[i] ^= 1 << random.below(8);
      else if (how === 1) bytes[i] += random.chance(50) ? 1 : 255;
      else if (how === 2) bytes[i] = 0;
      else if (how === 3) bytes[i] = 0xff;
      else if (how === 4) bytes[i] = this.original[(from + i - at) % bytes.length];
      else bytes[i] = random.below(256);
    }
  }

  private place(random: Random): number {
    const kind = random.below(100);
    const end = this.original.length;
    if (kind < 8) return 1024 + random.below(256);
    if (kind < 16) return 1152 + random.below(512);
    if (kind < 80 && this.hot.length > 0)
      return Math.min(this.hot[random.below(this.hot.length)] + random.below(128), end - 1);
    return random.below(end);
  }
}

/** Makes an image that is refused at the door get as far as its compressed inodes. */
function hideFeatures(bytes: Uint8Array): void {
  bytes[INCOMPAT] &= ~0x33;
  bytes[INCOMPAT + 1] = 0;
  sign(bytes);
}

/** Runs of bytes that differ, as [first, after the last]. */
function differences(a: Uint8Array, b: Uint8Array): [number, number][] {
  const ranges: [number, number][] = [];
  const step = 4096;
  for (let at = 0; at < a.length; at += step) {
    const end = Math.min(at + step, a.length);
    if (Buffer.compare(a.subarray(at, end), b.subarray(at, end)) !== 0) ranges.push([at, end]);
  }
  return ranges;
}

/** Fails on a read that the files, as they were opened, do not hold. */
class CheckedBlobs extends BlobFiles {
  private readonly sizes: readonly number[];

  constructor(files: readonly BlobFile[]) {
    super(files, (_, problem) => {
      throw new Error(`lost: ${problem}`);
    });
    this.sizes = files.map((f) => f.size);
  }

  override read(blob: number, address: number, length: number, out: Uint8Array, at: number): number {
    if (!(address >= 0 && length > 0 && address + length <= this.sizes[blob] && at + length <= out.length))
      throw new Error(`read of ${length} bytes at ${address} of file ${blob}, which has ${this.sizes[blob]}`);
    return super.read(blob, address, length, out, at);
  }
}

const ERRORS = new Set(
  [
    errno.EUCLEAN,
    errno.ENODATA,
    errno.ERANGE,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EINVAL,
    errno.EOPNOTSUPP,
  ].map((e) => -e),
);
const attr = newAttr();
const CANARY = 0xa5;
const out = new Uint8Array(1 << 17);

const must = (isTrue: boolean, what: string): void => {
  if (!isTrue) throw new Error(what);
};

function answer(result: number, most: number, what: string): number {
  must(
    Number.isInteger(result) && result <= most && (result >= 0 || ERRORS.has(result)),
    `${what}: ${result}`,
  );
  return result;
}

/** Everything a transport could ask, of every node that can be reached and of some that cannot. */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: asks everything that a file system can be asked
function walk(opened: OpenedImage, random: Random): number {
  const blobs = new CheckedBlobs(opened.files);
  try {
    const fs = new ImageFileSystem(new Image(opened.handle), blobs);
    const entry = newEntry();
    const seen = new Set<number>([ROOT_NODE]);
    const limit = opened.handle.shared.byteLength / 12;
    let entries = 0;
    for (const directory of seen) {
      must(
        askNode(opened, fs, directory, random) === errno.S_IFDIR,
        `node ${directory} is queued but no directory`,
      );
      let before = -1;
      for (let cookie = 0; fs.entry(directory, cookie, entry) === 1; cookie = entry.next) {
        must(cookie > before && entries++ <= limit, `directory ${directory} does not end at ${cookie}`);
        before = cookie;
        const { bytes, nameAt, nameLength, node } = entry;
        must(nameLength > 0 && nameLength < 256, `name of ${nameLength} bytes`);
        const found = fs.lookup(directory, bytes, nameAt, nameLength);
        must(found === (node === 0 ? -errno.EUCLEAN : node), `listed as ${node}, found as ${found}`);
        const isDots =
          bytes[nameAt] === 0x2e && (nameLength === 1 || (nameLength === 2 && bytes[nameAt + 1] === 0x2e));
        if (isDots || node === 0) continue;
        const { type } = entry;
        if (type !== 4) {
          const shown = askNode(opened, fs, node, random);
          must(shown === type << 12, `listed as type ${type}, is 0${shown.toString(8)}`);
        } else {
          must(!seen.has(node), `directory ${node} is reached twice`);
          seen.add(node);
        }
      }
    }
    for (let i = 0; i < 8; i++)
      askNode(opened, fs, random.below(opened.handle.shared.byteLength / 16), random);
    return entries;
  } finally {
    blobs.close();
  }
}

/** @returns the node's type, or 0 when it is corrupt */
function askNode(opened: OpenedImage, fs: ImageFileSystem, node: number, random: Random): number {
  if (answer(fs.attr(node, attr), 0, "attr") < 0) return 0;
  const { mode, size } = attr;
  for (const value of [
    attr.ino,
    mode,
    attr.nlink,
    attr.uid,
    attr.gid,
    attr.rdev,
    size,
    attr.blocks,
    attr.mtimeNsec,
  ])
    must(Number.isInteger(value) && value >= 0, `attributes ${JSON.stringify(attr)}`);
  must(attr.nlink > 0 && Number.isSafeInteger(size), `attributes ${JSON.stringify(attr)}`);
  must(attr.mtimeNsec < 1e9, `mtime ${attr.mtime}.${attr.mtimeNsec}`);
  if (!Number.isSafeInteger(attr.mtime)) askTime(opened);
  const link = answer(fs.readlink(node, out, 0), 4095, "readlink");
  const isLink = (mode & errno.S_IFMT) === errno.S_IFLNK;
  // Up to a NUL, which is the first byte of what `out` has no more of.
  const whole = Math.min(size, 4095);
  must(
    isLink ? link === whole || (link < whole && out[link] === 0) : link === -errno.EINVAL,
    `readlink: ${link}`,
  );
  askXattrs(fs, node);
  askData(fs, node, size, (mode & errno.S_IFMT) === errno.S_IFREG, random);
  return mode & errno.S_IFMT;
}

/** A time beyond 2^53: Linux shows all 64 bits that an extended inode has. */
function askTime({ handle }: OpenedImage): void {
  const v = new DataView(handle.shared);
  const at = handle.metaAt + attr.ino * 32;
  must((v.getUint16(at, true) & 1) === 1, `a compact inode with mtime ${attr.mtime}`);
  const shown = BigInt.asIntN(64, (BigInt(attr.mtimeHigh) << 32n) | BigInt(attr.mtimeLow));
  const is = v.getBigInt64(at + 32, true);
  must(shown === is && attr.mtime === Number(is), `mtime ${shown}, near ${attr.mtime}: is ${is}`);
}

function askXattrs(fs: ImageFileSystem, node: number): void {
  const names = answer(fs.listxattr(node, out, 0, 0, true), 1 << 17, "listxattr");
  must(answer(fs.listxattr(node, out, 0, names, true), names, "listxattr") === names, "listxattr changed");
  if (names > 1) must(fs.listxattr(node, out, 0, names - 1, true) === -errno.ERANGE, "listxattr wants less");
  const list = out.slice(0, names);
  for (let at = 0; at < names; ) {
    const end = list.indexOf(0, at);
    const get = (room: number) =>
      answer(fs.getxattr(node, list, at, end - at, out, 0, room), 65_535, "getxattr");
    const length = get(0);
    // A name that is nothing but its namespace, or goes on behind a whole one, is listed, and Linux does not ask for it.
    const isAsked = length !== -errno.EINVAL && length !== -errno.EOPNOTSUPP;
    must(length >= 0 || !isAsked, "a listed xattr is not there");
    must(!isAsked || get(length) === length, "getxattr changed");
    at = end + 1;
  }
}

function askData(fs: ImageFileSystem, node: number, size: number, isFile: boolean, random: Random): void {
  for (let i = 0; i < READS; i++) {
    const most = 1 + random.below(i === 0 ? 65_536 : 5_000);
    const offset =
      i === 0
        ? 0
        : i === 1
          ? Math.max(0, size - random.below(most))
          : random.below(Math.min(size + 2, 2 ** 50));
    out[16 + most] = CANARY;
    const got = answer(fs.read(node, offset, most, out, 16), most, "read");
    must(out[16 + most] === CANARY, "a read wrote behind its room");
    const want = isFile ? Math.max(0, Math.min(most, size - offset)) : got;
    must(got === want && (isFile || got < 0), `read of ${most} at ${offset} of ${size} answers ${got}`);
  }
}

/** @returns the error that an open ends with, which must be one that says what is wrong */
function tryOpen(target: Target, lenient: boolean): OpenedImage | Error {
  try {
    return target.open(lenient);
  } catch (error) {
    if (error instanceof FormatError || error instanceof OperationalError) return error;
    throw error;
  }
}

interface Tally {
  refused: number;
  served: number;
  partly: number;
  entries: number;
}

function tryCase(target: Target, seed: number, tally: Tally): void {
  target.with(seed, (random) => {
    const strict = tryOpen(target, false);
    if (!(strict instanceof Error)) {
      must(strict.report.corrupt === 0, "a strict open found something corrupt");
      tally.entries += walk(strict, random);
      tally.served++;
    }
    const lenient = tryOpen(target, true);
    if (lenient instanceof Error) {
      must(strict instanceof Error, `refused only when lenient: ${messageOf(lenient)}`);
      tally.refused++;
    } else {
      const { corrupt } = lenient.report;
      if (strict instanceof FormatError) must(corrupt > 0, `lenient finds nothing of: ${strict.message}`);
      if (!(strict instanceof Error)) must(corrupt === 0, `lenient finds ${corrupt} corrupt, strict none`);
      else {
        tally.entries += walk(lenient, random);
        tally.partly++;
      }
    }
  });
}

describe("images with bytes changed are refused or served, never more", () => {
  const targets = fixtureNames.map((name) => new Target(name));
  afterAll(() => {
    for (const target of targets) target.close();
  });
  // A tree of 1,500 entries takes as long as all others together.
  const share = (name: string) => (fixture(name).entries.length > 1_000 ? 1 : 5);
  const shares = fixtureNames.reduce((sum, name) => sum + share(name), 0);

  it.each(targets.map((target, i) => ({ name: target.name, target, i })))(
    "$name",
    ({ name, target, i }) => {
      const each = Math.ceil((CASES * share(name)) / shares);
      const tally: Tally = { refused: 0, served: 0, partly: 0, entries: 0 };
      for (let n = 0; n < each; n++) {
        const seed = SEED + i * 1_000_000 + n;
        const start = cpuTime();
        try {
          tryCase(target, seed, tally);
        } catch (error) {
          throw new Error(`${name}, seed ${seed}: ${messageOf(error)}`, { cause: error });
        }
        const took = cpuTime() - start;
        if (took > MAX_CASE_MS) throw new Error(`${name}, seed ${seed}: took ${took.toFixed(0)} ms`);
      }
      expect(tally.refused + tally.served + tally.partly).toBe(each);
      if (process.env["NYDUSD_TS_FLIPS"]) process.stderr.write(`${name} ${JSON.stringify(tally)}\n`);
      // The image is what it was: nothing of one case is left for the next.
      expect(target.isWhole()).toBe(true);
    },
    3_600_000,
  );

  it("in bounded memory", () => {
    expect(process.memoryUsage().rss).toBeLessThan(MAX_RSS);
  });
});
