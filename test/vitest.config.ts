import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

export default defineConfig({
  root,
  test: {
    env: {
      // What test/install.sh built goes before what the system has; chroot(8) is not in everybody's PATH.
      PATH: `${root}.cache/tools:${process.env["PATH"]}:/usr/sbin:/sbin`,
      // A bash that is no other bash's child takes the pipe it reads from for rsh's, and reads its bashrc.
      SHLVL: "1",
    },
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
  },
});
