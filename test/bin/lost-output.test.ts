import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { file } from "../mkfs/support.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";

const FULL = "Error: standard output: ENOSPC: no space left on device, write\n";
/** A pipe whose reader is gone before anything is written. */
const NO_READER = 'mkfifo p; exec 3<>p; exec 4>p; exec 3<&-; rm p; exec "$0" "$@" >&4';

let work = "";
beforeAll(() => {
  work = scratchDir();
  writeFileSync(join(work, "a.tar"), tarOf([file("a", "1")]));
  writeFileSync(join(work, "b.tar"), tarOf([file("a", "12")]));
  expect(programRun("nydus-image-ts", ["create", "a.tar", "-B", "a.boot"], work).status).toBe(0);
});

function into(script: string, line: string) {
  const [name, ...args] = line.split(" ");
  const program = fileURLToPath(new URL(`../../dist/bundle/${name}.js`, import.meta.url));
  const { status, stderr } = spawnSync("sh", ["-c", script, process.execPath, program, ...args], {
    ...{ cwd: work, encoding: "utf8", timeout: 60_000 },
  });
  return [status, stderr];
}

describe("output that cannot be written", () => {
  it.each([
    ["nydus-image-ts diff --cache-dir c a.tar a.tar --json", 2, 2],
    ["nydus-image-ts diff --cache-dir c a.tar b.tar", 2, 2],
    ["nydus-image-ts ls a.boot", 1, 1],
    ["nydus-image-ts explain --cache-dir c a.tar /a", 1, 1],
    ["nydusctl-ts --help", 1, 0],
  ])("%s: says why, with status %i; nothing with status %i where the reader is gone", (line, full, gone) => {
    expect(into('exec "$0" "$@" >/dev/full', line)).toEqual([full, FULL]);
    expect(into(NO_READER, line)).toEqual([gone, ""]);
  });
});
