import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { ListedMount } from "../../src/daemon/list-mounts.ts";
import {
  childrenOf,
  COMMAND,
  isMounted,
  kill,
  mentioning,
  run,
  sh,
  shell,
  until,
  workDir,
} from "../support/daemon.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";

const DRIVERS = ["fuse", ...KERNEL_DRIVERS];
const LOG = "log";
const dirs: string[] = [];
// A daemon ends a moment after its mount, and writes that down.
afterEach(() => until(() => dirs.every((dir) => mentioning(dir).length === 0), "the end of daemons"));

/** A directory with a tar and a mountpoint. */
function made(): { dir: string; tar: string; mnt: string } {
  const dir = workDir();
  dirs.push(dir);
  sh('cd "$D"; mkdir -p t/d; echo hello >t/d/f; tar -C t -cf l.tar d; mkdir mnt', { D: dir });
  return { dir, tar: join(dir, "l.tar"), mnt: join(dir, "mnt") };
}

const mountOf = (dir: string, ...words: string[]) =>
  run(["mount", "--cache-dir", join(dir, "cache"), "--log-file", join(dir, LOG), ...words]);

const listed = (dir: string): ListedMount[] =>
  (JSON.parse(run(["ls", "--json"]).stdout) as ListedMount[]).filter(({ mountpoint }) =>
    mountpoint.startsWith(dir),
  );

describe.each(DRIVERS)("a mount by %s", (driver) => {
  it.each([
    ["a tar", (dir: string) => [join(dir, "l.tar")], (dir: string) => join(dir, "l.tar")],
    [
      "two",
      (dir: string) => [join(dir, "l.tar"), join(dir, "t.tar")],
      (dir: string) => `${dir}/l.tar:${dir}/t.tar`,
    ],
    [
      "odd names",
      (dir: string) => [join(dir, "a b,\u00e9:c.tar")],
      (dir: string) => join(dir, "a b,\u00e9:c.tar"),
    ],
  ])("is listed and shown as its user named it: %s", (_, sources, name) => {
    const { dir, mnt } = made();
    sh('cd "$D"; cp l.tar t.tar; cp l.tar "a b,\u00e9:c.tar"', { D: dir });
    const { status, stdout, stderr } = mountOf(dir, "--driver", driver, ...sources(dir), mnt);
    expect(status, stderr).toBe(0);
    const isFuse = driver === "fuse";
    const pid = Number(/ pid=(\d+)/.exec(stdout)?.[1]);
    expect(listed(dir)).toEqual([
      {
        ...{ mountpoint: mnt, source: name(dir), driver: isFuse ? "fuse" : "erofs", rw: false },
        ...(isFuse ? { pid } : {}),
        since: expect.stringMatching(/^20\d\d-.*Z$/),
      },
    ]);
    expect(Math.abs(Date.now() - Date.parse(listed(dir)[0]?.since ?? ""))).toBeLessThan(600_000);
    expect(sh('LC_ALL=C.UTF-8 findmnt -no SOURCE "$M"', { M: mnt })).toBe(`${name(dir)}\n`);
    expect(run(["ls"]).stdout).toMatch(/^MOUNTPOINT +SOURCE +DRIVER +MODE +PID +SINCE\n/);
    expect(run(["umount", mnt]).status).toBe(0);
    expect(listed(dir)).toEqual([]);
  });

  it("is listed as writable with --rw, and all of it goes however it is spelled", async () => {
    const { dir, tar, mnt } = made();
    symlinkSync(mnt, join(dir, "link"));
    for (const spelled of [
      "mnt",
      "mnt/",
      "./mnt",
      "mnt/.",
      `${dir}/t/../mnt`,
      "link",
      "link/",
      "mnt/d",
      "mnt/d/f",
    ]) {
      expect(mountOf(dir, "--driver", driver, "--rw", join(dir, "up"), tar, mnt).status).toBe(0);
      expect(listed(dir)).toMatchObject([{ rw: true, upper: join(dir, "up"), source: tar }]);
      expect(sh('LC_ALL=C.UTF-8 findmnt -no SOURCE "$M" | sort -u', { M: mnt })).toBe(`${tar}\n`);
      const { stdout, status } = await shell(
        'cd "$1"; "$2" "$3" umount "$4"',
        dir,
        process.execPath,
        COMMAND,
        spelled,
      );
      const isBelow = spelled.startsWith("mnt/d");
      expect([status, stdout]).toEqual([
        0,
        isBelow ? `${mnt}, where ${spelled} is: unmounted\n` : `${spelled}: unmounted\n`,
      ]);
      expect([isMounted(mnt), listed(dir)]).toEqual([false, []]);
    }
  });

  it("of two at once on one directory, the second is refused", async () => {
    const { dir, tar, mnt } = made();
    const words = [process.execPath, COMMAND, "mount", "--cache-dir", join(dir, "c"), "-L", join(dir, LOG)];
    const script = `for i in 1 2 3 4; do "$@" >"${dir}/o$i" 2>&1 & done; wait; cat "${dir}"/o?`;
    const { stdout } = await shell(script, ...words, "--driver", driver, tar, mnt);
    expect(stdout.match(/^ready /gm)).toHaveLength(1);
    expect(stdout.match(/^Error: .*(about to mount on it|is mounted there already.*)$/gm)).toHaveLength(3);
    expect(sh('grep -c " $M " /proc/self/mountinfo', { M: mnt })).toBe("1\n");
    expect(run(["umount", mnt]).status).toBe(0);
  });
});

