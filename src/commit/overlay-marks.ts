import type { BigIntStats } from "node:fs";
import { isWhiteoutDevice } from "../mkfs/whiteout.ts";
import { type Xattr, xattrsOf } from "../syscalls/attributes.ts";

/** What overlayfs notes at a directory of its upper layer. */
export interface DirectoryMarks {
  /** Nothing of the lower layers is below it. */
  readonly isOpaque: boolean;
  /** Below it is what another directory of the lower layers has: it was renamed. */
  readonly isRedirected: boolean;
}

const YES = Buffer.from("y");

/**
 * Reads an upper layer of overlayfs.
 *
 * @see https://docs.kernel.org/filesystems/overlayfs.html (whiteouts and opaque directories, renaming directories)
 */
export class OverlayMarks {
  private readonly prefix: string;

  /** @param options of the overlay: in a user namespace its attributes are the users' */
  constructor(options: string) {
    this.prefix = options.split(",").includes("userxattr") ? "user.overlay." : "trusted.overlay.";
  }

  of(directory: Uint8Array): DirectoryMarks {
    const all = xattrsOf(directory);
    return {
      isOpaque: this.find(all, "opaque").some(({ value }) => YES.equals(value)),
      isRedirected: this.find(all, "redirect").length > 0,
    };
  }

  /** A device, or from Linux 6.7 on an empty file with an attribute, which may be an image's lower layer, too. */
  isWhiteout(path: Uint8Array, stats: BigIntStats): boolean {
    if (stats.isFile()) return stats.size === 0n && this.find(xattrsOf(path), "whiteout").length > 0;
    return isWhiteoutDevice(Number(stats.mode), Number(stats.rdev));
  }

  private find(xattrs: readonly Xattr[], word: string): Xattr[] {
    const name = Buffer.from(this.prefix + word);
    return xattrs.filter((xattr) => name.equals(xattr.name));
  }
}
