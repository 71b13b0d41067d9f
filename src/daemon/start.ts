import type { Owner } from "../fuse/device.ts";
import { TrackedMountpoint } from "../mounts/tracked-mountpoint.ts";
import { freshSeed, sourceOf } from "../seed/fresh.ts";
import { type MountContext, prepareMount } from "../seed/mount-context.ts";
import { type Found, type Resumed, resumedFrom } from "../seed/resumed.ts";
import { type RunOptions, runSession } from "../session/run.ts";
import type { Daemon } from "./daemon.ts";
import { type ExceptionGuard, guardAgainstExceptions } from "./exception-guard.ts";
import type { Served } from "./lifecycle.ts";
import { mustBeFree } from "./pid-file.ts";
import { refuseSelfMount } from "./self-mount-guard.ts";
import { ownVerdicts } from "./own-verdicts.ts";
import { type AskedToStop, handleSignals } from "./signals.ts";
import { knownStates, removeDeadStates } from "./state-location.ts";
import { findUser, mustReach } from "./user.ts";
import { buildInfo } from "./version.ts";

/** What is served, and what is left to be done about it. */
export interface Started extends Guards {
  readonly served: Served;
  /** undefined: another process mounted it. */
  readonly context: MountContext | undefined;
  /** undefined: the session began here. */
  readonly resumed: Resumed | undefined;
  /** The user that the process becomes once it has mounted; undefined: it stays what it is. */
  readonly owner: Owner | undefined;
}

/** What keeps the process from leaving a dead mount. */
interface Guards {
  /** undefined: the keeper starts another process after an exception. */
  readonly exceptions: ExceptionGuard | undefined;
  readonly isAskedToStop: AskedToStop;
}

/** A session that another process has served. @returns undefined: this one is to begin it */
export async function findSession(daemon: Daemon): Promise<Found | undefined> {
  const { options, log, keeper, supervised, outgoing, listeners } = daemon;
  if (outgoing === undefined) return undefined;
  if (supervised !== undefined && (await supervised.isToWait())) {
    await listeners.openApi();
    return supervised.given;
  }
  if (keeper === undefined || keeper.role === "first") return undefined;
  return resumedFrom(keeper, outgoing.file, { ...options, version: buildInfo().version, log });
}

/** @throws OperationalError, FormatError: nothing is mounted then */
export async function begin(daemon: Daemon, given: MountContext | undefined): Promise<Started> {
  const { options, log, keeper, transport, outgoing, listeners } = daemon;
  const owner = options.user === undefined ? undefined : findUser(options.user);
  // Before anything is logged: its events tell what went wrong.
  await listeners.openApi();
  log.info(transport);
  // Before anything is mounted: an address that is taken is found then.
  await listeners.openMetrics();
  const context = given ?? (await prepareMount({ ...options, verdicts: ownVerdicts(log) }, log));
  const { mountpoint, held, claim } = context;
  try {
    if (owner !== undefined) mustReach(owner, mountpoint);
    if (options.pidFile !== undefined)
      mustBeFree(options.pidFile, keeper?.pid ?? process.pid, () => knownStates(options));
    if (outgoing !== undefined) removeDeadStates(options, mountpoint);
    refuseSelfMount(options, context);
    const guards = guard(daemon);
    const mounted = await mount(daemon, context, owner);
    return {
      ...guards,
      served: { ...mounted, mountpoint, held, isResumed: false },
      context,
      owner,
      resumed: undefined,
    };
  } catch (error) {
    outgoing?.end();
    await context.first?.pinned.prefetching.stop();
    throw error;
  } finally {
    claim.release(); // what is mounted can be seen
  }
}

/** @throws OperationalError: nothing is mounted then */
async function mount(
  daemon: Daemon,
  context: MountContext,
  owner: Owner | undefined,
): Promise<Pick<Served, "session" | "place">> {
  const { options, log, keeper, pool } = daemon;
  const { first, mountpoint } = context;
  const { mountOptions, apiSocket } = options;
  if (pool === undefined) {
    const place = new TrackedMountpoint(mountpoint);
    const { serveNative } = await import("../session/native.ts"); // the addon costs start-up time and memory
    const request = { first, mountpoint, place, source: sourceOf(context), options: mountOptions, log };
    return { session: await serveNative(request), place };
  }
  const mayChange = apiSocket !== undefined;
  const seed = freshSeed(context, { mayChange, mountOptions, owner, device: keeper?.device, log });
  return {
    session: await runSession(seed, { ...runOptions(daemon), pool, willDropRoot: owner !== undefined }),
    place: seed.place,
  };
}

/**
 * Requests first: whatever else there is can wait, and must not keep them from being answered.
 *
 * @throws OperationalError, when no request can be
 */
export async function goOn(daemon: Daemon, resumed: Resumed): Promise<Started> {
  const { pool, outgoing } = daemon;
  const { seed, lookups, isCrash } = resumed;
  if (pool === undefined) throw new Error("only workers can go on with a session");
  outgoing?.listenAfter(lookups);
  const guards = guard(daemon);
  outgoing?.arm();
  const session = await runSession(seed, { ...runOptions(daemon), pool, willDropRoot: false });
  void lookups.then((known) => {
    if (known !== undefined) session.transfer?.restoreLookups(known);
    else if (!isCrash) session.transfer?.resend();
  });
  const { mountpoint, place, held } = seed;
  const served: Served = { session, mountpoint, place, held, isResumed: true };
  return { ...guards, served, context: undefined, owner: undefined, resumed };
}

const runOptions = ({ options, outgoing, log }: Daemon): Omit<RunOptions, "pool" | "willDropRoot"> => ({
  push: options.push,
  lowLatency: options.lowLatency,
  changed: (snapshot) => {
    outgoing?.changed(snapshot);
    // Mounting begins: the keeper is to go on from now on, and finds the state.
    if (snapshot.device === undefined) outgoing?.arm();
  },
  log,
});

/** To be called before mounting: a process that ends between mounting and serving leaves a dead mount. */
function guard({ log, keeper, outgoing, control, listeners }: Daemon): Guards {
  const exceptions = outgoing === undefined || keeper === undefined ? guardAgainstExceptions(log) : undefined;
  const isAskedToStop = handleSignals(log, () => control.hangUp());
  listeners.mounting();
  return { exceptions, isAskedToStop };
}
