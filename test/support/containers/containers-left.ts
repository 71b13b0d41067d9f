import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readMounts } from "../../../src/mounts/table.ts";
import { hasEnded, kill, mentioning, until } from "../daemon.ts";
import { loopsBelow } from "../kernel.ts";

/** Whose containers are meant. */
interface Owner {
  /** Everything of it lies there. */
  readonly dir: string;
  readonly namespace: string;
}

/** What running containers have, and what is to be gone when none is there any more. */
export interface ContainersLeft {
  readonly mounts: readonly string[];
  readonly loops: readonly string[];
  /** Of containers, by their cgroup. */
  readonly processes: readonly number[];
  /** Command lines. */
  readonly shims: readonly string[];
}

export const containersLeft = (owner: Owner): ContainersLeft => ({
  mounts: mountsBelow(owner.dir).map((mountpoint) => mountpoint.slice(owner.dir.length + 1)),
  loops: loopsBelow(owner.dir),
  processes: inCgroup(owner.namespace),
  shims: shims(owner.dir).map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")),
});

/** Ends all containers of a containerd that runs no more, and takes away what they have had. */
export async function removeContainers({ dir, namespace }: Owner): Promise<void> {
  await until(() => {
    // A shim may start another process as long as it is there.
    for (const pid of [...shims(dir).map(Number), ...inCgroup(namespace)]) kill(pid);
    return shims(dir).length === 0 && inCgroup(namespace).length === 0;
  }, `the end of all containers of ${namespace}`);
  for (const mountpoint of mountsBelow(dir).reverse()) spawnSync("umount", ["-l", mountpoint]);
  for (const socket of shimSockets(dir)) rmSync(socket, { force: true });
  rmSync(join("/run/containerd/runc", namespace), { recursive: true, force: true });
  for (const group of cgroups(namespace)) removeGroup(group);
}

const mountsBelow = (dir: string): string[] =>
  readMounts()
    .map(({ mountpoint }) => mountpoint)
    .filter((mountpoint) => mountpoint.startsWith(`${dir}/`));

const shims = (dir: string): string[] => mentioning(`\0-address\0${join(dir, "containerd.sock")}`);

/** Processes whose cgroup, of either version, is below the namespace's. */
const inCgroup = (namespace: string): number[] =>
  readdirSync("/proc")
    .filter((pid) => {
      try {
        const isIn =
          /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(`/${namespace}/`);
        return isIn && !hasEnded(Number(pid)); // where nobody waits for orphans, they stay
      } catch {
        return false; // gone meanwhile
      }
    })
    .map(Number);

/** The namespace's in each hierarchy. */
const cgroups = (namespace: string): string[] =>
  ["", ...readdirSync("/sys/fs/cgroup")]
    .map((hierarchy) => join("/sys/fs/cgroup", hierarchy, namespace))
    .filter((path) => existsSync(path));

function removeGroup(path: string): void {
  for (const { name } of readdirSync(path, { withFileTypes: true }).filter((d) => d.isDirectory()))
    removeGroup(join(path, name));
  rmdirSync(path);
}

/** Sockets of shims lie below /run; each bundle says which is its own. */
const shimSockets = (dir: string): string[] =>
  (existsSync(join(dir, "state"))
    ? readdirSync(join(dir, "state"), { recursive: true, encoding: "utf8" })
    : []
  )
    .filter((path) => /\/(address|bootstrap\.json)$/.test(path))
    .flatMap((path) => /unix:\/\/([^"\s]+)/.exec(readFileSync(join(dir, "state", path), "utf8"))?.[1] ?? []);
