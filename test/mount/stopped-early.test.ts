import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  blobFlags,
  COMMAND,
  emptyDir,
  isMounted,
  mentioning,
  run,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";

const { path, devices } = fixture("04-large");
const BLOBS = blobFlags(devices);

/** Runs a command line, and stops it as soon as it has said something. */
async function stopped(words: readonly string[], after: RegExp, signal: NodeJS.Signals) {
  const child = spawn(process.execPath, [COMMAND, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  let isStopped = false;
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    if (isStopped || !after.test(stderr)) return;
    isStopped = true;
    child.kill(signal);
  });
  const status = await new Promise<number | null>((done) => child.once("close", done));
  return { status, stderr, isReady: /^ready /m.test(stdout) };
}

const served: [what: string, words: (mountpoint: string) => string[], after: RegExp][] = [
  ["nydusd's form", (m) => ["-B", path, ...BLOBS, "-M", m], /transport direct/],
  [
    "mount --foreground",
    (m) => ["mount", "--driver", "fuse", "--foreground", path, m, ...BLOBS],
    /transport direct/,
  ],
  ["mount", (m) => ["mount", "--driver", "fuse", path, m, ...BLOBS], /transport direct/],
];
const byKernel = KERNEL_DRIVERS.flatMap((driver): typeof served => [
  [`--driver ${driver}`, (m) => ["mount", "--driver", driver, path, m, ...BLOBS], /driver erofs/],
  [
    `--driver ${driver} --rw`,
    (m) => ["mount", "--driver", driver, path, m, ...BLOBS, "--rw", workDir()],
    /driver erofs/,
  ],
]);

describe.each(["SIGTERM", "SIGINT"] as const)("%s before the mount is ready ends without it", (signal) => {
  it.each([...served, ...byKernel])("%s", async (_, words, after) => {
    const mountpoint = emptyDir();
    const { status, stderr, isReady } = await stopped(words(mountpoint), after, signal);
    if (isReady) {
      // It was faster: then a mount of the kernel is there, and a daemon has ended in order.
      run(["umount", mountpoint]);
      return;
    }
    expect(status, stderr).not.toBe(0);
    // null: the signal ended it before it had anything to undo.
    if (status !== null) expect(stderr).toMatch(/before it was ready: nothing is mounted$/m);
    await until(() => !isMounted(mountpoint) && mentioning(mountpoint).length === 0, "the end of all of it");
  });
});
