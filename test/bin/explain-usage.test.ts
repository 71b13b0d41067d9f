import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { programRun } from "../support/programs.ts";

const DIR = mkdtempSync(join(tmpdir(), "usage-"));
const EMPTY = join(DIR, "empty");
mkdirSync(EMPTY);
for (const name of ["-layer.tar", "-base.tar"]) writeFileSync(join(DIR, name), "");
afterAll(() => rmSync(DIR, { recursive: true }));

describe("a command line that cannot be is told in one line, with what was meant", () => {
  it.each([
    ["nydusd-ts", "--json ls", "--json: options stand behind the command: nydusd-ts ls --json"],
    [
      "nydusd-ts",
      "--driver fuse mount x y",
      "--driver: options stand behind the command: nydusd-ts mount --driver",
    ],
    ["nydusd-ts", "--foo", "unknown option '--foo'"],
    [
      "nydusd-ts",
      "mount -layer.tar y",
      "option '-l, --log-level <level>' argument 'ayer.tar' is invalid. Allowed choices are error, warn, info, debug, trace; the file of that name is ./-layer.tar",
    ],
    ["nydusd-ts", "mount -base.tar y", "unknown option '-base.tar'; the file of that name is ./-base.tar"],
    ["nydusd-ts", "mount -none.tar y", "unknown option '-none.tar'"],
    [
      "nydusd-ts",
      "ls --older-than 3d",
      "unknown option '--older-than'; it is an option of cache gc, and stands behind such a command",
    ],
    [
      "nydusctl-ts",
      "--json info",
      "unknown option '--json'; it is an option of info, metrics backend, metrics cache, metrics fsstats …, and stands behind such a command",
    ],
    [
      "nydus-image-ts",
      "--data check x",
      "unknown option '--data'; it is an option of check, diff, and stands behind such a command",
    ],
    [
      "nydus-image-ts",
      "nope",
      "unknown command 'nope'; want create, merge, check, inspect, stat, ls, unpack, export, verify, explain, cat, du, diff, find, tree, completion",
    ],
    ["nydusd-ts", "cache rm", "unknown command 'rm'; want ls, gc"],
    ["nydusctl-ts", "metrics all", "unknown command 'all'; want backend, cache, fsstats"],
    ["nydusd-ts", "--x\nError:\u001b[31m", "unknown option '--x\\nError:\\u001b[31m'"],
    [
      "nydusd-ts",
      "mount --platform x\n(Did\u00a0you a b",
      "option '--platform <os/arch>' argument 'x\\n(Did\\u00a0you' is invalid. want os/architecture[/variant], such as linux/arm64.",
    ],
    ["nydus-image-ts", "chekc", "unknown command 'chekc'\n(Did you mean check?)"],
  ])("%s %s", (program, line, want) => {
    const { status, stdout, stderr } = programRun(program, line.split(" "), DIR);
    expect([status, stdout, stderr]).toEqual([2, "", `Error: ${want}\n`]);
  });
  it("an empty source", () => {
    const { status, stderr } = programRun("nydusd-ts", ["mount", "", EMPTY], DIR);
    expect([status, stderr]).toEqual([
      1,
      "Error: a source is an empty string: want a file, a directory or -\n",
    ]);
  });
});
