import { constants, copyFileSync, linkSync, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import { replaceBy } from "../atomic-file/replace-file.ts";

/**
 * Puts a tar into a blob directory under its id: by hard link, or as a copy where that cannot be (another file
 * system). A file of that name and length stays as it is. The name is not on disk yet.
 */
export function placeBlob(tar: string, dir: string, id: string): void {
  const target = join(dir, id);
  const source = statSync(tar);
  const there = statSync(target, { throwIfNoEntry: false });
  if (
    there !== undefined &&
    (there.ino === source.ino ? there.dev === source.dev : there.size === source.size)
  )
    return;
  replaceBy(target, (temporary) => link(tar, temporary));
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Another file system, one without hard links, or a file that may not be linked (fs.protected_hardlinks).
    if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP"].includes(codeOf(error))) throw error;
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  }
}
