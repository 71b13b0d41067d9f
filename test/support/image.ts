import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { BlobFiles } from "../../src/blob/blob-files.ts";
import type { BlobSearch } from "../../src/blob/locate.ts";
import { crc32c } from "../../src/bytes/crc32c.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../src/bytes/errno.ts";
import { messageOf } from "../../src/bytes/errors.ts";
import { isUtf8 } from "../../src/bytes/name.ts";
import { Image } from "../../src/erofs/image.ts";
import { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import { type OpenedImage, openImage } from "../../src/fs/open-image.ts";
import { newAttr, newEntry, ROOT_NODE } from "../../src/vfs/file-system.ts";

/** One entry of a fixture's `expected.json`, as the kernel showed it; see test/fixtures/README.md. */
export interface Expected {
  path?: string;
  path_base64?: string;
  mode: string;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  mtime_nsec: number;
  nlink: number;
  ino: number;
  rdev?: [major: number, minor: number];
  target?: string;
  target_base64?: string;
  xattrs?: Record<string, string>;
  sha256?: string;
}

/** A genuine image, its devices in order, and what the kernel makes of it. */
export interface Fixture {
  readonly name: string;
  readonly path: string;
  readonly devices: readonly string[];
  /** Empty for images that a reader must refuse. */
  readonly entries: readonly Expected[];
}

/** Bytes to put at a place of the image; more than one patch of one byte: the last wins. */
export type Patch = readonly [at: number, hex: string];

/** A copy of a fixture's image under a temporary path; devices stay where they are. */
export interface Scratch {
  readonly dir: string;
  readonly path: string;
  readonly places: BlobSearch;
}

const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** Directory names of all fixtures. */
export const fixtureNames: readonly string[] = readdirSync(FIXTURES, { withFileTypes: true })
  .filter((d) => d.isDirectory())
  .map((d) => d.name)
  .sort();

const known = new Map<string, Fixture>();

export function fixture(name: string): Fixture {
  const found = known.get(name) ?? readFixture(name);
  known.set(name, found);
  return found;
}

function readFixture(name: string): Fixture {
  const dir = join(FIXTURES, name);
  const json = join(dir, "expected.json");
  if (!existsSync(json)) return { name, path: join(dir, "image.erofs"), devices: [], entries: [] };
  const { image, devices, entries } = JSON.parse(readFileSync(json, "utf8"));
  return { name, path: join(dir, image), devices: devices.map((d: string) => join(dir, d)), entries };
}

/** Devices by position: what `--blob 1=PATH --blob 2=PATH` says. */
export const placesOf = (devices: readonly string[]): BlobSearch => ({
  dirs: [],
  files: new Map(devices.map((path, i) => [String(i + 1), path])),
});

const made: string[] = [];
afterAll(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A directory that goes away with the test file. */
export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-"));
  made.push(dir);
  return dir;
}

/**
 * A valid image with the listed bytes overwritten; a patch beyond its end makes it longer. A checksum is
 * made right again unless it is among what is patched, so that a patch tests what it is meant for.
 */
export function image(name: string, ...patches: Patch[]): Scratch {
  const { path: from, devices } = fixture(name);
  const dir = scratchDir();
  const path = join(dir, "image");
  const old = readFileSync(from);
  const length = patches.reduce((end, [at, hex]) => Math.max(end, at + bytesOf(hex).length), old.length);
  const bytes = new Uint8Array(length);
  bytes.set(old);
  for (const [at, hex] of patches) bytes.set(bytesOf(hex), at);
  if (patches.length > 0 && !patches.some(([at]) => at === CHECKSUM_AT)) sign(bytes);
  writeFileSync(path, bytes);
  return { dir, path, places: placesOf(devices) };
}

const CHECKSUM_AT = 1028;

/** Puts the checksum right if the image says that it has one. */
export function sign(bytes: Uint8Array): void {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = bytes[1036];
  if ((bytes[1032] & 1) === 0 || bits < 9 || bits > 12) return;
  const end = Math.max(1 << bits, 1024 + (bits < 11 ? 1 << bits : 0));
  v.setUint32(CHECKSUM_AT, 0, true);
  v.setUint32(CHECKSUM_AT, crc32c(0xffffffff, bytes.subarray(1024, end)), true);
}

export const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** Little-endian hex of `width` bytes: what most patches are made of. */
export function le(value: number | bigint, width: number): string {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return out.toString("hex", 0, width);
}

/** What opening the image says when it refuses, its temporary directory taken out; "" when it opens. */
export function refusal({ dir, path, places }: Scratch, lenient = false): string {
  try {
    openImage(path, places, { lenient });
    return "";
  } catch (error) {
    return messageOf(error).replaceAll(`${dir}/`, "");
  }
}

/** An opened image as its file system, as one worker thread has it. */
export interface Served {
  readonly opened: OpenedImage;
  readonly fs: ImageFileSystem;
  readonly blobs: BlobFiles;
  /** What `BlobFiles` reported. */
  readonly losses: string[];
}

export const serve = (path: string, places: BlobSearch, lenient = false): Served =>
  serveOpened(openImage(path, places, { lenient }));

export function serveOpened(opened: OpenedImage): Served {
  const losses: string[] = [];
  const blobs = new BlobFiles(opened.files, (_, problem) => losses.push(problem));
  return { opened, blobs, losses, fs: new ImageFileSystem(new Image(opened.handle), blobs) };
}

export const serveFixture = (name: string): Served => {
  const { path, devices } = fixture(name);
  return serve(path, placesOf(devices));
};

/** The bytes of an entry's path. */
export const pathOf = (e: Expected): Buffer =>
  e.path_base64 === undefined ? Buffer.from(e.path ?? "") : Buffer.from(e.path_base64, "base64");

const encoder = new TextEncoder();

/** Looks up a path of `/`-separated names. @returns the node, 0, or -errno */
export function nodeAt(fs: ImageFileSystem, path: string | Uint8Array): number {
  const bytes = typeof path === "string" ? encoder.encode(path) : path;
  let node: number = ROOT_NODE;
  for (let at = 0; at < bytes.length && node > 0; ) {
    const slash = bytes.indexOf(0x2f, at);
    const end = slash < 0 ? bytes.length : slash;
    if (end > at) node = fs.lookup(node, bytes, at, end - at);
    at = end + 1;
  }
  return node;
}

/** Names and nodes of a directory, `.` and `..` left out. Throws an errno: callers expect a valid directory. */
export function list(fs: ImageFileSystem, node: number): { name: Uint8Array; node: number; type: number }[] {
  const entry = newEntry();
  const all: { name: Uint8Array; node: number; type: number }[] = [];
  for (let cookie = 0; ; cookie = entry.next) {
    const more = fs.entry(node, cookie, entry);
    if (more < 0) throw new Error(`entry of node ${node} answers ${more}`);
    if (more === 0) return all;
    const name = entry.bytes.slice(entry.nameAt, entry.nameAt + entry.nameLength);
    const isDots = name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
    if (!isDots) all.push({ name, node: entry.node, type: entry.type });
  }
}

/** All bytes of a file, in reads of `step`, which is no multiple of anything. */
export function content(fs: ImageFileSystem, node: number, size: number, step = 60_001): Uint8Array {
  const out = new Uint8Array(size);
  for (let at = 0; at < size; at += step) {
    const n = fs.read(node, at, Math.min(step, size - at), out, at);
    if (n !== Math.min(step, size - at)) throw new Error(`read of node ${node} at ${at} answers ${n}`);
  }
  return out;
}

/** Xattrs of a node: base64 of each value by name. */
export function xattrsOf(fs: ImageFileSystem, node: number): Record<string, string> {
  const all: Record<string, string> = {};
  const size = fs.listxattr(node, new Uint8Array(0), 0, 0, true);
  const names = new Uint8Array(size);
  fs.listxattr(node, names, 0, size, true);
  for (let at = 0; at < size; ) {
    const end = names.indexOf(0, at);
    const room = fs.getxattr(node, names, at, end - at, names, 0, 0);
    const value = new Uint8Array(room);
    fs.getxattr(node, names, at, end - at, value, 0, room);
    all[Buffer.from(names.subarray(at, end)).toString()] = Buffer.from(value).toString("base64");
    at = end + 1;
  }
  return all;
}

/** The whole tree, through the calls a transport makes, in the shape of `expected.json`. */
export function tree(fs: ImageFileSystem): Expected[] {
  const all: Expected[] = [];
  const visit = (node: number, path: Uint8Array): void => {
    all.push(describeNode(fs, node, path.length === 0 ? Uint8Array.of(0x2f) : path));
    const attr = newAttr();
    fs.attr(node, attr);
    if ((attr.mode & S_IFMT) !== S_IFDIR) return;
    for (const { name, node: child } of list(fs, node)) {
      const found = fs.lookup(node, name, 0, name.length);
      if (found !== child) throw new Error(`${Buffer.from(name)}: listed as ${child}, found as ${found}`);
      visit(child, Uint8Array.from([...path, 0x2f, ...name]));
    }
  };
  visit(ROOT_NODE, new Uint8Array(0));
  return all;
}

/** One entry in the shape of `expected.json`. */
export function describeNode(fs: ImageFileSystem, node: number, path: Uint8Array): Expected {
  const attr = newAttr();
  const result = fs.attr(node, attr);
  if (result < 0) throw new Error(`attr of ${Buffer.from(path)} answers ${result}`);
  const { mode, uid, gid, size, mtime, nlink, ino, rdev } = attr;
  const entry: Expected = {
    ...text("path", path),
    mode: mode.toString(8).padStart(7, "0"),
    uid,
    gid,
    size,
    mtime,
    mtime_nsec: attr.mtimeNsec,
    nlink,
    ino,
  };
  const type = mode & S_IFMT;
  if (type === S_IFCHR || type === S_IFBLK)
    entry.rdev = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)];
  if (type === S_IFLNK) {
    const target = new Uint8Array(4096);
    Object.assign(entry, text("target", target.subarray(0, fs.readlink(node, target, 0))));
  }
  if (type === S_IFREG)
    entry.sha256 = createHash("sha256")
      .update(content(fs, node, size))
      .digest("hex");
  const xattrs = xattrsOf(fs, node);
  if (Object.keys(xattrs).length > 0) entry.xattrs = xattrs;
  return entry;
}

const text = (key: "path" | "target", bytes: Uint8Array): Partial<Expected> =>
  isUtf8(bytes)
    ? { [key]: Buffer.from(bytes).toString() }
    : { [`${key}_base64`]: Buffer.from(bytes).toString("base64") };

/** Numerical Recipes' generator: the same mutants every time. */
export function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
