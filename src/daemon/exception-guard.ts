import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { killSelfAfter, onUncaught } from "../proc/process-guard.ts";
import type { Stoppable } from "./lifecycle.ts";

/** Those inside a busy mount are served for 5 s more; whatever has not ended then never will. */
const LAST_RESORT_MS = 10_000;

/** Exceptions that nothing has caught: errors of ours in the main thread. */
export interface ExceptionGuard {
  /** Told of the session once there is one. */
  follow(session: Stoppable): void;
  /** Whether the process is to end with a status that says so. */
  happened(): boolean;
}

/**
 * Unmounts when nothing has caught an exception, so that a supervisor of this process can start another one.
 * Left to Node, it would wait for threads that block, and leave a dead mount. To be called before mounting.
 */
export function guardAgainstExceptions(log: Logger): ExceptionGuard {
  let count = 0;
  let session: Stoppable | undefined;
  const stop = () =>
    session?.stop().catch((error: unknown) => log.error(`cannot unmount: ${messageOf(error)}`));
  onUncaught((error) => {
    const text = (error instanceof Error && error.stack) || String(error);
    log.error(`an unexpected error ends this daemon: ${text}`);
    if (++count > 2) return;
    stop(); // for the second time: at once
    if (count === 1) killSelfAfter(LAST_RESORT_MS);
  });
  return {
    follow: (started) => {
      session = started;
      for (let i = 0; i < Math.min(count, 2); i++) stop();
    },
    happened: () => count > 0,
  };
}
