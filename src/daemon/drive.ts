import { messageOf, StartError, UsageError } from "../bytes/errors.ts";
import type { Backing } from "../kernel-erofs/backing.ts";
import type { Logger } from "../log/log.ts";
import { mountOverlay } from "../mounts/overlay.ts";
import { mountAt } from "../mounts/table.ts";
import { unmount } from "../mounts/umount.ts";
import type { ReadyFacts } from "./facts.ts";
import type { DaemonOptions } from "./options.ts";
import { mayOverlay } from "./overlay.ts";
import { openDaemonLog, serveImage } from "./run.ts";
import { factsOf, prepareSetting, type Setting } from "./setting.ts";

export const DRIVERS = ["auto", "erofs", "erofs-file", "erofs-loop", "fuse"] as const;
type Driver = (typeof DRIVERS)[number];

export interface DriveOptions extends DaemonOptions {
  readonly driver: Driver;
  /** Options that were given and mean something to a daemon only, as they were written. */
  readonly forDaemon: readonly string[];
}

/** @param isServed a process stays that serves the mount: this one */
export type OnReady = (facts: ReadyFacts, isServed: boolean) => void;

const BACKINGS: Readonly<Record<Exclude<Driver, "fuse">, readonly Backing[]>> = {
  auto: ["file", "loop"],
  erofs: ["file", "loop"],
  "erofs-file": ["file"],
  "erofs-loop": ["loop"],
};

/**
 * Mounts an image with the best driver that the host has: the kernel's EROFS where it takes this very image, else
 * FUSE, which is served until it ends.
 *
 * @returns exit status
 * @throws UsageError, StartError, FormatError: nothing is mounted then
 */
export async function mountImage(options: DriveOptions, onReady: OnReady): Promise<number> {
  const { driver, forDaemon, upper } = options;
  const daemonOnly = forDaemon.length === 0 ? undefined : `${forDaemon.join(", ")}: for the FUSE daemon only`;
  if (daemonOnly !== undefined && driver !== "auto" && driver !== "fuse")
    throw new UsageError(`--driver ${driver} cannot be used with ${daemonOnly}`);
  if (upper !== undefined) mayOverlay(upper);
  const log = openDaemonLog(options);
  const serve = (reason: string, setting?: Setting) => {
    log.info(`driver fuse: ${reason}`);
    return serveImage(options, log, (facts) => onReady(facts, true), setting);
  };
  if (driver === "fuse") return serve("asked for");
  if (daemonOnly !== undefined) return serve(daemonOnly);
  const setting = await prepareSetting(options, log);
  let backing: Backing;
  try {
    backing = await mountByKernel(setting, options, BACKINGS[driver]);
  } catch (error) {
    if (driver === "auto") return serve(messageOf(error), setting);
    await setting.first?.pinned.prefetching.stop();
    throw new StartError(`--driver ${driver}: ${messageOf(error)}`);
  }
  log.info(`driver erofs: the kernel mounts the image itself, backing ${backing}`);
  if (upper !== undefined) await coverWithOverlay(setting, upper, options, log);
  onReady({ ...factsOf(setting), driver: "erofs", backing, upper }, false);
  // Through the descriptors of this process: the image can be unmounted meanwhile.
  await setting.first?.pinned.prefetching.finish();
  return 0;
}

/** Loaded only when it is used. @returns what the mount reads from */
async function mountByKernel(
  { first, mountpoint }: Setting,
  { mountOptions }: DriveOptions,
  backings: readonly Backing[],
): Promise<Backing> {
  if (first === undefined) throw new StartError("there is no image to mount");
  const { mountDetached } = await import("../kernel-erofs/mount.ts");
  const { image, source } = first.pinned;
  const mount = await mountDetached(image, source, mountOptions, backings);
  try {
    mount.attach(mountpoint);
  } finally {
    mount.close();
  }
  return mount.backing;
}

/** @throws StartError: the image is unmounted then */
async function coverWithOverlay(
  { mountpoint, first }: Setting,
  upper: string,
  { mountOptions }: DriveOptions,
  log: Logger,
): Promise<void> {
  const device = mountAt(mountpoint)?.device;
  try {
    await mountOverlay(mountpoint, upper, mountOptions);
  } catch (error) {
    await first?.pinned.prefetching.stop();
    await unmount({ path: mountpoint }, device).catch((problem) => log.error(messageOf(problem)));
    throw error;
  }
}
