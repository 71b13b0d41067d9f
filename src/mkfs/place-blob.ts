import { chmodSync, constants, copyFileSync, fstatSync, linkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { contentAt } from "../atomic-file/content.ts";
import { replaceBy } from "../atomic-file/replace-file.ts";
import { codeOf } from "../bytes/errors.ts";
import { identityOf, isSame } from "../safe-open/identity.ts";

/** Of a copy: it must not have the tar's, which may be another user's to give. */
const MODE = 0o644;

/**
 * Puts a tar into a blob directory under its id: by hard link, or as a copy where that cannot be (another file
 * system). What has that name and is nobody else's stays, and has to have the same bytes. The name is not on disk yet.
 *
 * @param tar descriptor of it; nobody else may write to it
 * @param path where it was found: a link of that is taken only when it is the same file
 * @throws Error when another file has that name
 */
export function placeBlob(tar: number, path: string, dir: string, id: string): void {
  const target = join(dir, id);
  if (contentAt(target, tar) === "same") return;
  replaceBy(target, (temporary) => {
    if (!isLinked(tar, path, temporary)) {
      copyFileSync(`/proc/self/fd/${tar}`, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      chmodSync(temporary, MODE);
    }
  });
}

/** Another file system, one without hard links, or a file that may not be linked (fs.protected_hardlinks), or is gone. */
const NO_LINK = new Set(["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOENT"]);

function isLinked(tar: number, from: string, to: string): boolean {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!NO_LINK.has(codeOf(error))) throw error;
    return false;
  }
  if (isSame(identityOf(statSync(to)), identityOf(fstatSync(tar)))) return true;
  rmSync(to); // something else has that path by now
  return false;
}
