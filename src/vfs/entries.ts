import { isDots } from "../bytes/name.ts";
import { DT_DIRECTORY, type Entry, type FileSystem, newEntry } from "./file-system.ts";

/**
 * The next name of a directory that is neither `.` nor `..`. A listing begins with an entry whose `next` is 0, as
 * `newEntry` makes it.
 *
 * @returns 1 when `into` was filled, 0 at the end, or -errno
 */
export function nextName(fs: FileSystem, directory: number, into: Entry): number {
  let more = into.next === 0 ? fs.entry(directory, 0, into) : fs.nextEntry(into);
  while (more === 1 && isDots(into.bytes, into.nameAt, into.nameLength)) more = fs.nextEntry(into);
  return more;
}

/** Copies of all names of a directory. */
export function namesIn(fs: FileSystem, directory: number): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (const entry = newEntry(); nextName(fs, directory, entry) === 1; ) names.push(nameOf(entry));
  return names;
}

/** A copy of an entry's name. */
export const nameOf = ({ bytes, nameAt, nameLength }: Entry): Uint8Array =>
  bytes.slice(nameAt, nameAt + nameLength);

/**
 * Calls back for each name below a directory: all of one directory, then those of its subdirectories in that order. Of
 * a directory that cannot be listed there are none.
 *
 * @param each told of the entry, which is filled anew for the next one, and of the node of the directory that it is in;
 *   of a directory it answers whether to look into it
 */
export function forEachBelow(
  fs: FileSystem,
  top: number,
  each: (entry: Entry, directory: number) => boolean,
): void {
  const entry = newEntry();
  const directories = [top];
  for (const directory of directories) {
    entry.next = 0;
    while (nextName(fs, directory, entry) === 1)
      if (each(entry, directory) && entry.type === DT_DIRECTORY && entry.node !== 0)
        directories.push(entry.node);
  }
}
