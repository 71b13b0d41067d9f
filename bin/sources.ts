import type { WantedPlatform } from "../src/source/platform.ts";
import { type IdleOption, type PreparedImage, prepareImage } from "../src/source/prepare.ts";
import { compilingLater } from "./compile-later.ts";
import { warn } from "./help.ts";
import { progress } from "./progress.ts";

/** What a user says of an image that is whatever people have. */
export interface ImageSource {
  readonly cacheDir: string;
  readonly ref?: string;
  readonly platform?: WantedPlatform;
  readonly blobDir: readonly string[];
  readonly strictXattrs?: boolean;
  readonly maxLayerSize?: number;
  readonly mountpoint?: string;
}

/**
 * Makes an image of it, and shows how far that is.
 *
 * @param blobOptions those that say where tars are, as far as they were given
 * @param onIdle as of Sources
 */
export async function prepareSources(
  paths: readonly string[],
  { cacheDir, ref, platform, blobDir: blobDirs, strictXattrs, maxLayerSize, mountpoint }: ImageSource,
  blobOptions: readonly string[],
  onIdle?: (option: IdleOption) => void,
): Promise<PreparedImage> {
  const where = mountpoint === undefined ? {} : { mountpoint };
  const choice = { ref, platform, blobDirs, blobOptions, strictXattrs, maxLayerSize, onIdle };
  const report = progress(process.stderr.isTTY);
  return compilingLater(() => prepareImage({ paths, cacheDir, ...where, ...choice, report, warn }));
}
