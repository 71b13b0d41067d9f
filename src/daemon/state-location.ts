import { readMounts } from "../mounts/table.ts";
import type { Keeper } from "../handover/keeper.ts";
import { defaultStateDir } from "../handover/state-dir.ts";
import { allStates, removeDead, StateFile } from "../handover/state-file.ts";
import type { DaemonOptions } from "./options.ts";

/** What a start is told when it mounts anew what another session had: path of that one's state, without the end. */
export const lostState = (): string | undefined => process.env["NYDUSD_TS_AFRESH"];

/** Named for the process that outlives those that serve. @throws OperationalError */
export const stateFile = ({ stateDir }: DaemonOptions, keeper: Keeper | undefined): StateFile =>
  keeper?.state !== undefined
    ? StateFile.at(keeper.state)
    : StateFile.in(stateDir ?? defaultStateDir(), keeper?.pid ?? process.pid);

/** The session at a mountpoint is over, which it could not say itself if it was killed. */
export function removeStatesOf(mountpoint: string, dir: string): void {
  try {
    removeDead(dir, (each) => each !== mountpoint);
  } catch {} // nothing is there, or it is another user's
}

/** What is known of sessions; nothing where states are not this user's alone, or there are none. */
export function knownStates({
  stateDir = defaultStateDir(),
}: Partial<DaemonOptions> = {}): ReturnType<typeof allStates> {
  try {
    return allStates(stateDir);
  } catch {
    return [];
  }
}

/**
 * Another's may be recovered as long as its mount is there; what was at this mountpoint is over.
 *
 * @param here canonical mountpoint
 * @throws OperationalError for states that are not this user's alone
 */
export function removeDeadStates({ stateDir = defaultStateDir() }: DaemonOptions, here: string): void {
  const lost = lostState();
  if (lost !== undefined) return void StateFile.at(lost);
  const mounted = new Set(readMounts().map(({ mountpoint }) => mountpoint));
  removeDead(stateDir, (mountpoint) => mountpoint !== here && mounted.has(mountpoint));
}
