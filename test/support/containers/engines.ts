import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where test/engines.sh puts them. */
const PLACE = fileURLToPath(new URL("../../../.cache/tools/engines/", import.meta.url));

/** A containerd that tests run, with its `ctr` and its shim. */
export interface Engine {
  /** `containerd 1.7.24`, of one that is there. */
  readonly name: string;
  readonly major: number;
  /** Its own shim is to be found first, then runc. */
  readonly path: string;
  readonly containerd: string;
  readonly ctr: string;
}

/** For images: a program that needs nothing else. */
export const BUSYBOX = join(PLACE, "bin/busybox");

/** By the release of Debian that has it. */
const engineOf = (suite: string, major: number): Engine => {
  const dir = join(PLACE, suite);
  const said = spawnSync(join(dir, "containerd"), ["--version"], { encoding: "utf8" }).stdout as
    | string
    | null;
  const version = / (\d+\.\d+\.\d+)/.exec(said ?? "")?.[1];
  return {
    name: `containerd ${version ?? `of ${suite}`}`,
    major: version === undefined ? major : Number.parseInt(version, 10),
    path: `${dir}:${join(PLACE, "bin")}:${process.env["PATH"]}`,
    containerd: join(dir, "containerd"),
    ctr: join(dir, "ctr"),
  };
};

export const ENGINES: readonly Engine[] = [engineOf("trixie", 1), engineOf("sid", 2)];

/** Why no container can be run here; undefined when one can. */
export const NO_CONTAINERS: string | undefined = absent();

function absent(): string | undefined {
  if (!existsSync(join(PLACE, "complete"))) return "there is no containerd: sh test/engines.sh says why";
  if (process.getuid?.() !== 0) return "only root may run containerd";
  if (!/\toverlay$/m.test(readFileSync("/proc/filesystems", "latin1"))) return "this kernel has no overlayfs";
  const cgroup = spawnSync("sh", [
    "-c",
    'for dir in /sys/fs/cgroup/pids /sys/fs/cgroup; do mkdir "$dir/$1" 2>/dev/null && rmdir "$dir/$1" && exit; done; exit 1',
    "sh",
    `nydusd-ts-probe-${process.pid}`,
  ]);
  if (cgroup.status !== 0) return "no cgroup can be made here";
  // As the layers of an image: an overlay is no file system for the upper directory of another one.
  const overlay = spawnSync("unshare", [
    ...["--mount", "sh", "-euc"],
    'mkdir "$1" "$1/l" "$1/u" "$1/w"; mount -t overlay probe -o "lowerdir=$1/l,upperdir=$1/u,workdir=$1/w" "$1/l"',
    ...["sh", join(tmpdir(), `nydusd-ts-probe-${process.pid}`)],
  ]);
  spawnSync("rm", ["-rf", join(tmpdir(), `nydusd-ts-probe-${process.pid}`)]);
  return overlay.status === 0 ? undefined : `overlayfs cannot be mounted below ${tmpdir()}`;
}
