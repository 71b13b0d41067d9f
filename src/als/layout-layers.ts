import { fstatSync } from "node:fs";
import { basename, dirname } from "node:path";
import { OperationalError } from "../bytes/errors.ts";
import type { Compression } from "../bytes/magic.ts";
import { directoryDocuments, type ImageLayer } from "../source/documents.ts";
import type { PlatformImage } from "../source/image-entry.ts";
import { ociImages } from "../source/oci-layout.ts";
import { hostPlatform } from "../source/platform.ts";
import { rankPlatform } from "../source/platform-rank.ts";
import { Opened } from "../source/opened.ts";
import { kindOfFile } from "../tar/kind-of-file.ts";

/** A layer as engines ask for it. */
export interface OfferedLayer {
  /** Of its blob, compressed or not. */
  readonly digest: string;
  readonly size: number;
  /** Path of the blob. */
  readonly file: string;
  /** Of its tar. */
  readonly diffId: string;
  /** undefined: it is a tar. */
  readonly compression: Compression | undefined;
}

/** What a layout has. */
export interface LayoutLayers {
  readonly layers: readonly OfferedLayer[];
  /** Else there are images whose layers are not known. */
  readonly isWhole: boolean;
}

/**
 * Layers of all images of this host's platform in an OCI image layout.
 *
 * @param dir the layout
 * @param warn told of images that are not whole
 * @throws OperationalError when it is no layout
 */
export function layoutLayers(dir: string, warn: (message: string) => void): LayoutLayers {
  const opened = new Opened();
  try {
    const docs = directoryDocuments(dir, [], opened);
    if (!docs.has("index.json"))
      throw new OperationalError(
        `${dir}: no OCI image layout: skopeo copy --preserve-digests docker://IMAGE oci:${dir}:NAME makes one`,
      );
    const layers: OfferedLayer[] = [];
    let isWhole = true;
    for (const image of ociImages(docs)
      .entries.flatMap(({ images }) => images)
      .filter(isForHost)) {
      if (image.layers instanceof Error) {
        warn(image.layers.message);
        isWhole = false;
      } else layers.push(...image.layers.map(offered));
    }
    return { layers, isWhole };
  } finally {
    opened.close();
  }
}

/** Each blob once. @throws OperationalError when images differ in what tar a blob is */
export function eachOnce(layers: readonly OfferedLayer[]): OfferedLayer[] {
  const found = new Map<string, OfferedLayer>();
  for (const layer of layers) {
    const { digest, diffId } = layer;
    const known = found.get(digest) ?? layer;
    if (known.diffId !== diffId)
      throw new OperationalError(`${layer.file}: its tar is said to be ${known.diffId}, and ${diffId}`);
    found.set(digest, known);
  }
  return [...found.values()];
}

const isForHost = ({ platform }: PlatformImage): boolean =>
  platform === undefined || rankPlatform(platform, hostPlatform()) !== undefined;

function offered({ file, diffId = "" }: ImageLayer): OfferedLayer {
  const { fd, path, name } = file;
  if (fd === undefined) throw new OperationalError(`${name}: not a file`);
  const { size } = fstatSync(fd);
  const reads = kindOfFile(fd, { at: 0, size })?.reads;
  const compression = reads === "tar" || reads === "erofs" ? undefined : reads;
  const digest = `${basename(dirname(name))}:${basename(name)}`;
  return { digest, size, file: path, diffId: `sha256:${diffId}`, compression };
}
