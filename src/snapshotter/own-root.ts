import { messageOf, OperationalError } from "../bytes/errors.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";

/** Characters that options of mounts are made of: no path of a layer may have them. */
const SPECIAL = /[:,\\]/;

/**
 * Makes the directory where layers lie, unless it is there.
 *
 * @returns its path without links, as the kernel's table of mounts has it
 * @throws OperationalError when others could change what is in it, or its path fits no mount
 */
export function makeRoot(named: string): string {
  try {
    const root = mustBeOwnDirectory(named, { make: 0o700 });
    if (SPECIAL.test(root)) throw new Error("no colon, comma or backslash may be in its path");
    return root;
  } catch (error) {
    throw new OperationalError(`root ${named}: ${messageOf(error)}`);
  }
}
