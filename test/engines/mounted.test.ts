import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { base, changes } from "../support/containers/images.ts";
import { libpodIn, makeBundle, NO_OTHERS, withEngines } from "../support/containers/other-engines.ts";
import { run, sh, workDir } from "../support/daemon.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";

/** What each engine runs in the image: whiteouts, an opaque directory, and a change of its own. */
const SCRIPT =
  "cat /opt/kept/a; ls /opt/opaque; test -e /opt/gone || echo gone; echo mine >/opt/mine; cat /opt/mine";
const SAID = "second\nnew\ngone\nmine\n";
/** Of this process, so that what others run has other names. */
const NAME = `nydusd-ts-engines-${process.pid}`;

interface Mounted {
  readonly dir: string;
  readonly at: string;
  readonly unmount: () => string;
}

/** @param rw whether changes are kept, in `changes` */
function mounted(driver: string, at: string, dir: string, rw: boolean): Mounted {
  const more = tarOf([
    { name: "usr/", type: "5" },
    { name: "etc/os-release", data: "ID=test\n" },
  ]);
  const layers = [base(), changes(), more].map((tar, i) => {
    const path = join(dir, `${i}.tar`);
    writeFileSync(path, tar);
    return path;
  });
  const kept = rw ? ["--rw", join(dir, "changes")] : [];
  const words = ["--driver", driver, "--cache-dir", join(dir, "cache"), "-o", "suid,dev", ...kept];
  const { status, stderr } = run(["mount", ...words, ...layers, at]);
  if (status !== 0) throw new Error(stderr);
  return { dir, at, unmount: () => run(["umount", at]).stdout };
}

function mountedAt(driver: string, rw: boolean): Mounted {
  const dir = workDir();
  mkdirSync(join(dir, "rootfs"));
  return mounted(driver, join(dir, "rootfs"), dir, rw);
}

function bundled(driver: string): Mounted {
  const dir = workDir();
  makeBundle(dir, ["/bin/sh", "-euc", SCRIPT]);
  return mounted(driver, join(dir, "rootfs"), dir, true);
}

describe.each([...KERNEL_DRIVERS.slice(0, 1), "fuse"])("an image that %s shows is run by", (driver) => {
  needs(NO_OTHERS);

  it("runc, from a bundle whose changes are kept", async () => {
    const { dir, at, unmount } = bundled(driver);
    const done = await withEngines('cd "$1"; runc --root "$1/runc" run "$2"', dir, `${NAME}-runc`);
    expect(done).toEqual({ status: 0, stdout: SAID, stderr: "" });
    const layer = join(dir, "layer.tar");
    expect(run(["commit", at, "-o", layer]).status).toBe(0);
    expect(sh('tar -xOf "$L" opt/mine', { L: layer })).toBe("mine\n");
    expect(unmount()).toBe(`${at}: unmounted\n`);
  });

  it("crun, from a bundle whose changes are kept", async () => {
    const { dir, at, unmount } = bundled(driver);
    // It wants one version of cgroups only, and this host may have both.
    const script =
      'cd "$1"; umount /sys/fs/cgroup/unified 2>/dev/null || :; exec crun --root "$1/crun" --cgroup-manager=disabled run "$2"';
    const done = await withEngines(
      `exec unshare --mount bash -euc '${script}' bash "$@"`,
      dir,
      `${NAME}-crun`,
    );
    expect(done).toEqual({ status: 0, stdout: SAID, stderr: "" });
    expect(existsSync(join(dir, "changes/upper/opt/mine"))).toBe(true);
    expect(unmount()).toBe(`${at}: unmounted\n`);
  });

  it("podman, with changes that nobody keeps", async () => {
    const { dir, at, unmount } = mountedAt(driver, false);
    const { podman } = libpodIn(dir, NAME);
    const words = ["run", "--rm", "--network", "none", "--rootfs", `${at}:O`, "/bin/sh", "-euc", SCRIPT];
    const done = await withEngines('"$@"', ...podman, ...words);
    expect(done).toEqual({ status: 0, stdout: SAID, stderr: "" });
    expect(existsSync(join(at, "opt/mine"))).toBe(false);
    expect(unmount()).toBe(`${at}: unmounted\n`);
  });

  it("systemd-nspawn, with changes that nobody keeps", async () => {
    const { at, unmount } = mountedAt(driver, false);
    const words = [
      "-q",
      "--register=no",
      "--keep-unit",
      "--volatile=overlay",
      "--pipe",
      "-M",
      `${NAME}-nspawn`,
    ];
    const done = await withEngines('systemd-nspawn "$@"', ...words, "-D", at, "/bin/sh", "-euc", SCRIPT);
    expect({ status: done.status, stdout: done.stdout }).toEqual({ status: 0, stdout: SAID });
    expect(existsSync(join(at, "opt/mine"))).toBe(false);
    expect(unmount()).toBe(`${at}: unmounted\n`);
  });

  it("bubblewrap, read-only and with changes that are kept", async () => {
    for (const [rw, bind, script, said] of [
      [
        false,
        "--ro-bind",
        SCRIPT.replace("; echo mine >/opt/mine; cat /opt/mine", ""),
        SAID.replace("mine\n", ""),
      ],
      [true, "--bind", SCRIPT, SAID],
    ] as const) {
      const { at, unmount } = mountedAt(driver, rw);
      const words = [
        bind,
        at,
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--unshare-pid",
        "/bin/sh",
        "-euc",
        script,
      ];
      const done = await withEngines('bwrap "$@"', ...words);
      expect(done).toEqual({ status: 0, stdout: said, stderr: "" });
      expect(existsSync(join(at, "opt/mine"))).toBe(rw);
      expect(unmount()).toBe(`${at}: unmounted\n`);
    }
  });
});
