import { resolve } from "node:path";
import type { Log } from "../log/log.ts";
import type { SessionObserver } from "./lifecycle.ts";
import type { DaemonOptions } from "./options.ts";
import type { LifecycleControl } from "./lifecycle-control.ts";
import { buildInfo } from "./version.ts";

/** The management API of this daemon, told how far the daemon is. */
export interface Api extends SessionObserver {
  /** The image was checked and signals are listened to: mounting begins. */
  mounting(): void;
  close(): Promise<void>;
}

/**
 * Serves the API, when it is asked for; loaded only then, because it costs start-up time and memory.
 *
 * @throws OperationalError when the socket cannot be made
 */
export async function openApi(
  options: DaemonOptions,
  orders: LifecycleControl,
  log: Log,
): Promise<Api | undefined> {
  if (options.apiSocket === undefined) return undefined;
  const [{ serveApi }, { ApiBackend }] = await Promise.all([
    import("../api/server.ts"),
    import("./api-backend.ts"),
  ]);
  const management = new ApiBackend(options, orders, log, buildInfo());
  const server = await serveApi(resolve(options.apiSocket), management);
  log.info(`management API at ${options.apiSocket}`);
  return {
    mounting: () => management.ready(),
    ready: ({ session, held }) => {
      management.running(session, held);
      // Workers serve the mount, so this thread may keep clients waiting.
      if (session.transfer !== undefined) server.pace();
    },
    ended: () => management.stopped(),
    close: () => server.close(),
  };
}
