import { resolve } from "node:path";
import { MAX_VALUE } from "../syscalls/mount-api.ts";
import { inPrivateRoot } from "../syscalls/private-root.ts";

/** Where the other devices of an image are: loop devices, and what is told by its descriptor. */
const DEVICES = ["/dev", "/proc"].map((path) => ({ at: path, path, isDirectory: true }));

/**
 * Does something where a name leads to a file. The kernel shows as the source of a mount what it was told to open: with this
 * the name by which the user knows the image, and not that of a bootstrap in a cache.
 *
 * @param name shown from then on; a relative one is so to the root
 * @param path of the file
 * @param work is given the name, or the path where that cannot be done
 */
export function withNamedSource<T>(name: string, path: string, work: (source: string) => T): T {
  if (!canBeShown(name) || resolve(name) === resolve(path)) return work(path);
  let isReached = false;
  try {
    return inPrivateRoot([...DEVICES, { at: resolve("/", name), path, isDirectory: false }], () => {
      isReached = true;
      return work(name);
    });
  } catch (error) {
    if (isReached) throw error;
    return work(path); // an old kernel, or one that allows no namespaces
  }
}

/** As a path of the private root. */
const canBeShown = (name: string): boolean =>
  Buffer.byteLength(name) <= MAX_VALUE &&
  !/\/$|^$|\0/.test(name) &&
  name.split("/").every((part) => Buffer.byteLength(part) <= MAX_VALUE) &&
  !/^\/((dev|proc)(\/|$)|$)/.test(resolve("/", name));
