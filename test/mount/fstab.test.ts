import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { emptyDir, run, sh, shell, workDir } from "../support/daemon.ts";
import { NO_KERNEL_DRIVER } from "../support/kernel.ts";

const BIN = fileURLToPath(new URL("../../bin", import.meta.url));
const hasFuse3 = sh("command -v mount.fuse3 || true") !== "";

/**
 * Runs a script where the program is installed as an administrator has it, in a mount namespace whose /run, /sbin and
 * /var/log have what they should: `$D` has a tar, `$M` and `$N` are directories.
 */
async function installed(script: string) {
  const dir = workDir();
  sh('cd "$D"; mkdir t m n; echo hello >t/f; tar -C t -cf l.tar f; cp l.tar "a b.tar"', { D: dir });
  const before = `D=$1 M=$1/m N=$1/n BIN=$2; export XDG_CACHE_HOME=$D/cache
    for d in /run /var/log /usr/local/sbin; do mount -t tmpfs none "$d"; done; ln -s "$BIN/nydusd-ts.mjs" /usr/local/sbin/nydusd-ts
    mkdir "$D/sbin"; cp -a /sbin/mount.fuse* "$D/sbin"; ln -s "$BIN/mount.nydusd-ts" "$D/sbin/"; mount --bind "$D/sbin" "$(readlink -f /sbin)" 2>/dev/null || true
    shows() { findmnt -no SOURCE,FSTYPE,VFS-OPTIONS "$1"; cat "$1/f"; nydusd-ts umount "$1"; }`;
  const { stdout, stderr, status } = await shell(
    'unshare -m --propagation private bash -c "$@"',
    ...[`${before}\n${script}`, "bash", dir, BIN],
  );
  const said = (text: string) => text.replaceAll(dir, "DIR").replace(/^(\{"time|\[20).*\n/gm, "");
  return {
    stdout: said(stdout)
      .replace(/^ready .*\n/gm, "")
      .replace(/ +/g, " "),
    stderr: said(stderr),
    status,
  };
}

const READ_ONLY = "ro,nosuid,nodev,noatime";
const types = ["nydusd-ts", ...(hasFuse3 ? ["fuse.nydusd-ts"] : [])];

describe.each(types)("mount -t %s", (type) => {
  it.each<[options: string, flags: string]>([
    ["driver=fuse", READ_ONLY],
    ["defaults,driver=fuse", READ_ONLY],
    ["ro,nofail,_netdev,x-systemd.automount,comment=c,driver=fuse", READ_ONLY],
    ["noauto,user,driver=fuse", "ro,nosuid,nodev,noexec,noatime"],
    ["allow_suid,driver=fuse", "ro,nodev,noatime"],
    ...(NO_KERNEL_DRIVER === undefined ? [["rw,driver=erofs", READ_ONLY] as [string, string]] : []),
  ])("-o %s", async (options, flags) => {
    const { stdout, stderr, status } = await installed(
      `mount -t ${type} "$D/l.tar" "$M" -o ${options} && shows "$M"`,
    );
    const driver = options.includes("erofs") ? "erofs" : "fuse.nydusd-ts";
    expect({ stdout, status }, stderr).toEqual({
      stdout: `DIR/l.tar ${driver} ${flags}\nhello\nDIR/m: unmounted\n`,
      status: 0,
    });
  });

  it("without options, and with a space in the name", async () => {
    const { stdout, status } = await installed(
      `mount -t ${type} "$D/a b.tar" "$M" && cat "$M/f" && findmnt -no SOURCE "$M"; umount "$M"`,
    );
    expect([status, stdout]).toEqual([0, "hello\nDIR/a b.tar\n"]);
  });

  it("upper= makes it writable, and umount takes all of it", async () => {
    const { stdout, stderr, status } = await installed(
      `mount -t ${type} "$D/l.tar" "$M" -o "upper=$D/changes" && echo new >"$M/g" && findmnt -no SOURCE "$M"; ls "$D/changes/upper"; cd "$M"; nydusd-ts umount ../m/; cd /; findmnt "$M" || echo none`,
    );
    expect({ stdout, status }, stderr).toEqual({
      stdout: "DIR/l.tar\nDIR/l.tar\ng\n../m/: unmounted\nnone\n".replace(
        "../m/: unmounted",
        "../m/: busy: detached; the mount ends when no process uses it any more",
      ),
      status: 0,
    });
  });

  it("names what it does not know, and mounts nothing", async () => {
    const { stdout, stderr, status } = await installed(
      `mount -t ${type} "$D/l.tar" "$M" -o ro,bogus=1; s=$?; findmnt "$M"; exit $s`,
    );
    expect({ stdout, stderr, status }).toEqual({
      stdout: "",
      stderr: expect.stringMatching(/^Error: -o bogus=1: neither/),
      status: 2,
    });
  });

  it("a table of file systems: each line is mounted once, and mounted read-only again", async () => {
    const lines = `"$D/l.tar $M ${type} ro,nofail,x-systemd.automount,driver=fuse 0 0" "$D/l.tar $N ${type} defaults 0 0"`;
    const { stdout, stderr, status } = await installed(
      `printf '%s\\n' ${lines} >"$D/fstab"; findmnt --verify --tab-file "$D/fstab" | grep -c '\\[E\\]'
       mount -a -T "$D/fstab"; echo $?; mount -a -T "$D/fstab"; echo $?; findmnt -rno TARGET | grep -c "$D/[mn]$"
       for how in "$M" "$N" "-T $D/fstab $M" "-T $D/fstab $N"; do mount -o remount,ro $how; echo $?; done; mount -T "$D/fstab" -o remount,ro,noexec "$M"
       findmnt -no VFS-OPTIONS "$M"; cat "$M/f" "$N/f"; umount "$M" "$N"; echo $?`,
    );
    expect({ stdout, status }, stderr).toEqual({
      stdout: `0\n0\n0\n2\n0\n0\n0\n0\nro,nosuid,nodev,noexec,noatime\nhello\nhello\n0\n`,
      status: 0,
    });
  });
});

describe("two plain arguments are mount", () => {
  it.each([
    ["IMAGE DIR", '"$D/l.tar" "$M"'],
    ["options before", '--driver fuse -o noexec "$D/l.tar" "$M"'],
    ["options between and behind", '"$D/l.tar" --driver=fuse "$M" -o nofail,ro'],
    ["several layers", '"$D/l.tar" "$D/a b.tar" "$M"'],
    ["by a relative name", '-o driver=fuse l.tar "$M"'],
  ])("%s", async (_, words) => {
    const { stdout, stderr } = await installed(
      `cd "$D"; nydusd-ts ${words} && cat "$M/f" && nydusd-ts umount "$M"`,
    );
    expect(stdout, stderr).toBe("hello\nDIR/m: unmounted\n");
  });

  it.each([["foo"], ["foo", "/mnt"], ["mounted", "a"]])("but not %s %s", (...words) =>
    expect(run(words)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^Error: unknown command "/),
    }),
  );
});

it("the helper takes mount(8)'s own flags", async () => {
  const { stdout } = await installed(
    'h=$BIN/mount.nydusd-ts; "$h" "$D/l.tar" "$M" -f -o ro; findmnt "$M"; "$h" "$D/l.tar" "$M" -sv -n -N /proc/1/ns/mnt -o ro,driver=fuse -t nydusd-ts && cat "$M/f"; umount "$M"',
  );
  expect(stdout).toBe("hello\n");
  const link = join(emptyDir(), "mount.nydusd-ts");
  symlinkSync(join(BIN, "mount.nydusd-ts"), link);
  const dir = emptyDir();
  mkdirSync(join(dir, "m"));
  writeFileSync(join(dir, "x"), "");
  expect((await shell('"$1" /none "$2" || echo $?', link, dir)).stdout).toBe("1\n");
});
