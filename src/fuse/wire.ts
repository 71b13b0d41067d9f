/**
 * The kernel's FUSE protocol: byte offsets of what a read-only server reads and writes, little-endian.
 * Source: linux/include/uapi/linux/fuse.h, 7.45. Bodies are given from the start of the whole message.
 */
export const IN_HEADER = 40;
export const IN = {
  LEN: 0, //      u32
  OPCODE: 4, //   u32
  UNIQUE: 8, //   u64  bit 63: sent again after a takeover; echoed as it is
  NODEID: 16, //  u64
  UID: 24, //     u32
  PID: 32, //     u32  of the calling thread
} as const;

export const OUT_HEADER = 16;
export const OUT = {
  LEN: 0, //      u32
  ERROR: 4, //    s32  0 or -errno; a notification's code
  UNIQUE: 8, //   u64
} as const;

export const INIT_IN = { MAJOR: 40, MINOR: 44, MAX_READAHEAD: 48, FLAGS: 52, FLAGS2: 56 } as const;
export const INIT_OUT = {
  MAJOR: 0,
  MINOR: 4,
  MAX_READAHEAD: 8,
  FLAGS: 12,
  MAX_BACKGROUND: 16, //  u16
  CONGESTION: 18, //      u16
  MAX_WRITE: 20,
  TIME_GRAN: 24, //       ns
  MAX_PAGES: 28, //       u16
  FLAGS2: 32,
} as const;

/** READ, READDIR and READDIRPLUS have one shape. */
export const READ_IN = { OFFSET: 48, SIZE: 56 } as const;
/** GETXATTR and LISTXATTR; the name of GETXATTR follows at 48. */
export const XATTR_IN = { SIZE: 40, NAME: 48 } as const;

/** `struct fuse_attr`, 88 bytes. */
export const ATTR_SIZE = 88;
export const ATTR = {
  INO: 0,
  SIZE: 8,
  BLOCKS: 16,
  ATIME: 24,
  MTIME: 32,
  CTIME: 40,
  ATIME_NSEC: 48,
  MTIME_NSEC: 52,
  CTIME_NSEC: 56,
  MODE: 60,
  NLINK: 64,
  UID: 68,
  GID: 72,
  RDEV: 76,
  BLKSIZE: 80,
  FLAGS: 84,
} as const;

/** `struct fuse_entry_out`, 128 bytes. */
export const ENTRY_SIZE = 128;
export const ENTRY = {
  NODEID: 0,
  GENERATION: 8,
  ENTRY_VALID: 16,
  ATTR_VALID: 24,
  ENTRY_VALID_NSEC: 32,
  ATTR_VALID_NSEC: 36,
  ATTR: 40,
} as const;

export const ATTR_OUT = { VALID: 0, VALID_NSEC: 8, ATTR: 16 } as const;
/** `struct fuse_dirent`: 24 bytes and the name, padded to 8. */
export const DIRENT = { INO: 0, OFF: 8, NAMELEN: 16, TYPE: 20, NAME: 24 } as const;
export const STATFS = {
  BLOCKS: 0,
  BFREE: 8,
  BAVAIL: 16,
  FILES: 24,
  FFREE: 32,
  BSIZE: 40,
  NAMELEN: 44,
  FRSIZE: 48,
  SIZE: 80,
} as const;

/** FORGET: how many lookups of the node. BATCH_FORGET: that many pairs of node and times, u64 both. */
export const FORGET = { NODEID: 16, TIMES: 40, COUNT: 40, LIST: 48, STRIDE: 16 } as const;

/** FUSE_NOTIFY_STORE: header, then nodeid u64, offset u64, size u32, padding u32, then the data. */
export const NOTIFY_STORE = 4;
export const STORE = { NODEID: 16, OFFSET: 24, SIZE: 32, DATA: 40 } as const;
/** From offset on, length 0 being all; attributes in any case. */
export const NOTIFY_INVAL_INODE = 2;
export const INVAL_INODE = { NODEID: 16, OFFSET: 24, LENGTH: 32, SIZE: 40 } as const;
/** The name follows, with a NUL that its length does not count. */
export const NOTIFY_INVAL_ENTRY = 3;
export const INVAL_ENTRY = { PARENT: 16, NAMELEN: 24, FLAGS: 28, NAME: 32 } as const;
export const EXPIRE_ONLY = 1;
/** Puts every request that was read and not answered back into the queue; Linux 6.9. */
export const NOTIFY_RESEND = 7;
/** Asks for cached data of a node; the kernel sends it as a request. */
export const NOTIFY_RETRIEVE = 5;
export const RETRIEVE = { UNIQUE: 16, NODEID: 24, OFFSET: 32, LENGTH: 40, SIZE: 48 } as const;
