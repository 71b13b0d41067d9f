import { join } from "node:path";
import type { Expected } from "../image.ts";
import { dumpTree, sorted } from "../tree.ts";
import type { Containerd } from "./containerd.ts";

/** Where a running container's root file system is mounted; what runc mounts in it is not seen from outside. */
export const rootfsOf = ({ dir, namespace }: Containerd, id: string): string =>
  join(dir, "state/io.containerd.runtime.v2.task", namespace, id, "rootfs");

/** An entry without what is not the image's: which number an inode has, and how a file system counts a directory. */
export type Inside = Omit<Expected, "ino" | "nlink"> & {
  /** All paths of the same inode, when there are more of them. */
  readonly links?: readonly string[];
};

/** The tree that a running container has, every byte and attribute of it. */
export const containerTree = (containerd: Containerd, id: string): Inside[] =>
  treeAt(rootfsOf(containerd, id));

/** The same of what is mounted at a path. */
export function treeAt(root: string): Inside[] {
  const all = sorted(dumpTree(root));
  const paths = new Map<number, string[]>();
  for (const { ino, path = "" } of all) paths.set(ino, [...(paths.get(ino) ?? []), path]);
  return all.map(({ ino, nlink: _, ...entry }) => {
    const links = paths.get(ino) ?? [];
    return {
      ...entry,
      ...(entry.mode.startsWith("004") && { size: 0 }),
      // Of the container's own directory, made a moment ago.
      ...(entry.path === "/" && { mtime: 0, mtime_nsec: 0 }),
      ...(links.length > 1 && { links }),
    };
  });
}
