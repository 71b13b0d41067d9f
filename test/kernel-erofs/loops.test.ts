import { expect, it } from "vitest";
import { blobFlags, COMMAND, emptyDir, shell } from "../support/daemon.ts";
import { ABSENT, copyOf, loopsGone } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";

needs(ABSENT["erofs-loop"]);

it("where devices do not appear by themselves, as in a container, their nodes are made", async () => {
  const { dir, path, devices } = copyOf("12-merged");
  const mountpoint = emptyDir();
  const script = `
    mnt=$1; shift
    mount -t tmpfs tmpfs /dev; mknod /dev/loop-control c 10 237; mknod /dev/null c 1 3
    "$@" "$mnt" >/dev/null 2>&1; ls /dev | grep -c "^loop[0-9]"; cat "$mnt/dd/again"; umount "$mnt"`;
  const command = [process.execPath, COMMAND, "mount", "--driver", "erofs-loop", path, ...blobFlags(devices)];
  const words = [script, "bash", mountpoint, ...command];
  const { stdout, stderr, status } = await shell('unshare -m timeout 240 bash -euc "$@"', ...words);
  expect({ stdout, stderr, status }).toEqual({ stdout: "4\nagain l3", stderr: "", status: 0 });
  await loopsGone(dir);
});
