import type { Logger } from "../log/log.ts";
import type { Keeper } from "../handover/keeper.ts";
import type { StateFile } from "../handover/state-file.ts";
import { Heir, type Inherited } from "./heritage.ts";
import type { DaemonOptions } from "./options.ts";
import { setOpenFiles } from "./rlimit.ts";

/** "nothing": the process before this one has ended in order, or died before it had mounted anything. */
export type Found = Inherited | "nothing" | undefined;

/**
 * What another process leaves to this one.
 *
 * @returns undefined for the first
 * @throws StartError when none of its images can be had
 */
export async function inheritedFrom(
  { threads, failover, openFiles, mountpoint }: DaemonOptions,
  { role, device, isToAdopt }: Keeper,
  file: StateFile,
  log: Logger,
): Promise<Found> {
  if (role === "first") return undefined;
  if (openFiles !== undefined) setOpenFiles(openFiles);
  const heir = new Heir(threads, device, (serial) => file.readChecked(serial), log);
  if (role === "next") return (await heir.behind(file, failover, isToAdopt)) ?? "nothing";
  const state = file.read();
  const inherited = state && heir.after(state, failover);
  if (inherited === undefined)
    log.error(`${mountpoint}: the previous process died before it had mounted anything`);
  return inherited ?? "nothing";
}

/** @param keeper undefined: a supervisor has the session */
export function sayInherited(
  { isCrash, at, setting }: Inherited,
  keeper: Keeper | undefined,
  log: Logger,
): void {
  const ms = `went on after ${Math.round(performance.now() - at)} ms`;
  if (!isCrash) log.info(`${setting.mountpoint}: handed over: ${ms}`);
  else {
    const { role, crashes, last } = keeper ?? {};
    const how = role === "after" ? ` with status ${last}, ${crashes} so far` : "";
    log.error(`${setting.mountpoint}: the previous process died${how}: ${ms}`);
  }
}
