/**
 * Numbers and names of the operations that the kernel asks a file system for: both transports answer them, and what is
 * counted is counted by them. Source: linux/include/uapi/linux/fuse.h, 7.45.
 */
export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  READLINK: 5,
  OPEN: 14,
  READ: 15,
  STATFS: 17,
  RELEASE: 18,
  GETXATTR: 22,
  LISTXATTR: 23,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  INTERRUPT: 36,
  DESTROY: 38,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  READDIRPLUS: 44,
} as const;

/** Opcodes are below this: CUSE_INIT (4096) never reaches a file system. */
export const OP_COUNT = 64;

const OP_NAMES: readonly string[] = (
  "0 lookup forget getattr setattr readlink symlink 7 mknod mkdir unlink rmdir rename link open read write " +
  "statfs release 19 fsync setxattr getxattr listxattr removexattr flush init opendir readdir releasedir " +
  "fsyncdir getlk setlk setlkw access create interrupt bmap destroy ioctl poll notify_reply batch_forget " +
  "fallocate readdirplus rename2 lseek copy_file_range setupmapping removemapping syncfs tmpfile statx"
).split(" ");

/** For counters and messages, as fuse.h names it but in small letters; the number itself where it has no name. */
export const opName = (opcode: number): string => OP_NAMES[opcode] ?? String(opcode);
