import { type Log, openLog } from "../log/log.ts";
import { findKeeper } from "../handover/keeper.ts";
import { Daemon } from "./daemon.ts";
import type { ReadyFacts } from "./facts.ts";
import type { DaemonOptions } from "./options.ts";
import type { Setting } from "./setting.ts";
import { stateFile } from "./state-place.ts";
import type { Supervised } from "./supervised.ts";

/**
 * Mounts an image and serves it until it is unmounted or a signal ends it.
 *
 * @param onReady told once the first request can be answered, with what the ready line says
 * @returns exit status: 0 after a clean end, 1 when the session broke
 * @throws StartError, FormatError: nothing is mounted then
 */
export const runDaemon = (options: DaemonOptions, onReady: (facts: ReadyFacts) => void): Promise<number> =>
  serveImage(options, openDaemonLog(options), onReady);

/** What comes before anything else, whichever driver it will be. */
export function openDaemonLog(options: DaemonOptions): Log {
  process.umask(0o077); // whatever is written is this user's own; what others may read says so itself
  const log = openLog(options.logLevel, options);
  for (const warning of options.warnings) log.warn(warning);
  return log;
}

/**
 * What `runDaemon` does, once there is a log.
 *
 * @param setting what another driver has opened already
 */
export async function serveImage(
  options: DaemonOptions,
  log: Log,
  onReady: (facts: ReadyFacts) => void,
  setting?: Setting,
): Promise<number> {
  const keeper = findKeeper();
  if (keeper?.role === "refuse" || keeper?.role === "clear")
    return (await import("./give-up.ts")).giveUp(keeper, stateFile(options, keeper), log);
  const daemon = new Daemon(options, log, keeper, await supervised(options, log));
  try {
    return await daemon.run(onReady, setting);
  } finally {
    await daemon.close();
  }
}

/** Loaded only when it is asked for. */
async function supervised(options: DaemonOptions, log: Log): Promise<Supervised | undefined> {
  if (options.supervisor === undefined) return undefined;
  return new (await import("./supervised.ts")).Supervised(options.supervisor, options, log);
}
