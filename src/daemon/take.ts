import { resolve } from "node:path";
import { BlobFiles } from "../blob/blob-files.ts";
import { type OpenedImage, openImage } from "../fs/open-image.ts";
import type { Logger } from "./log.ts";
import { prepareMountpoint } from "./mountpoint.ts";
import type { Prefetching } from "./prefetching.ts";
import type { DaemonOptions } from "./run.ts";

/** A checked image whose files are held open, and a directory that can be mounted on: enough for any driver. */
export interface TakenImage {
  /** Canonical. */
  readonly mountpoint: string;
  readonly image: OpenedImage;
  /** Absolute path of the image, to be shown as the mount's source. */
  readonly source: string;
  /** What the ready line says of them. */
  readonly facts: string;
  /** Begun already, if there is anything to be warmed. */
  readonly prefetching: Prefetching;
}

/**
 * @param prefetching begins as soon as it can
 * @throws StartError, FormatError
 */
export async function takeImage(
  options: DaemonOptions,
  log: Logger,
  prefetching: Prefetching,
): Promise<TakenImage> {
  const mountpoint = await prepareMountpoint(options.mountpoint, options.force, log);
  const image = openImage(options.bootstrap, options.places, options.lenient);
  const { report } = image;
  if (report.unsound > 0) {
    log.warn(`${options.bootstrap}: ${report.unsound} broken entries will answer EUCLEAN; the first:`);
    for (const problem of report.problems) log.warn(`  ${problem.message}`);
  }
  // Until the process ends: nothing that happens to a path from now on matters, whenever a thread comes to it.
  const held = new BlobFiles(image.files, () => {});
  held.openAll();
  const files = held.shared();
  prefetching.begin({ ...image, files });
  return {
    mountpoint,
    image: { ...image, files },
    prefetching,
    source: resolve(options.bootstrap),
    facts: `image=${options.bootstrap} mountpoint=${mountpoint} inodes=${report.inodes} blobs=${image.files.length - 1}`,
  };
}
