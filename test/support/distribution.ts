import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sh } from "./daemon.ts";

/** Kept between runs: made once, some 300 MB. */
const CACHE = fileURLToPath(new URL("../../.cache/distribution/", import.meta.url));
/** libboost-dev alone brings 15,000 headers. */
const PACKAGES = "python3,perl,libboost-dev,busybox-static";

/**
 * A Debian root file system as one tar, and its bootstrap by mkfs.erofs: a tar index, 512-byte blocks. Test files run
 * side by side: one makes it, the others wait.
 */
export function distribution(): { boot: string; tar: string } {
  const boot = join(CACHE, "root.boot");
  const tar = join(CACHE, "root.tar");
  if (existsSync(boot)) return { boot, tar };
  mkdirSync(CACHE, { recursive: true });
  sh(
    `cd "$C"; exec 9>lock; flock 9; [ ! -e root.boot ] || exit 0
     rm -rf making; mkdir making
     mmdebstrap --quiet --variant=minbase --include=${PACKAGES} "$(. /etc/os-release; echo $VERSION_CODENAME)" making/root.tar
     mkfs.erofs --quiet --tar=i making/root.boot making/root.tar
     mv making/root.tar root.tar; mv making/root.boot root.boot; rmdir making`,
    { C: CACHE },
  );
  return { boot, tar };
}
