import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ask, blobFlags, COMMAND, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

const { path, devices } = fixture("12-merged");

/** Mounts with a bounding set of these alone, reads, and unmounts with all that there are. */
const SCRIPT = `${WAIT_FOR}; caps=$1 node=$2 command=$3 mnt=$4; shift 4
  setpriv --bounding-set="-all$caps" "$node" "$command" mount --log-format text "$@" "$mnt" >"$mnt.log" 2>&1 & pid=$!
  wait_for grep -Eq '^(ready|Error:) ' "$mnt.log"
  grep -Eo '^(ready|Error: .*)' "$mnt.log"; if mountpoint -q "$mnt"; then cat "$mnt/etc/keep"; "$node" "$command" umount "$mnt" >/dev/null; fi
  wait "$pid" && echo "status 0" || echo "status $?"`;

const rows: [capabilities: string, flags: string, said: string][] = [
  ["", "--driver fuse", "Error: cannot mount MNT: mount: MNT: permission denied.\nstatus 1\n"],
  [",+sys_admin", "--driver fuse", "ready\nkeep l1status 0\n"],
  [",+sys_admin", "--driver fuse --transport fuse-native", "ready\nkeep l1status 0\n"],
  [
    ",+sys_admin",
    "--driver fuse --user nobody",
    "Error: --user: cannot become user 65534: spawnSync test EPERM\nstatus 1\n",
  ],
  [",+sys_admin,+setuid,+setgid", "--driver fuse --user nobody", "ready\nkeep l1status 0\n"],
  ...KERNEL_DRIVERS.flatMap((driver): typeof rows => [
    [",+sys_admin", `--driver ${driver}`, "ready\nkeep l1status 0\n"],
  ]),
  [",+sys_admin,+dac_override", "--driver fuse --rw MNT.changes", "ready\nkeep l1status 0\n"],
];

it.each(rows)('with no capabilities but "%s": mount %s', async (capabilities, flags, said) => {
  const dir = workDir();
  chmodSync(dir, 0o755);
  const mnt = join(dir, "mnt");
  mkdirSync(mnt);
  const args = [...flags.replace("MNT", mnt).split(" "), path, ...blobFlags(devices)];
  const got = await ask(SCRIPT, capabilities, process.execPath, COMMAND, mnt, ...args);
  expect(got.replaceAll(mnt, "MNT")).toBe(said);
});
