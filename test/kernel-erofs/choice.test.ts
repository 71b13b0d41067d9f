import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mountAt } from "../../src/mounts/table.ts";
import {
  ask,
  blobFlags,
  COMMAND,
  emptyDir,
  isMounted,
  run,
  shell,
  start,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { ABSENT, kernelMount, loopsGone, NO_KERNEL_DRIVER } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { forUser, USER } from "../support/user.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

const { path, devices } = fixture("04-large");
const LISTING = ["exact256k", "hl_large", "m1p1", "small"];
const BLOBS = blobFlags(devices);

/** What the log says of drivers, and what stays. */
async function fuseInstead(...flags: string[]): Promise<string> {
  const daemon = await start([...BLOBS, ...flags], emptyDir(), ["mount", path]);
  expect(await readdir(daemon.mountpoint)).toEqual(LISTING);
  expect(mountAt(daemon.mountpoint)?.type).toBe("fuse.nydusd-ts");
  expect(await daemon.stop()).toBe(0);
  return /INFO driver (.*)/.exec(daemon.output())?.[1] ?? "";
}

describe("the kernel driver is taken", () => {
  needs(NO_KERNEL_DRIVER);

  it.each(["auto", "erofs"])("by --driver %s", async (driver) => {
    const mountpoint = emptyDir();
    const { status, stderr, stdout } = kernelMount(driver, [path], mountpoint, ...BLOBS);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/INFO driver erofs: .*\n$/),
    });
    expect(stdout).toMatch(/ driver=erofs backing=(file|loop) ms=\d+\n$/);
    expect(await readdir(mountpoint)).toEqual(LISTING);
    expect(run(["umount", mountpoint]).status).toBe(0);
  });

  it("without a daemon when --daemonize asks for one", async () => {
    const mountpoint = emptyDir();
    const { status, stdout } = kernelMount("auto", [path], mountpoint, ...BLOBS, "--daemonize");
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^ready .* driver=erofs backing=\w+ ms=\d+\n$/),
    });
    expect(await readdir(mountpoint)).toEqual(LISTING);
  });

  it.each([
    ["by default", [], "ro,nosuid,nodev,noatime"],
    ["with -o", ["-o", "suid,dev", "-o", "noexec,strictatime,nodiratime"], "ro,noexec,nodiratime"],
    ["with words of EROFS", ["-o", "noacl,relatime"], "ro,nosuid,nodev,relatime"],
  ] as const)("with the right options %s", async (_, flags, want) => {
    const mountpoint = emptyDir();
    expect(kernelMount("erofs", [path], mountpoint, ...BLOBS, ...flags).status).toBe(0);
    const [vfs, fs] = (await ask('findmnt -no VFS-OPTIONS,FS-OPTIONS "$1"', mountpoint)).trim().split(/\s+/);
    expect(vfs).toBe(want);
    expect(fs.includes("noacl")).toBe(flags.join().includes("noacl"));
  });
});

describe("--driver auto takes FUSE", () => {
  it.each([
    ["--pid-file", () => join(workDir(), "pid")],
    ["--lenient", undefined],
    ["--transport", () => "direct"],
    ["--fuse-threads", () => "2"],
    ["--push", () => "on"],
    ["--low-latency", () => "off"],
    ["--metrics-address", () => "0"],
    ["--state-dir", () => workDir()],
    ["--no-keeper", undefined],
  ])("for %s, and an explicit driver of the kernel refuses it", async (option, value) => {
    const flags = value === undefined ? [option] : [option, value()];
    expect(await fuseInstead(...flags)).toBe(`fuse: ${option}: for the FUSE daemon only`);
    for (const driver of ["erofs", "erofs-file", "erofs-loop"]) {
      const mountpoint = emptyDir();
      expect(kernelMount(driver, [path], mountpoint, ...BLOBS, ...flags)).toEqual({
        status: 2,
        stdout: "",
        stderr: `Error: --driver ${driver} cannot be used with ${option}: for the FUSE daemon only\n`,
      });
      expect(isMounted(mountpoint)).toBe(false);
    }
  });

  it("for --driver fuse", async () => expect(await fuseInstead("--driver", "fuse")).toBe("fuse: asked for"));

  it("for words of -o that are FUSE's", async () =>
    expect(await fuseInstead("-o", "max_read=65536")).toBe(
      "fuse: -o max_read=65536: for the driver fuse only",
    ));
});

/** The mount lives and dies with the namespace. */
const IN_NAMESPACE = `${WAIT_FOR}
node=$1 command=$2 mnt=$3; shift 3
"$node" "$command" mount --log-format text "$@" "$mnt" >"$mnt.log" 2>&1 &
wait_for grep -q '^ready ' "$mnt.log"
cat "$mnt.log"; ls "$mnt"
"$node" "$command" umount "$mnt"; wait $!; echo "status $?"`;

