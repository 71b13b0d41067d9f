import { DOT, isDots, nameEnd, SLASH } from "../bytes/name.ts";

/**
 * A path of an archive without `.` and `..` in it, each `..` taking away the name before it, whatever that is: so do
 * containerd and umoci (Go's path.Clean) before they look at a disk. What leads out of the root leads to the root.
 *
 * @returns the path itself where it has none of them but one `.` in front; else a copy, relative, without double slashes
 */
export function cleanPath(path: Uint8Array): Uint8Array {
  if (isClean(path)) return path;
  const starts: number[] = [];
  const out = new Uint8Array(path.length);
  let length = 0;
  for (let at = 0; at < path.length; ) {
    const end = nameEnd(path, at, path.length);
    if (!isDots(path, at, end - at)) {
      if (end > at) {
        starts.push(length);
        if (length > 0) out[length++] = SLASH;
        out.set(path.subarray(at, end), length);
        length += end - at;
      }
    } else if (end - at === 2) length = starts.pop() ?? 0;
    at = end + 1;
  }
  return out.subarray(0, length);
}

function isClean(path: Uint8Array): boolean {
  for (let at = path.indexOf(DOT); at >= 0; at = path.indexOf(DOT, at + 1)) {
    if (at > 0 && path[at - 1] !== SLASH) continue;
    const length = nameEnd(path, at, path.length) - at;
    if (isDots(path, at, length) && (at > 0 || length === 2)) return false;
  }
  return true;
}
