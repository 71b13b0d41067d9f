import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addMountOptions } from "../../bin/options.ts";
import { COMMAND, emptyDir, isMounted, mentioning, run, shell, workDir } from "../support/daemon.ts";
import { fixture, image } from "../support/image.ts";

const { path: BOOT, devices } = fixture("01-basic");
const TAR = devices[0];
const made = (content: string): string => {
  const path = join(workDir(), "made");
  writeFileSync(path, content);
  return path;
};

function fails(args: readonly string[], status: number, stderr: string): void {
  const mountpoint = emptyDir();
  expect(run([...args, "-M", mountpoint])).toEqual({ status, stdout: "", stderr: `${stderr}\n` });
  expect(isMounted(mountpoint)).toBe(false);
  expect(mentioning(mountpoint)).toEqual([]);
}

describe("a wrong command line ends with status 2", () => {
  const threads = (n: string) =>
    `error: option '--thread-num, --fuse-threads <n>' argument '${n}' is invalid. want a whole number from 1 to 1024.`;
  const blob = (s: string) => `error: option '--blob <ID=PATH>' argument '${s}' is invalid. want ID=PATH.`;
  const choice = (option: string, s: string, choices: string) =>
    `error: option '${option}' argument '${s}' is invalid. Allowed choices are ${choices}.`;
  it.each<[line: string, want: string]>([
    ["", "error: required option '-B, --bootstrap <file>' not specified"],
    ["-B x --frobnicate", "error: unknown option '--frobnicate'"],
    ["-B x --mountpiont y", "error: unknown option '--mountpiont'\n(Did you mean --mountpoint?)"],
    ["-B x --thread-num 0", threads("0")],
    ["-B x --thread-num 1025", threads("1025")],
    ["-B x --fuse-threads 1.5", threads("1.5")],
    ["-B x --thread-num two", threads("two")],
    ["-B x --blob =x", blob("=x")],
    ["-B x --blob x=", blob("x=")],
    ["-B x --transport tcp", choice("--transport <name>", "tcp", "auto, direct, fuse-native")],
    ["-B x --push yes", choice("--push <when>", "yes", "on, off")],
    ["-B x --low-latency 1", choice("--low-latency <when>", "1", "on, off")],
    ["-B x --log-level all", choice("-l, --log-level <level>", "all", "error, warn, info, debug, trace")],
    [
      "-B x --rlimit-nofile -1",
      "error: option '--rlimit-nofile <n>' argument '-1' is invalid. want a whole number from 0 to 1073741824.",
    ],
    ["-B x -C c -D d", "Error: --config and --localfs-dir cannot be used together"],
    ["-B x -A /sock", "Error: --apisock is not supported: there is no management API yet"],
    ["-B x --id 1", "Error: --id is not supported: there is no takeover yet"],
    ["-B x --supervisor /s", "Error: --supervisor is not supported: there is no takeover yet"],
    ["-B x --upgrade", "Error: --upgrade is not supported: there is no takeover yet"],
    ["-B x --failover-policy none", "Error: --failover-policy is not supported: there is no takeover yet"],
    ["-B x --prefetch-files f", "Error: --prefetch-files is not supported: there is no prefetch yet"],
    [
      "-B x -m /v",
      "Error: --virtual-mountpoint is not supported: a daemon serves one image, at the root of its mount",
    ],
    [
      "-B x --log-rotation-size 5",
      "Error: --log-rotation-size is not supported: logs are not rotated yet; use logrotate with copytruncate",
    ],
    ["-B x --writable", "Error: --writable is not supported: an image is read-only; put an overlayfs on top"],
    [
      "-B x -s /d",
      "Error: --shared-dir is not supported: directories are not passed through; mount --bind does that",
    ],
  ])("%s", (line, want) => fails(line.split(" ").filter(Boolean), 2, want));

  it.each([
    ["mount x", "error: missing required argument 'dir'"],
    ["mount x y z", "error: too many arguments for 'mount'. Expected 2 arguments but got 3."],
    ["umount", "error: missing required argument 'dir'"],
    ["-B x", "error: required option '-M, --mountpoint <dir>' not specified"],
  ])("%s", (line, want) => {
    expect(run(line.split(" "))).toEqual({ status: 2, stdout: "", stderr: `${want}\n` });
  });
});

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
      () => "log file /none/log.log: ENOENT: no such file or directory, open '/none/log.log'",
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
    fails([...args, "--log-level", "error"], 1, `Error: ${want(file)}`);
  });
});

/** Shell commands that make /dev/fuse useless, in a mount namespace of their own, and what is said then. */
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
    ["another device in its place", "mount --bind /dev/null /dev/fuse", /Error: cannot mount \/tmp/],
  ])("%s", async (_, script, want) => {
    const mountpoint = emptyDir();
    const node = join(workDir(), "fuse");
    const { status, stdout, stderr } = await shell(
      `D=$1; shift; exec unshare -m env "D=$D" bash -euc '${script}; exec "$@"' bash "$@"`,
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

describe("help and version", () => {
  const shown = addMountOptions(new Command()).options.filter((option) => !option.hidden);
  it.each(["--help", "-h", "help", "fuse --help", "mount --help"])("%s mentions every option", (line) => {
    const { status, stdout, stderr } = run(line.split(" "));
    expect([status, stderr]).toEqual([0, ""]);
    expect(shown.length).toBeGreaterThan(15);
    for (const { flags } of shown) expect(stdout).toContain(flags);
  });

  it("--help has examples", () => {
    expect(run(["--help"]).stdout).toMatch(/\nExamples:\n {2}nydusd-ts --bootstrap .*--mountpoint/);
  });

  it.each(["--version", "-V"])("%s prints what nydus-snapshotter reads", (flag) => {
    expect(run([flag])).toEqual({
      status: 0,
      stderr: "",
      stdout: expect.stringMatching(
        /^Version: \t\S+\nGit Commit: \t\S+\nBuild Time: \t\S+\nProfile: \trelease\nNode: \t\tv\d+\.\d+\.\d+\n$/,
      ),
    });
  });
});
