import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
export const CONTROL = "/sys/fs/fuse/connections";

/**
 * Aborts a FUSE connection: workers that block in a read of the device wake with ECONNABORTED, whoever is
 * still inside the mount gets errors. The only way from plain Node to end workers of a mount that was
 * detached: closing the descriptor does not wake a reader, and the mount has no path any more.
 *
 * @param device `major:minor` of the mount, as mountinfo shows it
 * @throws Error when the control file system is not mounted and may not be
 */
export async function abortConnection(device: string): Promise<void> {
  const file = join(device.split(":")[1], "abort");
  if (existsSync(join(CONTROL, file))) {
    writeFileSync(join(CONTROL, file), "1");
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-fusectl-"));
  try {
    await run("mount", ["-i", "-t", "fusectl", "fusectl", dir]);
    try {
      if (existsSync(join(dir, file))) writeFileSync(join(dir, file), "1"); // else it has ended by itself
    } finally {
      await run("umount", ["-i", dir]);
    }
  } finally {
    rmdirSync(dir);
  }
}
