import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { workDir } from "../support/daemon.ts";

const SETUP = fileURLToPath(new URL("../../bin/setup.mjs", import.meta.url));

/** Sets up a clone of that name in which there is nothing yet; `--build-only` has nothing to do there then. */
function setUp(name: string, ...flags: string[]) {
  const bin = join(workDir(), name, "bin");
  mkdirSync(bin, { recursive: true });
  copyFileSync(SETUP, join(bin, "setup.mjs"));
  const { status, stderr } = spawnSync(process.execPath, [join(bin, "setup.mjs"), "--build-only", ...flags], {
    encoding: "utf8",
  });
  return [status, stderr];
}

/** What vitest, rolldown and Node do below each was tried: all works but for these four, and `\\`, which Node itself refuses by name. */
describe("a clone's path", () => {
  it("with a ? is refused before anything is built", () =>
    expect(setUp("a?b")).toEqual([
      1,
      expect.stringMatching(/"\/.*a\?b" has a \?, below which nothing can be/),
    ]));
  it.each(["%", "#", ":", "?"])("with %j is refused for tests", (each) =>
    expect(setUp(`a${each}b`, "--test")).toEqual([
      1,
      expect.stringMatching(/^nydusd-ts: ".*" has a ., below which tests cannot run; move this clone\n$/),
    ]),
  );
  it.each([
    ["any other character", "-a []{}*\"'$`!+@~;|<>&(), №", ["--test"]],
    ["these, where no tests are run", "a%#:b", []],
  ])("may have %s", (_, name, flags) => expect(setUp(name, ...flags)).toEqual([0, ""]));
});
