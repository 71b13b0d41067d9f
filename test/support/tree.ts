import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isUtf8 } from "../../src/bytes/name.ts";
import type { Expected } from "./image.ts";

/** A mounted tree in the shape of `expected.json`, read with ordinary system calls. */
export function dumpTree(root: string): Expected[] {
  const xattrs = allXattrs(root);
  const entries: Expected[] = [];
  const visit = (path: Buffer): void => {
    const whole = Buffer.concat([Buffer.from(root), path]);
    const stats = lstatSync(whole, { bigint: true });
    const entry: Expected = {
      ...named("path", path.length === 0 ? Buffer.from("/") : path),
      mode: stats.mode.toString(8).padStart(7, "0"),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      size: Number(stats.size),
      ...time(stats.mtimeNs),
      nlink: Number(stats.nlink),
      ino: Number(stats.ino),
    };
    entries.push(entry);
    if (stats.isCharacterDevice() || stats.isBlockDevice()) entry.rdev = deviceOf(Number(stats.rdev));
    if (stats.isSymbolicLink())
      Object.assign(entry, named("target", readlinkSync(whole, { encoding: "buffer" })));
    if (stats.isFile()) entry.sha256 = createHash("sha256").update(readFileSync(whole)).digest("hex");
    const found = xattrs.get(path.toString("latin1"));
    if (found !== undefined) entry.xattrs = found;
    if (stats.isDirectory())
      for (const name of readdirSync(whole, { encoding: "buffer" }))
        visit(Buffer.concat([path, Buffer.from("/"), name]));
  };
  visit(Buffer.alloc(0));
  return entries;
}

/** By path, so that two trees can be compared whatever order they were read in. */
export const sorted = (entries: readonly Expected[]): Expected[] =>
  entries.map(canonical).sort((a, b) => (key(a) < key(b) ? -1 : 1));

const key = (e: Expected): string => e.path ?? `\uffff${e.path_base64}`;

function canonical(entry: Expected): Expected {
  if (entry.xattrs === undefined) return entry;
  return {
    ...entry,
    xattrs: Object.fromEntries(Object.entries(entry.xattrs).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

const named = (field: "path" | "target", bytes: Buffer): Partial<Expected> =>
  isUtf8(bytes) ? { [field]: bytes.toString() } : { [`${field}_base64`]: bytes.toString("base64") };

/** Floors, as a timespec does before 1970. */
function time(ns: bigint): { mtime: number; mtime_nsec: number } {
  const nsec = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { mtime: Number((ns - nsec) / 1_000_000_000n), mtime_nsec: Number(nsec) };
}

/** glibc's dev_t, see makedev(3). */
const deviceOf = (rdev: number): [number, number] => [
  (rdev >>> 8) & 0xfff,
  (rdev & 0xff) | (Math.floor(rdev / 4096) & 0xfffff00),
];

/** Xattrs of everything below `root` by path (latin1: paths are bytes), from getfattr(1). */
function allXattrs(root: string): Map<string, Record<string, string>> {
  const text = execFileSync(
    "getfattr",
    ["-R", "-P", "-h", "-d", "-m", "-", "-e", "base64", "--absolute-names", root],
    {
      encoding: "latin1",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 1 << 28,
    },
  );
  const found = new Map<string, Record<string, string>>();
  for (const block of text.split("\n\n")) {
    const lines = block.split("\n").filter((line) => line !== "");
    if (lines[0]?.startsWith("# file: ") !== true) continue;
    const path = unoctal(lines[0].slice(8)).slice(Buffer.from(root).length);
    found.set(path, Object.fromEntries(lines.slice(1).map(xattr)));
  }
  return found;
}

function xattr(line: string): [string, string] {
  const cut = line.indexOf("=");
  return cut < 0
    ? [line, ""]
    : [
        unoctal(line.slice(0, cut)),
        line
          .slice(cut + 1)
          .replace(/^0s/, "")
          .replaceAll('"', ""),
      ];
}

const unoctal = (s: string): string =>
  s.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
