import { dirname } from "node:path";
import type { Server } from "node:net";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { createGrpcServer, type Handler } from "../containerd/server.ts";
import { listenAt, listening } from "../listen/unix-socket.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { Logger } from "../log/log.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import type { Address } from "../prometheus/http.ts";
import type { MetricsServer } from "../prometheus/metrics-server.ts";
import type { Driver } from "../mounts/drivers.ts";
import type { ExportMode } from "./export-mode.ts";
import { makeRoot } from "./own-root.ts";
import { Tally } from "./tally.ts";
import type { Snapshotter } from "./snapshotter.ts";

/** What it is started with. */
export interface SnapshotterOptions {
  /** Where everything lies. */
  readonly root: string;
  /** Path of the socket, or the descriptor of one that listens already. */
  readonly address: string | number;
  /** Path of containerd's socket. */
  readonly containerdAddress: string;
  readonly driver: Driver;
  /** Layers that are in the store need not be fetched. */
  readonly skipsKnownLayers: boolean;
  /** undefined: images are mounted on this machine. */
  readonly exportMode?: ExportMode | undefined;
  /** Where Prometheus may ask. */
  readonly metrics?: Address | undefined;
  /** The program `nydusd-ts`. */
  readonly program: URL;
}

/**
 * Serves containerd until SIGTERM or SIGINT; mounts of containers stay. It listens first, and loads what answers then: containerd
 * gives up a call that nobody takes within about a second.
 *
 * @param onReady told when calls are answered, and where metrics are
 * @throws OperationalError before that
 */
export async function serveSnapshotter(
  options: SnapshotterOptions,
  log: Logger,
  onReady: (metrics: string | undefined) => void,
): Promise<void> {
  process.umask(0o022); // modes of directories are what containers see; what is nobody else's says so itself
  let answer: (handler: Handler) => void = () => {};
  const server = createGrpcServer(new Promise((resolve) => (answer = resolve)));
  const ended = untilSignal(log);
  await listenOn(server, options.address);
  try {
    const root = makeRoot(options.root);
    const tally = new Tally();
    // A thread looks at the store while this one loads the rest.
    const [store, { openSnapshotter }] = await Promise.all([
      openStore(root, log, tally),
      import("./snapshotter.ts"),
    ]);
    let monitoring: MetricsServer | undefined;
    const all = { ...options, root, named: options.root };
    const snapshotter: Snapshotter = openSnapshotter(all, store, log, tally);
    try {
      answer(snapshotter.handler);
      if (options.metrics !== undefined) {
        const { openMonitoring } = await import("./monitoring.ts");
        monitoring = await openMonitoring(options.metrics, snapshotter.shown, log.warn);
      }
      onReady(monitoring?.address);
      await ended;
    } finally {
      monitoring?.close();
      await snapshotter.close();
    }
  } finally {
    server.close();
  }
}

const openStore = async (root: string, log: Logger, tally: Tally): Promise<LayerStore> =>
  (await import("../layer-store/layer-store.ts")).LayerStore.open(root, log, tally);

/** Who can put another socket in its place is obeyed by containerd, as root: what to mount, and where from. */
async function listenOn(server: Server, address: string | number): Promise<void> {
  if (typeof address === "string") {
    try {
      mustBeOwnDirectory(dirname(address), { make: 0o711, mayBeShared: true });
    } catch (error) {
      throw new OperationalError(`socket ${address}: ${messageOf(error)}`);
    }
    return listenAt(server, address, "socket");
  }
  server.listen({ fd: address });
  await listening(server, `descriptor ${address}`);
}

/** The process ends then, whoever is still connected: containerd asks again, and its containers have their mounts. */
function untilSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.on(signal, () => {
        log.info(`${signal}: ending; mounts of containers stay`);
        resolve();
      });
    for (const ignored of ["SIGHUP", "SIGPIPE", "SIGUSR1"] as const) process.on(ignored, () => {});
  });
}
