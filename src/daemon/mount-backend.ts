import { messageOf, OperationalError, UsageError } from "../bytes/errors.ts";
import type { Backing } from "../kernel-erofs/backing.ts";
import { BACKINGS, type Driver } from "../mounts/drivers.ts";
import { noDigests } from "../kernel-erofs/dm-verity.ts";
import type { Log, Logger } from "../log/log.ts";
import { mountAt } from "../mounts/table.ts";
import { kindOf, mustKnow } from "../mounts/option-words.ts";
import { unmount } from "../mounts/umount.ts";
import { openDaemonLog } from "./daemon-log.ts";
import { imageFacts, type ReadyFacts } from "./facts.ts";
import { HeldSignals, stoppedBy } from "./held-signals.ts";
import { inodeKey, noteKernelMount } from "./kernel-mounts.ts";
import type { DaemonOptions } from "./options.ts";
import { ownVerdicts } from "./own-verdicts.ts";
import { coverWithOverlay, mayOverlay } from "./overlay.ts";
import { type MountContext, prepareMount, releaseMount } from "../seed/mount-context.ts";

export interface BackendOptions extends DaemonOptions {
  readonly driver: Driver;
  /** Options that were given and mean something to a daemon only, as they were written. */
  readonly forDaemon: readonly string[];
}

/** @param isServed a process stays that serves the mount */
export type OnReady = (facts: ReadyFacts, isServed: boolean) => void;

/**
 * Has a daemon serve an image.
 *
 * @param reason why, and not the kernel
 * @param context what was opened to have the kernel mount it
 * @returns exit status
 */
export type ServeByFuse = (reason: string, log: Log, context?: MountContext) => Promise<number>;

/**
 * To be asked before layers are read.
 *
 * @param forDaemon as in BackendOptions
 * @throws UsageError for a driver that cannot honour what was given
 */
export function mustHonour(
  driver: Driver,
  forDaemon: readonly string[],
  mountOptions: readonly string[],
): void {
  if (driver === "auto") return;
  const daemonOnly = whyDaemon(forDaemon);
  if (driver !== "fuse" && daemonOnly !== undefined)
    throw new UsageError(`--driver ${driver} cannot be used with ${daemonOnly}`);
  mustKnow(driver === "fuse" ? "fuse" : "erofs", mountOptions);
}

/** Which options keep the kernel from showing the image, and why; undefined: none do. */
function whyDaemon(forDaemon: readonly string[]): string | undefined {
  if (forDaemon.includes("--verity")) return `--verity: ${noDigests()}`;
  return forDaemon.length === 0 ? undefined : `${forDaemon.join(", ")}: for the FUSE daemon only`;
}

/** This process is the daemon. What serves is loaded only then: where the kernel mounts an image, nobody serves it. */
export const inForeground =
  (options: DaemonOptions, onReady: OnReady): ServeByFuse =>
  async (reason, log, context) => {
    log.info(`driver fuse: ${reason}`);
    const { serveImage } = await import("./main.ts");
    return serveImage(options, log, (facts) => onReady(facts, true), context);
  };

/** Another process is: `start` starts it, and waits until it serves. */
export const inBackground =
  (start: (reason: string, log: Log) => Promise<void>): ServeByFuse =>
  async (reason, log, context) => {
    if (context !== undefined) await releaseMount(context);
    log.info(`driver fuse: ${reason}`);
    await start(reason, log);
    return 0;
  };

/**
 * Mounts an image with the best driver that the host has: the kernel's EROFS where it takes this very image, else
 * FUSE.
 *
 * @param serveByFuse until it ends, or in the background
 * @returns exit status
 * @throws UsageError, OperationalError, FormatError: nothing is mounted then
 */
export async function mountImage(
  options: BackendOptions,
  onReady: OnReady,
  serveByFuse: ServeByFuse,
): Promise<number> {
  const { driver, forDaemon, upper } = options;
  const daemonOnly = whyDaemon(forDaemon);
  const words = options.mountOptions;
  const serve: ServeByFuse = (reason, ...how) => {
    mustKnow("fuse", words);
    return serveByFuse(reason, ...how);
  };
  const fuseWord = words.find((word) => kindOf(word) === "fuse");
  if (upper !== undefined) mayOverlay(upper, options.mountpoint);
  const log = openDaemonLog(options);
  if (driver === "fuse") return serve("asked for", log);
  if (daemonOnly !== undefined) return serve(daemonOnly, log);
  if (driver === "auto" && fuseWord !== undefined)
    return serve(`-o ${fuseWord}: for the driver fuse only`, log);
  const context = await prepareMount({ ...options, verdicts: ownVerdicts(log) }, log);
  const signals = new HeldSignals();
  let backing: Backing;
  try {
    backing = await mountByKernel(context, options, BACKINGS[driver]);
  } catch (error) {
    const asked = await signals.come();
    signals.release();
    if (asked === undefined && driver === "auto") return serve(messageOf(error), log, context);
    await releaseMount(context);
    throw asked === undefined
      ? new OperationalError(`--driver ${driver}: ${messageOf(error)}`)
      : stoppedBy(asked);
  }
  try {
    context.claim.release();
    noteKernelMount(context.mountpoint, context.first?.pinned.image.files.map(inodeKey));
    log.info(`driver erofs: the kernel mounts the image itself, backing ${backing}`);
    if (upper !== undefined) await makeWritable(context, upper, options, log);
    const asked = await signals.come();
    if (asked !== undefined) {
      await context.first?.pinned.prefetching.stop();
      const { unmountImage } = await import("./unmount-image.ts");
      await unmountImage(context.mountpoint);
      throw stoppedBy(asked);
    }
    onReady({ ...imageFacts(context), driver: "erofs", backing, upper }, false);
  } finally {
    signals.release();
  }
  // Through the descriptors of this process: the image can be unmounted meanwhile.
  await context.first?.pinned.prefetching.finish();
  return 0;
}

/** Loaded only when it is used. @returns what the mount reads from */
async function mountByKernel(
  { first, mountpoint }: MountContext,
  { mountOptions, name }: BackendOptions,
  backings: readonly Backing[],
): Promise<Backing> {
  if (first === undefined) throw new OperationalError("there is no image to mount");
  const { mountDetached } = await import("../kernel-erofs/mount.ts");
  const { image, source } = first.pinned;
  const mount = await mountDetached(image, source, name ?? source, mountOptions, backings);
  try {
    mount.attach(mountpoint);
  } finally {
    mount.close();
  }
  return mount.backing;
}

/** @throws OperationalError: the image is unmounted then */
async function makeWritable(
  { mountpoint, first }: MountContext,
  upper: string,
  { mountOptions }: BackendOptions,
  log: Logger,
): Promise<void> {
  const device = mountAt(mountpoint)?.device;
  try {
    await coverWithOverlay(mountpoint, upper, mountOptions);
  } catch (error) {
    await first?.pinned.prefetching.stop();
    await unmount({ path: mountpoint }, device).catch((problem) => log.error(messageOf(problem)));
    throw error;
  }
}
