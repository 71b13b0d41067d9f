import { expect, it } from "vitest";
import { blobFlags, COMMAND, emptyDir, isMounted, launch, run, until } from "../support/daemon.ts";
import { ABSENT, copyOf, kernelMount, loopsGone } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { often } from "../support/often.ts";

const ROUNDS = often("NYDUSD_TS_LOOP_KILLS", 10, 40);

needs(ABSENT["erofs-loop"]);

it("killed at any moment, a mount from loop devices leaves none", async () => {
  const { dir, path, devices } = copyOf("12-merged");
  const mountpoint = emptyDir();
  const sources = [path];
  const flags = blobFlags(devices);
  const since = performance.now();
  expect(kernelMount("erofs-loop", sources, mountpoint, ...flags).status).toBe(0);
  const whole = performance.now() - since;
  expect(run(["umount", mountpoint]).status).toBe(0);

  const ends = { mounted: 0, nothing: 0 };
  for (let i = 0; i < ROUNDS; i++) {
    const args = [COMMAND, "mount", "--driver", "erofs-loop", ...sources, mountpoint, ...flags];
    const child = launch(process.execPath, args);
    const exited = new Promise((resolve) => child.once("exit", resolve));
    // Most of the time goes by before the first system call, and that is of no interest.
    const after = whole * (0.5 + 0.6 * Math.random());
    const timer = setTimeout(() => child.kill("SIGKILL"), after);
    await exited;
    clearTimeout(timer);
    ends[isMounted(mountpoint) ? "mounted" : "nothing"]++;
    // The kernel may still be taking back what the process had open there.
    if (isMounted(mountpoint)) await until(() => run(["umount", mountpoint]).status === 0, "unmounting");
    await loopsGone(dir);
  }
  console.log(`${ROUNDS} mounts of ${Math.round(whole)} ms killed: ${JSON.stringify(ends)}`);
});
