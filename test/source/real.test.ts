import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { COMMAND, emptyDir, run, sh, start, workDir } from "../support/daemon.ts";
import { distribution } from "../support/distribution.ts";
import { memoryDir } from "../support/memory-dir.ts";

const PACKAGES = join(dirname(COMMAND), "../../node_modules");
/** What all that is made of it takes. */
const BYTES = 3 * 2 ** 30;

/**
 * An image as people have them: Debian with python, numpy and pandas, as the wheels hold them that pip finds, the packages
 * that are installed here, but for programs, and a layer of changes, as umoci makes it of what was done to the unpacked
 * image. `want` is what it was made of. Nothing of it is pip's to install: it would look at what this machine has.
 */
const MAKE = `cd "$W"; umoci init --layout oci; umoci new --image oci:app
  umoci raw add-layer --image oci:app "$ROOT"
  V=$(tar -tf "$ROOT" | sed -n 's#^\\./usr/bin/python\\(3\\.[0-9]*\\)$#\\1#p')
  pip3 download --quiet --disable-pip-version-check --dest wheels --python-version "$V" --only-binary=:all: numpy pandas
  packages=l2/usr/local/lib/python$V/dist-packages; mkdir -p "$packages"
  for wheel in wheels/*; do python3 -m zipfile -e "$wheel" "$packages"; done
  tar -C l2 --owner=0 --group=0 -cf l2.tar .; rm -r l2 wheels
  mkdir -p l3/usr/lib/node_modules
  tar -C "$PACKAGES" --exclude=./@biomejs --exclude=./@typescript --exclude=./@rolldown -c . | tar -C l3/usr/lib/node_modules -x
  tar -C l3 --owner=0 --group=0 -cf l3.tar .; rm -r l3
  for tar in l2.tar l3.tar; do umoci raw add-layer --image oci:app $tar; rm $tar; done
  umoci unpack --image oci:app want; touch stamp
  (cd want/rootfs
   rm -r usr/share/doc usr/include/boost/asio; mkdir usr/include/boost/asio; echo mine >usr/include/boost/asio/mine.hpp
   rm usr/bin/perl; ln -s busybox usr/bin/perl
   chmod 700 usr/lib/node_modules; rm -r usr/lib/node_modules/zod; echo x >usr/lib/node_modules/zod
   ln etc/hostname etc/hostname-too; rm etc/issue; mkdir etc/issue; echo x >"etc/$(printf 'n\\303\\244me \\n')"
   # umoci rounds times of headers that have only seconds.
   find . -newer ../../stamp ! -type d -exec touch -h -d @1700000000 {} +)
  umoci repack --image oci:app want
  skopeo --insecure-policy copy -q oci:oci:app docker-archive:app.tar:app:1`;

let dir = "";
beforeAll(() => {
  dir = memoryDir(BYTES);
  sh(MAKE, { W: dir, ROOT: distribution().tar, PACKAGES });
}, 900_000);

/** What differs from what umoci packed; its directories have the times of their last change. */
const difference = (mountpoint: string) =>
  sh('rsync -naHAX -O --delete --checksum --itemize-changes "$T/want/rootfs/" "$M/"', {
    T: dir,
    M: mountpoint,
  });

describe("an image of Debian, python, numpy, pandas, packages of npm, and changes", () => {
  it.each([
    ["OCI layout", "oci", "0"],
    ["docker archive", "app.tar", "4"],
  ])("%s: by the kernel and by FUSE, it is what umoci packed", async (_, name, inArchive) => {
    const cache = join(workDir(), "cache");
    const source = join(dir, name);
    const kernel = emptyDir();
    expect(run(["mount", "--driver", "erofs", source, kernel, "--cache-dir", cache])).toMatchObject({
      status: 0,
    });
    expect(Number(sh('find "$M" | wc -l', { M: kernel }))).toBeGreaterThan(30_000);
    expect(difference(kernel)).toBe("");
    expect(run(["umount", kernel]).status).toBe(0);
    // Tars that lie in the archive are not extracted.
    expect(
      sh('find "$C/blobs" -type f | cut -c1-999 | sed "s#.*/##; s#[.].*##" | sort -u | wc -l', { C: cache }),
    ).toBe(inArchive === "0" ? "4\n" : "0\n");
    const daemon = await start(["--cache-dir", cache, "--log-level", "warn"], emptyDir(), [
      "mount",
      "--driver",
      "fuse",
      source,
    ]);
    expect(difference(daemon.mountpoint)).toBe("");
    expect(await daemon.stop()).toBe(0);
  });

  it("runs its programs under --rw", async () => {
    const work = workDir();
    const mountpoint = join(work, "mnt");
    mkdirSync(mountpoint);
    const args = ["--cache-dir", join(work, "cache"), "--rw", join(work, "upper")];
    expect(run(["mount", join(dir, "app.tar"), mountpoint, ...args])).toMatchObject({ status: 0 });
    const chroot = (script: string) => sh(`chroot "$M" /bin/bash -euc '${script}'`, { M: mountpoint });
    const program = "import pandas; print(pandas.DataFrame({1: [1, 2, 3]}).sum()[1])";
    expect(chroot(`python3 -c "${program}"; echo new >/etc/added`)).toBe("6\n");
    expect(run(["umount", mountpoint]).status).toBe(0);
    expect(sh('cat "$W/upper/upper/etc/added"', { W: work })).toBe("new\n");
  });
});
