import { dirname } from "node:path";
import type { BlobSearch } from "../blob/locate.ts";

/** Where a configuration says that blobs are. */
export interface ConfiguredPlaces {
  readonly blobDirs: readonly string[];
  readonly blobFile: string | undefined;
}

/**
 * Where the blobs of an image are looked for.
 *
 * @param configured for this image
 * @param given on the command line, for every image
 */
export function placesIn(
  bootstrap: string,
  configured: ConfiguredPlaces | undefined,
  given: BlobSearch,
): BlobSearch {
  const dirs = [...given.dirs, ...(configured?.blobDirs ?? [])];
  const single = configured?.blobFile ?? given.single;
  return {
    dirs,
    // Without directories given: tars usually lie beside their bootstrap.
    beside: dirs.length > 0 || single !== undefined ? undefined : dirname(bootstrap),
    files: given.files,
    known: given.known,
    ...(single === undefined ? {} : { single }),
  };
}
