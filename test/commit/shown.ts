import type { Expected } from "../support/image.ts";
import { dumpTree, sorted } from "../support/tree.ts";

/** What a mount shows, but for numbers of inodes; names of one inode have one number. overlayfs counts names that are hidden. */
export function shownAt(root: string): Expected[] {
  const all = sorted(dumpTree(root));
  const names = new Map<number, number>();
  return all.map(({ ino, nlink: _, xattrs = {}, ...entry }) => {
    const { "security.selinux": _ofHost, ...kept } = xattrs;
    const attributes = Object.keys(kept).length > 0 ? { xattrs: kept } : {};
    if (entry.mode.startsWith("004")) return { ...entry, ...attributes, size: 0, nlink: 0, ino: 0 };
    names.set(ino, names.get(ino) ?? names.size);
    return { ...entry, ...attributes, nlink: 0, ino: names.get(ino) ?? 0 };
  });
}
