import type { BigIntStats } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";

/** A file with several names. */
interface Linked {
  /** The first that was met. */
  readonly path: Uint8Array;
  /** It lies in the upper layer; of another one overlayfs counts names that are gone, too. */
  readonly isUpper: boolean;
  /** How many names were not met yet. */
  left: bigint;
}

/** Names that are met of files that have several. */
export class LinkedFiles {
  private readonly known = new Map<string, Linked>();

  /** @returns the name under which the file was met before; undefined: never */
  firstName(path: Uint8Array, { dev, ino, nlink }: BigIntStats, isUpper: boolean): Uint8Array | undefined {
    const inode = `${dev}:${ino}`;
    const known = this.known.get(inode);
    if (known === undefined) {
      if (nlink > 1n) this.known.set(inode, { path, isUpper, left: nlink - 1n });
      return undefined;
    }
    known.left--;
    return known.path;
  }

  /**
   * Without an index, which few mounts have, changing one name of a lower file leaves the others as they were.
   *
   * @throws OperationalError when a file of the upper layer has names that were not met
   */
  mustHaveAllNames(): void {
    for (const { path, left, isUpper } of this.known.values())
      if (isUpper && left > 0n)
        throw new OperationalError(
          `${showName(path)}: what was changed shows under ${left} more names, which only overlayfs's index knows: mount with index=off`,
        );
  }
}
