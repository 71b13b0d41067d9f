import { mkdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, COMMAND, isMounted, launch, run, until, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const { path, devices } = fixture("04-large");

describe("the short forms", () => {
  it("mount and umount", async () => {
    // A tar beside its bootstrap, under its blob id.
    const dir = workDir();
    const id = (
      await ask(
        'cp "$1" "$3/image.boot"; cp "$2" "$3/$(sha256sum <"$2" | head -c 64)"; ls "$3"',
        path,
        devices[0],
        dir,
      )
    ).split("\n")[0];
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const mountpoint = join(dir, "mnt");
    mkdirSync(mountpoint);
    const child = launch("bash", [
      "-c",
      'cd "$1"; shift; exec "$@"',
      "bash",
      dir,
      process.execPath,
      COMMAND,
      "mount",
      "--foreground",
      "--driver",
      "fuse",
      "image.boot",
      "mnt",
    ]);
    await until(() => isMounted(mountpoint), "the mount");
    expect(await readdir(mountpoint)).toEqual(["exact256k", "hl_large", "m1p1", "small"]);
    expect(run(["umount", mountpoint])).toEqual({
      status: 0,
      stdout: `${mountpoint}: unmounted\n`,
      stderr: "",
    });
    await until(() => child.exitCode !== null, "the end");
    expect(child.exitCode).toBe(0);
  });

  it.each([
    ["an unmounted directory", () => workDir(), "nothing is mounted there"],
    ["nothing", () => "/none", "nothing is mounted there"],
    ["another file system", () => "/proc", "proc is mounted there, not an image"],
  ])("umount of %s fails", (_, make, want) => {
    const dir = make();
    const before = isMounted(dir);
    expect(run(["umount", dir])).toEqual({ status: 1, stdout: "", stderr: `Error: ${dir}: ${want}\n` });
    expect(isMounted(dir)).toBe(before);
  });
});
