import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { Client } from "./client.ts";

/** An image to be shown, as the command line names it. */
export interface MountFlags {
  /** Where, within the daemon's mount. */
  readonly mountpoint: string;
  /** Path of the bootstrap. */
  readonly source: string;
  /** Path of a nydusd configuration; without it the daemon looks for tars where it was told, or beside the bootstrap. */
  readonly config?: string;
  readonly type: string;
  readonly prefetchFiles: readonly string[];
}

const at = (mountpoint: string): string => `v1/mount?mountpoint=${encodeURIComponent(mountpoint)}`;

/**
 * Has a daemon show an image.
 *
 * @param method PUT shows it in the place of one that is there
 * @throws OperationalError
 */
export async function mountImage(client: Client, method: "POST" | "PUT", flags: MountFlags): Promise<void> {
  const { mountpoint, source, config, type, prefetchFiles } = flags;
  await client[method === "POST" ? "post" : "put"](at(mountpoint), {
    fs_type: type,
    // The daemon may have been started somewhere else.
    source: resolve(source),
    config: config === undefined ? "" : read(config),
    prefetch_files: prefetchFiles.length === 0 ? null : prefetchFiles,
  });
}

/** @throws OperationalError */
export async function unmountImage(client: Client, mountpoint: string): Promise<void> {
  await client.delete(at(mountpoint));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new OperationalError(`config ${path}: ${messageOf(error)}`);
  }
}
