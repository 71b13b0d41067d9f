import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { places, withUnpacked } from "../../src/one-file/unpacked.ts";
import { needs } from "../support/needs.ts";

const STRANGER = 4242;
const bytes = Buffer.from("what the executable has");
const part = { name: "lib/part.so", digest: createHash("sha256").update(bytes).digest("hex"), bytes };

let dir: string;
const saved = { ...process.env };
const cache = () => join(dir, "cache");
const place = () => join(cache(), "nydusd-ts/parts", part.digest, "lib/part.so");
/** Nothing outside of the test's own directory is tried. */
const unpacked = <T>(use: (path: string) => T): T => withUnpacked(part, use, places(join(dir, "memory")));
const path = () => unpacked((where) => where);
/** The places after the cache. */
const isElsewhere = (where: string) => where.startsWith(join(dir, "run"));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nydusd-ts-parts-"));
  process.env["XDG_CACHE_HOME"] = cache();
  process.env["XDG_RUNTIME_DIR"] = join(dir, "run");
  process.env["TMPDIR"] = join(dir, "temporary");
});
afterEach(() => {
  for (const name of ["XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"]) {
    if (saved[name] === undefined) delete process.env[name];
    else process.env[name] = saved[name];
  }
  rmSync(dir, { recursive: true });
});

it("unpacks for this user alone, and once", () => {
  expect(path()).toBe(place());
  expect(readFileSync(place())).toEqual(bytes);
  expect([statSync(place()).mode & 0o777, statSync(join(cache(), "nydusd-ts")).mode & 0o777]).toEqual([
    0o500, 0o700,
  ]);
  const { ino } = statSync(place());
  expect([path(), statSync(place()).ino]).toEqual([place(), ino]);
});

it("goes to the next place when a file cannot be used in one", () => {
  const where = unpacked((at) => {
    if (at === place()) throw new Error("failed to map segment");
    return at;
  });
  expect(isElsewhere(where)).toBe(true);
});

it("says of each place why it will not do", () => {
  const none = () =>
    unpacked(() => {
      throw new Error("not this one");
    });
  const uid = process.getuid?.();
  const each = [
    "cache/nydusd-ts",
    "run/nydusd-ts",
    `temporary/nydusd-ts-${uid}`,
    `memory/nydusd-ts-${uid}`,
  ].map((place) => `${join(dir, place)}/parts: not this one`);
  expect(none).toThrow(`no directory for part.so: ${each.join("; ")}; set XDG_CACHE_HOME`);
});

describe("what lies there already is replaced:", () => {
  const cases: [string, () => void][] = [
    ["other bytes", () => writeFileSync(place(), "what the executable hat")],
    ["more bytes", () => writeFileSync(place(), `${bytes} and more`)],
    ["fewer bytes", () => writeFileSync(place(), "")],
    ["a link", () => symlinkSync("/etc/passwd", place())],
    [
      "what others may write to",
      () => {
        writeFileSync(place(), bytes);
        chmodSync(place(), 0o666);
      },
    ],
    [
      "what has another name",
      () => {
        writeFileSync(place(), bytes);
        linkSync(place(), join(dir, "other"));
      },
    ],
  ];
  it.each(cases)("%s", (_, make) => {
    mkdirSync(dirname(place()), { recursive: true, mode: 0o700 });
    make();
    expect(path()).toBe(place());
    expect(readFileSync(place())).toEqual(bytes);
    expect([statSync(place()).mode & 0o777, statSync(place()).nlink]).toEqual([0o500, 1]);
  });
});

describe("a directory that others may change is not used, nor is what is in it:", () => {
  needs(process.getuid?.() === 0 ? undefined : "giving a file away takes root");
  const spoil: [string, () => void][] = [
    ["a stranger's", () => chownSync(dirname(place()), STRANGER, STRANGER)],
    ["below a stranger's", () => chownSync(cache(), STRANGER, STRANGER)],
    ["one that all may write to", () => chmodSync(join(cache(), "nydusd-ts/parts"), 0o777)],
    [
      "where a stranger's link leads",
      () => {
        rmSync(cache(), { recursive: true });
        mkdirSync(join(dir, "theirs"));
        symlinkSync(join(dir, "theirs"), cache());
        lchownSync(cache(), STRANGER, STRANGER);
      },
    ],
  ];
  it.each(spoil)("%s", (_, make) => {
    mkdirSync(dirname(place()), { recursive: true, mode: 0o700 });
    writeFileSync(place(), bytes, { mode: 0o500 });
    make();
    expect(isElsewhere(path())).toBe(true);
    expect(existsSync(join(dir, "theirs/nydusd-ts"))).toBe(false);
  });
  it("a stranger's file in one's own directory is replaced", () => {
    mkdirSync(dirname(place()), { recursive: true, mode: 0o700 });
    writeFileSync(place(), bytes, { mode: 0o500 });
    chownSync(place(), STRANGER, STRANGER);
    expect(path()).toBe(place());
    expect(statSync(place()).uid).toBe(process.getuid?.());
  });
});
