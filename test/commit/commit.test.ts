import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ask, run, sh, workDir } from "../support/daemon.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { dumpTree, sorted } from "../support/tree.ts";
import { linesOf, unpackedOf } from "../unpackers/compare.ts";
import { Unpackers, unpackersAbsent } from "../unpackers/unpackers.ts";
import { shownAt } from "./shown.ts";
import { mountWritable } from "./writable.ts";

/** A lower layer with one of everything that is changed below. */
const BASE = `mkdir -p bin etc/deep/er opq ren/sub gone/x kind plain; echo base >etc/keep; echo drop >etc/drop; echo meta >etc/meta
  echo one >opq/one; echo two >opq/two; echo sub >ren/sub/file; echo r >ren/r; setfattr -n user.lower -v l ren/r; ln ren/r ren/hard
  echo x >gone/x/y; echo f >kind/file; mkdir kind/dir; echo in >kind/dir/in; ln -s ../etc kind/link; echo d >etc/deep/er/file
  echo l1 >plain/l1; ln plain/l1 plain/l2; echo s >plain/s; chmod 4755 plain/s`;

/** Changes of every kind that overlayfs has. */
const CHANGE = `cd "$1"; umask 022
  echo new >new; echo more >>etc/keep; rm etc/drop; chmod 600 etc/meta; chown 7:8 etc/meta; rm -r opq; mkdir opq; echo three >opq/three
  mv ren renamed; rm -r gone; rm kind/file; mkdir kind/file; echo in >kind/file/in; rm -r kind/dir; echo file >kind/dir; rm kind/link; ln -s nowhere kind/link
  mkdir -m 1777 made; ln new made/hard; ln -s ../new made/symlink; ln made/symlink made/symlink2; mkfifo made/fifo; mknod made/null c 1 3; mknod made/big b 4095 1048575
  mkdir again; rmdir again; echo l >plain/l1; rm plain/l2; chown 12345678:3000000 new
  setfattr -n user.any -v 0x00ff3d25 new; setfattr -n trusted.mine -v t new; setfattr -n security.selinux -v host new; setcap cap_net_raw+ep plain/s
  setfattr -n user.dir -v d made; setfattr -h -n trusted.link -v s made/symlink
  truncate -s 300000 made/sparse; printf end >>made/sparse; head -c 2000001 /dev/urandom | base64 >made/large
  printf u >"made/$(printf 'not utf-8 \\351')"; printf n >"made/$(printf 'new\\nline')"; d=made/$(printf '%0120d' 1); mkdir "$d"; printf 1 >"$d/$(printf '%0200d' 2)"; ln -s "$(printf '%0300d' 3)" made/far
  touch -d '1969-12-31 23:59:58.25 UTC' made/old; touch -d '2300-01-01 00:00:00.123456789 UTC' made/future; touch -h -d @1700000000.5 made/symlink
  : >made/empty; mkdir -m 0 made/shut; chmod 711 .; touch -d @1600000000.000000001 etc .`;

/** What overlayfs has noted that only some modes do. */
const marksIn = (upper: string): string[] =>
  sh(
    'getfattr -Rdhm - "$U" 2>/dev/null | sed -n "s/^trusted.overlay.\\(redirect\\|metacopy\\).*/\\1/p" | sort -u',
    { U: upper },
  )
    .split("\n")
    .filter(Boolean);

const DRIVERS = [...KERNEL_DRIVERS.slice(0, 1), "fuse"];
/** Of overlayfs: directories can be renamed, and attributes changed without copying what is in a file. */
const MODES = ["", "redirect_dir=on,metacopy=on"];

describe.each(DRIVERS)("changes above %s", (driver) => {
  it.each(MODES)("become a layer that shows the same tree again (%s)", async (mode) => {
    const mount = await mountWritable(BASE, { driver, mode });
    await ask(CHANGE, mount.mountpoint);
    if (mode !== "") expect(marksIn(mount.upper)).toEqual(["metacopy", "redirect"]);
    const want = shownAt(mount.mountpoint);
    const layer = join(mount.dir, "layer.tar");
    const made = run(["commit", mount.mountpoint, "-o", layer]);
    expect(made).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^.*layer\.tar: \d+ entries, \d+ bytes, sha256:[0-9a-f]{64}\n$/),
      stderr: "",
    });
    mount.unmount();
    const again = mount.show([mount.base, layer]);
    expect(shownAt(again)).toEqual(want);
  });
});

