import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { mountAt, readMounts } from "../../src/mounts/table.ts";
import {
  ask,
  bePatient,
  blobFlags,
  COMMAND,
  emptyDir,
  hold,
  run,
  sh,
  shell,
  start,
  startFixture,
  type Daemon,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

const { path, devices } = fixture("12-merged");
const BLOBS = blobFlags(devices);
const MOUNT_BACKENDS: string[][] = [
  ...KERNEL_DRIVERS.map((driver) => [driver]),
  ["fuse"],
  ["fuse", "--transport", "direct"],
  ["fuse", "--transport", "fuse-native"],
];

const mounts = (mountpoint: string) => readMounts().filter((m) => m.mountpoint === mountpoint);

/** Mounts writably; a kernel mount has ended by then, a daemon serves. */
const writable = (driver: readonly string[], upper: string, mountpoint = emptyDir()): Promise<Daemon> =>
  start([...BLOBS, "--rw", upper], mountpoint, ["mount", "--driver", ...driver, path]);

async function umount(daemon: Daemon): Promise<void> {
  expect(run(["umount", daemon.mountpoint])).toEqual({
    ...{ status: 0, stdout: `${daemon.mountpoint}: unmounted\n`, stderr: "" },
  });
  expect(await daemon.exited).toBe(0);
  expect(mounts(daemon.mountpoint)).toEqual([]);
}

/** Changes of every kind; what is there afterwards. */
const CHANGE =
  'cd "$1"; echo new >new; echo more >>etc/keep; rm d2f; mv hl_a moved; rm -r opq; mkdir opq; echo x >opq/x; ln -s new link; chmod 700 f2d';
const LOOK = 'cd "$1"; ls; cat new moved opq/x etc/keep; readlink link; ls opq; stat -c %a f2d';

describe("a directory for changes", () => {
  it("is one mount's, of several that begin at the same instant", async () => {
    const upper = join(workDir(), "made");
    const mountpoints = [emptyDir(), emptyDir(), emptyDir()];
    const all = await Promise.all(
      mountpoints.map((mountpoint) =>
        shell('exec "$@"', process.execPath, COMMAND, "mount", ...BLOBS, "--rw", upper, path, mountpoint),
      ),
    );
    expect(all.map(({ status }) => status).sort()).toEqual([0, 1, 1]);
    const said = all.filter(({ status }) => status === 1).map(({ stderr }) => stderr.split("\n").at(-2));
    for (const line of said)
      expect(line).toMatch(
        /^Error: --rw \S+: (process \d+ is about to keep changes in it|it has the changes of )/,
      );
    expect(mountpoints.filter((mountpoint) => mounts(mountpoint).length > 0)).toHaveLength(1);
    for (const mountpoint of mountpoints) run(["umount", mountpoint]);
  });
  it("is refused when a mounted image has its changes there, by name", async () => {
    const upper = join(workDir(), "made");
    const first = await writable(["auto"], upper);
    const { status, stderr } = run(["mount", ...BLOBS, "--rw", upper, path, emptyDir()]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `Error: --rw ${upper}: it has the changes of ${first.mountpoint}, which is mounted: choose another directory\n`,
    );
    await umount(first);
  });

  it.each<[what: string, make: string, said: string]>([
    ["a stranger's", 'chown $B "$D"', "belongs to user 65534"],
    [
      "one that a group may write",
      'chgrp $B "$D"; chmod 770 "$D"',
      "group 65534, or an ACL, may write to it",
    ],
    ["below a stranger's", 'chown $B "$D/.."', "DIR belongs to user 65534"],
    [
      "one with a stranger's link for upper",
      'ln -s "$V" "$D/upper"; chown -h $B "$D/upper"',
      "DIR/rw/upper: DIR/rw/upper is a link that belongs to user 65534",
    ],
    [
      "one with a stranger's link for work",
      'ln -s "$V" "$D/work"; chown -h $B "$D/work"',
      "DIR/rw/work: DIR/rw/work is a link that belongs to user 65534",
    ],
    [
      "one with a stranger's work",
      'mkdir "$D/work"; chown $B "$D/work"',
      "DIR/rw/work: belongs to user 65534",
    ],
    [
      "one with a stranger's upper",
      'mkdir "$D/work" "$D/upper"; chown $B "$D/upper"',
      "DIR/rw/upper belongs to user 65534, who can reach it: chmod 700 DIR/rw",
    ],
  ])("is refused in a directory that others could change: %s", (_, make, said) => {
    const dir = workDir();
    const upper = join(dir, "rw");
    mkdirSync(upper);
    chmodSync(upper, 0o755);
    mkdirSync(join(dir, "victim"));
    sh(make, { D: upper, V: join(dir, "victim"), B: "65534" });
    const { status, stderr } = run(["mount", path, emptyDir(), ...BLOBS, "--rw", upper]);
    expect({ status, last: stderr.split("\n").at(-2)?.replaceAll(dir, "DIR") }).toEqual({
      status: 1,
      last: `Error: --rw DIR/rw: ${said}`,
    });
    expect(readdirSync(join(dir, "victim"))).toEqual([]);
  });

  it("is made in no directory that a stranger's link leads to", () => {
    const dir = workDir();
    for (const name of ["shared", "victim"]) mkdirSync(join(dir, name));
    sh('chmod 777 "$D/shared"; ln -s "$D/victim" "$D/shared/link"; chown -h 65534 "$D/shared/link"', {
      D: dir,
    });
    const upper = join(dir, "shared/link/rw");
    const { status, stderr } = run(["mount", path, emptyDir(), ...BLOBS, "--rw", upper]);
    expect({ status, last: stderr.split("\n").at(-2)?.replaceAll(dir, "DIR") }).toEqual({
      status: 1,
      last: "Error: --rw DIR/shared/link/rw: DIR/shared every user may write to it",
    });
    expect(readdirSync(join(dir, "victim"))).toEqual([]);
  });

  it.each(["work/file", "work/work/file"])("is refused when overlayfs would delete its %s", (name) => {
    const upper = workDir();
    mkdirSync(join(upper, dirname(name)), { recursive: true });
    writeFileSync(join(upper, name), "precious");
    const mountpoint = emptyDir();
    const { status, stderr } = run(["mount", ...BLOBS, "--rw", upper, path, mountpoint]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^Error: --rw .* is no overlay's, and overlayfs would delete it: choose another directory$/m,
    );
    expect(readFileSync(join(upper, name), "utf8")).toBe("precious");
    expect(mounts(mountpoint)).toEqual([]);
  });
});

describe("umount of an image that something else is mounted in", () => {
  it("is refused, and names it", async () => {
    const daemon = await writable(["auto"], join(workDir(), "made"));
    const inside = join(daemon.mountpoint, "inside");
    await ask('mkdir "$1"; mount -t tmpfs none "$1"; echo here >"$1/file"', inside);
    const { status, stderr } = run(["umount", daemon.mountpoint]);
    expect([status, stderr]).toEqual([
      1,
      `Error: ${daemon.mountpoint}: something is mounted in it: ${inside}; unmount that first, or all of it with umount -R\n`,
    ]);
    expect(await ask('cat "$1/file"', inside)).toBe("here\n");
    await ask('umount "$1"', inside);
    await umount(daemon);
  });
});

describe.each(MOUNT_BACKENDS)("--rw with --driver %s %s %s", (...words) => {
  const driver = words.filter((word) => word !== undefined);
  it("keeps what was written, renamed and deleted, and finds it again", async () => {
    const upper = join(workDir(), "made");
    const first = await writable(driver, upper);
    expect(first.output()).toMatch(new RegExp(`^ready .* upper=${upper} ms=\\d+$`, "m"));
    const root = await ask('stat -c "%a %u %g" "$1"', first.mountpoint);
    await ask(CHANGE, first.mountpoint);
    const seen = await ask(LOOK, first.mountpoint);
    expect(seen).toContain("link\nmeta\nmoved\nnew\nopq\n");
    await umount(first);
    expect(readdirSync(upper)).toEqual(["upper", "work"]);
    const second = await writable(driver, upper, first.mountpoint);
    expect(await ask(LOOK, second.mountpoint)).toBe(seen);
    expect(await ask('stat -c "%a %u %g" "$1"', second.mountpoint)).toBe(root);
    await umount(second);
  });

  it("takes its place above the image, with the options that were asked for", async () => {
    const daemon = await writable([...driver, "-o", "suid,noexec"], workDir());
    const [below, above] = mounts(daemon.mountpoint);
    expect(below.type).toMatch(/^(erofs|fuse\.nydusd-ts)$/);
    expect(above).toMatchObject({ type: "overlay", source: path });
    const options = await ask('findmnt -no VFS-OPTIONS "$1" | tail -n 1', daemon.mountpoint);
    expect(options).toBe("rw,nodev,noexec,noatime\n");
    await umount(daemon);
  });

  it.each(["a,b", "c:d", "back\\slash", "a b", "\u00e9\u4e2d", "upperdir=x,workdir=y", "q\"'$(id)"])(
    "below and on %j",
    async (name) => {
      const dir = workDir();
      mkdirSync(join(dir, name));
      mkdirSync(join(dir, `${name}.mnt`));
      const daemon = await writable(driver, join(dir, name), join(dir, `${name}.mnt`));
      await ask('echo new >"$1/new"', daemon.mountpoint);
      expect(readdirSync(join(dir, name, "upper"))).toEqual(["new"]);
      await umount(daemon);
    },
  );

  it("mounts nothing when the overlay cannot be made", async () => {
    const dir = workDir();
    await ask('cd "$1"; mkdir l u w o; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w other o', dir);
    const upper = join(dir, "o/changes");
    const mountpoint = emptyDir();
    const args = ["mount", "--driver", ...driver, path, mountpoint, ...BLOBS, "--rw", upper];
    const { status, stdout, stderr } = run(args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(
      new RegExp(`^Error: --rw ${upper}: mount: .*overlayfs writes to no overlayfs`, "m"),
    );
    expect(mounts(mountpoint)).toEqual([]);
  });

  it("says where it cannot write", async () => {
    const { status, stderr } = run([
      ...["mount", "--driver", ...driver, path, emptyDir(), ...BLOBS, "--rw", "/proc/none"],
    ]);
    expect({ status, last: stderr.split("\n").at(-2) }).toEqual({
      status: 1,
      last: expect.stringMatching(/^Error: --rw \/proc\/none: ENOENT: /),
    });
  });
});

describe.each(["direct", "fuse-native"])("a daemon that serves %s below an overlay", (transport) => {
  const serve = (upper: string) => writable(["fuse", "--transport", transport], upper);

  it.each(["SIGTERM", "SIGINT"] as const)("takes both away on %s", async (signal) => {
    const daemon = await serve(workDir());
    await ask('echo new >"$1/new"; cat "$1/dd/again"', daemon.mountpoint);
    expect(await daemon.stop(signal)).toBe(0);
    expect(mounts(daemon.mountpoint)).toEqual([]);
    expect(daemon.output()).not.toMatch(/WARN|ERROR/);
  });

  it("serves a process inside to the end", async () => {
    bePatient();
    const daemon = await serve(workDir());
    const holder = await hold('cd "$1"; exec 3<dd/again', "cat <&3", daemon.mountpoint);
    process.kill(daemon.pid, "SIGTERM");
    await until(() => mounts(daemon.mountpoint).length === 0, "the unmount");
    expect(await holder.release()).toBe("again l3");
    expect(await daemon.exited).toBe(0);
    expect(daemon.output()).toContain("is busy: the overlay is detached");
  });

  it("does not leave its overlay above a dead mount", async () => {
    const daemon = await serve(workDir());
    const image = mounts(daemon.mountpoint)[0].device.split(":")[1];
    await ask(
      'd=$(mktemp -d); mount -t fusectl f "$d"; echo 1 >"$d/$1/abort"; umount "$d"; rmdir "$d"',
      image,
    );
    expect(await daemon.exited).toBe(1);
    expect(mounts(daemon.mountpoint)).toEqual([]);
  });

  it("leaves another mount above it alone", async () => {
    const daemon = await serve(workDir());
    const other = await startFixture("08-nodata", ["--force"], daemon.mountpoint);
    const stopped = daemon.stop();
    await until(() => daemon.output().includes("SIGTERM: unmounting"), "the signal");
    expect(mountAt(daemon.mountpoint)?.source).toBe(fixture("08-nodata").path);
    expect(await other.stop()).toBe(0);
    await stopped;
  });
});

it("--rw works in a user namespace", async () => {
  const dir = workDir();
  mkdirSync(join(dir, "mnt"));
  const script = `${WAIT_FOR}
    dir=$1; shift
    "$@" "$dir/mnt" --rw "$dir/up" >"$dir/log" 2>&1 &
    wait_for grep -q '^ready ' "$dir/log"
    cd "$dir/mnt"; rm -r opq; mkdir opq; echo x >opq/x; ls opq; rm d2f; ls d2f 2>/dev/null || echo gone; cd /
    kill $!; wait $!; echo "status $?"; cat "$dir/log" >&2`;
  const command = [process.execPath, COMMAND, "mount", "--foreground", path, ...BLOBS];
  const { stdout, stderr } = await shell(
    'unshare -Urm timeout 240 bash -euc "$@"',
    script,
    "bash",
    dir,
    ...command,
  );
  expect(stdout, stderr).toBe("x\ngone\nstatus 0\n");
});

it("another daemon's unmount of the overlay alone leaves the image to umount", async () => {
  const daemon = await writable(["fuse"], workDir());
  await ask('umount "$1"', daemon.mountpoint);
  expect(mountAt(daemon.mountpoint)?.type).toBe("fuse.nydusd-ts");
  await umount(daemon);
});

it("a new upper directory takes after the image's root", async () => {
  const upper = workDir();
  const daemon = await writable(["fuse"], upper);
  const { mode, uid, gid } = statSync(join(upper, "upper"));
  const root = fixture("12-merged").entries.find((entry) => entry.path === "/");
  expect({ mode: mode.toString(8).padStart(7, "0"), uid, gid }).toEqual({
    ...{ mode: root?.mode, uid: root?.uid, gid: root?.gid },
  });
  expect(existsSync(join(upper, "work", "work"))).toBe(true);
  await umount(daemon);
});
