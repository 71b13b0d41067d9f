import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addMountOptions } from "../../bin/mount-options.ts";
import { run, runMount } from "../support/daemon.ts";

describe("a wrong command line ends with status 2", () => {
  const threads = (n: string) =>
    `Error: option '--thread-num, --fuse-threads <n>' argument '${n}' is invalid. want a whole number from 1 to 1024.`;
  const blob = (s: string) => `Error: option '--blob <ID=PATH>' argument '${s}' is invalid. want ID=PATH.`;
  const choice = (option: string, s: string, choices: string) =>
    `Error: option '${option}' argument '${s}' is invalid. Allowed choices are ${choices}.`;
  const rotation = (n: string) =>
    `Error: option '--log-rotation-size <MiB>' argument '${n}' is invalid. want a whole number from 0 to 1048576.`;
  const address = (s: string) =>
    `Error: option '--metrics-address <[HOST:]PORT>' argument '${s}' is invalid. want [HOST:]PORT.`;
  it.each<[line: string, want: string]>([
    ["", "Error: nothing to mount: want --bootstrap, or --apisock to be told of images later"],
    ["-B x --frobnicate", "Error: unknown option '--frobnicate'"],
    ["-B x --mountpiont y", "Error: unknown option '--mountpiont'\n(Did you mean --mountpoint?)"],
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
    ["-B x --log-format xml", choice("--log-format <name>", "xml", "auto, text, json")],
    ["-B x --log-rotation-size -1", rotation("-1")],
    ["-B x --log-rotation-size 1M", rotation("1M")],
    ["-B x --log-rotation-size 0.5", rotation("0.5")],
    ["-B x --log-rotation-size 1048577", rotation("1048577")],
    [
      "-B x --rlimit-nofile -1",
      "Error: option '--rlimit-nofile <n>' argument '-1' is invalid. want a whole number from 0 to 1073741824.",
    ],
    ["-B x --metrics-address host", address("host")],
    ["-B x --metrics-address :9100", address(":9100")],
    ["-B x --metrics-address ::1:9100", address("::1:9100")],
    ["-B x --metrics-address 127.0.0.1:65536", address("127.0.0.1:65536")],
    [
      "-B x --metrics-address 0 --hung-after 0",
      "Error: option '--hung-after <seconds>' argument '0' is invalid. want a whole number from 1 to 86400.",
    ],
    ["-A /a --trace t", "Error: --trace has no meaning without --bootstrap"],
    ["-A /a --prefetch-files f", "Error: --prefetch-files has no meaning without --bootstrap"],
    ["-A /a --blob 1=x", "Error: --blob has no meaning without --bootstrap"],
    ["-A /a -m /x", "Error: --virtual-mountpoint has no meaning without --bootstrap"],
    ["-B x --hung-after 5", "Error: --hung-after has no meaning without --metrics-address"],
    ["-B x -C c -D d", "Error: --localfs-dir says where the tars are: it cannot be used with --config"],
    ["-B x --supervisor /s", "Error: --supervisor has no meaning without --id and --apisock"],
    ["-B x --supervisor /s --id a", "Error: --supervisor has no meaning without --id and --apisock"],
    ["-B x --recover --no-keeper", "Error: --recover starts a keeper: it cannot be used with --no-keeper"],
    ["-B x --recover --user nobody", "Error: --recover starts a keeper: it cannot be used with --user"],
    [
      "-B x --recover --supervisor /s --id a -A /a",
      "Error: --recover starts a keeper: it cannot be used with --supervisor",
    ],
    ["-B x --upgrade", "Error: --upgrade has no meaning without --supervisor"],
    [
      "-B x --failover-policy no",
      "Error: option '--failover-policy <policy>' argument 'no' is invalid. Allowed choices are resend, flush, none.",
    ],
    ["-B x --prefetch off --prefetch-files f", "Error: --prefetch-files has no meaning with --prefetch off"],
    [
      "-B x --prefetch-rate 1.5",
      "Error: option '--prefetch-rate <MiB/s>' argument '1.5' is invalid. want a whole number from 0 to 1048576.",
    ],
    [
      "-B x --prefetch-memory 0",
      "Error: option '--prefetch-memory <MiB>' argument '0' is invalid. want a whole number from 1 to 1073741824.",
    ],
    ["-B x --writable", "Error: --writable is not supported: an image is read-only; put an overlayfs on top"],
    [
      "-B x -s /d",
      "Error: --shared-dir is not supported: directories are not passed through; mount --bind does that",
    ],
  ])("%s", (line, want) => {
    const args = line.split(" ").filter(Boolean);
    const rest = { stdout: "", isMounted: false, processes: [] };
    expect(runMount(args)).toEqual({ status: 2, stderr: `${want}\n`, ...rest });
  });

  it.each([
    ["mount x", "Error: missing argument: want a source and the directory to mount it on"],
    ["umount", "Error: missing required argument 'dir'"],
    ["unmount /mnt", 'Error: unknown command "unmount": did you mean umount?'],
    ["-B x --mountpoint=", "Error: the mountpoint is an empty string"],
    ["-B x", "Error: required option '-M, --mountpoint <dir>' not specified"],
  ])("%s", (line, want) => {
    expect(run(line.split(" "))).toEqual({ status: 2, stdout: "", stderr: `${want}\n` });
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
    expect(run(["--help"]).stdout).toMatch(/\nExamples:\n {2}nydusd-ts mount /);
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
