import { readFileSync } from "node:fs";
import { textOf } from "../bytes/any-bytes.ts";

/** One line of mountinfo, as far as it is used here. */
export interface MountEntry {
  /** Of the mount, and of the one that it is mounted on. */
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the super block: names the bdi, too. */
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
  /** Of the file system, as it shows them. */
  readonly options: string;
}

/** Mounts of this process's namespace, in mount order: the last one at a path is the visible one. */
export function readMounts(): MountEntry[] {
  return parseMountinfo(readFileSync("/proc/self/mountinfo", "latin1"));
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const cut = line.indexOf(" - "); // the first: a source may be called so, too
    const [id, parent, device, , mountpoint] = line.slice(0, Math.max(cut, 0)).split(" ");
    const [type, source, options = ""] = line.slice(cut + 3).split(" ");
    if (device === undefined || mountpoint === undefined || type === undefined || source === undefined)
      continue; // the end of the text
    entries.push({
      ...{ id: Number(id), parent: Number(parent), device, type, options },
      ...{ mountpoint: unescapeOctal(mountpoint), source: unescapeOctal(source) },
    });
  }
  return entries;
}

/** A mount that may be of an image: the kernel's, or a daemon's. */
export const isImage = ({ type }: MountEntry): boolean => type === "erofs" || type.startsWith("fuse");

/** The visible mount whose root is exactly `path`. */
export const mountAt = (path: string): MountEntry | undefined =>
  readMounts().findLast((m) => m.mountpoint === path);

/**
 * Whether an automounter waits for a mount there. Whoever is not of its process group, and asks for anything at that path,
 * waits with those whom it is for.
 *
 * @see https://docs.kernel.org/filesystems/autofs.html
 */
export const isAwaited = (mount: MountEntry | undefined): boolean => mount?.type === "autofs";

/** Space, tab, newline, backslash and `#` are octal there; other bytes are as they are. */
const unescapeOctal = (s: string): string =>
  textOf(
    Buffer.from(
      s.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
      "latin1",
    ),
  );
