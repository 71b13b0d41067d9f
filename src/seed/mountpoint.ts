import { readdirSync, realpathSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { resolve } from "node:path";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { FUSE_TYPE } from "../fuse/device.ts";
import type { Logger } from "../log/log.ts";
import { isDeadMount } from "../mounts/dead.ts";
import { isAwaited, mountAt, readMounts } from "../mounts/table.ts";
import { type Claim, claimMountpoint } from "./claim.ts";
import { detach } from "../mounts/umount.ts";

/** A directory that can be mounted on. */
export interface PreparedMountpoint {
  /** Canonical path. */
  readonly mountpoint: string;
  readonly claim: Claim;
}

/**
 * Makes sure that a directory can be mounted on: it exists, no dead mount hides it, nothing is mounted there
 * and nothing is in it.
 *
 * @param force mount over what is there all the same
 * @returns its canonical path
 * @throws OperationalError saying what to do
 */
export async function findMountpoint(path: string, force: boolean, log: Logger): Promise<string> {
  const mountpoint = await canonical(path, log);
  if (!statSync(mountpoint).isDirectory())
    throw new OperationalError(
      `mountpoint ${path}: not a directory: the image comes first, then the directory to mount it on`,
    );
  if (!force) mustBeFree(mountpoint, path);
  return mountpoint;
}

/** The same, and no other process of ours finds it until the claim is released. @throws OperationalError */
export async function prepareMountpoint(
  path: string,
  force: boolean,
  log: Logger,
): Promise<PreparedMountpoint> {
  const mountpoint = await findMountpoint(path, force, log);
  const claim = claimMountpoint(mountpoint, path);
  try {
    if (!force) mustBeFree(mountpoint, path); // another one may have been faster
    return { mountpoint, claim };
  } catch (error) {
    claim.release();
    throw error;
  }
}

function mustBeFree(real: string, path: string): void {
  mustBeUnmounted(real, path);
  if (readdirSync(real).length === 0) return;
  mustBeUnmounted(real, path); // what was listed may have been mounted meanwhile
  throw new OperationalError(`mountpoint ${path}: not empty; choose another or use --force`);
}

function mustBeUnmounted(real: string, path: string): void {
  const mount = mountAt(real);
  if (mount !== undefined && !isAwaited(mount))
    throw new OperationalError(
      `mountpoint ${path}: ${mount.source} (${mount.type}) is mounted there already; unmount it or use --force`,
    );
}

/** Whether an image is served there. It may be dead, and then cannot be asked. */
export function isMountedAt(mountpoint: string): boolean {
  const path = resolve(mountpoint);
  return readMounts().some((mount) => mount.mountpoint === path && mount.type === FUSE_TYPE);
}

async function canonical(path: string, log: Logger): Promise<string> {
  try {
    const real = realpathSync(path);
    // Attributes of a dead mount may be cached, this never is.
    await statfs(real);
    return real;
  } catch (error) {
    if (!isDeadMount(error))
      throw new OperationalError(
        codeOf(error) === "ENOENT"
          ? `mountpoint ${path}: no such directory`
          : `mountpoint ${path}: ${messageOf(error)}`,
      );
  }
  // A file system whose server died answers nothing any more; processes inside are lost already.
  log.warn(`${path}: a mount whose server is gone; detaching it`);
  try {
    await detach(path);
  } catch (error) {
    throw new OperationalError(
      `mountpoint ${path}: a dead mount that cannot be detached: ${messageOf(error)}`,
    );
  }
  return canonical(path, log);
}
