import { resolve } from "node:path";
import type { BlobFile } from "../blob/locate.ts";
import type { Log } from "./log.ts";
import type { DaemonOptions } from "./run.ts";
import { buildInfo } from "./version.ts";

/** The management API of this daemon, told how far the daemon is. */
export interface Api {
  /** The image was checked and signals are listened to: mounting begins. */
  ready(): void;
  /**
   * @param files of the image, which is the first of them
   * @param prefetch see metrics/prefetch-progress
   */
  running(counters: SharedArrayBuffer, files: readonly BlobFile[], prefetch: SharedArrayBuffer): void;
  stopped(): void;
  close(): Promise<void>;
}

/**
 * Serves the API, when it is asked for; loaded only then, because it costs start-up time and memory.
 *
 * @throws StartError when the socket cannot be made
 */
export async function openApi(options: DaemonOptions, log: Log): Promise<Api | undefined> {
  if (options.apiSocket === undefined) return undefined;
  const [{ serveApi }, { DaemonManagement }] = await Promise.all([
    import("../api/server.ts"),
    import("./management.ts"),
  ]);
  const management = new DaemonManagement(options, log, buildInfo());
  const server = await serveApi(resolve(options.apiSocket), management);
  log.info(`management API at ${options.apiSocket}`);
  return {
    ready: () => management.ready(),
    running: (counters, files, prefetch) => management.running(counters, files, prefetch),
    stopped: () => management.stopped(),
    close: () => server.close(),
  };
}
