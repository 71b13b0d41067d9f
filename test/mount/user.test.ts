import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { COMMAND, shell, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** "nobody" of every Linux. */
const USER = 65534;

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** A copy of the program, its packages and an image that everybody may read, and a directory of the user's. */
function forUser() {
  const dir = workDir();
  chmodSync(dir, 0o755);
  const program = join(dir, "program");
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lockfile;
  for (const [path, { dev = false }] of Object.entries(packages))
    if (path !== "" && !dev && existsSync(join(ROOT, path)))
      cpSync(join(ROOT, path), join(program, path), { recursive: true });
  const bundle = join(program, "dist/bundle");
  cpSync(dirname(COMMAND), bundle, { recursive: true });
  // Node may lie in a home directory.
  const node = join(dir, "node");
  cpSync(realpathSync(process.execPath), node);
  const { path, devices, entries } = fixture("01-basic");
  for (const file of [path, ...devices]) cpSync(file, join(dir, basename(file)));
  const mountpoint = join(dir, "mnt");
  mkdirSync(mountpoint);
  chownSync(mountpoint, USER, USER);
  const sha256 = entries.find((e) => e.path === "/etc/b4097")?.sha256;
  return {
    node,
    command: join(bundle, basename(COMMAND)),
    dir,
    mountpoint,
    tar: basename(devices[0]),
    sha256,
  };
}

/**
 * All in one mount namespace, whose /dev/fuse everybody may open, as udev makes it. The user lists the mount,
 * reads a file, sees a change refused, and unmounts with the short form; root does not get in.
 */
const SCENARIO = `
node=$1 command=$2 dir=$3 tar=$4 user=$5
mknod "$dir/fuse" c 10 229; chmod 666 "$dir/fuse"; mount --bind "$dir/fuse" /dev/fuse
as() { setpriv --reuid "$user" --regid "$user" --clear-groups "$@"; }
as "$node" "$command" --bootstrap "$dir/image.boot" --blob "1=$dir/$tar" --mountpoint "$dir/mnt" >"$dir/log" 2>&1 &
for i in $(seq 200); do grep -q '^ready ' "$dir/log" && break; sleep 0.05; done
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
      'unshare -m timeout 60 bash -euo pipefail -c "$@"',
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
