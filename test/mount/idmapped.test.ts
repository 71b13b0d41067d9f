import { chmodSync, mkdirSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ask, run, start, workDir } from "../support/daemon.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { perl } from "../support/perl.ts";
import { tarImage } from "../support/tar-image.ts";

const [MAJOR, MINOR] = release().split(".").map(Number);
needs(
  MAJOR > 6 || (MAJOR === 6 && MINOR >= 12) ? undefined : "FUSE before Linux 6.12 has no idmapped mounts",
);

/** `setfacl -m u:1000:r` on mode 600. */
const ACL = "0x0200000001000600ffffffff02000400e803000004000000ffffffff10000400ffffffff20000000ffffffff";

/** What each user may see of it, by the kernel's own file system, too. */
const IMAGE = tarImage(`umask 022; mkdir d; echo all > all; echo own > own; echo group > group; echo acl > acl
  chown 1000:1000 own; chmod 600 own; chown 0:1000 group; chmod 640 group; chmod 600 acl
  setfattr -n system.posix_acl_access -v ${ACL} acl
  setfattr -n user.u -v u all; setfattr -n trusted.t -v t all; ln -s all link`);

/** @returns what callers find: root, and users of the host and of a container whose ids are 100000 higher */
const LOOK = `cd /
  as() { local id=$1; shift; setpriv --reuid "$id" --regid "$id" --clear-groups -- "$@" 2>&1 | sed "s|.*: ||" || true; }
  for dir in "$1" "$2"; do
    (cd "$dir"; stat -c "%n %u:%g %a" .  * | sort; getfattr -d -m - all; getfattr -e hex -n system.posix_acl_access acl; cat link)
    for id in 1000 100000 101000; do
      for name in all own group acl d; do echo "$id $name: $(as "$id" cat "$dir/$name")"; done
      echo "$id xattrs: $(as "$id" getfattr -m - --absolute-names "$dir/all" | grep -v "^#" | paste -sd " ")"
    done
  done; umount "$2"`;

it("an idmapped mount of an image shows what the kernel's own EROFS shows there", async () => {
  const dir = workDir();
  chmodSync(dir, 0o755);
  const look = async (mountpoint: string): Promise<string> => {
    const mapped = join(dir, "mapped");
    mkdirSync(mapped, { recursive: true });
    await ask('perl -e "$1" "$2" "$3"', perl.idmapped, mountpoint, mapped);
    return ask(LOOK, mountpoint, mapped);
  };
  const plain = join(dir, "plain");
  mkdirSync(plain);
  const { mountpoint, stop } = await start(IMAGE.flags, plain);
  const seen = await look(mountpoint);
  await stop();
  expect(seen).toContain("own 101000:101000 600");
  expect(seen).toContain("101000 own: own");
  expect(seen).toContain('trusted.t="t"');
  for (const driver of KERNEL_DRIVERS) {
    const { status, stderr } = run([
      "mount",
      "--driver",
      driver,
      IMAGE.boot,
      plain,
      "--blob",
      `1=${IMAGE.tar}`,
    ]);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(await look(plain)).toBe(seen);
    await ask('umount "$1"', plain);
  }
});
