import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { killSelfAfter } from "../proc/process-guard.ts";
import type { Stoppable } from "./lifecycle.ts";

/** After a second SIGTERM, how long workers have to leave; one that is stuck in a read of a dead disk never does. */
const LAST_RESORT_MS = 1_000;
/** npm passes on a Ctrl-C that the terminal gave to us as well: signals this close together are one. */
const ECHO_MS = 200;

/** To be told the session once there is one. @returns whether a signal has asked to stop it already */
export type AskedToStop = (session: Stoppable) => boolean;

/**
 * SIGINT and SIGTERM unmount; a second one stops at once. No other signal ends a file system. To be called
 * before mounting: a process that ends between mounting and serving leaves a dead mount.
 *
 * @param onHangup a new version is to take over
 */
export function handleSignals(log: Logger, onHangup: () => void): AskedToStop {
  let asked = 0;
  let last = Number.NEGATIVE_INFINITY;
  let session: Stoppable | undefined;
  const stop = () =>
    session?.stop().catch((error: unknown) => log.error(`cannot unmount: ${messageOf(error)}`));
  const take = (signal: NodeJS.Signals) => {
    if (performance.now() - last < ECHO_MS) return;
    log.info(`${signal}: ${asked++ === 0 ? "unmounting" : "stopping at once"}`);
    stop();
    // On a busy machine the echo may come while this one is still being served: that is no time between the two. It is heard
    // in this turn of the event loop or in the next.
    const served = () => {
      last = performance.now();
    };
    served();
    setImmediate(served);
    // Exiting would wait for a thread that blocks (see docs/transports.md); only SIGKILL does not.
    if (asked === 2) killSelfAfter(LAST_RESORT_MS);
  };
  process.on("SIGINT", take);
  process.on("SIGTERM", take);
  // SIGUSR1 would start Node's inspector; the others would end the process and leave a dead mount.
  process.on("SIGHUP", onHangup);
  for (const ignored of ["SIGPIPE", "SIGUSR1", "SIGUSR2"] as const)
    process.on(ignored, () => log.debug(`${ignored} ignored`));
  return (started) => {
    session = started;
    for (let i = 0; i < asked; i++) stop();
    return asked > 0;
  };
}
