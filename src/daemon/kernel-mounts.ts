import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { defaultStateDir, makeStateDir } from "../handover/state-dir.ts";
import { type MountEntry, mountAt, readMounts } from "../mounts/table.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";

const END = ".mounted";

/** That a mount of the kernel is ours: no process stays that could be asked. Says nothing by itself, see `isOf`. */
interface KernelMount {
  /** Mount ids are those of one namespace. */
  readonly namespace: string;
  readonly device: string;
  readonly source: string;
  /** ms since 1970 */
  readonly since: number;
  /** What the kernel reads, `dev:ino` each: `cache gc` leaves it. Absent in older notes. */
  readonly files?: readonly string[];
}

/** A file, whatever its path is by now. */
export interface Inode {
  readonly dev: number;
  readonly ino: number;
}

export const inodeKey = ({ dev, ino }: Inode): string => `${dev}:${ino}`;

const namespaceOf = (): string => readlinkSync("/proc/self/ns/mnt");

/** A note is of a mount that is there, and of no other one. */
const isOf = (note: KernelMount, { type, device, source }: MountEntry): boolean =>
  type === "erofs" && note.device === device && note.source === source;

/**
 * Notes that a mount was made here, just now. What cannot be written is a mount that `ls` does not know.
 *
 * @param files that the kernel reads, `dev:ino` each
 */
export function noteKernelMount(
  mountpoint: string,
  files: readonly string[] = [],
  dir = defaultStateDir(),
): void {
  try {
    const mount = mountAt(mountpoint);
    if (mount === undefined) return;
    makeStateDir(dir);
    forgetUnmounted(dir);
    const { device, source } = mount;
    const note: KernelMount = { namespace: namespaceOf(), device, source, since: Date.now(), files };
    // A name of its own: the kernel gives a device number again, and who takes the old note away is not to take this one.
    const which = randomBytes(4).toString("hex");
    const name = `${note.namespace.replace(/\D/g, "")}-${device.replace(":", "-")}-${which}${END}`;
    replaceFile(join(dir, name), JSON.stringify(note), { mode: 0o600, isDurable: false });
  } catch {}
}

/** Mounts of the kernel that were made here and are there still, with when. */
export function kernelMounts(table: readonly MountEntry[], dir = defaultStateDir()): Map<MountEntry, Date> {
  const found = new Map<MountEntry, Date>();
  for (const { note } of notesIn(dir).sort((a, b) => a.note.since - b.note.since)) {
    const mount = table.find((each) => isOf(note, each));
    if (mount !== undefined) found.set(mount, new Date(note.since));
  }
  return found;
}

/**
 * What the kernel reads for mounts that were made here and are there still, or may be in another namespace.
 *
 * @param mounts as of `forgetUnmounted`
 */
export function kernelMountFiles(dir = defaultStateDir(), mounts = readMounts): string[] {
  const notes = notesIn(dir);
  const table = mounts();
  return notes
    .filter(({ note }) => note.namespace !== namespaceOf() || table.some((mount) => isOf(note, mount)))
    .flatMap(({ note }) => note.files ?? []);
}

/**
 * Removes notes of what was unmounted meanwhile. Another namespace's mounts cannot be seen from here.
 *
 * @param mounts asked for when the notes have been read: of what was noted before, a mount that is not there is gone
 */
export function forgetUnmounted(dir = defaultStateDir(), mounts = readMounts): void {
  const notes = notesIn(dir);
  const table = mounts();
  for (const { path, note } of notes)
    if (note.namespace === namespaceOf() && !table.some((mount) => isOf(note, mount)))
      rmSync(path, { force: true });
}

function notesIn(dir: string): { path: string; note: KernelMount }[] {
  let names: string[] = [];
  try {
    mustBeOwnDirectory(dir);
    names = readdirSync(dir).filter((name) => name.endsWith(END));
  } catch {} // nothing was ever mounted, or it is not this user's to say
  return names.flatMap((name) => {
    const path = join(dir, name);
    try {
      return [{ path, note: JSON.parse(readFileSync(path, "utf8")) as KernelMount }];
    } catch {
      return []; // it goes away, or is another's
    }
  });
}