describe("where EROFS may not be mounted", () => {
  it("auto serves in a user namespace, and says why", async () => {
    const mountpoint = emptyDir();
    const args = [process.execPath, COMMAND, mountpoint, path, ...BLOBS];
    const words = [IN_NAMESPACE, "bash", ...args];
    const { stdout, stderr, status } = await shell('unshare -Urm timeout 240 bash -euc "$@"', ...words);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout).toMatch(
      /INFO driver fuse: the kernel does not mount it from files: .*EPERM.*root, of the host/,
    );
    expect(stdout.split("\n").slice(-7)).toEqual([...LISTING, `${mountpoint}: unmounted`, "status 0", ""]);
  });

  it("an explicit driver fails there, and mounts nothing", async () => {
    const mountpoint = emptyDir();
    const { status, stdout, stderr } = await shell(
      'unshare -Urm bash -c \'"$@"; s=$?; mountpoint -q "$0" && echo mounted; exit $s\' "$@"',
      ...[mountpoint, process.execPath, COMMAND, "mount", "--driver", "erofs", path, mountpoint, ...BLOBS],
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^Error: --driver erofs: the kernel does not mount it from files: .*EPERM/);
  });

  it("auto serves a user who is not root, and says why", async () => {
    const { node, command, dir, mountpoint, tar } = forUser();
    const script = `${WAIT_FOR}
      node=$1 command=$2 dir=$3 tar=$4 user=$5
      mknod "$dir/fuse" c 10 229; chmod 666 "$dir/fuse"; mount --bind "$dir/fuse" /dev/fuse
      as() { setpriv --reuid "$user" --regid "$user" --clear-groups "$@"; }
      export XDG_CACHE_HOME="$dir/mnt.cache"
      as "$node" "$command" mount --log-format text "$dir/image.boot" --blob "1=$dir/$tar" "$dir/mnt" >"$dir/log" 2>&1 &
      wait_for grep -q '^ready ' "$dir/log"
      cat "$dir/log"; as "$node" "$command" umount "$dir/mnt"; wait $!
      as "$node" "$command" mount "$dir/image.boot" --blob "1=$dir/$tar" "$dir/mnt" --driver erofs 2>&1 || echo "status $?"
      as "$node" "$command" mount "$dir/image.boot" --blob "1=$dir/$tar" "$dir/mnt" --rw "$dir/up" 2>&1 || echo "status $?"`;
    const { stdout, stderr, status } = await shell(
      'unshare -m timeout 240 bash -euo pipefail -c "$@"',
      ...[script, "bash", node, command, dir, tar, `${USER}`],
    );
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout).toContain(`INFO driver fuse: user ${USER} may not mount EROFS\n`);
    expect(stdout.split("\n").slice(-6)).toEqual([
      `${mountpoint}: unmounted`,
      `Error: --driver erofs: user ${USER} may not mount EROFS`,
      "status 1",
      `Error: --rw ${dir}/up: user ${USER} may not mount an overlay: run it as root, or in unshare -Urm`,
      "status 1",
      "",
    ]);
  });
});

it("an image that our own check refuses is never mounted by the kernel", () => {
  const dir = workDir();
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(0, 1024 + 16); // fewer inodes than there are is no matter, but no root is
  bytes.writeUInt16LE(0xffff, 1024 + 14);
  writeFileSync(join(dir, "image.boot"), bytes);
  mkdirSync(join(dir, "mnt"));
  const { status, stderr } = kernelMount("auto", [join(dir, "image.boot")], join(dir, "mnt"), ...BLOBS);
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^Error: .*image\.boot @0x/),
  });
});

it("files that EROFS cannot be mounted from get loop devices", async (test) => {
  const absent = ABSENT["erofs-file"] ?? ABSENT["erofs-loop"];
  test.skip(absent !== undefined, absent);
  const dir = workDir();
  await ask(
    'mount -t tmpfs tmpfs "$1"; cp "$2" "$1/image"; cp "$3" "$1/tar"; mkdir "$1/mnt"',
    dir,
    path,
    devices[0],
  );
  const image = join(dir, "image");
  const blob = ["--blob", `1=${join(dir, "tar")}`];
  const forced = kernelMount("erofs-file", [image], join(dir, "mnt"), ...blob);
  expect(forced).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("ENOTBLK (this kernel takes no image"),
  });
  expect(kernelMount("auto", [image], join(dir, "mnt"), ...blob).stdout).toContain("backing=loop");
  expect(await readdir(join(dir, "mnt"))).toEqual(LISTING);
  expect(run(["umount", join(dir, "mnt")]).status).toBe(0);
  await loopsGone(dir);
});
