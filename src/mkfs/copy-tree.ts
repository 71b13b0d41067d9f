import { S_IFDIR, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { OperationalError } from "../bytes/errors.ts";
import { forEachDirent } from "../erofs/directory.ts";
import type { Image } from "../erofs/image.ts";
import { inodeNlink } from "../erofs/inode.ts";
import type { NamedValue } from "../erofs/xattr-area.ts";
import { implicitParent } from "./archive-paths.ts";
import { BudgetExceeded } from "./budget.ts";
import { copyAttributes } from "./layer-image.ts";
import { ROOT, Tree } from "./tree.ts";

/** What an image shows, not what a layer of it would do to others: nothing is left out. */
const ALL_XATTRS = { of: (xattrs: readonly NamedValue[]) => xattrs };

/**
 * Copies the tree of an image, names, attributes and links; where data lie is for the caller to say.
 *
 * @param image whole tree checked, strictly
 * @param onFile told once of each file that is not empty: its inode in the tree, and byte of its inode in the image
 * @throws OperationalError when it would be more than a reader takes
 */
export function copyTree(image: Image, onFile: (inode: number, at: number) => void): Tree {
  const tree = new Tree();
  const attributes = implicitParent();
  /** Inodes that have several names, by nid. */
  const shared = new Map<number, number>();
  const copyInode = (nid: number): number => {
    const known = shared.get(nid);
    if (known !== undefined) return known;
    copyAttributes(image, nid, { tree, xattrs: ALL_XATTRS }, attributes);
    const inode = tree.newInode(attributes);
    const at = image.inodeAt(nid);
    const type = attributes.mode & S_IFMT;
    if (type !== S_IFDIR && inodeNlink(image.v, at) > 1) shared.set(nid, inode);
    if (type === S_IFREG && attributes.size > 0) onFile(inode, at);
    return inode;
  };
  try {
    tree.put(ROOT, copyInode(image.handle.rootNid));
    const left = [{ nid: image.handle.rootNid, node: ROOT }];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { node } = next;
      forEachDirent(image, image.inodeAt(next.nid), (nid, name, length) => {
        const child = tree.newName(node, image.bytes, name, length); // a checked directory has each name once
        tree.put(child, copyInode(nid));
        if (tree.isDirectory(child)) left.push({ nid, node: child });
      });
    }
  } catch (error) {
    if (!(error instanceof BudgetExceeded)) throw error;
    throw new OperationalError(`${image.handle.file}: ${error.message}`, { cause: error });
  }
  return tree;
}
