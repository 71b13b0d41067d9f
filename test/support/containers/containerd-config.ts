import { join } from "node:path";
import { stringify } from "smol-toml";
import type { Engine } from "./engines.ts";

/** What containerd's configuration calls the snapshotter that is tested. */
export const PROXY = "tarfs";

/** Where the snapshotter of a containerd in `dir` is listening, and where it keeps its things. */
export const proxyPlaces = (dir: string) => ({ address: join(dir, "tarfs.sock"), root: join(dir, "tarfs") });

export interface ContainerdOptions {
  /** Has a snapshotter and a differ behind a socket beside its own. */
  readonly proxy?: boolean;
  /** Serves Kubernetes' interface, too; by that snapshotter when there is one. */
  readonly cri?: boolean;
}

/** Plugins that touch what is not ours, or take long to start. */
const DISABLED = [
  ...["io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.btrfs"],
  ...["io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile"],
  ...["io.containerd.snapshotter.v1.erofs", "io.containerd.differ.v1.erofs"],
];
const CRI = {
  1: ["io.containerd.grpc.v1.cri"],
  2: ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"],
};

/** The file that a containerd in `dir` is started with: nothing of it lies elsewhere, but for sockets of shims. */
export function containerdConfig(
  engine: Engine,
  dir: string,
  { proxy = false, cri = false }: ContainerdOptions,
): string {
  const isV1 = engine.major < 2;
  const snapshotter = proxy ? PROXY : "overlayfs";
  return stringify({
    version: isV1 ? 2 : 3,
    root: join(dir, "root"),
    state: join(dir, "state"),
    disabled_plugins: [...DISABLED, ...(cri ? [] : CRI[isV1 ? 1 : 2])],
    grpc: { address: join(dir, "containerd.sock") },
    ttrpc: { address: join(dir, "containerd.sock.ttrpc") },
    ...(proxy && { proxy_plugins: proxyPlugins(engine, dir) }),
    plugins: {
      "io.containerd.internal.v1.opt": { path: join(dir, "opt") },
      // Who is no longer needed is to be gone soon.
      "io.containerd.gc.v1.scheduler": { startup_delay: "10ms", schedule_delay: "0s" },
      ...(proxy && routes()),
      ...(cri && (isV1 ? cri1(snapshotter) : cri2(snapshotter))),
    },
  });
}

function proxyPlugins({ major }: Engine, dir: string) {
  const { address, root } = proxyPlaces(dir);
  return {
    [PROXY]: {
      ...{ type: "snapshot", address, exports: { root } },
      ...(major > 1 && { capabilities: ["remap-ids"] }),
    },
    [`${PROXY}-diff`]: { type: "diff", address },
  };
}

/** Both ways by which containerd finds a differ: its diff service's list, and what its transfer service unpacks with. */
function routes() {
  const platform = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
  return {
    "io.containerd.service.v1.diff-service": { default: [`${PROXY}-diff`, "walking"] },
    "io.containerd.transfer.v1.local": {
      unpack_config: [
        { platform, snapshotter: PROXY, differ: `${PROXY}-diff` },
        { platform, snapshotter: "overlayfs", differ: "walking" },
      ],
    },
  };
}

/** A negative oom_score_adj wants CAP_SYS_RESOURCE, which not every root has. */
const RUNTIME = { restrict_oom_score_adj: true, disable_apparmor: true };
/** The image of sandboxes: a process that sleeps. */
export const PAUSE = "pause.test/pause:latest";

const cri1 = (snapshotter: string) => ({
  "io.containerd.grpc.v1.cri": {
    ...RUNTIME,
    ...{ sandbox_image: PAUSE, disable_tcp_service: true },
    containerd: { snapshotter },
  },
});
const cri2 = (snapshotter: string) => ({
  "io.containerd.cri.v1.images": {
    snapshotter,
    pinned_images: { sandbox: PAUSE },
  },
  "io.containerd.cri.v1.runtime": RUNTIME,
});
