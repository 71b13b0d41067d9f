import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { messageOf, OperationalError, UsageError } from "../bytes/errors.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";

/** Standard input, by the names that nydus-image knows. */
export const STDIN: ReadonlySet<string> = new Set(["-", "/dev/stdin"]);

/** Where a bootstrap and tars go, as far as that was said. */
export interface OutputPlace {
  readonly bootstrap: string | undefined;
  /** Directory of the tars, and of a bootstrap without a path. */
  readonly blobDir: string | undefined;
}

type Said = { readonly [Each in keyof OutputPlace]?: string | undefined };

/**
 * A layer alone says enough: layer.tar.gz becomes layer.boot, and its tar goes where it is, under its id.
 *
 * @throws UsageError, OperationalError as `mustBePlace`
 */
export function placeForLayers(layers: readonly string[], said: Said): OutputPlace {
  const { bootstrap, blobDir } = said;
  const [layer] = layers;
  if (bootstrap !== undefined || blobDir !== undefined) return mustBePlace(said);
  if (layer === undefined || layers.length > 1 || STDIN.has(layer)) return mustBePlace(said);
  const name = basename(layer).replace(/(\.tar)?(\.(gz|zst|zstd|xz|bz2))?$|\.t(gz|xz|bz2)$/, "");
  return mustBePlace({ bootstrap: join(dirname(layer), `${name}.boot`), blobDir: dirname(layer) });
}

/** @throws UsageError when nothing was said; OperationalError when there is no such directory, or others may change it */
export function mustBePlace(said: Said): OutputPlace {
  const { bootstrap, blobDir } = said;
  if (bootstrap === undefined && blobDir === undefined)
    throw new UsageError("both --bootstrap and --blob-dir are missing: say where the bootstrap goes");
  if (blobDir !== undefined) mustBeBlobDirectory(blobDir);
  const parent = bootstrap === undefined ? "." : dirname(bootstrap);
  if (!statSync(parent, { throwIfNoEntry: false })?.isDirectory())
    throw new OperationalError(`${bootstrap}: there is no directory ${parent}: make it first`);
  return { bootstrap, blobDir };
}

/** @throws OperationalError when the bootstrap would take the place of a layer that it is of */
export function mustBeNoLayer({ bootstrap }: OutputPlace, layers: readonly string[]): void {
  const there = bootstrap === undefined ? undefined : statSync(bootstrap, { throwIfNoEntry: false });
  for (const layer of there === undefined ? [] : layers) {
    const stats = STDIN.has(layer) ? undefined : statSync(layer, { throwIfNoEntry: false });
    if (stats?.ino === there?.ino && stats?.dev === there?.dev)
      throw new OperationalError(
        `${bootstrap}: is the layer ${layer}: choose another name for the bootstrap`,
      );
  }
}

/** What lies there under a digest is believed: nobody else may put it there, or something else in its place. */
function mustBeBlobDirectory(dir: string): void {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory())
    throw new OperationalError("directory to store blobs does not exist");
  try {
    mustBeOwnDirectory(dir, { mayBeShared: true });
  } catch (error) {
    throw new OperationalError(`directory to store blobs ${dir}: ${messageOf(error)}`, {
      advice: "choose another with --blob-dir, or run as that user",
    });
  }
}
