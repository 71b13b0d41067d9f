import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { roomFolders } from "./imports.ts";

/**
 * Rooms whose index accesses are not all checked yet: `all[i]` is `undefined` beyond the end, and the compiler says so
 * with noUncheckedIndexedAccess. One flag holds for all files that are compiled together, so the errors are counted by
 * room here. The list only becomes shorter: a room goes as soon as it has no error left, and a new one is put in only
 * when it is made of code of these.
 *
 * What a loop over bytes cannot check, because it is measured, is `as number`, and a comment says why it holds.
 */
const NOT_YET = ["counters", "daemon", "fuse", "handover", "mkfs", "readahead", "session"];

const root = fileURLToPath(new URL("../../", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-test-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Errors by room, as tsc prints them; those of a file that is wrong on purpose under "canary". */
function compile(): Map<string, string[]> {
  writeFileSync(
    join(dir, "canary.mts"),
    "export const last = (all: number[]): number => all[all.length - 1];\n",
  );
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      ...{ noUncheckedIndexedAccess: true, noEmit: true, incremental: false, rootDir: "/" },
      typeRoots: [join(root, "node_modules/@types")],
    },
    include: [join(root, "src"), join(root, "bin"), join(dir, "canary.mts")],
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(root, "node_modules/.bin/tsc");
  const { stdout } = spawnSync(tsc, ["-p", dir, "--pretty", "false"], {
    encoding: "utf8",
    cwd: root,
  });
  const errors = new Map<string, string[]>();
  for (const line of stdout.split("\n").filter((each) => /^\S/.test(each))) {
    const [, room = "canary"] = /^(?:src\/)?([\w-]+)\//.exec(line) ?? [];
    errors.set(room, [...(errors.get(room) ?? []), line]);
  }
  return errors;
}

describe("index accesses", { timeout: 240_000 }, () => {
  const errors = compile();

  it("are seen by the compiler: a wrong one is found", () => {
    expect(errors.get("canary")).toEqual([expect.stringMatching(/canary\.mts\(1,\d+\): error TS2322/)]);
    expect(roomFolders().length).toBeGreaterThan(25);
  });

  it.each(roomFolders().filter((room) => !NOT_YET.includes(room)))("are checked in %s", (room) => {
    expect(errors.get(room) ?? []).toEqual([]);
  });

  it("are not yet all checked where the list says so", () => {
    expect(NOT_YET.filter((room) => !errors.has(room))).toEqual([]);
  });
});
