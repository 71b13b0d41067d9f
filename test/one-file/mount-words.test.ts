import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { mountWords } from "../../src/one-file/mount-words.ts";

/** The helper of the package that npm installs, beside a program that says its words. */
const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-helper-"));
copyFileSync(new URL("../../bin/mount.nydusd-ts", import.meta.url), join(dir, "mount.nydusd-ts"));
writeFileSync(join(dir, "nydusd-ts.mjs"), "printf 'run\\n'; printf '%s\\n' \"$@\"\n");
afterAll(() => rmSync(dir, { recursive: true }));

function byShell(words: readonly string[]): string[] | undefined {
  const { stdout } = spawnSync("sh", [join(dir, "mount.nydusd-ts"), ...words], { encoding: "utf8" });
  const [first, ...said] = stdout.split("\n").slice(0, -1);
  return first === undefined ? undefined : said;
}

const WORDS = [
  "image",
  "dir",
  "-o",
  "ro,driver=fuse",
  "-f",
  "-sfnv",
  "-n",
  "-v",
  "-N",
  "-t",
  "-",
  "/proc/1/ns/mnt",
  "--verbose",
  "a b",
  "-of",
];

it("reads words of mount(8) as the shell script does", () =>
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 8 }), (words) => {
      const ours = mountWords(words);
      // printf says an empty line where there is no word at all
      expect(ours?.length === 0 ? [""] : ours).toEqual(byShell(words));
    }),
    { numRuns: 100 },
  ));
