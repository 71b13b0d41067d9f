import { readSync } from "node:fs";
import { AT_FDCWD } from "./path-argument.ts";
import { systemCall } from "./system-call.ts";

/**
 * The mount calls of Linux 5.2: a file system is configured step by step, mounted where no path leads, and
 * moved to its place. Source: include/uapi/linux/mount.h.
 */
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const OPEN_TREE_CLONE = 1;
/** O_CLOEXEC, which is the same on every architecture that is known here. */
const OPEN_TREE_CLOEXEC = 0o2000000;

/** Longest value of a parameter, bytes: the kernel takes 256 with the NUL (fs/fsopen.c, strndup_user). */
export const MAX_VALUE = 255;

export const MOUNT_ATTR = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  /** The mask of how access times are kept; 0 is relatime. */
  ATIME: 0x70,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  NOSYMFOLLOW: 0x200000,
} as const;

/** @returns the descriptor of a file system that is being configured */
export const fsopen = (type: string): number => systemCall("fsopen", type, type, FSOPEN_CLOEXEC);

/** @param value none: the parameter is a flag */
export function fsconfig(fd: number, key: string, value?: string): void {
  const command = value === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
  systemCall("fsconfig", value === undefined ? key : `${key}=${value}`, fd, command, key, value ?? null, 0);
}

/** Makes the file system of what was configured: the kernel reads it now. */
export const fscreate = (fd: number): void => {
  systemCall("fsconfig", "create", fd, FSCONFIG_CMD_CREATE, null, null, 0);
};

/** @returns the descriptor of a mount that is attached nowhere; closing it ends the mount */
export const fsmount = (fd: number, attributes: number): number =>
  systemCall("fsmount", `attributes 0x${attributes.toString(16)}`, fd, FSMOUNT_CLOEXEC, attributes);

/** Attaches a mount to a path; it stays there whatever becomes of the descriptor. */
export const moveMount = (fd: number, mountpoint: string): void => {
  systemCall("move_mount", mountpoint, fd, "", AT_FDCWD, mountpoint, MOVE_MOUNT_F_EMPTY_PATH);
};

/** @returns the descriptor of the uppermost mount at a path once more: attached nowhere, and without what is mounted in it */
export const cloneMount = (path: string): number =>
  systemCall("open_tree", path, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

/** What the kernel has to say about a configuration, oldest first; `e ` and `w ` before each are left out. */
export function messages(fd: number): string[] {
  const all: string[] = [];
  const buffer = new Uint8Array(4096);
  for (;;) {
    try {
      const length = readSync(fd, buffer);
      all.push(Buffer.from(buffer.subarray(0, length)).toString().trim().slice(2));
    } catch {
      return all; // ENODATA: that was all
    }
  }
}
