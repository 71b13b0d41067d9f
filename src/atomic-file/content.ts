import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { codeOf } from "../bytes/errors.ts";
import { isSame, identityOf } from "../safe-open/identity.ts";
import { strangerOf } from "../safe-open/strangers.ts";

const STEP = 1 << 20;
/** Nothing of that name, a link, a socket. */
const NO_FILE = new Set(["ENOENT", "ELOOP", "ENXIO"]);

/**
 * What has a name that says what is in it. A file that others may write to, or of another length, which is damaged, may be
 * replaced; so may what is no file.
 *
 * @param want descriptor of what has to be there
 * @throws Error when a file of root or this user has that name and other bytes
 */
export function contentAt(path: string, want: number): "same" | "replaceable" {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return "replaceable"; // an error takes ten times as long
  let there: number;
  try {
    there = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (NO_FILE.has(codeOf(error))) return "replaceable";
    throw error;
  }
  try {
    const found = fstatSync(there);
    const wanted = fstatSync(want);
    if (!found.isFile() || strangerOf(found) !== undefined || found.size !== wanted.size)
      return "replaceable";
    if (isSame(identityOf(found), identityOf(wanted)) || haveSameBytes(there, want)) return "same";
  } finally {
    closeSync(there);
  }
  throw new Error(
    `${path}: its bytes are not those that its name says: remove it, or find out who has changed it`,
  );
}

function haveSameBytes(one: number, other: number): boolean {
  const [a, b] = [Buffer.allocUnsafe(STEP), Buffer.allocUnsafe(STEP)];
  for (let at = 0; ; at += STEP) {
    const [n, m] = [fill(one, a, at), fill(other, b, at)];
    if (n !== m || a.compare(b, 0, n, 0, n) !== 0) return false;
    if (n < STEP) return true;
  }
}

/** @returns bytes read: fewer than fit in at the end of the file */
function fill(fd: number, into: Buffer, at: number): number {
  let done = 0;
  while (done < into.length) {
    const n = readSync(fd, into, done, into.length - done, at + done);
    if (n === 0) break;
    done += n;
  }
  return done;
}
