import { chmodSync, constants, copyFileSync, linkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { contentAt } from "../atomic-file/content.ts";
import { replaceBy } from "../atomic-file/replace-file.ts";
import { codeOf } from "../bytes/errors.ts";
import { identityOf, isSame } from "../safe-open/identity.ts";
import type { PlainLayer } from "../tar/source.ts";
import type { LayerRequest } from "./create.ts";

/** Of a copy: it must not have the tar's, which may be another user's to give. */
const MODE = 0o644;

/** Gives a plain tar its name in the blob directory, where it is to have one. */
export function placePlain(
  layer: PlainLayer,
  { layer: { path }, blobDir, blobLink }: LayerRequest,
  id: string,
): void {
  if (blobDir !== undefined && blobLink === "hard") placeBlob(layer, path, blobDir, id);
}

/**
 * Puts a tar into a blob directory under its id: by hard link, or as a copy where that cannot be (another file
 * system). What has that name and is nobody else's stays, and has to have the same bytes. The name is not on disk yet.
 *
 * @param tar nobody else may write to it
 * @param path where it was found: a link of that is taken only when it is the same file
 * @throws Error when another file has that name
 */
export function placeBlob(
  tar: Pick<PlainLayer, "fd" | "stats">,
  path: string,
  dir: string,
  id: string,
): void {
  const target = join(dir, id);
  if (contentAt(target, tar.fd) === "same") return;
  replaceBy(target, (temporary) => {
    if (!isLinked(tar, path, temporary)) {
      copyFileSync(
        `/proc/self/fd/${tar.fd}`,
        temporary,
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      );
      chmodSync(temporary, MODE);
    }
  });
}

/** Another file system, one without hard links, or a file that may not be linked (fs.protected_hardlinks), or is gone. */
const NO_LINK = new Set(["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOENT"]);

function isLinked({ stats }: Pick<PlainLayer, "stats">, from: string, to: string): boolean {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!NO_LINK.has(codeOf(error))) throw error;
    return false;
  }
  if (isSame(identityOf(statSync(to)), identityOf(stats))) return true;
  rmSync(to); // something else has that path by now
  return false;
}
