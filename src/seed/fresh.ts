import {
  MOUNT_OPTIONS,
  maxPages,
  mountDevice,
  type Owner,
  openDevice,
  raiseReadAhead,
} from "../fuse/device.ts";
import type { Logger } from "../log/log.ts";
import { TrackedMountpoint } from "../mounts/tracked-mountpoint.ts";
import { mountAt } from "../mounts/table.ts";
import { detach } from "../mounts/umount.ts";
import type { ImageAt, SessionSeed } from "../session/seed.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { MountContext } from "./mount-context.ts";

/** How a mount is to be made. */
export interface FreshOptions {
  /** Images may come and go later. */
  readonly mayChange: boolean;
  /** Mount options beside those that every mount has. */
  readonly mountOptions: readonly string[];
  /** May unmount it, besides root; undefined: root alone. */
  readonly owner: Owner | undefined;
  /** An open FUSE device that another process holds, too; undefined: one is opened. */
  readonly device: number | undefined;
  readonly log: Logger;
}

/** A session that begins here: nothing is mounted before `attach`. @throws OperationalError without a FUSE device */
export function freshSeed(context: MountContext, options: FreshOptions): SessionSeed {
  const { first, mountpoint, held, maxOpen } = context;
  const { mayChange, mountOptions, owner, log } = options;
  const fd = options.device ?? openDevice();
  return {
    ...{ device: fd, mountpoint, held, maxOpen },
    place: new TrackedMountpoint(mountpoint),
    terms: {
      maxRead: maxPages() * 4096,
      traits: traitsOf(first, mayChange),
      isFixed: !mayChange && first !== undefined && first.names.length === 0,
      since: Math.floor(Date.now() / 1000),
    },
    agreed: undefined,
    takeovers: { all: 0, crashes: 0 },
    fill: (table) => {
      if (first !== undefined) table.mountFirst(first.names, first.pinned, first.tracing);
    },
    attach: () => {
      mountDevice(fd, mountpoint, sourceOf(context), [...MOUNT_OPTIONS, ...mountOptions], owner);
      // Taken now: a detached mount is in no table.
      return mountAt(mountpoint)?.device ?? "";
    },
    onInit: () => log.debug(`read-ahead of ${mountpoint}: ${raiseReadAhead(mountpoint)}`),
    onNoInit: () => detach(mountpoint).catch(() => {}), // it may be gone already
  };
}

/** Shown as the mount's source. */
export const sourceOf = ({ first, name }: MountContext): string =>
  name ?? first?.pinned.source ?? "nydusd-ts";

/**
 * What the kernel is to ask for at all is agreed on once, also for images that come later: then everything. What is not
 * there answers so each time.
 */
function traitsOf(first: ImageAt | undefined, mayChange: boolean): Traits {
  if (first === undefined || (mayChange && first.names.length > 0)) return { hasXattrs: true, hasAcls: true };
  const { hasXattrs, hasAcls } = first.pinned.image.handle;
  return { hasXattrs: hasXattrs || mayChange, hasAcls };
}
