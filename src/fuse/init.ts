import { CONGESTION_THRESHOLD, MAX_BACKGROUND } from "../vfs/kernel-policy.ts";
import { IN_HEADER, INIT_IN, INIT_OUT } from "./wire.ts";

/** INIT flags, bits 0…31. Source: linux/include/uapi/linux/fuse.h. */
const ASYNC_READ = 1 << 0;
const EXPORT_SUPPORT = 1 << 4;
const BIG_WRITES = 1 << 5;
const DO_READDIRPLUS = 1 << 13;
const ASYNC_DIO = 1 << 15;
const NO_OPEN_SUPPORT = 1 << 17;
const PARALLEL_DIROPS = 1 << 18;
const POSIX_ACL = 1 << 20;
const ABORT_ERROR = 1 << 21;
const MAX_PAGES = 1 << 22;
const CACHE_SYMLINKS = 1 << 23;
const NO_OPENDIR_SUPPORT = 1 << 24;
const INIT_EXT = 1 << 30;
/** Bits 32…63. */
const HAS_EXPIRE_ONLY = 1 << 3;
const HAS_RESEND = 1 << 7;
const ALLOW_IDMAP = 1 << 8;

/**
 * READDIRPLUS without READDIRPLUS_AUTO: always (10 to 15 % faster on walk + stat, never slower on reading).
 * Not wanted: AUTO_INVAL_DATA (the image never changes), WRITEBACK and SPLICE (nothing is written).
 */
const WANTED =
  ASYNC_READ |
  EXPORT_SUPPORT |
  BIG_WRITES |
  DO_READDIRPLUS |
  ASYNC_DIO |
  NO_OPEN_SUPPORT |
  PARALLEL_DIROPS |
  ABORT_ERROR |
  MAX_PAGES |
  CACHE_SYMLINKS |
  NO_OPENDIR_SUPPORT |
  INIT_EXT;
/** ALLOW_IDMAP: the kernel wants `default_permissions` with it, and no request says any more who asks (caller.ts). */
const WANTED2 = HAS_EXPIRE_ONLY | HAS_RESEND | ALLOW_IDMAP;

const MAJOR = 7;
/** The newest minor version whose INIT reply is known here. */
const MINOR = 45;
/** Never used: the mount is read-only. The kernel wants at least a page. */
const MAX_WRITE = 4096;
const PAGE = 4096;

/** What the two sides agreed on. */
export interface Agreed {
  minor: number;
  /** The largest READ, bytes. */
  maxRead: number;
}

/**
 * Writes the INIT reply at `out[at…]`. The kernel reads as much of it as its own minor version has, and
 * refuses a reply that is longer (fs/fuse/dev.c, copy_out_args) or shorter than it knows.
 *
 * @param input the whole request; its body is 8 bytes before 7.6, 16 before 7.36, 64 since; a kernel may set
 *   INIT_EXT and send 16 bytes all the same (nydus#2010)
 * @param maxPages pages a READ may have, as far as this server's buffers go
 * @returns payload bytes: 8, 24 or 64
 */
export function answerInit(
  input: DataView,
  length: number,
  hasAcls: boolean,
  maxPages: number,
  out: DataView,
  at: number,
  agreed: Agreed,
): number {
  const major = input.getUint32(INIT_IN.MAJOR, true);
  const minor = input.getUint32(INIT_IN.MINOR, true);
  out.setUint32(at + INIT_OUT.MAJOR, MAJOR, true);
  out.setUint32(at + INIT_OUT.MINOR, Math.min(minor, MINOR), true);
  // A kernel of a later major sends INIT again in ours; of an earlier one (before 2007) it is not served.
  if (major !== MAJOR) return major > MAJOR ? 8 : -71;
  for (let i = 8; i < 64; i += 4) out.setUint32(at + i, 0, true);

  const body = length - IN_HEADER;
  const offered = body >= 16 ? input.getUint32(INIT_IN.FLAGS, true) : 0;
  const offered2 = offered & INIT_EXT && body >= 20 ? input.getUint32(INIT_IN.FLAGS2, true) : 0;
  const flags = offered & (hasAcls ? WANTED | POSIX_ACL : WANTED);
  const pages = flags & MAX_PAGES ? maxPages : 32;
  out.setUint32(
    at + INIT_OUT.MAX_READAHEAD,
    body >= 16 ? input.getUint32(INIT_IN.MAX_READAHEAD, true) : 0,
    true,
  );
  out.setUint32(at + INIT_OUT.FLAGS, flags, true);
  out.setUint16(at + INIT_OUT.MAX_BACKGROUND, MAX_BACKGROUND, true);
  out.setUint16(at + INIT_OUT.CONGESTION, CONGESTION_THRESHOLD, true);
  out.setUint32(at + INIT_OUT.MAX_WRITE, MAX_WRITE, true);
  out.setUint32(at + INIT_OUT.TIME_GRAN, 1, true);
  out.setUint16(at + INIT_OUT.MAX_PAGES, flags & MAX_PAGES ? pages : 0, true);
  out.setUint32(at + INIT_OUT.FLAGS2, offered2 & WANTED2, true);
  agreed.minor = Math.min(minor, MINOR);
  agreed.maxRead = pages * PAGE;
  // Field sizes by minor version: FUSE_COMPAT_INIT_OUT_SIZE, FUSE_COMPAT_22_INIT_OUT_SIZE.
  return minor < 5 ? 8 : minor < 23 ? 24 : 64;
}
