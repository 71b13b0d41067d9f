import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, run, start, workDir } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { tarImage } from "../support/tar-image.ts";
import { USER } from "../support/user.ts";

/** `struct vfs_cap_data`, revision 2, effective: CAP_DAC_READ_SEARCH. Source: linux/capability.h. */
const CAN_READ_ALL = "0x0100000204000000000000000000000000000000";
const IMAGE = tarImage(`cp /usr/bin/id id; chmod 4755 id
  cp /usr/bin/cat cat; chmod 755 cat; setfattr -n security.capability -v ${CAN_READ_ALL} cat
  mknod zero c 1 5; chmod 666 zero`);

/** What a user who is not root becomes by a setuid program, reads by a file capability, and what root reads of a device. */
const TRY = `as() { setpriv --reuid ${USER} --regid ${USER} --clear-groups "$@" 2>&1 || true; }
  as "$1/id" -u; as "$1/cat" "$2" | sed 's/.*: //'; (head -c 3 "$1/zero" 2>&1 || true) | tr '\\0' 0 | sed 's/.*: //'`;
const DENIED = "Permission denied";

type Row = [options: readonly string[], id: string, secret: string, zeros: string];
const NOTHING: Row = [[], String(USER), DENIED, DENIED];
const rows: Record<string, readonly Row[]> = {
  alone: [NOTHING, [["-o", "suid"], "0", "secret", DENIED], [["-o", "dev"], String(USER), DENIED, "000"]],
  "below an overlay": [NOTHING, [["-o", "suid,dev"], "0", "secret", "000"]],
};

const drivers: string[][] = [
  ...KERNEL_DRIVERS.map((driver) => [driver]),
  ["fuse", "--transport", "direct"],
  ["fuse", "--transport", "fuse-native"],
];

describe.each(drivers)(
  "--driver %s %s %s: setuid programs, file capabilities and devices of an image",
  (...words) => {
    const driver = words.filter((word) => word !== undefined);
    it.each(Object.keys(rows))("%s are what the mount's options say", async (where) => {
      const secret = join(scratchDir(), "secret");
      writeFileSync(secret, "secret\n", { mode: 0o600 });
      chmodSync(join(secret, ".."), 0o755);
      for (const [options, id, read, zeros] of rows[where]) {
        const dir = workDir();
        chmodSync(dir, 0o755);
        const mountpoint = join(dir, "mnt");
        mkdirSync(mountpoint);
        const overlay = where === "alone" ? [] : ["--rw", join(dir, "changes")];
        const args = ["--blob", `1=${IMAGE.tar}`, ...options, ...overlay];
        const daemon = await start(args, mountpoint, ["mount", "--driver", ...driver, IMAGE.boot]);
        const said = (await ask(TRY, mountpoint, secret)).trim().split("\n");
        expect({ options, said }).toEqual({ options, said: [id, read, zeros] });
        expect(run(["umount", mountpoint]).status).toBe(0);
        expect(await daemon.exited).toBe(0);
      }
    });
  },
);
