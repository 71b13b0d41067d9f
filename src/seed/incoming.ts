import { HeldFiles } from "../blob/held-files.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { FUSE_TYPE } from "../fuse/device.ts";
import { type FailoverPolicy, recoverRequests } from "../fuse/lost-requests.ts";
import type { Logger } from "../log/log.ts";
import { TrackedMountpoint } from "../mounts/tracked-mountpoint.ts";
import { mountAt } from "../mounts/table.ts";
import { fileBudget } from "../session/file-budget.ts";
import { type PinnedImage, unpinImage } from "../session/pinned-image.ts";
import { reopenAndPin } from "../session/reopen-image.ts";
import type { SessionSeed } from "../session/seed.ts";
import type { CheckedState, SessionSnapshot } from "../session/snapshot.ts";

/** There is nothing to go on with, however often it is tried. */
export class NoImageLeft extends OperationalError {}

/** A session whose images this process opens, while another may still serve it. */
export class IncomingSession {
  private readonly fd: number;
  private readonly checkedOf: (serial: number) => CheckedState | undefined;
  private readonly log: Logger;
  private readonly held: HeldFiles;
  private readonly maxOpen: number;
  /** By serial. */
  private readonly images = new Map<number, PinnedImage>();

  /**
   * @param fd its FUSE device
   * @param checkedOf what is known of an image already, by serial
   */
  constructor(
    threads: number,
    fd: number,
    checkedOf: (serial: number) => CheckedState | undefined,
    log: Logger,
  ) {
    this.fd = fd;
    this.checkedOf = checkedOf;
    this.log = log;
    const { held, each } = fileBudget(threads);
    this.held = new HeldFiles(held);
    this.maxOpen = each;
  }

  /**
   * Opens what there is to be opened, and closes what is not needed any more.
   *
   * @throws OperationalError when none of its images can be had
   */
  prepare(snapshot: SessionSnapshot): void {
    const serials = new Set(snapshot.images.map(({ serial }) => serial));
    for (const [serial, pinned] of this.images) {
      if (serials.has(serial)) continue;
      this.images.delete(serial);
      unpinImage(pinned, this.held).catch((error: unknown) => this.log.error(messageOf(error)));
    }
    for (const image of snapshot.images) {
      if (this.images.has(image.serial)) continue;
      try {
        this.images.set(image.serial, reopenAndPin(image, this.checkedOf(image.serial), this.held, this.log));
      } catch (error) {
        this.log.error(`${messageOf(error)}: its files answer ESTALE from now on`);
      }
    }
    if (snapshot.images.length > 0 && this.images.size === 0)
      throw new NoImageLeft("none of the images of the session can be opened");
  }

  /**
   * What to go on with after a process that died.
   *
   * @param policy what becomes of requests that it had read
   * @returns undefined: it had not mounted anything yet
   * @throws OperationalError when none of its images can be had
   */
  afterDeath(snapshot: SessionSnapshot, policy: FailoverPolicy): SessionSeed | undefined {
    const device = snapshot.device || deviceAt(snapshot.mountpoint);
    if (device === undefined) return undefined;
    const { all, crashes } = snapshot.takeovers;
    return this.seedOf(snapshot, { all: all + 1, crashes: crashes + 1 }, () => {
      const done = recoverRequests(this.fd, policy, device, snapshot.lastUnique);
      this.log.info(`requests that were being answered: ${done}`);
      return device;
    });
  }

  /**
   * What to go on with after a process that has handed it over, and answers what it had read.
   *
   * @throws OperationalError when none of its images can be had
   */
  afterHandover(snapshot: SessionSnapshot): SessionSeed {
    const { all, crashes } = snapshot.takeovers;
    return this.seedOf(snapshot, { all: all + 1, crashes }, () => {
      if (snapshot.device === undefined)
        throw new OperationalError("a session was handed over that is not mounted");
      return snapshot.device;
    });
  }

  private seedOf(
    snapshot: SessionSnapshot,
    takeovers: SessionSeed["takeovers"],
    attach: () => string,
  ): SessionSeed {
    this.prepare(snapshot);
    const { held, maxOpen, fd } = this;
    const { mountpoint, agreed, traits, isFixed, since } = snapshot;
    return {
      ...{ device: fd, mountpoint, held, maxOpen, agreed, takeovers, attach },
      place: new TrackedMountpoint(mountpoint),
      terms: { maxRead: agreed.maxRead, traits, isFixed, since },
      fill: (table) => table.restore(snapshot, ({ serial }) => this.images.get(serial)),
      onInit: () => {},
      onNoInit: async () => {},
    };
  }
}

/** The process died when mounting had just been begun: perhaps it is mounted. */
function deviceAt(mountpoint: string): string | undefined {
  const mount = mountAt(mountpoint);
  return mount?.type === FUSE_TYPE ? mount.device : undefined;
}
