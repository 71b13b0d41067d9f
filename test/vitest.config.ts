import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { ProgramsFirst } from "./support/sequencer.ts";
import { workPlace } from "./support/work-place.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What all test files share. */
export const SHARED: ViteUserConfig["test"] = {
  env: {
    // What test/install.sh built goes before what the system has; chroot(8) is not in everybody's PATH.
    PATH: `${root}.cache/tools:${process.env["PATH"]}:/usr/sbin:/sbin`,
    // A bash that is no other bash's child takes the pipe it reads from for rsh's, and reads its bashrc.
    SHLVL: "1",
    TMPDIR: workPlace(),
  },
  // Of a test that hangs: a machine three times slower is to pass.
  testTimeout: 300_000,
  hookTimeout: 300_000,
  pool: "forks",
};

/** Most tests wait for processes that they started, so that there may be more of them at once than CPUs. */
const AT_ONCE = 4;

export default defineConfig({
  root,
  test: {
    ...SHARED,
    include: ["test/**/*.test.ts"],
    maxWorkers: AT_ONCE,
    sequence: { sequencer: ProgramsFirst },
    reporters: ["default", "./test/support/left-out.ts"],
  },
});
