/**
 * The NBD protocol, as far as a read-only server speaks it; big-endian.
 *
 * @see https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */
export const NBD_MAGIC = 0x4e42_444d_4147_4943n;
export const OPTION_MAGIC = 0x4948_4156_454f_5054n;
const OPTION_REPLY_MAGIC = 0x0003_e889_0455_65a9n;
export const REQUEST_MAGIC = 0x2560_9513;
const SIMPLE_REPLY_MAGIC = 0x6744_6698;
const CHUNK_MAGIC = 0x668e_33ef;

/** Of the server, and the same bits of the client. */
export const FIXED_NEWSTYLE = 1;
export const NO_ZEROES = 2;

export const OPTION = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
} as const;

export const REPLY = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  UNSUPPORTED: 0x8000_0001,
  POLICY: 0x8000_0002,
  INVALID: 0x8000_0003,
  UNKNOWN: 0x8000_0006,
  TOO_BIG: 0x8000_0009,
} as const;

export const INFO = { EXPORT: 0, BLOCK_SIZE: 3 } as const;

const HAS_FLAGS = 1;
const READ_ONLY = 1 << 1;
const SEND_DF = 1 << 7;
const CAN_MULTI_CONN = 1 << 8;
const SEND_CACHE = 1 << 10;
/** What every export can do; DF only where replies are structured. */
export const exportFlags = (isStructured: boolean): number =>
  HAS_FLAGS | READ_ONLY | CAN_MULTI_CONN | SEND_CACHE | (isStructured ? SEND_DF : 0);

export const COMMAND = {
  READ: 0,
  WRITE: 1,
  DISCONNECT: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
} as const;

/** The data of a read in one chunk. */
export const FLAG_DF = 1 << 2;
/** One extent is enough. */
export const FLAG_REQ_ONE = 1 << 3;

export const CHUNK = { NONE: 0, DATA: 1, HOLE: 2, BLOCK_STATUS: 5, ERROR: 0x8001 } as const;
const CHUNK_DONE = 1;

/** Of `base:allocation`. */
export const STATE_HOLE = 1;
export const STATE_ZERO = 2;

export const ERROR = { EPERM: 1, EIO: 5, EINVAL: 22, EOVERFLOW: 75, ENOTSUP: 95, ESHUTDOWN: 108 } as const;

export const REQUEST_SIZE = 28;
export const OPTION_SIZE = 16;

/** Blocks that clients are told of; who does not ask may read anything. */
export const MIN_BLOCK = 512;
export const PREFERRED_BLOCK = 4096;
export const MAX_READ = 32 << 20;

export interface Request {
  readonly magic: number;
  readonly flags: number;
  readonly type: number;
  readonly cookie: bigint;
  /** Beyond 2^53 it is rounded; no disk goes there. */
  readonly offset: number;
  readonly length: number;
}

export function readRequest(bytes: Buffer): Request {
  return {
    magic: bytes.readUInt32BE(0),
    flags: bytes.readUInt16BE(4),
    type: bytes.readUInt16BE(6),
    cookie: bytes.readBigUInt64BE(8),
    offset: Number(bytes.readBigUInt64BE(16)),
    length: bytes.readUInt32BE(24),
  };
}

export function optionReply(option: number, type: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

export function simpleReply(error: number, cookie: bigint): Buffer {
  const head = Buffer.allocUnsafe(16);
  putSimpleReply(head, error, cookie);
  return head;
}

/** The same at the beginning of a buffer. */
export function putSimpleReply(head: Buffer, error: number, cookie: bigint): void {
  head.writeUInt32BE(SIMPLE_REPLY_MAGIC, 0);
  head.writeUInt32BE(error, 4);
  head.writeBigUInt64BE(cookie, 8);
}

/** @param length of what follows in the chunk */
export function chunkHead(type: number, isLast: boolean, cookie: bigint, length: number): Buffer {
  const head = Buffer.allocUnsafe(20);
  putChunkHead(head, type, isLast, cookie, length);
  return head;
}

/** The same at the beginning of a buffer. */
export function putChunkHead(
  head: Buffer,
  type: number,
  isLast: boolean,
  cookie: bigint,
  length: number,
): void {
  head.writeUInt32BE(CHUNK_MAGIC, 0);
  head.writeUInt16BE(isLast ? CHUNK_DONE : 0, 4);
  head.writeUInt16BE(type, 6);
  head.writeBigUInt64BE(cookie, 8);
  head.writeUInt32BE(length, 16);
}
