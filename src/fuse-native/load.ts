import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type Fuse from "fuse-native";
import { messageOf, StartError } from "../bytes/errors.ts";

/**
 * Loads the package, and its C addon with it, when it is wanted: the other transport does not pay for it.
 *
 * @throws StartError in one line, whatever is missing: the package, an addon for this platform, or the
 *   `fusermount` program that a caller other than root needs
 */
export async function loadFuse(): Promise<typeof Fuse> {
  if (process.geteuid?.() !== 0) findFusermount();
  let loaded: typeof Fuse;
  try {
    ({ default: loaded } = await import("fuse-native"));
  } catch (error) {
    const line = messageOf(error).split("\n")[0];
    throw new StartError(`the package fuse-native cannot be loaded (${line}): use --transport direct`);
  }
  // Its own runs a shell with the mountpoint in double quotes, and fails when the mount is gone already.
  loaded.unmount = (_, done) => done(null);
  return loaded;
}

function findFusermount(): void {
  const dirs = ["/usr/local/bin", ...(process.env.PATH ?? "").split(delimiter)];
  if (!dirs.some((dir) => dir !== "" && existsSync(join(dir, "fusermount"))))
    throw new StartError(
      "no fusermount program in PATH, which fuse-native mounts with: install fuse, or be root",
    );
}