it("of two long forms at once on one directory, the second is refused", async () => {
  const { dir, tar, mnt } = made();
  expect(mountOf(dir, "--driver", "fuse", tar, mnt).status).toBe(0);
  const [boot] = readdirSync(join(dir, "cache/layers"));
  expect(run(["umount", mnt]).status).toBe(0);
  const words = [
    process.execPath,
    COMMAND,
    "-B",
    join(dir, "cache/layers", boot ?? ""),
    "--blob",
    `1=${tar}`,
    "-M",
    mnt,
  ];
  const script = `for i in 1 2 3; do "$@" >"${dir}/o$i" 2>&1 & done; wait; cat "${dir}"/o?`;
  const { stdout } = await shell(script, ...words, "--daemonize", "-L", join(dir, LOG));
  expect(stdout.match(/^ready /gm)).toHaveLength(1);
  expect(run(["umount", mnt]).status).toBe(0);
});

it("a session whose processes were killed is listed without a pid, and umount leaves nothing of it", () => {
  const { dir, tar, mnt } = made();
  const [pidFile, sock] = [join(dir, "pid"), join(dir, "api")];
  const { stdout } = mountOf(dir, "--driver", "fuse", "--pid-file", pidFile, "-A", sock, tar, mnt);
  const keeper = Number(/ pid=(\d+)/.exec(stdout)?.[1]);
  const serving = childrenOf(keeper);
  for (const pid of [keeper, ...serving]) kill(pid);
  expect(listed(dir)).toMatchObject([{ mountpoint: mnt, source: tar, driver: "fuse" }]);
  expect([existsSync(pidFile), existsSync(sock)]).toEqual([true, true]);
  expect(run(["umount", join(dir, "mnt/")]).stdout).toBe(`${dir}/mnt/: unmounted\n`);
  expect([existsSync(pidFile), existsSync(sock), isMounted(mnt)]).toEqual([false, false, false]);
});

it("with -m, the path of the ready line is enough to unmount", async () => {
  const { dir, tar, mnt } = made();
  expect(mountOf(dir, "--driver", "fuse", "-m", "/a/b", tar, mnt).stdout).toContain(
    ` mountpoint=${mnt}/a/b `,
  );
  expect(run(["umount", `${mnt}/a/b`]).stdout).toBe(`${mnt}, where ${mnt}/a/b is: unmounted\n`);
  expect(mountOf(dir, "--driver", "fuse", "-m", "a", tar, mnt)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("virtual mountpoint a: want an absolute path"),
  });
  await until(() => !isMounted(mnt), "the end");
});

it.each([
  ["--apisock", "s"],
  ["--log-file", "l"],
  ["--pid-file", "p"],
  ["--state-dir", "d"],
  ["--trace", "t"],
])("%s in the mountpoint is refused before it is made", (option, name) => {
  const { dir, tar, mnt } = made();
  const words = [
    "mount",
    "--cache-dir",
    join(dir, "c"),
    "--driver",
    "fuse",
    option,
    join(mnt, name),
    tar,
    mnt,
  ];
  expect(run(words)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(new RegExp(`^Error: mountpoint ${mnt}: .* would lie below it`)),
  });
  expect(readdirSync(mnt)).toEqual([]);
});

it("names with line breaks stay one line, and one word of the ready line", () => {
  const { dir, tar } = made();
  const mnt = join(dir, "a\nb c");
  mkdirSync(mnt);
  expect(mountOf(dir, "--driver", "fuse", tar, mnt).stdout).toContain(` mountpoint="${dir}/a\\nb c" `);
  expect(run(["ls"]).stdout).toContain(`${dir}/a\\nb c  `);
  expect(run(["umount", mnt]).stdout).toBe(`${dir}/a\\nb c: unmounted\n`);
});
