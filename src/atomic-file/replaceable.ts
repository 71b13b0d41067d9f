import { lstatSync, readlinkSync, type Stats, statSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";

/**
 * A rename would put a file in place of a device, of root's `/dev/null` too, of a fifo, or of the link that is `/dev/stdout`.
 * A stranger's link is replaced, and not followed even for this.
 *
 * @throws OperationalError when something else than a file has the name
 */
export function mustBeReplaceable(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile() || (found.isSymbolicLink() && isReplaced(path, found))) return;
  throw new OperationalError(`${path}: is there, and is no regular file; want the name of a file`);
}

function isReplaced(path: string, { uid }: Stats): boolean {
  if (uid !== 0 && uid !== process.geteuid?.()) return true;
  if (readlinkSync(path).startsWith("/proc/")) return false; // what a process has open
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
}
