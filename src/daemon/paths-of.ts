import { BlobFiles } from "../blob/blob-files.ts";
import { showName } from "../bytes/name.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { rootOf, walk } from "../fs/walk.ts";

/**
 * Where nodes are in the tree, by one walk that stops when it has them all. A file with several names has the first.
 * What a broken image hides stays unknown.
 */
export function pathsOf({ handle, files }: OpenedImage, nodes: ReadonlySet<number>): Map<number, string> {
  const paths = new Map<number, string>();
  const fs = new ImageFileSystem(new Image(handle), new BlobFiles(files, () => {}));
  try {
    for (const { node, path } of walk(fs, rootOf(fs))) {
      if (nodes.has(node) && !paths.has(node)) paths.set(node, showName(path));
      if (paths.size === nodes.size) break;
    }
  } catch {} // says which entry is broken, which was said at the start
  return paths;
}
