import { readFileSync } from "node:fs";
import { IN } from "./wire.ts";

/** In the place of a user: with FUSE_ALLOW_IDMAP only requests that make files say whose they are to be. */
const UNSAID = 0xffff_ffff;
/** Of `/proc/PID/status`: real, effective, saved, and that of file systems. */
const FSUID = /^Uid:\t\d+\t\d+\t\d+\t(\d+)$/m;

/**
 * Whether uid 0 asks, as this process numbers users. Where the request does not say so the kernel is asked about the
 * thread: a file, a string and an expression, so only for what few requests want to know.
 *
 * @param request its header
 * @returns false for a caller that is gone, or in another pid namespace: it has no number here
 */
export function isRoot(request: DataView): boolean {
  const uid = request.getUint32(IN.UID, true);
  if (uid !== UNSAID) return uid === 0;
  try {
    const status = readFileSync(`/proc/${request.getUint32(IN.PID, true)}/status`, "latin1");
    return FSUID.exec(status)?.[1] === "0";
  } catch {
    return false;
  }
}
