import { S_IFBLK } from "../bytes/errno.ts";
import { systemCall } from "./system-call.ts";

const AT_FDCWD = -100;

/** Makes the node of a block device, for its owner alone. */
export const mknodBlock = (path: string, major: number, minor: number): void => {
  systemCall("mknodat", path, AT_FDCWD, path, S_IFBLK | 0o600, deviceNumber(major, minor));
};

/** As the system call takes it (include/linux/kdev_t.h, new_encode_dev). */
const deviceNumber = (major: number, minor: number): number =>
  (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
