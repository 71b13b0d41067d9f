import { describe, expect, it } from "vitest";
import { shell } from "../support/daemon.ts";
import { forUser, USER } from "../support/user.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

/**
 * All in one mount namespace, whose /dev/fuse everybody may open, as udev makes it. The user lists the mount,
 * reads a file, sees a change refused, and unmounts with the short form; root does not get in.
 */
const SCENARIO = `${WAIT_FOR}
node=$1 command=$2 dir=$3 tar=$4 user=$5
mknod "$dir/fuse" c 10 229; chmod 666 "$dir/fuse"; mount --bind "$dir/fuse" /dev/fuse
as() { setpriv --reuid "$user" --regid "$user" --clear-groups "$@"; }
as "$node" "$command" --log-format text --bootstrap "$dir/image.boot" --blob "1=$dir/$tar" --mountpoint "$dir/mnt" >"$dir/log" 2>&1 &
wait_for grep -q '^ready ' "$dir/log"
cat "$dir/log"
as find "$dir/mnt" -maxdepth 1 -printf '%f %m\n' | sort
as cat "$dir/mnt/etc/b4097" | sha256sum
as touch "$dir/mnt/new" 2>&1 || true
cat "$dir/mnt/etc/b4097" 2>&1 || true
as "$node" "$command" umount "$dir/mnt"
wait $!
echo "status $?"
mountpoint "$dir/mnt" || true
`;

describe("a user who is not root", () => {
  it("mounts through fusermount, alone sees what is there, and unmounts", async () => {
    const { node, command, dir, mountpoint, tar, sha256 } = forUser();
    const args = [SCENARIO, "bash", node, command, dir, tar, `${USER}`];
    const { stdout, stderr, status } = await shell(
      'unshare -m timeout 240 bash -euo pipefail -c "$@"',
      ...args,
    );
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    const log =
      /^.*INFO transport fuse-native: user 65534 may not mount; fusermount does it\n[\s\S]*?^ready .*\n/m;
    expect(stdout).toMatch(log);
    expect(stdout.replace(log, "").split("\n")).toEqual([
      ...["bin 755", "dev 755", "etc 755", "lnk 777", "lnkabs 777", "mnt 755", "tmp 1777"],
      `${sha256}  -`,
      `touch: cannot touch '${mountpoint}/new': Read-only file system`,
      `cat: ${mountpoint}/etc/b4097: Permission denied`,
      `${mountpoint}: unmounted`,
      "status 0",
      `${mountpoint} is not a mountpoint`,
      "",
    ]);
  });
});
