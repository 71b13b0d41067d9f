import { OperationalError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { isOverlay, mountOverlay } from "../mounts/overlay.ts";
import { mountAt, readMounts } from "../mounts/table.ts";
import { unmount } from "../mounts/umount.ts";
import type { Ended } from "../session/ended.ts";
import type { Served, SessionObserver } from "./lifecycle.ts";

/** @throws OperationalError: mounting an overlay is for root, of the host or of a user namespace */
export function mayOverlay(upper: string): void {
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) throw new OperationalError(`--rw ${upper}: user ${uid} may not mount an overlay`);
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
        : await mountOverlay(mountpoint, this.upper, this.options);
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
