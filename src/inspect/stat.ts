import { elementAt } from "../bytes/element-at.ts";
import { HOLE } from "../erofs/image.ts";
import { rootOf, walk } from "../fs/walk.ts";
import type { Attr } from "../vfs/file-system.ts";
import { isDirectory, isRegular, isSymlink } from "./attr.ts";
import { type Run, runsOf } from "./data.ts";
import { addSize, type ImageCounts, noCounts } from "./image-counts.ts";
import { type ImageView, openImageView } from "./image-view.ts";

export interface Statistics {
  dedup_enabled: boolean;
  target_enabled: boolean;
  base_image: ImageCounts;
  target_image: ImageCounts;
}

/** Chunk size of an image that has none of its own: as nydus-image's default. */
const DEFAULT_CHUNK = 0x10_0000;

/**
 * Counts an image, and another one against it.
 *
 * @throws FormatError or OperationalError if one of them cannot be opened or is broken
 */
export function statImages(base: string, target: string | undefined): Statistics {
  const chunks = new Map<string, number>();
  const base_image = count(openImageView(base), chunks, undefined);
  const target_image = target === undefined ? noCounts() : count(openImageView(target), new Map(), chunks);
  return { dedup_enabled: false, target_enabled: target !== undefined, base_image, target_image };
}

/**
 * Chunks are told apart by blob and place: a TARFS image has no digests of them. (nydus-image compares the
 * digests all the same, and as they are all zero finds one chunk a blob.)
 *
 * @param mine filled with the size of each different chunk
 * @param others what a chunk may refer to
 */
function count(
  view: ImageView,
  mine: Map<string, number>,
  others: Map<string, number> | undefined,
): ImageCounts {
  const counts = noCounts();
  for (const attr of countNames(view, counts)) {
    addSize(counts, attr.size);
    for (const run of chunksOf(view, attr)) {
      counts.chunks++;
      counts.comp_size += run.length;
      mine.set(chunkKey(view, run), run.length);
    }
  }
  counts.uncomp_size = counts.comp_size + counts.padding_size;
  for (const [key, length] of mine) {
    const kind = others?.get(key) === length ? "ref" : "own";
    counts[`${kind}_chunks`]++;
    counts[`${kind}_comp_size`] += length;
    counts[`${kind}_uncomp_size`] += length;
  }
  return counts;
}

/** Counts every name. @returns each regular file once */
function* countNames(view: ImageView, counts: ImageCounts): Generator<Attr> {
  const seen = new Set<number>();
  for (const { attr } of walk(view.fs, rootOf(view.fs))) {
    if (isDirectory(attr)) counts.dirs++;
    else if (isSymlink(attr)) counts.symlinks++;
    if (!isRegular(attr)) continue;
    counts.files++;
    if (attr.nlink === 1 || !seen.has(attr.ino)) yield attr;
    if (attr.nlink > 1) seen.add(attr.ino);
  }
}

function* chunksOf({ image, tables }: ImageView, attr: Attr): Generator<Run> {
  for (const run of runsOf(image, attr, tables.rafs?.chunkSize ?? DEFAULT_CHUNK))
    if (run.device !== HOLE) yield run;
}

function chunkKey({ tables }: ImageView, { device, address }: Run): string {
  const id = device > 0 ? elementAt(tables.devices, device - 1).id : "";
  // A blob without an id is this image's own.
  return `${id || `${tables.meta.file} ${device}`} ${address}`;
}
