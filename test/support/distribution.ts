import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sh } from "./daemon.ts";
import { hasMemory } from "./memory-dir.ts";

/** Kept between runs: made once, some 450 MB. */
const CACHE = fileURLToPath(new URL("../../.cache/distribution/", import.meta.url));
/** Says where this machine has Debian from: it need not reach what others do. */
const ARCHIVE = fileURLToPath(new URL("../debian-archive.sh", import.meta.url));
/** libboost-dev alone brings 15,000 headers. */
const PACKAGES = "python3,perl,libboost-dev,busybox-static";

/** Room that unpacking them takes. */
const BYTES = 2 ** 30;
/** Whoever may mount has them unpacked in memory, away from others: most of the time is the disk's. */
const APART = `unshare --mount sh -euc 'mount -t tmpfs making making/work; exec "$@"' sh env TMPDIR="$C/making/work"`;

/**
 * A Debian root file system as one tar, and its bootstrap by mkfs.erofs: a tar index, 512-byte blocks. Test files run
 * side by side: one makes it, the others wait.
 */
export function distribution(): { boot: string; tar: string } {
  const boot = join(CACHE, "root.boot");
  const tar = join(CACHE, "root.tar");
  if (existsSync(boot)) return { boot, tar };
  mkdirSync(CACHE, { recursive: true });
  const isApart = process.getuid?.() === 0 && hasMemory(BYTES);
  sh(
    `cd "$C"; exec 9>lock; flock 9; [ ! -e root.boot ] || exit 0
     rm -rf making; mkdir -p making/work
     codename=$(. /etc/os-release; echo $VERSION_CODENAME); sources=$(sh "$ARCHIVE")
     ${isApart ? APART : ""} mmdebstrap --quiet --variant=minbase --include=${PACKAGES} "$codename" making/root.tar \
       \${sources:+"\${sources#* }"}
     mkfs.erofs --quiet --tar=i making/root.boot making/root.tar
     mv making/root.tar root.tar; mv making/root.boot root.boot; rm -r making`,
    { C: CACHE, ARCHIVE },
  );
  return { boot, tar };
}
