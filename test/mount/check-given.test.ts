import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { checkGiven, givenForDaemon, nameOf } from "../../bin/check-given.ts";
import { givenOptions } from "../../bin/given.ts";
import { addMountOptions, MOUNT_OPTIONS, SOURCE_OPTIONS } from "../../bin/mount-options.ts";

/** What is on a command line of `mount`, or of `fuse` with a bootstrap. */
function given(line: string): ReadonlyMap<string, unknown> {
  const command = addMountOptions(new Command().exitOverride(), SOURCE_OPTIONS).option("--bootstrap <file>");
  return givenOptions(command.parse(line.split(" ").filter(Boolean), { from: "user" }));
}

describe("an option that contradicts another one or has no effect is refused", () => {
  it.each([
    ["--blob 1=x", "--blob has no meaning without --bootstrap"],
    ["-m /x", "--virtual-mountpoint has no meaning without --bootstrap"],
    ["-m /", "--virtual-mountpoint has no meaning without --bootstrap"],
    ["--trace t", "--trace has no meaning without --bootstrap"],
    ["--prefetch on", "--prefetch has no meaning without --bootstrap"],
    ["--prefetch-files f", "--prefetch-files has no meaning without --bootstrap"],
    ["--prefetch-rate 0", "--prefetch-rate has no meaning without --bootstrap"],
    ["--prefetch-memory 1", "--prefetch-memory has no meaning without --bootstrap"],
    [
      "--bootstrap x --prefetch off --prefetch-files f",
      "--prefetch-files has no meaning with --prefetch off",
    ],
    ["--bootstrap x --prefetch off --prefetch-rate 1", "--prefetch-rate has no meaning with --prefetch off"],
    [
      "--bootstrap x --prefetch off --prefetch-memory 1",
      "--prefetch-memory has no meaning with --prefetch off",
    ],
    ["--file-stats", "--file-stats has no meaning without --apisock"],
    ["--hung-after 10", "--hung-after has no meaning without --metrics-address"],
    ["--supervisor /s --apisock /a", "--supervisor has no meaning without --id and --apisock"],
    ["--supervisor /s --id i", "--supervisor has no meaning without --id and --apisock"],
    ["--upgrade", "--upgrade has no meaning without --supervisor"],
    ["-C c -D d", "--localfs-dir says where the tars are: it cannot be used with --config"],
    ["--user u --rw d", "--user cannot unmount an overlay: it cannot be used with --rw"],
    [
      "--user u --transport fuse-native",
      "--user needs a daemon that mounts /dev/fuse itself: it cannot be used with --transport fuse-native",
    ],
    [
      "--foreground --driver erofs",
      "--foreground is for a daemon, and the kernel needs none: it cannot be used with --driver erofs",
    ],
    [
      "--driver erofs-loop --foreground",
      "--foreground is for a daemon, and the kernel needs none: it cannot be used with --driver erofs-loop",
    ],
    ["--recover --no-keeper", "--recover starts a keeper: it cannot be used with --no-keeper"],
    ["--recover --user u", "--recover starts a keeper: it cannot be used with --user"],
    ["--standby --no-keeper", "--standby has no meaning with --no-keeper"],
    ["--standby --user u", "--standby has no meaning with --user"],
    ["--standby --supervisor /s --id i --apisock a", "--standby has no meaning with --supervisor"],
    ["--failover-policy resend --no-keeper", "--failover-policy has no meaning with --no-keeper"],
    ["--failover-policy none --user u", "--failover-policy has no meaning with --user"],
    ["--state-dir d --user u", "--state-dir has no meaning with --user"],
  ])("%s", (line, want) => expect(() => checkGiven(given(line), false)).toThrow(want));
});

describe("an option that has no effect but may be there is told", () => {
  it.each([
    { line: "--id i", want: ["--id has no effect without --apisock"] },
    { line: "--log-rotation-size 100", want: ["--log-rotation-size has no effect without --log-file"] },
    {
      line: "--push on --file-stats --apisock a",
      want: ["--push on has no effect with --file-stats: each file's first read is to be seen"],
    },
    { line: "--push off --file-stats --apisock a --foreground --driver fuse", want: [] },
    { line: "--fuse-threads 2 --push on", isNative: true, want: "--fuse-threads --push" },
    { line: "--low-latency off --standby", isNative: true, want: "--low-latency --standby" },
    { line: "--failover-policy none --state-dir d", isNative: true, want: "--failover-policy --state-dir" },
    { line: "--supervisor /s --id i --apisock a", isNative: true, want: "--supervisor" },
    { line: "--recover", isNative: true, want: "--recover" },
    { line: "--fuse-threads 2 --push on --low-latency off --standby --recover", want: [] },
    { line: "--id i --apisock a --log-rotation-size 1 --log-file f", want: [] },
    { line: "--supervisor /s --id i --apisock a --no-keeper --failover-policy none", want: [] },
    { line: "--bootstrap x --prefetch on --prefetch-rate 1 --transport direct --user u", want: [] },
    { line: "", isNative: true, want: [] },
  ])("$line", ({ line, isNative = false, want }) => {
    const all =
      typeof want === "string" ? want.split(" ").map((x) => `${x} has no effect with fuse-native`) : want;
    expect(checkGiven(given(line), isNative)).toEqual(all);
  });
});

describe("an option that steers a process that serves", () => {
  it.each([
    ["--fuse-threads 2", "--fuse-threads"],
    ["--thread-num 2", "--fuse-threads"],
    ["--transport auto", "--transport"],
    ["--push on --low-latency on", "--push --low-latency"],
    ["--state-dir d", "--state-dir"],
    ["--failover-policy resend", "--failover-policy"],
    ["--no-keeper", "--no-keeper"],
    ["--upgrade --supervisor s --id i -A a", "--apisock --id --supervisor --upgrade"],
    ["--recover --standby --lenient --trace t", "--lenient --recover --standby --trace"],
    ["-m / --file-stats --user u --pid-file p", "--pid-file --user --virtual-mountpoint --file-stats"],
    ["--metrics-address 0", "--metrics-address"],
    ["", ""],
    [
      "--force -o suid --log-level info --prefetch on --blob 1=x -D d --daemonize --rlimit-nofile 0 --rw d",
      "",
    ],
  ])("is found whatever its value is: %s", (line, want) =>
    expect(givenForDaemon(given(line)).join(" ")).toBe(want),
  );
});

describe("the table of options", () => {
  const names = [...MOUNT_OPTIONS, ...SOURCE_OPTIONS].map(({ flags }) => nameOf(flags));

  it("names only options that there are", () => {
    const known = new Set([...names, "--bootstrap"]);
    const named = MOUNT_OPTIONS.flatMap(({ needs = [], wants, against = [] }) => [
      ...needs,
      ...(wants === undefined ? [] : [wants]),
      ...against.flatMap((each) => [each.with.split(" ")[0] ?? "", each.unless ?? "--bootstrap"]),
    ]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    expect(named.length).toBeGreaterThan(40);
    expect(new Set(names).size).toBe(names.length);
  });

  it("says of each option what it needs, but for those that have an effect on every mount", () => {
    const free = MOUNT_OPTIONS.filter(
      ({ forDaemon, needs, wants, against }) => !(forDaemon || needs || wants || against),
    );
    expect(free.map(({ flags }) => nameOf(flags))).toEqual([
      ...["--blob-dir", "--config", "--force", "--options", "--daemonize", "--log-level", "--log-file"],
      ...["--log-format", "--rlimit-nofile"],
    ]);
  });
});
