import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ask,
  blobFlags,
  COMMAND,
  emptyDir,
  hold,
  isMounted,
  mountErofs,
  run,
  shell,
  startFixture,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { kernelMount, NO_KERNEL_DRIVER } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { forUser, USER } from "../support/user.ts";

const { path, devices } = fixture("04-large");

describe("nydusd-ts umount", () => {
  needs(NO_KERNEL_DRIVER);

  it("leaves an EROFS mount that it has not made", () => {
    const mountpoint = emptyDir();
    mountErofs(path, devices, mountpoint);
    expect(run(["umount", mountpoint])).toEqual({
      ...{ status: 1, stdout: "" },
      stderr: `Error: ${mountpoint}: erofs is mounted there, but not by nydusd-ts as far as /run/nydusd-ts knows; umount(8) takes it away\n`,
    });
    expect(isMounted(mountpoint)).toBe(true);
  });

  it("does not ask a daemon that is stopped, by a link to its mountpoint or what lies in it", async () => {
    for (const way of ["", "link", "big/none"]) {
      const daemon = await startFixture("04-large", []);
      const link = join(workDir(), "link");
      symlinkSync(daemon.mountpoint, link);
      process.kill(daemon.pid, "SIGSTOP");
      const at = way === "link" ? link : join(daemon.mountpoint, way);
      const { status, stdout } = await shell('timeout -k 1 20 "$@"', process.execPath, COMMAND, "umount", at);
      expect([status, stdout]).toEqual([0, expect.stringMatching(/: unmounted\n$/)]);
      expect(isMounted(daemon.mountpoint)).toBe(false);
      process.kill(daemon.pid, "SIGCONT");
      await daemon.exited;
    }
  });

  it.each([[], ["--rw"]])("detaches what is busy %s", async (...flags) => {
    const mountpoint = emptyDir();
    const more = flags.length === 0 ? [] : ["--rw", workDir()];
    expect(kernelMount("erofs", [path], mountpoint, ...blobFlags(devices), ...more).status).toBe(0);
    const holder = await hold('cd "$1"', "cat small", mountpoint);
    expect(run(["umount", mountpoint])).toEqual({
      status: 0,
      stdout: `${mountpoint}: busy: detached; the mount ends when no process uses it any more\n`,
      stderr: "",
    });
    expect(isMounted(mountpoint)).toBe(false);
    expect(await holder.release()).toHaveLength(5);
  });

  it("takes no empty string for the working directory", () =>
    expect(run(["umount", ""])).toEqual({
      ...{ status: 1, stdout: "", stderr: "Error: the mountpoint is an empty string\n" },
    }));

  it("says who may, to another user", async () => {
    const { node, command, mountpoint } = forUser();
    expect(kernelMount("erofs", [path], mountpoint, ...blobFlags(devices)).status).toBe(0);
    const as = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];
    const { status, stderr } = await shell('exec "$@"', ...as, node, command, "umount", mountpoint);
    expect(stderr).toBe(
      `Error: ${mountpoint}: must be superuser to unmount. Root, and who has mounted it, may: sudo nydusd-ts umount\n`,
    );
    expect(status).toBe(1);
    expect(run(["umount", mountpoint]).status).toBe(0);
  });

  it("leaves an overlay that is not its own", async () => {
    const dir = workDir();
    const mountpoint = emptyDir();
    await ask(
      'cd "$1"; mkdir up work low; mount -t overlay -o lowerdir=low,upperdir=up,workdir=work other "$2"',
      ...[dir, mountpoint],
    );
    expect(run(["umount", mountpoint])).toEqual({
      ...{ status: 1, stdout: "" },
      stderr: `Error: ${mountpoint}: overlay is mounted there, not an image\n`,
    });
    expect(isMounted(mountpoint)).toBe(true);
  });
});
