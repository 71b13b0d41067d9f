import { BlobFiles } from "../blob/blob-files.ts";
import { showName } from "../bytes/name.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { rootOf, walk } from "../fs/walk.ts";
import { OP_NAMES } from "../fuse/wire.ts";
import type { Address } from "../monitor/http.ts";
import { Monitor } from "../monitor/monitor.ts";
import type { State } from "../monitor/monitored.ts";
import type { Logger } from "./log.ts";
import type { TakenImage } from "./take.ts";
import type { Session } from "./transport.ts";
import type { BuildInfo } from "./version.ts";

export interface MonitoringOptions {
  readonly address: Address;
  /** Seconds after which a request counts as hung. */
  readonly hungAfter: number;
}

/** Tells of a session over HTTP, from this thread: whatever is asked, workers do not notice. */
export class Monitoring {
  private readonly monitor: Monitor;
  private readonly build: BuildInfo;

  /** @throws StartError when the address cannot be listened on */
  static async start(
    { address, hungAfter }: MonitoringOptions,
    build: BuildInfo,
    log: Logger,
  ): Promise<Monitoring> {
    return new Monitoring(await Monitor.start(address, hungAfter, log.warn), build);
  }

  private constructor(monitor: Monitor, build: BuildInfo) {
    this.monitor = monitor;
    this.build = build;
  }

  /** @returns the session, with what it is about to do noticed */
  follow(session: Session, { image, mountpoint, source, prefetching }: TakenImage): Session {
    let state: State = "serving";
    const { version, commit } = this.build;
    this.monitor.watch({
      image: source,
      mountpoint,
      inodes: image.report.inodes,
      blobs: image.files.length - 1,
      blobDescriptors: image.files.filter(({ fd }) => fd !== undefined).length,
      version,
      commit,
      counters: session.counters,
      prefetch: prefetching.progress,
      workers: session.workers,
      state: () => state,
      operation: (opcode) => OP_NAMES[opcode] ?? String(opcode),
      pathsOf: (nodes) => pathsOf(image, nodes),
    });
    session.ended.then(() => this.monitor.close());
    return {
      ...session,
      facts: `${session.facts} metrics=${this.monitor.address}`,
      stop: () => {
        state = "stopping";
        return session.stop();
      },
    };
  }
}

/** A file with several names has the first. What a broken image hides stays unknown. */
function pathsOf({ handle, files }: OpenedImage, nodes: ReadonlySet<number>): Map<number, string> {
  const paths = new Map<number, string>();
  const fs = new ImageFileSystem(new Image(handle), new BlobFiles(files, () => {}));
  try {
    for (const { node, path } of walk(fs, rootOf(fs))) {
      if (nodes.has(node) && !paths.has(node)) paths.set(node, showName(path));
      if (paths.size === nodes.size) break;
    }
  } catch {} // says which entry is broken, which was said at the start
  return paths;
}
