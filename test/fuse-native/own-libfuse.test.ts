import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadFuse } from "../../src/fuse-native/load.ts";
import { KEPT } from "../support/kept.ts";
import { needs } from "../support/needs.ts";

/** Another build of libfuse in place of the one that comes along. */
const STRANGER = 4242;
const PACKAGED = fileURLToPath(
  new URL(`../../node_modules/fuse-native/prebuilds/linux-${process.arch}/libfuse.so`, import.meta.url),
);
const saved = process.env["NYDUSD_LIBFUSE"];
let dir: string;
const library = () => join(dir, "own/libfuse.so.2");

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nydusd-ts-libfuse-"));
  mkdirSync(join(dir, "own"));
  copyFileSync(PACKAGED, library());
  process.env["NYDUSD_LIBFUSE"] = library();
});
afterEach(() => {
  if (saved === undefined) delete process.env["NYDUSD_LIBFUSE"];
  else process.env["NYDUSD_LIBFUSE"] = saved;
  rmSync(dir, { recursive: true });
});

needs(process.getuid?.() === 0 ? undefined : "giving a file away takes root");

const refused: [string, () => void, RegExp][] = [
  ["a stranger's", () => chownSync(library(), STRANGER, STRANGER), /belongs to user 4242/],
  ["one that all may write to", () => chmodSync(library(), 0o666), /every user may write to it/],
  [
    "in a stranger's directory",
    () => chownSync(join(dir, "own"), STRANGER, STRANGER),
    /belongs to user 4242/,
  ],
  [
    "where a link leads to a stranger's",
    () => {
      chownSync(library(), STRANGER, STRANGER);
      symlinkSync(library(), join(dir, "libfuse.so"));
      process.env["NYDUSD_LIBFUSE"] = join(dir, "libfuse.so");
    },
    /belongs to user 4242/,
  ],
  ["none", () => rmSync(library()), /ENOENT/],
  ["no library", () => writeFileSync(library(), "text"), /file too short|invalid ELF header/],
];
it.each(refused)("is not taken: %s", async (_, make, problem) => {
  make();
  const error = await loadFuse().catch((each: unknown) => each);
  expect(String(error)).toMatch(/NYDUSD_LIBFUSE: \/.*: .*use --transport direct/s);
  expect(String(error)).toMatch(problem);
});

it("is loaded, and not the one that comes along", async () => {
  symlinkSync(library(), join(dir, "libfuse.so"));
  process.env["NYDUSD_LIBFUSE"] = join(dir, "libfuse.so");
  expect(await loadFuse()).toBeTypeOf("function");
  const maps = readFileSync("/proc/self/maps", "utf8");
  expect([maps.includes(` ${library()}\n`), maps.includes(PACKAGED)]).toEqual([true, false]);
});

it("is asked for by a daemon in the background, too", () => {
  rmSync(library());
  writeFileSync(join(dir, "hello"), "hello");
  expect(spawnSync("tar", ["-C", dir, "-cf", join(dir, "layer.tar"), "hello"]).status).toBe(0);
  mkdirSync(join(dir, "mnt"));
  const words = ["mount", "--driver", "fuse", "--transport", "fuse-native", "--log-file", join(dir, "log")];
  const { status, stderr } = spawnSync(KEPT, [...words, join(dir, "layer.tar"), join(dir, "mnt")], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: dir },
  });
  expect([status, stderr]).toEqual([1, expect.stringContaining(`NYDUSD_LIBFUSE: ${library()}: `)]);
});
