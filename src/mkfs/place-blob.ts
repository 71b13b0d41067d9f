import { randomBytes } from "node:crypto";
import { constants, copyFileSync, linkSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import { syncDirectory } from "../atomic-file/atomic-file.ts";

/**
 * Puts a tar into a blob directory under its id: by hard link, or as a copy where that cannot be (another file
 * system). A file of that name and length stays as it is.
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
  const temporary = join(dir, `.${id}.${randomBytes(6).toString("hex")}`);
  try {
    link(tar, temporary);
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncDirectory(dirname(target));
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
