import { execFile } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmdirSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
export const CONNECTIONS = "/sys/fs/fuse/connections";

/**
 * Aborts a FUSE connection: workers that block in a read of the device wake with ECONNABORTED, callers
 * inside the mount get errors. The only way from plain Node to end workers of a mount that was
 * detached: closing the descriptor does not wake a reader, and the mount has no path any more.
 *
 * @param device `major:minor` of the mount, as mountinfo shows it
 * @throws Error when the control file system is not mounted and may not be
 */
export async function abortConnection(device: string): Promise<void> {
  const fd = await openAbort(device);
  if (fd === undefined) return; // it has ended by itself
  writeSync(fd, "1");
  closeSync(fd);
}

/**
 * For a process that may not do that later any more, because it is about to give up root: the file is kept open.
 *
 * @returns aborts the connection
 * @throws as `abortConnection`
 */
export async function holdAbort(device: string): Promise<() => Promise<void>> {
  const fd = await openAbort(device);
  return async () => {
    if (fd !== undefined) writeSync(fd, "1");
  };
}

/** @returns undefined when there is no such connection */
async function openAbort(device: string): Promise<number | undefined> {
  const file = join(device.split(":")[1], "abort");
  if (existsSync(join(CONNECTIONS, file))) return openSync(join(CONNECTIONS, file), "w");
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-fusectl-"));
  try {
    await run("mount", ["-i", "-t", "fusectl", "fusectl", dir]);
    try {
      return existsSync(join(dir, file)) ? openSync(join(dir, file), "w") : undefined;
    } finally {
      await run("umount", ["-i", "-l", dir]); // the file stays open
    }
  } finally {
    rmdirSync(dir);
  }
}
