import { type Log, openLog } from "../log/log.ts";
import type { DaemonOptions } from "./options.ts";

/** What comes before anything else, whichever mount backend it will be. */
export function openDaemonLog(options: DaemonOptions): Log {
  process.umask(0o077); // whatever is written is this user's own; what others may read says so itself
  const log = openLog(options.logLevel, options);
  for (const warning of options.warnings) log.warn(warning);
  return log;
}
