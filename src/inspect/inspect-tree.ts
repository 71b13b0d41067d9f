import { showName } from "../bytes/name.ts";
import { HOLE } from "../erofs/image.ts";
import { rootOf, type WalkEntry, walk } from "../fs/walk.ts";
import { isDirectory, isRegular } from "./attr.ts";
import { type Run, runsOf } from "./data.ts";
import { chunkText, sharerText, statText } from "./inspect-text.ts";
import type { ImageView } from "./image-view.ts";

/** What `inspect` says about files: each answer is a walk over the tree, or a look at one entry. */

export interface PrefetchListing {
  readonly inode: number;
  readonly path: readonly string[];
}

/** The prefetch table, with every path of each inode, directories with a slash at their end. */
export function listPrefetch(view: ImageView): { rows: PrefetchListing[]; text: string } {
  const nids = view.report.prefetch;
  const paths = new Map<number, string[]>(nids.map((nid) => [nid, []]));
  if (paths.size > 0)
    for (const { attr, path } of walk(view.fs, rootOf(view.fs)))
      paths.get(attr.ino)?.push(showName(path) + (isDirectory(attr) && path.length > 1 ? "/" : ""));
  const rows = nids.map((inode) => ({ inode, path: paths.get(inode) ?? [] }));
  const line = ({ inode, path }: PrefetchListing) =>
    `Inode Number:${String(inode).padStart(10)} | Path: "${path.join(" ")}" \n`;
  return { rows, text: `Total Prefetching Files: ${rows.length}\n${rows.map(line).join("")}` };
}

/** All names of an inode, and what it is under each. */
export function showInode(view: ImageView, nid: number): string {
  let text = "";
  for (const walked of walk(view.fs, rootOf(view.fs)))
    if (walked.attr.ino === nid) text += `${showName(walked.path)}\n${statText(view, walked)}`;
  return text;
}

/** Every file that has a chunk at a byte of a blob, whichever blob. */
export function showChunk(view: ImageView, offset: number): string {
  let text = "";
  for (const walked of walk(view.fs, rootOf(view.fs))) {
    if (!isRegular(walked.attr)) continue;
    for (const run of chunksOf(view, walked))
      if (run.address === offset) text += sharerText(view, walked, run);
  }
  return text;
}

export function statFile(view: ImageView, walked: WalkEntry): string {
  const text = statText(view, walked);
  return isRegular(walked.attr) ? text + chunkText(view, walked, [...chunksOf(view, walked)]) : text;
}

function* chunksOf(view: ImageView, { attr }: WalkEntry): Generator<Run> {
  for (const run of runsOf(view.image, attr, view.tables.rafs?.chunkSize)) if (run.device !== HOLE) yield run;
}
