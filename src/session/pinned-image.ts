import { resolve } from "node:path";
import type { HeldFiles } from "../blob/held-files.ts";
import type { BlobSearch } from "../blob/locate.ts";
import { oddities } from "../erofs/open.ts";
import { longerBlobs } from "../fs/longer-blobs.ts";
import { type OpenedImage, openImage, type Verdicts } from "../fs/open-image.ts";
import type { Logger } from "../log/log.ts";
import type { HashWords } from "../verity/hash-words.ts";
import { countsFiles, type FileRecords } from "./file-records.ts";
import { Prefetching, type PrefetchOptions } from "./prefetching.ts";

/** Which image, and where its blobs are. */
export interface ImageChoice {
  readonly bootstrap: string;
  readonly places: BlobSearch;
  readonly lenient: boolean;
  /** Refuses what the kernel would show although it breaks the format. */
  readonly strict?: boolean | undefined;
  /** What its configuration calls it; "" when it has none. */
  readonly id: string;
  /** What is recorded of its files. */
  readonly records: FileRecords;
  /** What is prefetched; undefined: nothing. */
  readonly prefetch: PrefetchOptions | undefined;
  /** The hash tree that the image, an exported disk, is held to; undefined: it is taken as it is. */
  readonly verity?: HashWords | undefined;
}

/** A checked image whose files are held open: enough for any driver. */
export interface PinnedImage {
  readonly image: OpenedImage;
  /** Absolute path of the image, to be shown as the mount's source. */
  readonly source: string;
  readonly choice: ImageChoice;
  /** Begun already, if there is anything to prefetch. */
  readonly prefetching: Prefetching;
}

/**
 * @param verdicts of those who may have checked it before
 * @throws OperationalError, FormatError: nothing is held then
 */
export function openAndPin(
  choice: ImageChoice,
  held: HeldFiles,
  log: Logger,
  verdicts?: Verdicts,
): PinnedImage {
  const { bootstrap, places, lenient, strict, verity } = choice;
  const prefetching = new Prefetching(choice.prefetch, log);
  const image = openImage(bootstrap, places, { lenient, strict, verity, verdicts });
  const { report } = image;
  if (report.corrupt > 0) {
    log.warn(`${bootstrap}: ${report.corrupt} broken entries will answer EUCLEAN; the first:`);
    for (const problem of report.problems) log.warn(`  ${problem.message}`);
  }
  for (const line of longerBlobs(image)) log.warn(line);
  const odd = oddities(report);
  if (odd !== undefined) log.warn(`${odd} (--strict refuses)`);
  if (countsFiles(choice.records))
    log.info(
      `${bootstrap}: push off: reads of pushed pages do not reach the daemon, and could not be counted by file`,
    );
  // Nothing that happens to a path from now on matters, whenever a thread comes to it.
  const files = held.hold(image.files);
  prefetching.begin({ ...image, files });
  return { image: { ...image, files }, source: resolve(bootstrap), choice, prefetching };
}

/** Lets go of the files of an image. */
export async function unpinImage({ image, prefetching }: PinnedImage, held: HeldFiles): Promise<void> {
  await prefetching.stop();
  held.release(image.files);
}
