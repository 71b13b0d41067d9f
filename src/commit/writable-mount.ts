import { type BigIntStats, closeSync, constants, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { isOverlay, upperOf } from "../mounts/overlay.ts";
import { reachedBy } from "../mounts/reached.ts";
import { isImage, type MountEntry, readMounts } from "../mounts/table.ts";
import { cloneMount } from "../syscalls/mount-api.ts";

/** A mount of `--rw`, held open. */
export interface WritableMount {
  readonly mountpoint: string;
  /** Descriptor of the directory in which overlayfs keeps the changes. */
  readonly upper: number;
  /** Descriptor of what the mount shows, without what is mounted in it. */
  readonly merged: number;
  /** Of the overlay. */
  readonly options: string;
  close(): void;
}

/**
 * Finds the overlay of `mount --rw` and its changes.
 *
 * @param said its mountpoint, or what lies in it
 * @param changes the directory of `--rw`; undefined: the one that the mount shows
 * @throws OperationalError when there is none, or `changes` is another one's
 */
export function openWritableMount(said: string, changes?: string): WritableMount {
  const overlay = overlayAt(said);
  const { mountpoint, options } = overlay;
  const directory = changes ?? upperOf(overlay);
  if (directory === undefined)
    throw new OperationalError(
      `${said}: the mount does not show where its changes are: say so by --rw DIR, as it was mounted`,
    );
  const open: number[] = [];
  const close = () => {
    for (const fd of open.splice(0)) closeSync(fd);
  };
  try {
    const upper = openSync(join(directory, "upper"), constants.O_RDONLY | constants.O_DIRECTORY);
    open.push(upper);
    const merged = cloneMount(mountpoint);
    open.push(merged);
    if (!isSameRoot(fstatSync(upper, { bigint: true }), fstatSync(merged, { bigint: true })))
      throw new OperationalError(`${directory} has not the changes of ${mountpoint}`);
    return { mountpoint, upper, merged, options, close };
  } catch (error) {
    close();
    throw error instanceof OperationalError ? error : new OperationalError(`${said}: ${messageOf(error)}`);
  }
}

function overlayAt(said: string): MountEntry {
  if (said === "") throw new OperationalError("the mountpoint is an empty string"); // an unset variable of a script
  const table = readMounts();
  const isOurs = (mount: MountEntry) => isImage(mount) || isOverlay(mount, table);
  const { mount } = reachedBy(said, table, isOurs);
  if (mount === undefined || !isOurs(mount))
    throw new OperationalError(
      `${said}: no image is mounted there that nydusd-ts mount --rw has made writable`,
    );
  if (!isOverlay(mount, table))
    throw new OperationalError(
      `${said}: mounted read-only, so nothing was changed: nydusd-ts mount --rw DIR keeps changes in DIR`,
    );
  return mount;
}

/** The root of an overlay has the times of the upper layer's root, to the nanosecond; the numbers of inodes may differ. */
const isSameRoot = (a: BigIntStats, b: BigIntStats): boolean =>
  a.ctimeNs === b.ctimeNs && a.mtimeNs === b.mtimeNs && a.uid === b.uid && a.mode === b.mode;
