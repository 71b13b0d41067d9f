import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { isOverlay, mountOverlay, mustBeUnused } from "../mounts/overlay.ts";
import { mountAt, readMounts } from "../mounts/table.ts";
import { unmount } from "../mounts/umount.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import { claimChanges } from "../seed/claim.ts";
import type { Ended } from "../session/ended.ts";
import type { Served, SessionObserver } from "./lifecycle.ts";

/**
 * What can be known of changes before anything is mounted.
 *
 * @throws OperationalError: mounting an overlay is for root, of the host or of a user namespace; and where no directory is
 */
export function mayOverlay(upper: string, mountpoint: string): void {
  const refuse = (problem: string): never => {
    throw new OperationalError(`--rw ${upper}: ${problem}`);
  };
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) refuse(`user ${uid} may not mount an overlay: run it as root, or in unshare -Urm`);
  if (upper === "") refuse("an empty string: want a directory that keeps the changes");
  for (const path of [upper, join(upper, "upper"), join(upper, "work")])
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false)
      refuse(
        `${path === upper ? "" : `${path} is `}not a directory: want a directory that keeps the changes`,
      );
  const parent = dirname(resolve(upper));
  if (!existsSync(upper) && !existsSync(parent)) refuse(`there is no directory ${parent}: make it first`);
  if (isBelow(existsSync(upper) ? upper : parent, mountpoint))
    refuse(
      `lies below the mountpoint, where the image will hide it: choose a directory beside ${mountpoint}`,
    );
  mustBeUnused(upper);
}

function isBelow(path: string, mountpoint: string): boolean {
  try {
    return join(realpathSync(path), "/").startsWith(join(realpathSync(mountpoint), "/"));
  } catch {
    return false; // what is wrong with the mountpoint is said where it is prepared
  }
}

/**
 * Mounts an overlay, while no other process is about to mount one with the same changes.
 *
 * @throws OperationalError; nothing is mounted then
 */
export async function coverWithOverlay(
  mountpoint: string,
  upper: string,
  words: readonly string[],
): Promise<string> {
  try {
    mustBeOwnDirectory(upper, { make: 0o700 });
  } catch (error) {
    throw new OperationalError(`--rw ${upper}: ${messageOf(error)}`);
  }
  const claim = claimChanges(upper);
  try {
    return await mountOverlay(mountpoint, upper, words);
  } finally {
    claim.release();
  }
}

/**
 * A writable overlay above a session's mount. It hides that mount, so it goes first when the session is to end, and it
 * goes when the session has ended; the process that takes a session over finds it there.
 */
export class Overlay implements SessionObserver {
  private readonly upper: string;
  private readonly options: readonly string[];
  private readonly log: Logger;
  /** What it is above, and its own device number. */
  private mounted: { readonly below: Served; readonly device: string } | undefined;

  constructor(upper: string, options: readonly string[], log: Logger) {
    this.upper = upper;
    this.options = options;
    this.log = log;
  }

  /** @throws OperationalError when it cannot be mounted */
  async ready(below: Served): Promise<void> {
    const { mountpoint, isResumed } = below;
    const above = isResumed ? mountAt(mountpoint) : undefined;
    const device =
      above !== undefined && isOverlay(above)
        ? above.device
        : await coverWithOverlay(mountpoint, this.upper, this.options);
    this.mounted = { below, device };
  }

  async stopping(): Promise<void> {
    if (this.mounted === undefined) return;
    const { below, device } = this.mounted;
    if ((await unmount(below.place, device)) === "detached")
      this.log.warn(
        `${below.place.path} is busy: the overlay is detached, and ends when no process uses it any more`,
      );
  }

  async amendEnd(end: Ended): Promise<Ended> {
    if (this.mounted === undefined || end.how === "handed over") return end;
    await this.stopping().catch(() => {}); // it may be gone already
    const { place, session } = this.mounted.below;
    const isLeft = readMounts().some(
      ({ mountpoint, device }) => mountpoint === place.path && device === session.device,
    );
    // Hidden by the overlay, the mount looked unmounted.
    return isLeft && end.how === "unmounted" ? { how: "aborted", message: "" } : end;
  }
}
