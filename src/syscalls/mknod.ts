import { makeDevice } from "../bytes/device-number.ts";
import { S_IFBLK } from "../bytes/errno.ts";
import { AT_FDCWD, pathArgument } from "./path-argument.ts";
import { systemCall } from "./system-call.ts";

/** Makes the node of a block device, for its owner alone. */
export const mknodBlock = (path: string, major: number, minor: number): void =>
  makeNode(path, S_IFBLK | 0o600, makeDevice(major, minor));

/**
 * Makes a device, fifo or socket.
 *
 * @param mode type and permissions, of which the umask takes some
 * @param device its number: see bytes/device-number
 */
export const makeNode = (path: string | Uint8Array, mode: number, device: number): void => {
  systemCall("mknodat", `${path}`, AT_FDCWD, pathArgument(path), mode, device);
};
