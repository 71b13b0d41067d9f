import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { promisify } from "node:util";
import { messageOf, OperationalError, UsageError } from "../bytes/errors.ts";
import { isImage, mountAt } from "../mounts/table.ts";
import { splitOptions } from "../mounts/options.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;

/**
 * `mount -o remount,…`: flags of the mount are changed, as for any mount. The image is read-only before and after, and
 * what else was given when it was mounted stays.
 *
 * @param words as after `-o`, without those of mount(8)
 * @throws UsageError, OperationalError
 */
export async function remountImage(path: string, words: readonly string[]): Promise<void> {
  const mountpoint = realpathSync(path);
  const mount = mountAt(mountpoint);
  if (mount === undefined || !isImage(mount)) throw new UsageError(`${path}: no image is mounted there`);
  const flags = splitOptions(words).ofMount;
  if (flags.every((flag) => flag === "ro")) return;
  try {
    await run("mount", ["-i", "-o", ["remount", "bind", "ro", ...flags].join(","), mountpoint], {
      timeout: TIMEOUT_MS,
      env: { ...process.env, LC_ALL: "C" },
    });
  } catch (error) {
    throw new OperationalError(`${path}: cannot be remounted: ${messageOf(error)}`);
  }
}
