import { showName } from "../bytes/name.ts";
import { metadataOf } from "../fs/metadata.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { rootOf, walk } from "../fs/walk.ts";

/**
 * Where nodes are in the tree, by one walk that stops when it has them all. A file with several names has the first.
 * What a broken image hides stays unknown.
 */
export function pathsOf(opened: OpenedImage, nodes: ReadonlySet<number>): Map<number, string> {
  const paths = new Map<number, string>();
  const fs = metadataOf(opened);
  try {
    for (const { node, path } of walk(fs, rootOf(fs))) {
      if (nodes.has(node) && !paths.has(node)) paths.set(node, showName(path));
      if (paths.size === nodes.size) break;
    }
  } catch {} // says which entry is broken, which was said at the start
  return paths;
}
