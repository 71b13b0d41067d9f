import { isDots } from "../bytes/name.ts";
import { newEntry } from "../vfs/file-system.ts";
import type { ImageFileSystem } from "./image-file-system.ts";

const DT_DIRECTORY = 4;
const DT_REGULAR = 8;

/**
 * Calls back for each regular file below a directory, a file of several names once.
 *
 * @param seen a byte a nid, set for files and directories that were met: whatever is set already is passed over
 */
export function forEachFile(
  fs: ImageFileSystem,
  directory: number,
  seen: Uint8Array,
  found: (nid: number) => void,
): void {
  const entry = newEntry();
  const directories = [directory];
  for (let i = 0; i < directories.length; i++)
    for (let more = fs.entry(directories[i], 0, entry); more === 1; more = fs.nextEntry(entry)) {
      if (entry.node === 0 || isDots(entry.bytes, entry.nameAt, entry.nameLength) || seen[entry.ino])
        continue;
      seen[entry.ino] = 1;
      if (entry.type === DT_DIRECTORY) directories.push(entry.node);
      else if (entry.type === DT_REGULAR) found(entry.ino);
    }
}
