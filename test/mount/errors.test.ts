import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMAND, emptyDir, mentioning, runMount, shell, workDir } from "../support/daemon.ts";
import { fixture, image } from "../support/image.ts";

const { path: BOOT, devices } = fixture("01-basic");
const TAR = devices[0];
const made = (content: string): string => {
  const path = join(workDir(), "made");
  writeFileSync(path, content);
  return path;
};

describe("what cannot be mounted ends with status 1", () => {
  const id = "d78eabf8367832485d7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de";
  const absent = (looked: string) =>
    `blob ${id}: ${looked} (wanted: 30720 bytes); name its directory with --blob-dir or the file with --blob ${id}=PATH`;
  it.each<[name: string, args: () => string[], want: (file: string) => string]>([
    ["no such bootstrap", () => ["-B", "/none"], () => "bootstrap /none: no such file"],
    ["a directory", () => ["-B", "/proc"], () => "bootstrap /proc: not a regular file"],
    [
      "an empty bootstrap",
      () => ["-B", made("")],
      (file) => `${file} @0x0: 0 bytes is too short for an EROFS superblock, want at least 1152`,
    ],
    [
      "another magic",
      () => ["-B", image("01-basic", [1024, "00000000"]).path],
      (file) => `${file} @0x400: magic is 0x0, want 0xe0f5e1e2`,
    ],
    [
      "a compressed image",
      () => ["-B", fixture("27-erofs-lz4-refuse").path],
      (file) =>
        `${file} @0x450: incompatible feature(s) 0x1 (LZ4_0PADDING) not supported: only uncompressed images can be served`,
    ],
    [
      "no blob beside the bootstrap",
      () => ["-B", image("01-basic").path],
      (file) => absent(`not found as ${dirname(file)}/${id}, ${dirname(file)}/${id}.tar`),
    ],
    [
      "no blob in two directories",
      () => ["-B", BOOT, "-D", "/none", "--blob-dir", "/also"],
      () => absent(`not found as /also/${id}, /also/${id}.tar, /none/${id}, /none/${id}.tar`),
    ],
    [
      "a blob that is too short",
      () => ["-B", BOOT, "--blob", `1=${made("x")}`],
      (file) => `blob ${id}: ${file}: 1 bytes is too short (wanted: 30720)`,
    ],
    [
      "a blob that is no file",
      () => ["-B", BOOT, "--blob", `${id}=/dev/null`],
      () => `blob ${id}: /dev/null: not a regular file (wanted: 30720 bytes)`,
    ],
    [
      "no such configuration",
      () => ["-B", BOOT, "-C", "/none"],
      () => "config /none: ENOENT: no such file or directory, open '/none'",
    ],
    [
      "a remote backend",
      () => ["-B", BOOT, "-C", made('{"version":2,"backend":{"type":"oss"}}')],
      (file) =>
        `config ${file}: backend.type: "oss" is not supported: only localfs is served: the tars must be files on this machine`,
    ],
    [
      "a log file nowhere",
      () => ["-B", BOOT, "-L", "/none/log"],
      () => "log file /none/log.log: ENOENT: no such file or directory, open '/none'",
    ],
    [
      "more open files than there can be",
      () => ["-B", BOOT, "--rlimit-nofile", "1073741824"],
      () =>
        "--rlimit-nofile 1073741824: prlimit: failed to set the NOFILE resource limit: Operation not permitted; a lower limit or 0 (leave it) will do",
    ],
  ])("%s", (_, make, want) => {
    const args = make();
    const file = args[args.length - 1].replace(/^.*=/, "");
    const rest = { stdout: "", isMounted: false, processes: [] };
    expect(runMount([...args, "--log-level", "error"])).toEqual({
      status: 1,
      stderr: `Error: ${want(file)}\n`,
      ...rest,
    });
  });
});

/**
 * Shell commands that make /dev/fuse useless, and what is said then. They run in a mount namespace of their own,
 * which lets go of the mounts it begins with: those are other tests'.
 */
describe.each(["direct", "fuse-native"])("%s without the device ends with status 1", (transport) => {
  it.each<[name: string, script: string, want: RegExp]>([
    [
      "no /dev/fuse",
      "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3",
      /^Error: there is no \/dev\/fuse: load the fuse module \(modprobe fuse\), or give the container --device \/dev\/fuse\n$/,
    ],
    [
      "no access to it",
      'mknod -m 600 "$D" c 10 229; chown 65534 "$D"; mount --bind "$D" /dev/fuse; set -- setpriv --bounding-set=-dac_override "$@"',
      /^Error: no access to \/dev\/fuse: run as root, or have the administrator chmod 0666 \/dev\/fuse\n$/,
    ],
    ["another device in its place", "mount --bind /dev/null /dev/fuse", /Error: cannot mount \//],
  ])("%s", async (_, script, want) => {
    const mountpoint = emptyDir();
    const node = join(workDir(), "fuse");
    const { status, stdout, stderr } = await shell(
      `D=$1; shift; exec unshare -m env "D=$D" bash -euc 'umount -l -a -t fuse.nydusd-ts || true; ${script}; exec "$@"' bash "$@"`,
      node,
      process.execPath,
      ...[COMMAND, "-B", BOOT, "--blob", `1=${TAR}`, "-M", mountpoint, "--transport", transport],
      ...["--log-level", "error"],
    );
    expect(stderr).toMatch(want);
    expect([status, stdout]).toEqual([1, ""]);
    expect(mentioning(mountpoint)).toEqual([]);
  });
});