describe("the layer", () => {
  needs(unpackersAbsent());
  const unpackers = new Unpackers();
  afterAll(() => unpackers.close());

  it.each(MODES)("is applied by containerd and umoci to the same tree (%s)", async (mode) => {
    const mount = await mountWritable(BASE, { driver: DRIVERS[0] ?? "fuse", mode });
    await ask(CHANGE, mount.mountpoint);
    // JSON has no such names, a file system below the test no such devices, one of the two no such times.
    await ask('rm "$1"/made/not* "$1/made/big" "$1/made/future" "$1/made/old"', mount.mountpoint);
    const layer = join(mount.dir, "layer.tar");
    expect(run(["commit", mount.mountpoint, "-o", layer]).status).toBe(0);
    const entries = unpackedOf(sorted(dumpTree(mount.mountpoint)), (_, path) =>
      readFileSync(mount.mountpoint + path),
    );
    const want = linesOf({ entries });
    const scratch = join(mount.dir, "scratch");
    mkdirSync(scratch);
    const { containerd, umoci } = await unpackers.unpack(scratch, [mount.base, layer]);
    expect(linesOf(umoci) ?? umoci.refused).toEqual(want);
    expect(linesOf(containerd) ?? containerd.refused).toEqual(want);
  });

  it("is added to an image by umoci", async () => {
    const mount = await mountWritable(BASE);
    await ask(CHANGE, mount.mountpoint);
    const layer = join(mount.dir, "layer.tar");
    expect(run(["commit", mount.mountpoint, "-o", layer]).status).toBe(0);
    const want = sh(
      'cd "$M" && find . -mindepth 1 -printf "%p %y %m %U:%G %s %l\\n" | grep -v " d " | sort',
      { M: mount.mountpoint },
    );
    sh(
      'cd "$D"; umoci init --layout img; umoci new --image img:a; for l in "$B" "$L"; do umoci raw add-layer --image img:a "$l"; done; umoci raw unpack --image img:a rootfs',
      {
        ...{ D: mount.dir, B: mount.base, L: layer },
      },
    );
    const got = sh(
      'cd "$D/rootfs" && find . -mindepth 1 -printf "%p %y %m %U:%G %s %l\\n" | grep -v " d " | sort',
      { D: mount.dir },
    );
    expect(got).toBe(want);
  });
});

