import { mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeDirectories } from "../../src/safe-open/make-directories.ts";
import { scratchDir } from "../support/image.ts";

it("makes what is missing, with these permissions, and takes what is there", () => {
  const dir = scratchDir();
  const path = join(dir, "a", "b", "c");
  makeDirectories(path, 0o700);
  makeDirectories(path, 0o755);
  expect(statSync(join(dir, "a")).mode & 0o777).toBe(0o700);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  mkdirSync(join(dir, "real"));
  symlinkSync("real", join(dir, "link"));
  makeDirectories(join(dir, "link", "d"), 0o700);
  expect(statSync(join(dir, "real", "d")).isDirectory()).toBe(true);
});

it.each<[where: string, path: (dir: string) => string, want: string]>([
  ["where the kernel makes none", () => "/proc/none", "ENOENT"],
  ["below that", () => "/proc/none/a/b", "ENOENT"],
  ["below a file", (dir) => join(dir, "file", "a"), "ENOTDIR"],
  ["in the place of a file", (dir) => join(dir, "file"), "EEXIST"],
  ["below a link to nothing", (dir) => join(dir, "dangling", "a"), "EEXIST"],
])("ends with the system's error %s", (_, path, want) => {
  const dir = scratchDir();
  writeFileSync(join(dir, "file"), "");
  symlinkSync("nothing", join(dir, "dangling"));
  expect(() => makeDirectories(path(dir), 0o700)).toThrow(want);
});
