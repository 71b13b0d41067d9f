import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { O_PATH } from "../bytes/o-path.ts";

/** Where something is mounted. */
export interface Mountpoint {
  readonly path: string;
}

/**
 * Where a mountpoint has got to when directories above it are renamed: it keeps its own name, which cannot change
 * while it is mounted on. Not found by device number: another mount has that as soon as this one is gone.
 */
export class TrackedMountpoint implements Mountpoint {
  private readonly mountpoint: string;
  /** Of the parent; undefined where it cannot be opened, or is closed. */
  private fd: number | undefined;

  /** @param mountpoint canonical */
  constructor(mountpoint: string) {
    this.mountpoint = mountpoint;
    try {
      this.fd = openSync(dirname(mountpoint), O_PATH | constants.O_DIRECTORY);
    } catch {}
  }

  /** From now on it is where it was in the beginning. */
  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  get path(): string {
    if (this.fd === undefined) return this.mountpoint;
    try {
      return join(readlinkSync(`/proc/self/fd/${this.fd}`), basename(this.mountpoint));
    } catch {
      return this.mountpoint;
    }
  }
}
