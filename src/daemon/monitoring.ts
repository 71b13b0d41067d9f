import type { Logger } from "../log/log.ts";
import type { Address } from "../prometheus/http.ts";
import { Exporter } from "../prometheus/exporter.ts";
import { MetricsServer } from "../prometheus/metrics-server.ts";
import type { ExportedImage, ExportedMount, State } from "../prometheus/exported-mount.ts";
import type { Session } from "../session/transport.ts";
import { localOf, nodeIn, slotOf } from "../vfs/node-id.ts";
import { metadataOf } from "../fs/open-image.ts";
import { pathsOf } from "../fs/path-table.ts";
import type { Served, SessionObserver } from "./lifecycle.ts";
import { openFileLimit } from "../proc/file-limit.ts";
import type { BuildInfo } from "./version.ts";

export interface MonitoringOptions {
  readonly address: Address;
  /** Seconds after which a request counts as hung. */
  readonly hungAfter: number;
}

/** Tells of a session over HTTP, from this thread: whatever is asked, workers do not notice. */
export class Monitoring implements SessionObserver {
  private readonly server: MetricsServer;
  private readonly hungAfter: number;
  private readonly log: Logger;
  private readonly build: BuildInfo;
  private readonly onShown: () => void;
  private state: State = "serving";

  /**
   * @param onShown told before totals are shown
   * @throws OperationalError when the address cannot be listened on
   */
  static async start(
    { address, hungAfter }: MonitoringOptions,
    build: BuildInfo,
    onShown: () => void,
    log: Logger,
  ): Promise<Monitoring> {
    const server = await MetricsServer.start(address, log.warn);
    return new Monitoring(server, hungAfter, log, build, onShown);
  }

  private constructor(
    server: MetricsServer,
    hungAfter: number,
    log: Logger,
    build: BuildInfo,
    onShown: () => void,
  ) {
    this.server = server;
    this.hungAfter = hungAfter;
    this.log = log;
    this.build = build;
    this.onShown = onShown;
  }

  /** HOST:PORT */
  get address(): string {
    return this.server.address;
  }

  close(): void {
    this.server.close();
  }

  ready({ session, held, mountpoint }: Served): void {
    const { version, commit } = this.build;
    const mount: ExportedMount = {
      version,
      commit,
      counts: session.counts,
      inflight: session.inflight,
      prefetch: session.prefetched,
      images: () => imagesOf(session, mountpoint),
      blobDescriptors: () => held.size,
      maxFds: openFileLimit,
      lostBlobs: session.failedBlobs,
      takeovers: session.takeovers,
      workers: session.workers,
      state: () => this.state,
      onShown: this.onShown,
      pathsOf: (nodes) => pathsIn(session, nodes),
    };
    this.server.export(new Exporter(mount, this.hungAfter, this.log.warn));
  }

  stopping(): void {
    this.state = "stopping";
  }

  ended(): void {
    this.close();
  }
}

/** Those that are shown, with what was counted for each. */
const imagesOf = (session: Session, mountpoint: string): ExportedImage[] =>
  session.images().map(({ path, pinned: { image, source }, counts }) => ({
    source,
    mountpoint: path === "/" ? mountpoint : mountpoint + path,
    inodes: image.report.inodes,
    blobs: image.files.length - 1,
    counts,
  }));

/** Of each image that has any of the nodes. */
function pathsIn(session: Session, nodes: ReadonlySet<number>): Map<number, string> {
  const paths = new Map<number, string>();
  for (const { path, instances } of session.images())
    for (const { slot, pinned } of instances) {
      const local = [...nodes].filter((node) => slotOf(node) === slot).map(localOf);
      if (local.length === 0) continue;
      for (const [node, name] of pathsOf(metadataOf(pinned.image), new Set(local)))
        paths.set(nodeIn(slot, node), (path === "/" ? "" : path) + name);
    }
  return paths;
}
