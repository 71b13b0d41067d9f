import { readFileSync } from "node:fs";
import { textOf } from "../bytes/any-bytes.ts";

/** One line of mountinfo, as far as it is used here. */
export interface MountEntry {
  /** `major:minor` of the super block: names the bdi, too. */
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
}

/** Mounts of this process's namespace, in mount order: the last one at a path is the visible one. */
export function readMounts(): MountEntry[] {
  return parseMountinfo(readFileSync("/proc/self/mountinfo", "latin1"));
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const [fixed, rest] = line.split(" - ");
    const [, , device, , mountpoint] = fixed?.split(" ") ?? [];
    const [type, source] = rest?.split(" ") ?? [];
    if (device === undefined || mountpoint === undefined || type === undefined || source === undefined)
      continue; // the end of the text
    entries.push({ device, mountpoint: unescapeOctal(mountpoint), type, source: unescapeOctal(source) });
  }
  return entries;
}

/** The visible mount whose root is exactly `path`. */
export const mountAt = (path: string): MountEntry | undefined =>
  readMounts().findLast((m) => m.mountpoint === path);

/** Space, tab, newline, backslash and `#` are octal there; other bytes are as they are. */
const unescapeOctal = (s: string): string =>
  textOf(
    Buffer.from(
      s.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
      "latin1",
    ),
  );
