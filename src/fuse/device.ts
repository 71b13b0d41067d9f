import { spawnSync } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { IMAGE_FLAGS } from "../mounts/defaults.ts";
import { asSource, joinOptions } from "../mounts/options.ts";
import { mountAt } from "../mounts/table.ts";

/** Shown by `findmnt -t fuse.nydusd-ts`. */
export const FUSE_TYPE = "fuse.nydusd-ts";
/** What nydusd mounts with; `default_permissions` leaves mode, owner and ACL checks to the kernel. */
export const MOUNT_OPTIONS = [...IMAGE_FLAGS, "default_permissions", "allow_other"];

/** Owner of a mount. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}
const ROOT: Owner = { uid: 0, gid: 0 };

/** @returns why this process cannot use the FUSE device, and what to do; undefined when it can */
export function deviceTrouble(): string | undefined {
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return codeOf(error) === "ENOENT"
      ? "there is no /dev/fuse: load the fuse module (modprobe fuse), or give the container --device /dev/fuse"
      : "no access to /dev/fuse: run as root, or have the administrator chmod 0666 /dev/fuse";
  }
}

/** @throws OperationalError naming what is missing */
export function openDevice(): number {
  try {
    return openSync("/dev/fuse", "r+");
  } catch (error) {
    throw new OperationalError(
      `cannot open /dev/fuse (${messageOf(error)}): load the fuse module, or give access to it`,
    );
  }
}

/**
 * Mounts an open FUSE device. Returns before INIT is answered (the kernel sends it in the
 * background), so mounting from the thread that will not serve is safe.
 *
 * @param fd its descriptor, closed when it cannot be mounted
 * @param options mount options; a later one wins over its opposite, as for mount(8)
 * @param owner the user who may unmount it with fusermount(1) and abort its connection, besides root
 * @throws OperationalError naming what is missing
 */
export function mountDevice(
  fd: number,
  mountpoint: string,
  source: string,
  options: readonly string[],
  { uid, gid }: Owner = ROOT,
): void {
  // `-i`: no /sbin/mount.fuse helper; `-c`: names are shown as they are. The descriptor goes over as the child's fd 3.
  const all = joinOptions([...options, "fd=3", "rootmode=40000", `user_id=${uid}`, `group_id=${gid}`]);
  const child = spawnSync(
    "mount",
    ["-i", "-c", "-t", FUSE_TYPE, "-o", all, "--", asSource(source), mountpoint],
    {
      stdio: ["ignore", "pipe", "pipe", fd],
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    },
  );
  if (child.status === 0) return;
  closeSync(fd);
  const why = child.error
    ? child.error.message
    : child.stderr.trim().split("\n")[0] || `status ${child.status}`;
  throw new OperationalError(`cannot mount ${mountpoint}: ${why}`);
}

/** Largest READ the kernel grants, in pages; more than 256 was measured to be no faster. */
export function maxPages(): number {
  const most = 256;
  try {
    return Math.min(most, Number(readFileSync("/proc/sys/fs/fuse/max_pages_limit", "utf8")) || most);
  } catch {
    return most; // before Linux 6.13 the limit is 256
  }
}

/** KiB the kernel reads ahead: 1 MiB was best or equal (128 KiB, the default, 1.26 times slower). */
const READ_AHEAD_KB = 1024;

/** @returns what was set, or why not: a user namespace may not, and serves with the kernel's default */
export function raiseReadAhead(mountpoint: string): string {
  const mount = mountAt(mountpoint);
  if (mount === undefined) return "not mounted";
  try {
    writeFileSync(`/sys/class/bdi/${mount.device}/read_ahead_kb`, String(READ_AHEAD_KB));
    return `${READ_AHEAD_KB} KiB`;
  } catch (error) {
    return `the kernel's default (${messageOf(error)})`;
  }
}
