import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { FailoverPolicy } from "../fuse/lost-requests.ts";
import type { Keeper } from "../handover/keeper.ts";
import type { StateFile } from "../handover/state-file.ts";
import type { Logger } from "../log/log.ts";
import { leaveMount } from "../mounts/leave.ts";
import { readMounts } from "../mounts/table.ts";
import { connectionsOf, isDead } from "../proc/processes.ts";
import { setOpenFiles } from "../proc/file-limit.ts";
import type { SessionSeed } from "../session/seed.ts";
import { IncomingSession } from "./incoming.ts";

/** How long the process that serves has to listen: it looks once a second whether its keeper is gone. */
const LISTEN_MS = 10_000;
const LOOK_MS = 5;

/** A session that this process goes on with. */
export interface Resumed {
  readonly seed: SessionSeed;
  /** The process before this one died, and did not hand it over. */
  readonly isCrash: boolean;
  /** When that was known, ms of this process. */
  readonly at: number;
  /** How many lookups the kernel had of each image when the process before had ended; undefined: it died before that. */
  readonly lookups: Promise<ReadonlyMap<number, number> | undefined>;
}

/** "nothing": the process before this one has ended in order, or died before it had mounted anything. */
export type Found = Resumed | "nothing";

export interface ResumeOptions {
  readonly threads: number;
  /** Files that the process may have open; undefined leaves the limit. */
  readonly openFiles: number | undefined;
  /** What becomes of requests that a process had read when it died. */
  readonly failover: FailoverPolicy;
  readonly version: string;
  readonly mountpoint: string;
  readonly log: Logger;
}

/** What a process that died leaves. */
export const crashed = (seed: SessionSeed, at: number): Resumed => ({
  ...{ seed, at, isCrash: true },
  lookups: Promise.resolve(undefined),
});

/**
 * What another process leaves to this one, which the keeper has started after it, or beside it.
 *
 * @throws OperationalError when none of its images can be had, or the process that serves does not answer
 */
export async function resumedFrom(keeper: Keeper, file: StateFile, options: ResumeOptions): Promise<Found> {
  const { threads, openFiles, failover, mountpoint, log } = options;
  if (openFiles !== undefined) setOpenFiles(openFiles);
  const incoming = new IncomingSession(threads, keeper.device, (serial) => file.readChecked(serial), log);
  if (keeper.role === "next") return behind(incoming, file, keeper.isToAdopt, options);
  const state = file.read();
  const seed = state && incoming.afterDeath(state, failover);
  if (seed !== undefined) return crashed(seed, 0);
  if (state !== undefined || !(await leaveWithoutState(file, log)))
    log.error(`${mountpoint}: the previous process died before it had mounted anything`);
  return "nothing";
}

/**
 * Takes away what this process has the device of, and nobody can serve any more: its state was removed. It would be a dead mount,
 * whose readers are told that it is not connected.
 *
 * @returns false: nothing is mounted
 */
async function leaveWithoutState({ path }: StateFile, log: Logger): Promise<boolean> {
  const served = connectionsOf(process.pid);
  const left = readMounts().filter(({ device }) => served.includes(Number(device.split(":")[1])));
  for (const { mountpoint, device } of left) {
    const problem = await leaveMount({ path: mountpoint }, device).then(() => "unmounted", messageOf);
    log.error(`${mountpoint}: there is no state to go on with, ${path} was removed: ${problem}`);
  }
  return left.length > 0;
}

/** Waits behind the process that serves until it dies or hands over. */
async function behind(
  incoming: IncomingSession,
  file: StateFile,
  isToAdopt: boolean,
  { version, failover }: ResumeOptions,
): Promise<Found> {
  const { waitBehind } = await import("../handover/protocol.ts"); // only for a process that waits
  for (const end = performance.now() + LISTEN_MS; ; ) {
    const begun = await waitBehind(file.socket, version, (state) => incoming.prepare(state), isToAdopt);
    const at = performance.now();
    if (begun?.state !== undefined)
      return { seed: incoming.afterHandover(begun.state), isCrash: false, at, lookups: begun.lookups };
    const state = file.read();
    if (state === undefined || isDead(state.serving)) {
      const seed = state && incoming.afterDeath(state, failover);
      return seed === undefined ? "nothing" : crashed(seed, at);
    }
    // It does not listen yet, or has just turned this one away: two must never serve.
    if (at > end)
      throw new OperationalError(`process ${state.serving.pid} serves the mount and does not answer`);
    await sleep(LOOK_MS);
  }
}
