import { MountFailed, type MountCommand, NotStored } from "../api/management.ts";
import type { HeldFiles } from "../blob/held-files.ts";
import { adviceOf, messageOf, OperationalError, problemOf } from "../bytes/errors.ts";
import type { Log } from "../log/log.ts";
import { namesOf } from "../pseudo/pseudo-tree.ts";
import { withRecords } from "../session/file-records.ts";
import { MountObstacle } from "../session/mount-obstacle.ts";
import { NotWrittenDown } from "../session/not-written-down.ts";
import type { PrefetchOptions } from "../session/prefetching.ts";
import { unpinImage, type PinnedImage, openAndPin } from "../session/pinned-image.ts";
import type { ImageChanges } from "../session/transport.ts";
import type { Traits } from "../vfs/file-system.ts";
import { type ConfigPrefetch, parseConfig } from "./config.ts";
import type { DaemonOptions } from "./options.ts";
import { ownVerdicts } from "./own-verdicts.ts";
import { refuseSelfPaths, refuseSelfFiles } from "./self-mount-guard.ts";
import { placesIn } from "./places.ts";

/** A session whose images may come and go. */
export interface Changeable {
  readonly changes: ImageChanges;
  /** Of its mount, `major:minor`. */
  readonly device: string;
  /** What the kernel asks of its images. */
  readonly traits: Traits;
  readonly held: HeldFiles;
  readonly options: DaemonOptions;
  readonly log: Log;
}

/**
 * Shows the image that a client of the API ordered.
 *
 * @param how remount shows it in the place of one that is there
 * @throws MountFailed, NotStored: nothing has changed then
 */
export async function mountByOrder(
  how: "mount" | "remount",
  path: string,
  order: MountCommand,
  session: Changeable,
): Promise<void> {
  const names = namesAt(path);
  const { changes, device, traits, held, log } = session;
  try {
    const pinned = take(path, order, session);
    try {
      refuseSelfFiles(pinned.image.files, device);
      mayShow(traits, pinned);
      await changes[how](names, pinned);
    } catch (error) {
      await unpinImage(pinned, held);
      throw error;
    }
    void pinned.prefetching.finish(); // logs what fails
  } catch (error) {
    log.warn(`cannot ${how} ${order.source} at ${path}: ${reasonOf(error)}`);
    fail(error);
  }
  log.info(`${how}ed ${order.source} at ${path}`);
}

/** @throws MountFailed, NotStored: nothing has changed then */
export async function unmountByOrder(path: string, { changes, log }: Changeable): Promise<void> {
  await changes.unmount(namesAt(path)).catch(fail);
  log.info(`unmounted ${path}`);
}

/** @throws OperationalError, FormatError */
function take(
  path: string,
  { source, config, prefetchFiles }: MountCommand,
  { device, held, options, log }: Changeable,
): PinnedImage {
  const given = config === "" ? undefined : parseConfig(config, `of ${path}`);
  // Not at level warn: what comes with every mount would push errors out of the events.
  for (const note of given?.warnings ?? []) log.info(note);
  const isPlaced = given !== undefined && (given.blobDirs.length > 0 || given.blobFile !== undefined);
  const places = placesIn(source, given, { dirs: isPlaced ? [] : options.blobDirs, files: new Map() });
  refuseSelfPaths([source, ...places.dirs, ...places.files.values(), places.single ?? source], device);
  const choice = {
    bootstrap: source,
    places,
    lenient: options.lenient,
    strict: options.strict,
    id: given?.id ?? "",
    records: withRecords(options.fileRecords, given?.fileRecords),
    prefetch: prefetchOf(prefetchFiles, given?.prefetch),
  };
  return openAndPin(choice, held, log, ownVerdicts(log));
}

function namesAt(path: string): string[] {
  const names = namesOf(path);
  if (names === undefined)
    throw new MountFailed(`mountpoint ${path}: want an absolute path without . and ..`);
  return names;
}

/** @throws OperationalError: the kernel asks for ACLs or not, for the whole session */
function mayShow(traits: Traits, { image }: PinnedImage): void {
  if (image.handle.hasAcls && !traits.hasAcls)
    throw new OperationalError(
      "the image has ACLs, which the kernel was not told of at the start: this session began with an image without ACLs",
    );
}

/** As nydusd: what a mount names is warmed; the image's table, unless the configuration turns prefetching off. */
function prefetchOf(
  list: readonly string[] | undefined,
  config: ConfigPrefetch | undefined,
): PrefetchOptions | undefined {
  if (config?.enable === false && list === undefined) return undefined;
  return { list, isAll: config?.enable === true && config.isAll, rate: config?.rate ?? 0, memory: undefined };
}

/** nydusd's words where it has any. */
function fail(error: unknown): never {
  if (error instanceof NotWrittenDown) throw new NotStored(error.problem);
  if (error instanceof MountObstacle && error.obstacle === "taken")
    throw new MountFailed("object or filesystem already exists", `${error.message}: remount replaces it`);
  if (error instanceof MountObstacle && error.obstacle === "not mounted")
    throw new MountFailed("object or filesystem doesn't exist", error.message);
  throw new MountFailed(reasonOf(error));
}

/** A client has no options of the command line: where tars are is said by the configuration that it sends. */
const reasonOf = (error: unknown): string =>
  "advice" in adviceOf(error)
    ? `${problemOf(error)}; a configuration says where the tars are`
    : messageOf(error);
