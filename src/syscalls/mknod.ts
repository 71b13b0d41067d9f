import { makeDevice } from "../bytes/device-number.ts";
import { S_IFBLK } from "../bytes/errno.ts";
import { systemCall } from "./system-call.ts";

const AT_FDCWD = -100;

/** Makes the node of a block device, for its owner alone. */
export const mknodBlock = (path: string, major: number, minor: number): void => {
  systemCall("mknodat", path, AT_FDCWD, path, S_IFBLK | 0o600, makeDevice(major, minor));
};
