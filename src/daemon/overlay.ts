import { StartError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { isOverlay, mountOverlay } from "../mounts/overlay.ts";
import type { Located } from "../mounts/place.ts";
import { mountAt, readMounts } from "../mounts/table.ts";
import { unmount } from "../mounts/umount.ts";
import type { Ended } from "../session/ended.ts";
import type { MountRequest, Session } from "../session/transport.ts";

/** @throws StartError: mounting an overlay is for root, of the host or of a user namespace */
export function mayOverlay(upper: string): void {
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) throw new StartError(`--rw ${upper}: user ${uid} may not mount an overlay`);
}

/**
 * Mounts a writable overlay above a session's mount. The overlay hides it, so it goes first when the session is to
 * end, and it goes when the session has ended.
 *
 * @throws StartError: the session has ended then
 */
export async function withOverlay(
  session: Session,
  { mountpoint, place, options, heritage, log }: MountRequest,
  upper: string,
): Promise<Session> {
  let overlay: string;
  try {
    const above = mountAt(mountpoint);
    // Another process mounted it, and died or has handed over.
    const isThere = heritage !== undefined && above !== undefined && isOverlay(above);
    overlay = isThere ? above.device : await mountOverlay(mountpoint, upper, options);
  } catch (error) {
    await session.stop();
    await session.ended;
    throw error;
  }
  const leave = () => leaveOverlay(place, overlay, log);
  const ended = session.ended.then(async (end): Promise<Ended> => {
    await leave().catch(() => {});
    const isLeft = readMounts().some(
      ({ mountpoint: at, device }) => at === place.path && device === session.device,
    );
    // Hidden by the overlay, it looked unmounted.
    return isLeft && end.how === "unmounted" ? { how: "aborted", message: "" } : end;
  });
  let isStopping = false;
  return {
    ...session,
    ended,
    stop: async () => {
      const isFirst = !isStopping;
      isStopping = true;
      if (isFirst) await leave();
      await session.stop();
    },
  };
}

async function leaveOverlay(place: Located, device: string, log: Logger): Promise<void> {
  if ((await unmount(place, device)) === "detached")
    log.warn(`${place.path} is busy: the overlay is detached; it is gone when its last user is`);
}
