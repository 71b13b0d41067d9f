import { realpathSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";

const STANDARD = new Map([
  ["/dev/stdin", 0],
  ["/dev/stdout", 1],
  ["/dev/stderr", 2],
]);

/** The descriptor of this process that a path is another name of: `/dev/stdin`, `/dev/fd/63`, `/proc/self/fd/5`. */
export function descriptorOf(path: string): number | undefined {
  const standard = STANDARD.get(resolve(path));
  if (standard !== undefined) return standard;
  const name = basename(path);
  try {
    return /^\d+$/.test(name) && realpathSync(dirname(path)) === `/proc/${process.pid}/fd`
      ? Number(name)
      : undefined;
  } catch {
    return undefined;
  }
}
