import { dirname } from "node:path";
import { expect, it } from "vitest";
import {
  blobFlags,
  COMMAND,
  emptyDir,
  isMounted,
  launch,
  run,
  sh,
  shell,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { KERNEL_DRIVERS, kernelMount, loopsGone } from "../support/kernel.ts";

const ROUNDS = 40;

it.skipIf(!KERNEL_DRIVERS.includes("erofs-loop"))(
  "killed at any moment, a mount from loop devices leaves none",
  async () => {
    const { path, devices } = fixture("12-merged");
    const dir = workDir();
    sh('cp -r "$F/." "$D"', { F: dirname(path), D: dir });
    const copies = [path, ...devices].map((file) => file.replace(dirname(path), dir));
    const mountpoint = emptyDir();
    const sources = [copies[0]];
    const flags = blobFlags(copies.slice(1));
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
      if (isMounted(mountpoint)) expect(run(["umount", mountpoint]).status).toBe(0);
      await loopsGone(dir);
    }
    console.log(`${ROUNDS} mounts of ${Math.round(whole)} ms killed: ${JSON.stringify(ends)}`);
  },
);

it.skipIf(!KERNEL_DRIVERS.includes("erofs-loop"))(
  "where devices do not appear by themselves, as in a container, their nodes are made",
  async () => {
    const { path, devices } = fixture("12-merged");
    const mountpoint = emptyDir();
    const script = `
      mnt=$1; shift
      mount -t tmpfs tmpfs /dev; mknod /dev/loop-control c 10 237; mknod /dev/null c 1 3
      "$@" "$mnt" >/dev/null 2>&1; ls /dev | grep -c "^loop[0-9]"; cat "$mnt/dd/again"; umount "$mnt"`;
    const command = [
      process.execPath,
      COMMAND,
      "mount",
      "--driver",
      "erofs-loop",
      path,
      ...blobFlags(devices),
    ];
    const words = [script, "bash", mountpoint, ...command];
    const { stdout, stderr, status } = await shell('unshare -m timeout 60 bash -euc "$@"', ...words);
    expect({ stdout, stderr, status }).toEqual({ stdout: "4\nagain l3", stderr: "", status: 0 });
    await loopsGone(dirname(path));
  },
);