describe("commit", () => {
  it("says by markers what is gone, in the order of bytes", async () => {
    const mount = await mountWritable("mkdir d o; touch d/a d/b d/c o/x");
    await ask(
      'cd "$1"; rm d/b; rm -r o; mkdir o; echo >o/y; echo >d/aa; touch -d @0 d o . d/aa o/y',
      mount.mountpoint,
    );
    const tar = run(["commit", mount.mountpoint, "-o", "-"]);
    expect(tar.status).toBe(0);
    const names = execFileSync("tar", ["-t"], { input: tar.stdout }).toString().split("\n");
    expect(names).toEqual(["./", "d/", "d/aa", "d/.wh.b", "o/", "o/.wh..wh..opq", "o/y", ""]);
    expect(run(["commit", mount.mountpoint, "-o", "-"]).stdout).toBe(tar.stdout);
  });

  it("knows whiteouts that are attributes, as other tools make them", async () => {
    const mount = await mountWritable("mkdir d; touch d/a d/b", {
      changes:
        'mkdir "$U/d"; : >"$U/d/a"; setfattr -n trusted.overlay.whiteout "$U/d/a"; setfattr -n trusted.overlay.opaque -v x "$U/d"',
    });
    const tar = run(["commit", mount.mountpoint, "-o", "-"]);
    expect(execFileSync("tar", ["-t"], { input: tar.stdout }).toString()).toBe("./\nd/\nd/.wh.a\n");
  });

  it("compresses, and says both digests", async () => {
    const mount = await mountWritable("touch a");
    await ask('echo hello >"$1/b"', mount.mountpoint);
    const [plain, packed] = [join(mount.dir, "l.tar"), join(mount.dir, "l.tar.gz")];
    const tar = run(["commit", mount.mountpoint, "-o", plain]);
    const gzip = run(["commit", mount.mountpoint, "--gzip", "-o", packed]);
    const [, digest] = /(sha256:[0-9a-f]{64})$/m.exec(tar.stdout) ?? [];
    const { size } = lstatSync(packed);
    const sum = sh('sha256sum <"$F" | cut -d" " -f1', { F: packed }).trim();
    expect(gzip.stdout).toBe(`${packed}: 2 entries, ${size} bytes, sha256:${sum}, diff id ${digest}\n`);
    expect(sh('gzip -dc "$F" | cmp - "$P" && echo same', { F: packed, P: plain })).toBe("same\n");
    run(["commit", mount.mountpoint, "--gzip", "-o", plain]);
    expect(readFileSync(plain)).toEqual(readFileSync(packed));
  });

  it("takes any path in the mount, and leaves out what is mounted in it", async () => {
    const mount = await mountWritable("mkdir sub");
    await ask(
      'echo x >"$1/sub/x"; chmod 755 "$1/sub"; mount -t tmpfs none "$1/sub"; echo hidden >"$1/sub/hidden"',
      mount.mountpoint,
    );
    const tar = run(["commit", join(mount.mountpoint, "sub/x"), "-o", "-"]);
    expect(execFileSync("tar", ["-t"], { input: tar.stdout }).toString()).toBe("./\nsub/\nsub/x\n");
  });

  it("is told where changes are whose path the mount does not show", async () => {
    const changes = join(workDir(), "a,b c");
    const mount = await mountWritable("touch a", { rw: changes });
    await ask('echo x >"$1/b"', mount.mountpoint);
    const untold = run(["commit", mount.mountpoint, "-o", "-"]);
    expect(untold.status).toBe(1);
    expect(untold.stderr).toBe(
      `Error: ${mount.mountpoint}: the mount does not show where its changes are: say so by --rw DIR, as it was mounted\n`,
    );
    expect(run(["commit", mount.mountpoint, "--rw", changes, "-o", "-"]).status).toBe(0);
    const other = workDir();
    mkdirSync(join(other, "upper"));
    const wrong = run(["commit", mount.mountpoint, "--rw", other, "-o", "-"]);
    expect(wrong).toEqual({
      status: 1,
      stdout: "",
      stderr: `Error: ${other} has not the changes of ${mount.mountpoint}\n`,
    });
  });

  it("refuses what only an index knows: a change that shows under names of the lower layer", async () => {
    const mount = await mountWritable("echo a >a; ln a b", { mode: "index=on" });
    await ask('echo more >>"$1/a"; cmp "$1/a" "$1/b"', mount.mountpoint);
    const { status, stderr } = run(["commit", mount.mountpoint, "-o", "-"]);
    const problem =
      "what was changed shows under 1 more names, which only overlayfs's index knows: mount with index=off";
    expect({ status, stderr }).toEqual({ status: 1, stderr: `Error: a: ${problem}\n` });
  });

  it("leaves sockets out, and says so", async () => {
    const mount = await mountWritable("touch a");
    await ask(
      'cd "$1"; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\\"s\\")"',
      mount.mountpoint,
    );
    const { status, stderr } = run(["commit", mount.mountpoint, "-o", join(mount.dir, "l.tar")]);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: "warning: s: a socket, left out: a tar cannot hold one\n",
    });
  });

  it("keeps no file of another one's that it is told to write to when it fails", async () => {
    const mount = await mountWritable("touch a");
    await ask('touch "$1/.wh.b"', mount.mountpoint);
    const layer = join(mount.dir, "l.tar");
    writeFileSync(layer, "old");
    const { status, stderr } = run(["commit", mount.mountpoint, "-o", layer]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: "Error: .wh.b: no layer can have it: of a name with .wh. it says that something is gone\n",
    });
    expect(readFileSync(layer, "utf8")).toBe("old");
    expect(sh('ls -A "$D" | grep -c tmp || true', { D: mount.dir })).toBe("0\n");
  });
});
