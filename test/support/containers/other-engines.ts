import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "smol-toml";
import { type Finished, sh, shell } from "../daemon.ts";
import { BUSYBOX, NO_CONTAINERS } from "./engines.ts";

const BIN = dirname(BUSYBOX);
const PLACE = join(BIN, "../others");

/** Why they cannot be run here; undefined when they can. */
export const NO_OTHERS: string | undefined =
  NO_CONTAINERS ??
  (existsSync(PLACE) ? undefined : "there are no other engines: sh test/engines.sh says why");

/** Longest that one call may take, s. */
const CALL_SECONDS = 120;

/**
 * Libraries lie over the host's own in a namespace of the script's: podman has itself started anew with none of its
 * environment. Where the clone lies is said neither in an option, which a comma would end, nor to conmon in the C locale.
 */
const WITH_LIBRARIES = `libc=$(ldd "$(command -v sh)" | sed -n 's/.*=> *\\([^ ]*libc\\.so[^ ]*\\) .*/\\1/p')
  host=$(dirname "$(readlink -f "$libc")")
  (cd "$1"; mount -t overlay -o "ro,lowerdir=lib:$host" overlay "$host")
  export PATH=$1:$2:$PATH LC_ALL=C.UTF-8
  script=$3; shift 3; exec bash -euo pipefail -c "$script" bash "$@"`;

/** Runs a script in which the engines and their libraries are found; what it mounts goes with it. */
export const withEngines = (script: string, ...args: readonly string[]): Promise<Finished> =>
  shell(
    'limit=$1 before=$2; shift 2; exec timeout -k 5 "$limit" unshare --mount bash -euo pipefail -c "$before" bash "$@"',
    ...[`${CALL_SECONDS}`, WITH_LIBRARIES, PLACE, BIN, script, ...args],
  );

/**
 * Makes a bundle of the OCI runtime specification, whose root is still to be mounted.
 *
 * @param args what is run
 * @returns its directory, with an empty `rootfs`
 */
export function makeBundle(dir: string, args: readonly string[]): string {
  mkdirSync(join(dir, "rootfs"), { recursive: true });
  sh('cd "$D" && "$R" spec', { D: dir, R: join(BIN, "runc") });
  const config = join(dir, "config.json");
  const spec = JSON.parse(readFileSync(config, "utf8"));
  Object.assign(spec.process, { terminal: false, args, env: ["PATH=/bin"], rlimits: [] });
  // As other engines give them: the files of the image have several owners.
  for (const set of Object.values<string[]>(spec.process.capabilities)) set.push("CAP_DAC_OVERRIDE");
  spec.root.readonly = false;
  writeFileSync(config, JSON.stringify(spec));
  return dir;
}

/** Words that every call of podman and buildah begins with, so that nothing of theirs lies elsewhere. */
export interface Libpod {
  readonly podman: readonly string[];
  readonly buildah: readonly string[];
}

/**
 * @param cgroup of containers, a name of the test's own
 * @param layerStore a directory of layers that need not be pulled
 */
export function libpodIn(dir: string, cgroup: string, layerStore?: string): Libpod {
  const files = ["containers.conf", "storage.conf", "registries.conf", "policy.json"].map((name) =>
    join(dir, name),
  );
  const [containers, storage, registries, policy] = files;
  const stores = layerStore === undefined ? {} : { additionallayerstores: [layerStore] };
  writeFileSync(
    containers,
    stringify({
      containers: { default_ulimits: ["nofile=1024:1024", "nproc=4096:4096"], cgroup_parent: `/${cgroup}` },
      engine: { cgroup_manager: "cgroupfs", events_logger: "file", lock_type: "file", runtime: "runc" },
    }),
  );
  writeFileSync(
    storage,
    stringify({
      storage: {
        driver: "overlay",
        graphroot: join(dir, "graph"),
        runroot: join(dir, "run"),
        options: stores,
      },
    }),
  );
  writeFileSync(registries, "");
  writeFileSync(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
  const env = ["env", `CONTAINERS_CONF=${containers}`, `CONTAINERS_STORAGE_CONF=${storage}`, `TMPDIR=${dir}`];
  const named = [...env, `CONTAINERS_REGISTRIES_CONF=${registries}`];
  return {
    podman: [...named, "podman", "--conmon", join(PLACE, "conmon"), "--tmpdir", join(dir, "libpod")],
    buildah: [...named, "buildah"],
  };
}
