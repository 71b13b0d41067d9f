import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ask,
  COMMAND,
  emptyDir,
  isMounted,
  launch,
  mentioning,
  run,
  shell,
  start,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { change, must, orderOf, startEmpty, versions } from "../support/submounts.ts";

const { path: BOOT, devices } = fixture("04-large");
const FLAGS = ["-B", BOOT, "--blob", `1=${devices[0]}`];
const WAIT = "would lie below it, and the daemon would have to answer its own requests";

describe.each(["direct", "fuse-native"])("%s refuses what would lie below its own mount", (transport) => {
  it.each<[name: string, args: (below: string) => string[], what: string]>([
    ["a pid file", (below) => ["--pid-file", join(below, "pid")], "pid file"],
    ["a log", (below) => ["--log-file", join(below, "d.log")], "log file"],
    ["a socket", (below) => ["--apisock", join(below, "s")], "apisock"],
    ["a trace", (below) => ["--trace", join(below, "t")], "trace"],
    ["the image", (below) => ["-B", join(below, "boot")], "the image"],
    ["a tar", (below) => ["--blob", `1=${join(below, "tar")}`], "blob"],
  ])("%s: itself, by a link, by a bind mount", async (_, args, what) => {
    const mountpoint = emptyDir();
    const dir = workDir();
    const [link, bound] = [join(dir, "link"), join(dir, "bound")];
    symlinkSync(mountpoint, link);
    mkdirSync(bound);
    copyFileSync(BOOT, join(mountpoint, "boot"));
    copyFileSync(devices[0], join(mountpoint, "tar"));
    await ask('mount --bind "$1" "$2"', mountpoint, bound);
    for (const below of [mountpoint, link, bound]) {
      const named = args(below);
      const rest = ["-M", mountpoint, "--force", "--transport", transport];
      const { status, stderr } = run([...(named[0] === "--blob" ? ["-B", BOOT] : FLAGS), ...named, ...rest]);
      expect(stderr.split("\n").at(-2)).toBe(
        `Error: mountpoint ${mountpoint}: ${what} ${named[1].replace("1=", "")} ${WAIT}`,
      );
      expect([status, isMounted(mountpoint)]).toEqual([1, false]);
    }
    expect(mentioning(mountpoint)).toEqual([]);
  });

  it("but for directories of PATH, where it looks for nothing", async () => {
    const mountpoint = emptyDir();
    const path = `PATH=${mountpoint}/bin:${mountpoint}:${process.env["PATH"]}`;
    const daemon = await start([...FLAGS, "--transport", transport], mountpoint, undefined, [
      ...(["env", path, process.execPath, COMMAND] as const),
    ]);
    expect(await ask('ls "$1"', mountpoint)).toContain("small");
    expect(await daemon.stop()).toBe(0);
    expect(isMounted(mountpoint)).toBe(false);
  });

  it.each(["", "/sub"])("its working directory .%s, also in the background", async (sub) => {
    const mountpoint = emptyDir();
    mkdirSync(join(mountpoint, "sub"));
    for (const more of [[], ["--daemonize"]]) {
      const args = [...FLAGS, "-M", mountpoint, "--force", "--transport", transport, ...more];
      const { status, stderr } = await shell(
        'cd "$1"; shift; exec "$@"',
        ...[mountpoint + sub, process.execPath, COMMAND, ...args],
      );
      expect(stderr).toContain(`mountpoint ${mountpoint}: the working directory ${mountpoint}${sub} ${WAIT}`);
      expect([status, isMounted(mountpoint)]).toEqual([1, false]);
    }
  });
});

it("--driver erofs may cover its own files: no process serves them", async () => {
  const mountpoint = emptyDir();
  copyFileSync(BOOT, join(mountpoint, "boot"));
  copyFileSync(devices[0], join(mountpoint, "tar"));
  const { status, stdout, stderr } = run([
    ...["mount", "--force", "--driver", "auto", join(mountpoint, "boot")],
    ...["--blob", `1=${join(mountpoint, "tar")}`, mountpoint],
  ]);
  if (stdout === "")
    expect([status, stderr]).toEqual([1, expect.stringContaining(WAIT)]); // no EROFS here
  else expect(await ask('ls "$1"; umount "$1"', mountpoint)).toBe("exact256k\nhl_large\nm1p1\nsmall\n");
});

it("the API refuses images and tars that lie in its own mount, and goes on", async () => {
  const inner = await versions("seq 1000 >f");
  const outer = await versions(
    `mkdir -p d; cp "${inner.boots[0]}" d/boot; cp "${inner.dir}"/layer0.tar d/tar; ln -s / root`,
  );
  const { sock, mountpoint, stop } = await startEmpty("--thread-num", "1");
  await must(sock, "POST /i", outer);
  const dir = workDir();
  const [link, bound] = [join(dir, "link"), join(dir, "bound")];
  symlinkSync(join(mountpoint, "i/d"), link);
  mkdirSync(bound);
  await ask('mount --bind "$1" "$2"', join(mountpoint, "i"), bound);
  const inside = join(mountpoint, "i/d");
  const loop = `${mountpoint}/i/root${mountpoint}/i/d`;
  const other = launch("unshare", ["-m", "sleep", "100"]);
  await until(() => mentioning("sleep").includes(`${other.pid}`), "another mount namespace");
  const elsewhere = `/proc/${other.pid}/root${inside}`;
  for (const place of [inside, link, join(bound, "d"), loop]) {
    const said = await change(sock, "POST /x", orderOf(join(place, "boot"), inner.dir));
    expect([said.status, said.text]).toEqual([
      500,
      expect.stringContaining("lies in this daemon's own mount"),
    ]);
  }
  for (const place of [inside, link]) {
    const said = await change(sock, "PUT /i", orderOf(inner.boots[0], place));
    expect([said.status, said.text]).toEqual([
      500,
      expect.stringContaining("lies in this daemon's own mount"),
    ]);
  }
  // Only what is opened says where that is.
  const said = await change(sock, "POST /x", orderOf(join(elsewhere, "boot"), inner.dir));
  expect([said.status, said.text]).toEqual([500, expect.stringContaining("lies in this daemon's own mount")]);
  await must(sock, "POST /x", inner);
  expect(await ask('cat "$1/x/f" | wc -l; ls "$1/i/d"', mountpoint)).toBe("1000\nboot\ntar\n");
  expect(await stop()).toBe(0);
});

it("a prefetch list may lie below the mountpoint: it is read before mounting", async () => {
  const mountpoint = emptyDir();
  writeFileSync(join(mountpoint, "list"), "/m1p1\n");
  const daemon = await start([...FLAGS, "--force", "--prefetch-files", join(mountpoint, "list")], mountpoint);
  expect(await ask('wc -c <"$1/m1p1"', mountpoint)).toBe("1048577\n");
  expect(await daemon.stop()).toBe(0);
});
