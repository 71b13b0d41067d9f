import { setFlagsFromString } from "node:v8";
import { messageOf } from "../bytes/errors.ts";
import type { Owner } from "../fuse/device.ts";
import { doneWith, findKeeper, handedOver, type Keeper } from "../handover/keeper.ts";
import type { Log } from "../log/log.ts";
import { leaveMount } from "../mounts/leave.ts";
import { NoImageLeft } from "../seed/incoming.ts";
import type { MountContext } from "../seed/mount-context.ts";
import { countsOf } from "./counts.ts";
import { closeDaemon, type Daemon, openDaemon } from "./daemon.ts";
import { openDaemonLog } from "./daemon-log.ts";
import { imageFacts, type ReadyFacts } from "./facts.ts";
import type { ExceptionGuard } from "./exception-guard.ts";
import { Lifecycle, type Served } from "./lifecycle.ts";
import { observersOf } from "./observers.ts";
import type { DaemonOptions } from "./options.ts";
import { begin, findSession, goOn, type Started } from "./start.ts";
import { stateFile } from "./state-location.ts";
import { becomeUser } from "./user.ts";

/**
 * Mounts an image and serves it until it is unmounted or a signal ends it.
 *
 * @param onReady told once the first request can be answered, with what the ready line says
 * @returns exit status: 0 after a clean end, 1 when the session broke
 * @throws OperationalError, FormatError: nothing is mounted then
 */
export const runDaemon = (options: DaemonOptions, onReady: (facts: ReadyFacts) => void): Promise<number> =>
  serveImage(options, openDaemonLog(options), onReady);

/**
 * What `runDaemon` does, once there is a log: find out where the session begins, serve it, tell its observers, and wait
 * for its end.
 *
 * @param context what another mount backend has opened already
 */
export async function serveImage(
  options: DaemonOptions,
  log: Log,
  onReady: (facts: ReadyFacts) => void,
  context?: MountContext,
): Promise<number> {
  const keeper = findKeeper();
  if (keeper?.role === "refuse" || keeper?.role === "clear")
    return (await import("./degraded-mode.ts")).runDegraded(keeper, stateFile(options, keeper), log);
  // A young generation that never grows: 3.5 MB less (measured), and nothing here allocates fast.
  setFlagsFromString("--semi-space-growth-factor=1");
  const daemon = await openDaemon(options, log, keeper);
  try {
    const found = await findSession(daemon).catch((error: unknown) => {
      if (error instanceof NoImageLeft && keeper?.role === "after") return { keeper, reason: error.message };
      throw error;
    });
    if (typeof found === "object" && "reason" in found) {
      const { runDegraded } = await import("./degraded-mode.ts");
      return await runDegraded(found.keeper, stateFile(options, found.keeper), log, found.reason);
    }
    if (found === "nothing") return statusFor(keeper, keeper?.role === "after" ? 1 : 0);
    const started = found === undefined ? await begin(daemon, context) : await goOn(daemon, found);
    const { served, exceptions, isAskedToStop, owner } = started;
    const lifecycle = new Lifecycle(served, observersOf(daemon, started), log);
    await lifecycle.ready();
    exceptions?.follow(lifecycle);
    const isAsked = isAskedToStop(lifecycle);
    if (options.standby)
      await daemon.outgoing
        ?.standBy()
        .catch((error: unknown) => log.error(`cannot start a standby: ${messageOf(error)}`));
    if (!isAsked) {
      if (owner !== undefined) await dropRoot(owner, lifecycle);
      onReady(readyFacts(daemon, started));
    }
    const status = await end(daemon, served, lifecycle, exceptions);
    served.place.close();
    // A mount that was asked for and never there: not so where another process has served it before.
    if (!isAsked || started.resumed !== undefined) return status;
    log.error("asked to stop before it was ready: nothing is mounted");
    return statusFor(keeper, 1);
  } finally {
    await closeDaemon(daemon);
  }
}

/** What root was needed for is done. @throws OperationalError: the session has ended then */
async function dropRoot(owner: Owner, lifecycle: Lifecycle): Promise<void> {
  try {
    becomeUser(owner);
  } catch (error) {
    await lifecycle.stop();
    await lifecycle.ended;
    throw error;
  }
}

const readyFacts = ({ options, listeners }: Daemon, { served, context }: Started): ReadyFacts => ({
  ...(context === undefined ? { mountpoint: served.mountpoint } : imageFacts(context)),
  ...served.session.facts,
  upper: options.upper,
  metrics: listeners.metricsAddress,
});

/** @returns exit status, as the keeper understands it where there is one */
async function end(
  { options, log, keeper, outgoing }: Daemon,
  { session, place }: Served,
  lifecycle: Lifecycle,
  exceptions: ExceptionGuard | undefined,
): Promise<number> {
  const { how, message } = await lifecycle.ended;
  log.info("served", countsOf(session.counts()));
  if (how === "handed over") {
    await outgoing?.handedOver;
    log.info(`${options.mountpoint}: handed over`);
    return keeper === undefined ? 0 : handedOver;
  }
  if (how === "unmounted" || how === "stopped") {
    log.info(`${options.mountpoint}: ${how}`);
    return statusFor(keeper, exceptions?.happened() === true ? 1 : 0);
  }
  log.error(`${options.mountpoint}: the session ended: ${how} ${message}`);
  // What is left is a mount that answers ENOTCONN to every caller; another's that took its place is not.
  await leaveMount(place, session.device).catch(() => {});
  return statusFor(keeper, 1);
}

const statusFor = (keeper: Keeper | undefined, status: number): number =>
  keeper === undefined ? status : doneWith(status);
