import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { ask, hold, launch, run, startFixture, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const SHA256 = fixture("04-large").entries.find(({ path }) => path === "/m1p1")?.sha256;
const mountsBelow = (dir: string) => readMounts().filter(({ mountpoint }) => mountpoint.startsWith(dir));

/** A mountpoint two directories down, and what becomes of the upper one's name. */
function nested() {
  const dir = workDir();
  const mountpoint = join(dir, "a/b/mnt");
  mkdirSync(mountpoint, { recursive: true });
  return { dir, mountpoint, moved: join(dir, "c/b/mnt"), move: 'mv "$1/a" "$1/c"' };
}

describe.each(["direct", "fuse-native"])("%s: the mountpoint's parent is renamed", (transport) => {
  const serve = (mountpoint: string, ...more: string[]) =>
    startFixture("04-large", ["--transport", transport, ...more], mountpoint);

  it("readers go on, and SIGTERM unmounts it where it is", async () => {
    const { dir, mountpoint, moved, move } = nested();
    const daemon = await serve(mountpoint);
    const holder = await hold(
      'cd "$1"; exec 3<m1p1; head -c 4096 <&3 >"$2"',
      'cat "$2" - <&3 | sha256sum',
      ...[mountpoint, join(dir, "head")],
    );
    await ask(move, dir);
    expect(await ask('sha256sum <"$1/m1p1"', moved)).toBe(`${SHA256}  -\n`);
    expect(await holder.release()).toBe(`${SHA256}  -\n`);
    expect(await daemon.stop()).toBe(0);
    expect(mountsBelow(dir)).toEqual([]);
    expect(readdirSync(moved)).toEqual([]);
  });

  it("SIGTERM detaches it there when somebody is inside, and what took its place stays", async () => {
    const { dir, mountpoint, moved, move } = nested();
    const daemon = await serve(mountpoint);
    await hold('cd "$1"', ":", mountpoint);
    await ask(move, dir);
    mkdirSync(mountpoint, { recursive: true });
    const next = await startFixture("08-nodata", [], mountpoint);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.output()).toContain("is busy: detached");
    expect(mountsBelow(dir).map((mount) => mount.mountpoint)).toEqual([mountpoint]);
    expect(readdirSync(moved)).toEqual([]);
    expect(await next.stop()).toBe(0);
  });

  it("an abort leaves no dead mount there", async () => {
    const { dir, mountpoint, move } = nested();
    const daemon = await serve(mountpoint);
    const minor = mountsBelow(dir)[0].device.split(":")[1];
    await ask(move, dir);
    await ask('mount -t fusectl none "$1" && echo 1 >"$1/$2/abort"', workDir(), minor);
    expect(await daemon.exited).toBe(1);
    expect(mountsBelow(dir)).toEqual([]);
  });

  it("again and again while it is told to end", async () => {
    const { dir, mountpoint } = nested();
    const daemon = await serve(mountpoint);
    const mover = launch("bash", ["-c", 'cd "$1"; while :; do mv a c; mv c a; done', "bash", dir]);
    expect(await daemon.stop()).toBe(0);
    mover.kill("SIGKILL");
    await once(mover, "close");
    expect(mountsBelow(dir)).toEqual([]);
  });
});

it("a bind mount of a part of a moved mount is left alone, and umount takes the rest by its new name", async () => {
  const { dir, mountpoint, moved, move } = nested();
  const daemon = await startFixture("01-basic", [], mountpoint);
  const part = join(dir, "part");
  mkdirSync(part);
  await ask('mount --bind "$1/etc" "$2"', mountpoint, part);
  await ask(move, dir);
  expect(run(["umount", moved]).stdout).toBe(`${moved}: unmounted\n`);
  expect(readdirSync(part)).toContain("one");
  await ask('umount "$1"', part);
  expect(await daemon.exited).toBe(0);
});
