import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMAND, emptyDir, run, shell, until } from "../support/daemon.ts";
import { mountAt } from "../../src/mounts/table.ts";
import { fixture } from "../support/image.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { tarImage } from "../support/tar-image.ts";

const { path, devices } = fixture("04-large");
const CONFIG = JSON.stringify({
  version: 2,
  backend: {
    type: "localfs",
    localfs: { dir: "/none", alt_dirs: [dirname(devices[0])], blob_file: devices[0] },
  },
});
/** `--config <(…)`, as a shell makes it. */
const mount = (...words: string[]) =>
  shell(
    `config=$1; shift; exec "$@" --config <(printf %s "$config")`,
    CONFIG,
    process.execPath,
    COMMAND,
    ...words,
  );

describe("a configuration that comes by a pipe", () => {
  it.each([
    ["mount", "--driver", "auto", path],
    ["mount", "--driver", "fuse", path],
    ["fuse", "--daemonize", "-B", path, "-M"],
  ])("is read once, and what serves the mount goes on without it: %s %s %s", async (...words) => {
    const mountpoint = emptyDir();
    const { status, stdout, stderr } = await mount(...words, mountpoint);
    expect(status, stderr).toBe(0);
    const small = readFileSync(`${mountpoint}/small`);
    const keeper = /pid=(\d+)/.exec(stdout)?.[1];
    if (keeper !== undefined) {
      await shell('kill -9 "$(pgrep -P "$1")"', keeper);
      await until(() => readFileSync(`${mountpoint}/small`).equals(small), "the next process");
    }
    expect(run(["umount", mountpoint]).status).toBe(0);
  });

  it("says of layers that its directories have no effect", async () => {
    const { tar } = tarImage("echo a >a");
    const mountpoint = emptyDir();
    const { status, stderr } = await mount("mount", tar, mountpoint);
    expect(status).toBe(0);
    expect(stderr).toContain(`the directories of --config have no effect: ${tar} has its tars in itself`);
    expect(run(["umount", mountpoint]).status).toBe(0);
  });
});

describe("a driver that cannot honour an option is refused before layers are read", () => {
  it.each([
    [
      ["--driver", "erofs", "--recover"],
      "--driver erofs cannot be used with --recover: for the FUSE daemon only",
    ],
    [["--driver", "erofs", "-o", "allow_other"], "-o allow_other: for the driver fuse only"],
    [
      ["--upgrade", "--supervisor", "s", "--id", "i", "--apisock", "a"],
      "--upgrade takes what is mounted from the supervisor: nydusd-ts --upgrade, without mount",
    ],
  ])("%j", (words, want) =>
    expect(run(["mount", ...words, "/none.tar", emptyDir()])).toEqual({
      ...{ status: 2, stdout: "", stderr: `Error: ${want}\n` },
    }),
  );
});

it.each([["fuse"], ...KERNEL_DRIVERS.map((driver) => [driver])])(
  "a layer that comes by a pipe is shown as -, by driver %s: its path means something else by then",
  async (driver) => {
    const { tar } = tarImage("echo a >a");
    const mountpoint = emptyDir();
    const script = 'tar=$1 mnt=$2; shift 2; exec "$@" <(gzip -c "$tar") "$mnt"';
    const words = [process.execPath, COMMAND, "mount", "--driver", driver];
    const { status, stderr } = await shell(script, tar, mountpoint, ...words);
    expect(status, stderr).toBe(0);
    expect(mountAt(mountpoint)?.source).toBe("-");
    expect(run(["umount", mountpoint]).status).toBe(0);
  },
);
