import { closeSync, fstatSync, type Stats } from "node:fs";
import { chmod, chown, type FileHandle, lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf } from "../bytes/errors.ts";
import { openLinkedDirectory, openOwnDirectory } from "../safe-open/own-directory.ts";
import { isTrusted } from "../safe-open/strangers.ts";

/** Others find nothing below a directory without these. */
const SEARCH = 0o011;
/** What overlayfs has in a work directory; `work` has no permissions, or is empty. */
const OF_OVERLAY = new Set(["work", "index", "incompat"]);

/**
 * Makes the two directories that an overlay writes to, as far as they are not there. Nobody else can change where their
 * names lead then: what readers of the mount write lands nowhere else.
 *
 * @param path that holds them; made when it is not there, for this user alone
 * @param lower the image's root: the overlay's root is `upper`, so a new one takes after it
 * @throws Error saying whose they are, or for a work directory with something else in it; the system error
 */
export async function makeUpperAndWork(path: string, lower: FileHandle): Promise<void> {
  const dir = openOwnDirectory(path, { make: 0o700 });
  try {
    const work = `/proc/self/fd/${dir}/work`;
    if (!(await makeDirectory(work))) {
      lookAt(path, "work", () => openOwnDirectory("work", { from: dir }));
      await mustBeWorkDirectory(work, join(path, "work"));
    }
    const root = await lower.stat();
    const upper = `/proc/self/fd/${dir}/upper`;
    if (!(await makeDirectory(upper))) return mustBeUpper(dir, path, root);
    await chown(upper, root.uid, root.gid);
    await chmod(upper, root.mode & 0o7777);
  } finally {
    closeSync(dir);
  }
}

async function makeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o755 });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Who works in the mount as root may give its root away; whom it belongs to then can write to it, if he can get there. */
function mustBeUpper(dir: number, path: string, root: Stats): void {
  const { uid } = lookAt(path, "upper", () => openLinkedDirectory("upper", dir));
  const isShut = (fstatSync(dir).mode & SEARCH) === 0;
  if (!isTrusted(uid) && uid !== root.uid && !isShut)
    throw new Error(`${join(path, "upper")} belongs to user ${uid}, who can reach it: chmod 700 ${path}`);
}

/** @throws Error naming the part of the directory that is not as it should be */
function lookAt(path: string, name: string, open: () => number): Stats {
  try {
    const fd = open();
    try {
      return fstatSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new Error(`${join(path, name)}: ${messageOf(error)}`);
  }
}

/** Overlayfs empties its work directory without asking. @throws Error for one with something else in it */
async function mustBeWorkDirectory(path: string, shown: string): Promise<void> {
  for (const name of await readdir(path)) {
    const stats = await lstat(join(path, name));
    const isEmpty = name === "work" && stats.isDirectory() && (await readdir(join(path, name))).length === 0;
    if (isEmpty || (OF_OVERLAY.has(name) && (name !== "work" || (stats.mode & 0o777) === 0))) continue;
    throw new Error(
      `${join(shown, name)} is no overlay's, and overlayfs would delete it: choose another directory`,
    );
  }
}
