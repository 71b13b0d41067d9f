/**
 * Device numbers of 32 bits, as inodes, stat and mknod have them: the minor number's low byte, 12 bits of major number,
 * the rest of the minor number. Source: include/linux/kdev_t.h, `new_encode_dev`.
 */
export const MAX_MAJOR = 2 ** 12 - 1;
export const MAX_MINOR = 2 ** 20 - 1;

export const makeDevice = (major: number, minor: number): number =>
  ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;

export const deviceMajor = (device: number): number => (device >>> 8) & MAX_MAJOR;
export const deviceMinor = (device: number): number => (device & 0xff) | ((device >>> 12) & 0xfff00);
