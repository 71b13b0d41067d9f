import { FUSE_TYPE } from "../fuse/device.ts";
import { isOverlay, upperOf } from "../mounts/overlay.ts";
import { type MountEntry, readMounts } from "../mounts/table.ts";
import { beganAt, isAlive, serversOf } from "../proc/processes.ts";
import { kernelMounts } from "./kernel-mounts.ts";
import { knownStates } from "./state-location.ts";

/** A mount of ours, as `nydusd-ts ls` tells of it. */
export interface ListedMount {
  readonly mountpoint: string;
  /** What was mounted, as its user named it. */
  readonly source: string;
  readonly driver: "erofs" | "fuse";
  readonly rw: boolean;
  /** Where the changes of a writable one are; absent where the overlay does not show it. */
  readonly upper?: string | undefined;
  /** Of the process that takes signals; absent where none is needed, or none is left. */
  readonly pid?: number | undefined;
  /** When it was mounted, as ISO 8601 has it; absent where nothing says so. */
  readonly since?: string | undefined;
}

/**
 * Every mount of ours. What is mounted the kernel says; what was written down only adds to that.
 *
 * @param table of one namespace, in mount order
 */
export function listMounts(table: readonly MountEntry[] = readMounts()): ListedMount[] {
  const ofKernel = kernelMounts(table);
  const seen = new Set<string>(); // a bind mount shows the same once more
  return table.flatMap((mount) => {
    const { mountpoint, source, device, type } = mount;
    const at = ofKernel.get(mount);
    if ((type !== FUSE_TYPE && at === undefined) || seen.has(device)) return [];
    seen.add(device);
    const overlay = table.find((each) => each.parent === mount.id && isOverlay(each, table));
    const served = at === undefined ? serverOf(mount) : { since: at };
    return [
      {
        ...{ mountpoint, source, driver: at === undefined ? ("fuse" as const) : ("erofs" as const) },
        rw: overlay !== undefined,
        upper: overlay && upperOf(overlay),
        pid: served.pid,
        since: served.since?.toISOString(),
      },
    ];
  });
}

/** By its state; by who has its device, where that is elsewhere or there is none. */
function serverOf({ device, mountpoint }: MountEntry): {
  pid?: number | undefined;
  since?: Date | undefined;
} {
  for (const { file, state } of knownStates()) {
    // Another session may have had that number, and that place.
    if (state.device !== device || state.mountpoint !== mountpoint || !file.isServed(state)) continue;
    return { pid: [state.owner, state.serving].find(isAlive)?.pid, since: new Date(1000 * state.since) };
  }
  const [pid] = serversOf(device);
  return pid === undefined ? {} : { pid, since: beganAt(pid) };
}
