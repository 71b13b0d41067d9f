import type { Logger } from "../log/log.ts";
import type { Keeper } from "../handover/keeper.ts";
import type { Resumed } from "../seed/resumed.ts";
import type { ImageAt } from "../session/seed.ts";
import type { Daemon } from "./daemon.ts";
import type { SessionObserver } from "./lifecycle.ts";
import { Overlay } from "./overlay.ts";
import { PidFile } from "./pid-file.ts";
import type { Started } from "./start.ts";
import { lostState } from "./state-location.ts";

/**
 * Everything that accompanies a session, in the order in which it is told: the overlay before what looks at the images that are
 * shown, the pid file when all of it can be used.
 */
export function observersOf(
  { options, log, keeper, outgoing, control, listeners }: Daemon,
  { context, resumed, served: { isResumed, mountpoint } }: Started,
): SessionObserver[] {
  const { upper, pidFile, mountOptions } = options;
  const pid = keeper?.pid ?? process.pid;
  const all: (SessionObserver | undefined)[] = [
    // First: another process may be asked for as soon as the log says that this one serves, and whatever fails from
    // here on, no state may be left.
    outgoing,
    resumed && { ready: () => sayResumed(resumed, mountpoint, keeper, log) },
    upper === undefined ? undefined : new Overlay(upper, mountOptions, log),
    ...firstImage(context?.first),
    isResumed ? undefined : lostSession(log),
    listeners,
    control,
    pidFile === undefined ? undefined : new PidFile(pidFile, pid),
  ];
  return all.filter((each) => each !== undefined);
}

function sayResumed(
  { isCrash, at }: Resumed,
  mountpoint: string,
  keeper: Keeper | undefined,
  log: Logger,
): void {
  const ms = `went on after ${Math.round(performance.now() - at)} ms`;
  if (!isCrash) log.info(`${mountpoint}: handed over: ${ms}`);
  else {
    const how = keeper?.role === "after" ? ` with status ${keeper.last}, ${keeper.crashes} so far` : "";
    log.error(`${mountpoint}: the previous process died${how}: ${ms}`);
  }
}

/** The trace of what is read first, and warming what needs a walk of the mounted image. */
function firstImage(first: ImageAt | undefined): SessionObserver[] {
  if (first === undefined) return [];
  const { pinned, tracing } = first;
  const warming = { ready: () => void pinned.prefetching.finish() };
  if (tracing === undefined) return [warming];
  return [{ ready: () => tracing.begin(pinned.image), ended: () => tracing.end() }, warming];
}

/** Mounts again what a session had whose FUSE device is lost. */
function lostSession(log: Logger): SessionObserver | undefined {
  const lost = lostState();
  if (lost === undefined) return undefined;
  return { ready: async (served) => (await import("./remount-lost.ts")).remountLost(lost, served, log) };
}
