import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { build } from "../mkfs/support.ts";
import { mountErofs, sh, start, workDir } from "../support/daemon.ts";
import { distribution } from "../support/distribution.ts";

describe("a Debian root file system of 20,000 files and more", () => {
  it("is what the kernel's EROFS shows, and its programs run under overlayfs", async () => {
    const { boot, tar } = distribution();
    const daemon = await start(["-B", boot, "--blob", `1=${tar}`, "--log-level", "warn"]);
    const oracle = join(workDir(), "erofs");
    mkdirSync(oracle);
    mountErofs(boot, [tar], oracle);
    const M = daemon.mountpoint;

    expect(Number(sh('find "$M" | wc -l', { M }))).toBeGreaterThan(20_000);
    expect(sh('rsync -naHAX --delete --checksum --itemize-changes "$O/" "$M/"', { M, O: oracle })).toBe("");

    const work = workDir();
    sh(
      'cd "$W"; mkdir up work root; mount -t overlay -o "lowerdir=$M,upperdir=up,workdir=work" overlay root',
      {
        M,
        W: work,
      },
    );
    const chroot = (script: string) =>
      sh(`chroot "$R" /bin/bash -euc '${script}'`, { R: join(work, "root") });
    expect(chroot('python3 -c "import json, ssl, sqlite3; print(json.dumps(sum(range(10))))"')).toBe("45\n");
    expect(chroot('perl -e "use POSIX; print POSIX::floor(3.7)"')).toBe("3");
    expect(chroot('busybox sha256sum /etc/passwd | cut -d" " -f1')).toBe(
      chroot('sha256sum </etc/passwd | cut -d" " -f1'),
    );
    expect(Number(chroot("dpkg -l | grep -c ^ii"))).toBeGreaterThan(80);
    chroot("echo changed >> /etc/hostname; rm -r /usr/include/boost/asio; mkdir /usr/include/boost/asio");
    expect(chroot("ls /usr/include/boost/asio | wc -l")).toBe("0\n");
    expect(sh('ls "$M/usr/include/boost/asio" | wc -l', { M })).not.toBe("0\n");
    sh('umount "$W/root"', { W: work });
    expect(await daemon.stop()).toBe(0);
  });

  it("is the same when nydus-image-ts indexes it", async () => {
    const { boot, tar } = distribution();
    const { bootstrap, warnings } = await build(tar);
    const dir = workDir();
    for (const [name, made] of Object.entries({ ours: bootstrap, theirs: boot })) {
      mkdirSync(join(dir, name));
      mountErofs(made, [tar], join(dir, name));
    }
    expect(sh('rsync -naHAX --delete --checksum --itemize-changes "$D/ours/" "$D/theirs/"', { D: dir })).toBe(
      "",
    );
    expect(Number(sh('find "$D/ours" | wc -l', { D: dir }))).toBeGreaterThan(20_000);
    sh('fsck.erofs --device="$T" "$B"', { T: tar, B: bootstrap });
    expect(warnings).toEqual([]);
  });
});
