import { DOT, SLASH } from "../bytes/name.ts";
import type { WalkEntry } from "../fs/walk.ts";
import type { EntryHeader, Xattr } from "../tar/entry.ts";
import { kindOfMode } from "../tar/kind-of-mode.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { isDevice, isDirectory } from "./attr.ts";

const EMPTY = new Uint8Array(0);

/**
 * The tar entry of a name in an image.
 *
 * @param link bytes of a symlink's target, or the tar's name of a file's first name; empty for what is no link
 * @param isHardLink whether `link` is that first name
 * @returns undefined for a socket: a tar has none
 */
export function entryOf(
  fs: FileSystem,
  walked: WalkEntry,
  link: Uint8Array = EMPTY,
  isHardLink = false,
): EntryHeader | undefined {
  const { attr, node } = walked;
  const kind = isHardLink ? "hardlink" : kindOfMode(attr.mode);
  if (kind === undefined) return undefined;
  const { uid, gid, mtime, mtimeNsec } = attr;
  return {
    kind,
    path: tarPath(walked),
    link,
    mode: attr.mode & 0o7777,
    ...{ uid, gid, mtime, mtimeNsec },
    rdev: isDevice(attr) ? attr.rdev : 0,
    size: kind === "file" ? attr.size : 0,
    xattrs: xattrsOf(fs, node),
  };
}

/** Relative, as in every layer: `./` for the root, a slash behind directories. */
export function tarPath({ path, attr }: WalkEntry): Uint8Array {
  if (path.length === 1) return Uint8Array.of(DOT, SLASH);
  return isDirectory(attr) ? Buffer.concat([path.subarray(1), Uint8Array.of(SLASH)]) : path.subarray(1);
}

function xattrsOf(fs: FileSystem, node: number): Xattr[] {
  const names = new Uint8Array(fs.listxattr(node, EMPTY, 0, 0, true));
  fs.listxattr(node, names, 0, names.length, true);
  const all: Xattr[] = [];
  for (let at = 0; at < names.length; ) {
    const end = names.indexOf(0, at);
    const value = new Uint8Array(fs.getxattr(node, names, at, end - at, names, 0, 0));
    fs.getxattr(node, names, at, end - at, value, 0, value.length);
    all.push({ name: names.subarray(at, end), value });
    at = end + 1;
  }
  return all;
}
